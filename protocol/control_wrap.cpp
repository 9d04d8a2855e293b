// Control channel wrapping: seals and opens with tls-auth, tls-crypt or none.
// spec: openvpn-wire 2.5, 2.6, 2.7

#include "vpn/protocol/control_wrap.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <initializer_list>

namespace vpn::protocol {

namespace {

constexpr size_t wrap_id_size = 8;
constexpr size_t crypt_tag_size = 32;
constexpr size_t crypt_key_size = 32;
/// What stock counts for tls-crypt beyond packet id and tag.
constexpr size_t crypt_unused = 16;
constexpr size_t slot_size = 64;
/// Room for the largest payload, head, ack block and wrapping; whatever is
/// longer is refused before any work is done for it.
constexpr size_t max_wrapped_size = max_control_payload + 256;

struct mac_deleter {
  void operator()(EVP_MAC* x) const noexcept { EVP_MAC_free(x); }
  void operator()(EVP_MAC_CTX* x) const noexcept { EVP_MAC_CTX_free(x); }
};

struct cipher_deleter {
  void operator()(EVP_CIPHER* x) const noexcept { EVP_CIPHER_free(x); }
  void operator()(EVP_CIPHER_CTX* x) const noexcept { EVP_CIPHER_CTX_free(x); }
};

using mac_context = std::unique_ptr<EVP_MAC_CTX, mac_deleter>;
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, cipher_deleter>;

/// OpenSSL's errors are per thread, and the TLS layer may read them on the same
/// thread: what fails here must not be found there.
class error_guard {
public:
  error_guard() { ERR_set_mark(); }
  ~error_guard() { ERR_pop_to_mark(); }
  error_guard(const error_guard&) = delete;
  error_guard& operator=(const error_guard&) = delete;
};

using tag_buffer = std::array<uint8_t, EVP_MAX_MD_SIZE>;

/// A context for HMAC with `digest`, null if OpenSSL has no such digest.
mac_context make_hmac(const std::string& digest) {
  std::unique_ptr<EVP_MAC, mac_deleter> mac{
    EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  mac_context result{mac ? EVP_MAC_CTX_new(mac.get()) : nullptr};
  // OpenSSL takes the name as a non-const pointer and does not write to it.
  const std::array<OSSL_PARAM, 2> params{
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                     const_cast<char*>(digest.c_str()), 0),
    OSSL_PARAM_construct_end()};
  // The first init with a key is what finds digests that HMAC cannot use.
  const std::array<uint8_t, 1> probe{};
  if (!result || EVP_MAC_CTX_set_params(result.get(), params.data()) != 1
      || EVP_MAC_init(result.get(), probe.data(), probe.size(), nullptr) != 1)
    return nullptr;
  return result;
}

/// A context for AES-256-CTR, null if OpenSSL has none.
cipher_context make_cipher() {
  std::unique_ptr<EVP_CIPHER, cipher_deleter> cipher{
    EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr)};
  cipher_context result{EVP_CIPHER_CTX_new()};
  if (!cipher || !result
      || EVP_EncryptInit_ex2(result.get(), cipher.get(), nullptr, nullptr,
                             nullptr)
           != 1)
    return nullptr;
  return result;
}

} // namespace

struct control_wrap::impl {
  wrap_mode mode = wrap_mode::none;
  key_block key;
  directed_keys slots;
  /// HMAC keys have this length, too, in tls-auth; in tls-crypt both are 32.
  size_t tag_size = 0;
  mac_context mac;
  cipher_context cipher;
  wrap_id_sender ids;
  wrap_id_receiver seen;

  bool authenticate(byte_view slot, std::initializer_list<byte_view> parts,
                    tag_buffer& tag) const {
    if (EVP_MAC_init(mac.get(), slot.data(), tag_size, nullptr) != 1)
      return false;
    for (auto part : parts)
      if (EVP_MAC_update(mac.get(), part.data(), part.size()) != 1)
        return false;
    size_t n = 0;
    return EVP_MAC_final(mac.get(), tag.data(), &n, tag.size()) == 1
           && n == tag_size;
  }

  /// CTR mode: the same operation in both directions, in place.
  bool crypt(byte_view slot, const uint8_t* iv, uint8_t* data, size_t n) const {
    int written = 0;
    return EVP_EncryptInit_ex2(cipher.get(), nullptr,
                               slot.first(crypt_key_size).data(), iv, nullptr)
             == 1
           && EVP_EncryptUpdate(cipher.get(), data, &written, data,
                                static_cast<int>(n))
                == 1
           && static_cast<size_t>(written) == n;
  }

  bytes seal_auth(const control_packet& x, wrap_packet_id id) const {
    bytes out;
    write_head(x, out);
    auto tag_at = out.size();
    out.resize(tag_at + tag_size);
    byte_writer writer{out};
    writer.u32(id.counter);
    writer.u32(id.time);
    write_body(x, out);
    auto all = byte_view{out};
    auto wrap_id_and_body = all.from(tag_at + tag_size);
    tag_buffer tag{};
    // The HMAC is computed in another order than the wire has.
    if (!authenticate(slots.send_hmac,
                      {wrap_id_and_body.first(wrap_id_size), all.first(tag_at),
                       wrap_id_and_body.from(wrap_id_size)},
                      tag))
      return {};
    std::copy_n(tag.begin(), tag_size, out.data() + tag_at);
    return out;
  }

  expected<control_packet> open_auth(byte_view datagram, control_packet head) {
    byte_reader reader{datagram};
    auto clear = reader.take(control_head_size);
    auto tag = reader.take(tag_size);
    auto wrap_id = reader.take(wrap_id_size);
    auto body = reader.rest();
    if (!reader.ok())
      return errc::truncated;
    tag_buffer wanted{};
    if (!authenticate(slots.receive_hmac, {wrap_id, clear, body}, wanted))
      return errc::tls_failed;
    if (!equal_in_constant_time(tag, {wanted.data(), tag_size}))
      return errc::bad_tag;
    return finish(wrap_id, body, std::move(head));
  }

  bytes seal_crypt(const control_packet& x, wrap_packet_id id) const {
    bytes out;
    write_head(x, out);
    byte_writer writer{out};
    writer.u32(id.counter);
    writer.u32(id.time);
    auto tag_at = out.size();
    out.resize(tag_at + tag_size);
    write_body(x, out);
    auto all = byte_view{out};
    auto body = all.from(tag_at + tag_size);
    tag_buffer tag{};
    if (!authenticate(slots.send_hmac, {all.first(tag_at), body}, tag))
      return {};
    std::copy_n(tag.begin(), tag_size, out.data() + tag_at);
    if (!crypt(slots.send_cipher, tag.data(), out.data() + tag_at + tag_size,
               body.size()))
      return {};
    return out;
  }

  expected<control_packet> open_crypt(byte_view datagram, control_packet head) {
    byte_reader reader{datagram};
    auto clear = reader.take(control_head_size + wrap_id_size);
    auto tag = reader.take(tag_size);
    auto body = reader.rest().copy();
    if (!reader.ok())
      return errc::truncated;
    tag_buffer wanted{};
    if (!crypt(slots.receive_cipher, tag.data(), body.data(), body.size())
        || !authenticate(slots.receive_hmac, {clear, body}, wanted))
      return errc::tls_failed;
    if (!equal_in_constant_time(tag, {wanted.data(), tag_size}))
      return errc::bad_tag;
    return finish(clear.from(control_head_size), body, std::move(head));
  }

  /// What comes after authentication: replay check, then the body.
  expected<control_packet> finish(byte_view wrap_id, byte_view body,
                                  control_packet head) {
    byte_reader reader{wrap_id};
    wrap_packet_id id;
    id.counter = reader.u32();
    id.time = reader.u32();
    if (auto ok = seen.accept(id); !ok)
      return ok.error();
    if (auto ok = read_body(body, head); !ok)
      return ok.error();
    return head;
  }
};

control_wrap::control_wrap(std::unique_ptr<impl> p) : impl_(std::move(p)) {
}
control_wrap::control_wrap(control_wrap&&) noexcept = default;
control_wrap& control_wrap::operator=(control_wrap&&) noexcept = default;
control_wrap::~control_wrap() = default;

expected<control_wrap> control_wrap::make(const wrap_config& cfg, role self) {
  error_guard guard;
  auto p = std::make_unique<impl>();
  p->mode = cfg.mode;
  if (cfg.mode == wrap_mode::none)
    return control_wrap{std::move(p)};
  auto crypt = cfg.mode == wrap_mode::tls_crypt;
  auto direction = cfg.direction;
  if (crypt)
    direction
      = self == role::server ? key_direction::normal : key_direction::inverse;
  p->key = cfg.key;
  p->slots = slots_of(p->key, direction);
  p->mac = make_hmac(crypt ? "SHA256" : cfg.digest);
  if (!p->mac)
    return errc::bad_key_material;
  p->tag_size = EVP_MAC_CTX_get_mac_size(p->mac.get());
  // The tag's length is the key's, and a slot holds no longer one.
  if (p->tag_size == 0 || p->tag_size > slot_size)
    return errc::bad_key_material;
  if (crypt) {
    p->cipher = make_cipher();
    if (!p->cipher)
      return errc::tls_failed;
  }
  return control_wrap{std::move(p)};
}

bytes control_wrap::seal(const control_packet& x, instant now) {
  error_guard guard;
  switch (impl_->mode) {
    case wrap_mode::tls_auth:
      return impl_->seal_auth(x, impl_->ids.next(now));
    case wrap_mode::tls_crypt:
      return impl_->seal_crypt(x, impl_->ids.next(now));
    default:
      return write_plain(x);
  }
}

expected<control_packet> control_wrap::open(byte_view datagram) {
  if (datagram.size() > max_wrapped_size)
    return errc::bad_payload_size;
  auto head = read_head(datagram);
  if (!head)
    return head;
  error_guard guard;
  switch (impl_->mode) {
    case wrap_mode::tls_auth:
      return impl_->open_auth(datagram, std::move(*head));
    case wrap_mode::tls_crypt:
      return impl_->open_crypt(datagram, std::move(*head));
    default:
      if (auto ok = read_body(datagram.from(control_head_size), *head); !ok)
        return ok.error();
      return head;
  }
}

size_t control_wrap::overhead() const noexcept {
  switch (impl_->mode) {
    case wrap_mode::tls_auth:
      return impl_->tag_size + wrap_id_size;
    case wrap_mode::tls_crypt:
      return wrap_id_size + crypt_tag_size + crypt_unused;
    default:
      return 0;
  }
}

wrap_mode control_wrap::mode() const noexcept {
  return impl_->mode;
}

} // namespace vpn::protocol
