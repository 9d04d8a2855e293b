// One data key: see the header. The AEAD format is here, the others are in
// pages of their own.
// spec: openvpn-rfc#dataaead, openvpn-wire 9.1, 9.2, 9.6, 9.8
#include "vpn/protocol/data_key.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <climits>

#include "protocol/data_key_epoch.hpp"
#include "protocol/data_key_hmac.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t implicit_iv_size = 8;

struct cipher_row {
  const char* name;
  size_t key_length;
};

constexpr std::array<cipher_row, 8> cipher_rows{{
  {"AES-128-GCM", 16},
  {"AES-192-GCM", 24},
  {"AES-256-GCM", 32},
  {"CHACHA20-POLY1305", 32},
  {"AES-128-CBC", 16},
  {"AES-192-CBC", 24},
  {"AES-256-CBC", 32},
  {"none", 0},
}};

const cipher_row& row_of(data_cipher x) {
  return cipher_rows[static_cast<size_t>(x)];
}

} // namespace

// -- names --

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

std::optional<size_t> digest_size(const std::string& name) {
  struct digest_deleter {
    void operator()(EVP_MD* x) const noexcept { EVP_MD_free(x); }
  };
  if (name == "none")
    return 0;
  std::unique_ptr<EVP_MD, digest_deleter> digest{
    EVP_MD_fetch(nullptr, name.c_str(), nullptr)};
  ERR_clear_error();
  if (!digest || EVP_MD_get_size(digest.get()) <= 0
      || (EVP_MD_get_flags(digest.get()) & EVP_MD_FLAG_XOF) != 0)
    return std::nullopt;
  return static_cast<size_t>(EVP_MD_get_size(digest.get()));
}

// -- what the formats share --

EVP_CIPHER* fetched(data_cipher x) {
  // Never freed, since OpenSSL may be gone first.
  static const auto all = [] {
    std::array<EVP_CIPHER*, cipher_rows.size()> result{};
    for (size_t i = 0; i < result.size(); ++i)
      if (cipher_rows[i].key_length != 0)
        result[i] = EVP_CIPHER_fetch(nullptr, cipher_rows[i].name, nullptr);
    return result;
  }();
  return all[static_cast<size_t>(x)];
}

bool all_zero(byte_view xs) {
  return std::all_of(xs.begin(), xs.end(), [](uint8_t x) {
    return x == 0;
  });
}

// -- making --

struct data_key::contexts {
  aead_direction send;
  aead_direction receive;
  std::unique_ptr<hmac_format> hmac;
  std::unique_ptr<epoch_format> epoch;

  bool start_aead(const data_key_spec& spec) {
    auto start = [&](aead_direction& x, size_t slot, bool encrypt) {
      auto key = spec.keys.slice(slot, key_length(spec.cipher));
      auto iv = spec.keys.slice(slot + hmac_offset, implicit_iv_size);
      std::copy(iv.begin(), iv.end(), x.nonce.begin() + id_size);
      return !all_zero(key) && x.start(spec.cipher, key, encrypt);
    };
    key_slots slots{spec.self};
    if (start(send, slots.send, true) && start(receive, slots.receive, false))
      return true;
    ERR_clear_error();
    return false;
  }
};

data_key::data_key(std::unique_ptr<contexts> ctx) : ctx_(std::move(ctx)) {
}
data_key::data_key(data_key&&) noexcept = default;
data_key& data_key::operator=(data_key&&) noexcept = default;
data_key::~data_key() = default;

expected<data_key> data_key::make(const data_key_spec& spec) {
  if (spec.key_id > 7 || spec.peer_id.value_or(0) > 0xffffff
      || (spec.epoch && !(is_aead(spec.cipher) && spec.peer_id)))
    return errc::bad_value;
  data_key result{std::make_unique<contexts>()};
  result.key_id_ = spec.key_id;
  result.limits_ = spec.limits;
  result.limits_.usage = usage_limit(spec);
  result.v2_ = spec.peer_id.has_value();
  auto op = result.v2_ ? opcode::data_v2 : opcode::data_v1;
  auto first = uint32_t{first_byte(op, spec.key_id)};
  store_u32(result.head_.data(), (first << 24) | spec.peer_id.value_or(0));
  size_t head = result.v2_ ? 4 : 1;
  size_t tail = 0;
  if (spec.epoch) {
    auto made = epoch_format::make(spec);
    if (!made)
      return made.error();
    result.ctx_->epoch = std::move(*made);
    result.format_ = format::epoch;
    result.last_id_ = result.ctx_->epoch->last_packet_id();
    head = epoch_format::head_room;
    tail = aead_tag_size;
  } else if (is_aead(spec.cipher)) {
    if (!result.ctx_->start_aead(spec))
      return errc::tls_failed;
    head += id_size + aead_tag_size;
  } else {
    auto made = hmac_format::make(spec);
    if (!made)
      return made.error();
    result.ctx_->hmac = std::move(*made);
    result.format_ = format::hmac;
    head += result.ctx_->hmac->head_room();
    tail = result.ctx_->hmac->tail_room();
    result.padded_ = tail != 0;
  }
  result.head_room_ = static_cast<uint8_t>(head);
  result.tail_room_ = static_cast<uint8_t>(tail);
  return {std::move(result)};
}

size_t data_key::largest_plaintext(size_t size) const noexcept {
  auto around = size_t{head_room_};
  if (!padded_) {
    around += tail_room_;
    return size > around ? size - around : 0;
  }
  // The id is in the blocks, whose last byte at least is padding.
  around -= id_size;
  auto blocks = size > around ? (size - around) / block * block : 0;
  return blocks > id_size + 1 ? blocks - id_size - 1 : 0;
}

// -- packet ids --

/// Zero when there is none left.
inline uint32_t data_key::next_id() noexcept {
  if (last_id_ >= limits_.last_id)
    return 0;
  ++last_id_;
  if (last_id_ >= limits_.rekey_id) {
    wants_rekey_ = true;
    exhausted_ = last_id_ >= limits_.last_id;
  }
  return static_cast<uint32_t>(last_id_);
}

inline expected<done_t> data_key::accept_id(uint32_t id) noexcept {
  if (id >= limits_.rekey_id)
    wants_rekey_ = true;
  return window_.accept(id);
}

void data_key::skip_ids(uint32_t n, uint32_t received) noexcept {
  if (format_ == format::epoch) {
    ctx_->epoch->skip_ids(n, received);
    last_id_ = ctx_->epoch->last_packet_id();
    exhausted_ = ctx_->epoch->exhausted();
    wants_rekey_ = wants_rekey_ || exhausted_;
    return;
  }
  last_id_ = std::min<uint64_t>(last_id_ + n, limits_.last_id);
  exhausted_ = last_id_ >= limits_.last_id;
  wants_rekey_ = wants_rekey_ || exhausted_ || last_id_ >= limits_.rekey_id;
  window_.close(window_.highest() + received);
}

// -- sealing --

expected<size_t> data_key::seal(byte_view plain, uint8_t* out) noexcept {
  if (plain.empty() || plain.size() > INT_MAX)
    return errc::bad_payload_size;
  if (format_ != format::aead)
    return format_ == format::epoch ? seal_epoch(plain, out)
                                    : seal_hmac(plain, out);
  // The id is spent even if sealing fails: a nonce is never used twice.
  auto id = next_id();
  if (id == 0)
    return errc::bad_packet_id;
  size_t head = v2_ ? 4 : 1;
  std::copy_n(head_.begin(), head, out);
  store_u32(out + head, id);
  auto* tag = out + head + id_size;
  auto& send = ctx_->send;
  store_u32(send.nonce.data(), id);
  // V2 authenticates its header, V1 the packet id alone.
  auto ad
    = v2_ ? byte_view{out, head + id_size} : byte_view{out + head, id_size};
  if (!send.seal(ad, plain, tag + aead_tag_size, tag)) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  sealed_ += aead_usage(plain.size());
  if (sealed_ > limits_.usage)
    wants_rekey_ = true;
  return head + id_size + aead_tag_size + plain.size();
}

expected<size_t> data_key::seal_hmac(byte_view plain, uint8_t* out) noexcept {
  auto id = next_id();
  if (id == 0)
    return errc::bad_packet_id;
  size_t head = v2_ ? 4 : 1;
  std::copy_n(head_.begin(), head, out);
  auto written = ctx_->hmac->seal(id, plain, out + head);
  if (!written)
    return written;
  return head + *written;
}

expected<size_t> data_key::seal_epoch(byte_view plain, uint8_t* out) noexcept {
  auto& epoch = *ctx_->epoch;
  auto written = epoch.seal(head_.data(), plain, out);
  last_id_ = epoch.last_packet_id();
  wants_rekey_ = epoch.wants_rekey();
  exhausted_ = epoch.exhausted();
  return written;
}

// -- opening --

expected<mutable_byte_view> data_key::open(mutable_byte_view packet) noexcept {
  if (packet.size == 0)
    return errc::truncated;
  if (!is_data(packet.data[0]))
    return errc::bad_opcode;
  if (key_id_of(packet.data[0]) != key_id_)
    return errc::bad_key_id;
  if (packet.size > INT_MAX)
    return errc::bad_payload_size;
  // What the peer sends does not depend on what we send.
  bool v2
    = opcode_bits(packet.data[0]) == static_cast<uint8_t>(opcode::data_v2);
  if (format_ != format::aead)
    return format_ == format::epoch ? open_epoch(packet, v2)
                                    : open_hmac(packet, v2);
  size_t head = v2 ? 4 : 1;
  size_t before = head + id_size + aead_tag_size;
  if (packet.size < before)
    return errc::truncated;
  if (packet.size == before)
    return errc::bad_payload_size;
  if (forgeries_ >= limits_.forgeries_endured)
    return errc::wrong_state;
  auto id = load_u32(packet.data + head);
  if (id == 0)
    return errc::bad_packet_id;
  auto& receive = ctx_->receive;
  store_u32(receive.nonce.data(), id);
  auto ad = v2 ? byte_view{packet.data, head + id_size}
               : byte_view{packet.data + head, id_size};
  mutable_byte_view text{packet.data + before, packet.size - before};
  if (!receive.open(ad, text, packet.data + head + id_size)) {
    // A stale entry in the error queue would confuse the next TLS call.
    ERR_clear_error();
    if (++forgeries_ >= limits_.forgeries_tolerated)
      wants_rekey_ = true;
    return errc::bad_tag;
  }
  if (auto x = accept_id(id); !x)
    return x.error();
  opened_ += aead_usage(text.size);
  if (opened_ > limits_.usage)
    wants_rekey_ = true;
  return text;
}

expected<mutable_byte_view> data_key::open_hmac(mutable_byte_view packet,
                                                bool v2) noexcept {
  size_t head = v2 ? 4 : 1;
  if (packet.size < head)
    return errc::truncated;
  auto opened = ctx_->hmac->open({packet.data + head, packet.size - head});
  if (!opened)
    return opened.error();
  if (opened->id == 0)
    return errc::bad_packet_id;
  if (auto x = accept_id(opened->id); !x)
    return x.error();
  if (opened->plain.size == 0)
    return errc::bad_payload_size;
  return opened->plain;
}

expected<mutable_byte_view> data_key::open_epoch(mutable_byte_view packet,
                                                 bool v2) noexcept {
  if (!v2)
    return errc::bad_opcode;
  auto& epoch = *ctx_->epoch;
  auto result = epoch.open(packet);
  // A newer epoch of the peer may have moved the own one.
  last_id_ = epoch.last_packet_id();
  wants_rekey_ = epoch.wants_rekey();
  exhausted_ = epoch.exhausted();
  return result;
}

} // namespace vpn::protocol
