// The PRF of TLS 1.0, the legacy derivation of data keys with it, and the
// labelled expansion of epoch keys.
// spec: openvpn-wire 5.4, 9.9

#include "vpn/protocol/key_derivation.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <optional>

namespace vpn::protocol {

namespace {

struct mac_deleter {
  void operator()(EVP_MAC* x) const noexcept { EVP_MAC_free(x); }
  void operator()(EVP_MAC_CTX* x) const noexcept { EVP_MAC_CTX_free(x); }
};
using mac_ptr = std::unique_ptr<EVP_MAC, mac_deleter>;
using mac_ctx_ptr = std::unique_ptr<EVP_MAC_CTX, mac_deleter>;

/// Room for the largest of the three digests, SHA-256.
constexpr size_t max_digest = 32;

/// One HMAC key, used for many messages.
class hmac {
public:
  static std::optional<hmac> make(const char* digest, byte_view key) {
    mac_ptr mac{EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr)};
    if (!mac)
      return {};
    hmac result;
    result.ctx_.reset(EVP_MAC_CTX_new(mac.get()));
    // OpenSSL wants a writable name but does not write to it.
    std::string name = digest;
    std::array<OSSL_PARAM, 2> params{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
      OSSL_PARAM_construct_end()};
    // A null pointer would mean "the same key again".
    static constexpr uint8_t no_key = 0;
    const auto* data = key.empty() ? &no_key : key.data();
    if (!result.ctx_
        || EVP_MAC_init(result.ctx_.get(), data, key.size(), params.data())
             != 1)
      return {};
    result.size_ = EVP_MAC_CTX_get_mac_size(result.ctx_.get());
    if (result.size_ == 0 || result.size_ > max_digest)
      return {};
    return result;
  }

  /// HMAC over the parts, one after the other. `out` may be one of them.
  bool sign(std::initializer_list<byte_view> parts, uint8_t* out) {
    if (EVP_MAC_init(ctx_.get(), nullptr, 0, nullptr) != 1)
      return false;
    for (auto x : parts)
      if (!x.empty() && EVP_MAC_update(ctx_.get(), x.data(), x.size()) != 1)
        return false;
    size_t n = 0;
    return EVP_MAC_final(ctx_.get(), out, &n, size_) == 1 && n == size_;
  }

  size_t size() const noexcept { return size_; }

private:
  mac_ctx_ptr ctx_;
  size_t size_ = 0;
};

/// P_hash of RFC 2246 section 5, exclusive-ored onto `out`.
bool add_p_hash(const char* digest, byte_view key, byte_view label,
                byte_view seed, uint8_t* out, size_t size) {
  auto mac = hmac::make(digest, key);
  if (!mac)
    return false;
  secret_array<max_digest> a;
  secret_array<max_digest> block;
  if (!mac->sign({label, seed}, a.data()))
    return false;
  for (size_t pos = 0; pos < size; pos += mac->size()) {
    auto current = a.slice(0, mac->size());
    if (!mac->sign({current, label, seed}, block.data()))
      return false;
    auto n = std::min(mac->size(), size - pos);
    for (size_t i = 0; i < n; ++i)
      out[pos + i] = static_cast<uint8_t>(out[pos + i] ^ block.data()[i]);
    if (!mac->sign({current}, a.data()))
      return false;
  }
  return true;
}

} // namespace

expected<done_t> tls1_prf(byte_view secret, std::string_view label,
                          byte_view seed, uint8_t* out, size_t size) {
  if (size == 0)
    return done;
  ERR_clear_error();
  std::memset(out, 0, size);
  // Two halves of the secret; they share the middle byte of an odd length.
  auto half = (secret.size() + 1) / 2;
  auto ok
    = add_p_hash("MD5", secret.first(half), byte_view{label}, seed, out, size)
      && add_p_hash("SHA1", secret.from(secret.size() - half), byte_view{label},
                    seed, out, size);
  ERR_clear_error();
  if (ok)
    return done;
  wipe(out, size);
  return errc::tls_failed;
}

expected<key_block> derive_by_prf(const key_source& client,
                                  const key_source& server,
                                  const session_id& client_sid,
                                  const session_id& server_sid) {
  // Both seeds fit; reserving keeps stray copies off the heap.
  bytes seed;
  seed.reserve(client.random1.size() + server.random1.size()
               + client_sid.value.size() + server_sid.value.size());
  byte_writer out{seed};
  out.append(client.random1.view());
  out.append(server.random1.view());
  secret_array<48> master;
  auto made = tls1_prf(client.pre_master.view(), "OpenVPN master secret", seed,
                       master.data(), master.size());
  wipe(seed.data(), seed.size());
  if (!made)
    return made.error();
  seed.clear();
  out.append(client.random2.view());
  out.append(server.random2.view());
  out.append(client_sid.view());
  out.append(server_sid.view());
  key_block result;
  made = tls1_prf(master.view(), "OpenVPN key expansion", seed, result.data(),
                  result.size());
  wipe(seed.data(), seed.size());
  if (!made)
    return made.error();
  return result;
}

expected<done_t> expand_label(byte_view secret, std::string_view label,
                              uint8_t* out, size_t size) {
  constexpr std::string_view prefix = "ovpn ";
  constexpr size_t digest_size = 32;
  // One byte counts the label, another one the blocks.
  if (label.size() + prefix.size() > 255 || size > 255 * digest_size)
    return errc::bad_value;
  ERR_clear_error();
  bytes info;
  byte_writer writer{info};
  writer.u16(static_cast<uint16_t>(size));
  writer.u8(static_cast<uint8_t>(prefix.size() + label.size()));
  writer.append(byte_view{prefix});
  writer.append(byte_view{label});
  // There is no context.
  writer.u8(0);
  auto mac = hmac::make("SHA256", secret);
  secret_array<max_digest> block;
  byte_view previous;
  uint8_t count = 0;
  for (size_t pos = 0; mac && pos < size; pos += digest_size) {
    ++count;
    if (!mac->sign({previous, info, {&count, 1}}, block.data())) {
      mac.reset();
      break;
    }
    previous = block.view();
    std::copy_n(block.data(), std::min(digest_size, size - pos), out + pos);
  }
  ERR_clear_error();
  if (mac)
    return done;
  wipe(out, size);
  return errc::tls_failed;
}

} // namespace vpn::protocol
