// One data key: see the header.
// spec: openvpn-rfc#dataaead, openvpn-wire 9.1, 9.2, 9.6
#include "vpn/protocol/data_key.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <climits>
#include <limits>

namespace vpn::protocol {

namespace {

constexpr size_t id_size = 4;
constexpr size_t tag_size = 16;
constexpr size_t implicit_iv_size = 8;
constexpr size_t nonce_size = id_size + implicit_iv_size;

struct cipher_row {
  const char* name;
  size_t key_length;
};

constexpr std::array<cipher_row, 4> cipher_rows{{
  {"AES-128-GCM", 16},
  {"AES-192-GCM", 24},
  {"AES-256-GCM", 32},
  {"CHACHA20-POLY1305", 32},
}};

const cipher_row& row_of(data_cipher x) {
  return cipher_rows[static_cast<size_t>(x)];
}

/// Fetched once per process: a fetch takes locks and compares strings, more
/// work than sealing a packet. Never freed, since OpenSSL may be gone first.
EVP_CIPHER* fetched(data_cipher x) {
  static const auto all = [] {
    std::array<EVP_CIPHER*, cipher_rows.size()> result{};
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = EVP_CIPHER_fetch(nullptr, cipher_rows[i].name, nullptr);
    return result;
  }();
  return all[static_cast<size_t>(x)];
}

struct context_deleter {
  void operator()(EVP_CIPHER_CTX* x) const noexcept { EVP_CIPHER_CTX_free(x); }
};

/// One direction: the keyed context, the nonce whose first half changes per
/// packet, and a parameter that only has to be pointed at a tag.
struct direction {
  std::unique_ptr<EVP_CIPHER_CTX, context_deleter> ctx;
  std::array<uint8_t, nonce_size> nonce{};
  std::array<OSSL_PARAM, 2> tag{};

  ~direction() { wipe(nonce.data(), nonce.size()); }

  bool start(data_cipher cipher, byte_view key, byte_view iv, bool encrypt) {
    auto* kind = fetched(cipher);
    ctx.reset(EVP_CIPHER_CTX_new());
    if (kind == nullptr || ctx == nullptr)
      return false;
    std::copy(iv.begin(), iv.end(), nonce.begin() + id_size);
    tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
                                               nullptr, tag_size);
    tag[1] = OSSL_PARAM_construct_end();
    auto init = encrypt ? EVP_EncryptInit_ex2 : EVP_DecryptInit_ex2;
    return init(ctx.get(), kind, key.data(), nonce.data(), nullptr) == 1;
  }

  OSSL_PARAM* tag_at(uint8_t* place) noexcept {
    tag[0].data = place;
    return tag.data();
  }
};

bool all_zero(byte_view xs) {
  return std::all_of(xs.begin(), xs.end(), [](uint8_t x) {
    return x == 0;
  });
}

} // namespace

std::string to_string(data_cipher x) {
  return row_of(x).name;
}

std::optional<data_cipher> parse_data_cipher(std::string_view name) {
  for (size_t i = 0; i < cipher_rows.size(); ++i)
    if (name == cipher_rows[i].name)
      return static_cast<data_cipher>(i);
  return std::nullopt;
}

size_t key_length(data_cipher x) {
  return row_of(x).key_length;
}

struct data_key::contexts {
  direction send;
  direction receive;
};

data_key::data_key(std::unique_ptr<contexts> ctx) : ctx_(std::move(ctx)) {
}
data_key::data_key(data_key&&) noexcept = default;
data_key& data_key::operator=(data_key&&) noexcept = default;
data_key::~data_key() = default;

expected<data_key> data_key::make(const data_key_spec& spec) {
  if (spec.key_id > 7 || spec.peer_id.value_or(0) > 0xffffff)
    return errc::bad_value;
  // The client sends with slot 0, the server with slot 1.
  size_t send = spec.self == role::client ? 0 : 128;
  size_t receive = 128 - send;
  auto length = key_length(spec.cipher);
  auto key_at = [&](size_t slot) {
    return spec.keys.slice(slot, length);
  };
  auto iv_at = [&](size_t slot) {
    return spec.keys.slice(slot + 64, implicit_iv_size);
  };
  auto ctx = std::make_unique<contexts>();
  // A key of zeros is what a derivation that did not happen leaves behind.
  if (all_zero(key_at(send)) || all_zero(key_at(receive))
      || !ctx->send.start(spec.cipher, key_at(send), iv_at(send), true)
      || !ctx->receive.start(spec.cipher, key_at(receive), iv_at(receive),
                             false)) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  data_key result{std::move(ctx)};
  result.key_id_ = spec.key_id;
  result.v2_ = spec.peer_id.has_value();
  auto op = result.v2_ ? opcode::data_v2 : opcode::data_v1;
  auto first = uint32_t{first_byte(op, spec.key_id)};
  store_u32(result.head_.data(), (first << 24) | spec.peer_id.value_or(0));
  result.head_room_ = (result.v2_ ? 4 : 1) + id_size + tag_size;
  return result;
}

expected<size_t> data_key::seal(byte_view plain, uint8_t* out) noexcept {
  if (plain.empty() || plain.size() > INT_MAX)
    return errc::bad_payload_size;
  if (last_id_ == std::numeric_limits<uint32_t>::max())
    return errc::bad_packet_id;
  // The id is spent even if sealing fails: a nonce is never used twice.
  auto id = ++last_id_;
  size_t head = v2_ ? 4 : 1;
  std::copy_n(head_.begin(), head, out);
  store_u32(out + head, id);
  auto* tag = out + head + id_size;
  auto* text = tag + tag_size;
  auto& [holder, nonce, param] = ctx_->send;
  auto* ctx = holder.get();
  store_u32(nonce.data(), id);
  // V2 authenticates its header, V1 the packet id alone.
  auto* ad = v2_ ? out : out + head;
  auto ad_size = static_cast<int>(v2_ ? head + id_size : id_size);
  auto size = static_cast<int>(plain.size());
  int written = 0;
  int rest = 0;
  if (EVP_EncryptInit_ex2(ctx, nullptr, nullptr, nonce.data(), nullptr) != 1
      || EVP_EncryptUpdate(ctx, nullptr, &written, ad, ad_size) != 1
      || EVP_EncryptUpdate(ctx, text, &written, plain.data(), size) != 1
      || EVP_EncryptFinal_ex(ctx, text + written, &rest) != 1
      || EVP_CIPHER_CTX_get_params(ctx, ctx_->send.tag_at(tag)) != 1) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  return head + id_size + tag_size + plain.size();
}

expected<mutable_byte_view> data_key::open(mutable_byte_view packet) noexcept {
  if (packet.size == 0)
    return errc::truncated;
  if (!is_data(packet.data[0]))
    return errc::bad_opcode;
  if (key_id_of(packet.data[0]) != key_id_)
    return errc::bad_key_id;
  // What the peer sends does not depend on what we send.
  bool v2
    = opcode_bits(packet.data[0]) == static_cast<uint8_t>(opcode::data_v2);
  size_t head = v2 ? 4 : 1;
  size_t before = head + id_size + tag_size;
  if (packet.size < before)
    return errc::truncated;
  if (packet.size == before || packet.size > INT_MAX)
    return errc::bad_payload_size;
  auto id = load_u32(packet.data + head);
  if (id == 0)
    return errc::bad_packet_id;
  auto& [holder, nonce, param] = ctx_->receive;
  auto* ctx = holder.get();
  store_u32(nonce.data(), id);
  auto* ad = v2 ? packet.data : packet.data + head;
  auto ad_size = static_cast<int>(v2 ? head + id_size : id_size);
  auto* tag = packet.data + head + id_size;
  auto* text = packet.data + before;
  auto size = static_cast<int>(packet.size - before);
  int written = 0;
  int rest = 0;
  if (EVP_DecryptInit_ex2(ctx, nullptr, nullptr, nonce.data(), nullptr) != 1
      || EVP_CIPHER_CTX_set_params(ctx, ctx_->receive.tag_at(tag)) != 1
      || EVP_DecryptUpdate(ctx, nullptr, &written, ad, ad_size) != 1
      || EVP_DecryptUpdate(ctx, text, &written, text, size) != 1
      || EVP_DecryptFinal_ex(ctx, text + written, &rest) != 1) {
    // A stale entry in the error queue would confuse the next TLS call.
    ERR_clear_error();
    return errc::bad_tag;
  }
  if (auto x = window_.accept(id); !x)
    return x.error();
  return mutable_byte_view{text, static_cast<size_t>(size)};
}

} // namespace vpn::protocol
