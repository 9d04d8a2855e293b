// HMAC and AES-256-CTR, as every wrapping of the control channel uses them.
// spec: openvpn-wire 2.5, 2.7, 2.8
#pragma once

#include "vpn/protocol/bytes.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <string>

namespace vpn::protocol::wrap_crypto {

constexpr size_t crypt_tag_size = 32;
constexpr size_t crypt_key_size = 32;

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
using tag_buffer = std::array<uint8_t, EVP_MAX_MD_SIZE>;

/// OpenSSL's errors are per thread, and the TLS layer may read them on the same
/// thread: what fails here must not be found there.
class error_guard {
public:
  error_guard() { ERR_set_mark(); }
  ~error_guard() { ERR_pop_to_mark(); }
  error_guard(const error_guard&) = delete;
  error_guard& operator=(const error_guard&) = delete;
};

/// A context for HMAC with `digest`, null if OpenSSL has no such digest.
inline mac_context make_hmac(const std::string& digest) {
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
inline cipher_context make_cipher() {
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

/// Writes the tag of all parts into `tag`; its size is that of `key`.
inline bool authenticate(EVP_MAC_CTX* mac, byte_view key,
                         std::initializer_list<byte_view> parts,
                         tag_buffer& tag) {
  if (EVP_MAC_init(mac, key.data(), key.size(), nullptr) != 1)
    return false;
  for (auto part : parts)
    if (EVP_MAC_update(mac, part.data(), part.size()) != 1)
      return false;
  size_t n = 0;
  return EVP_MAC_final(mac, tag.data(), &n, tag.size()) == 1 && n == key.size();
}

/// CTR mode: the same operation in both directions, in place.
inline bool crypt(EVP_CIPHER_CTX* cipher, byte_view key, const uint8_t* iv,
                  uint8_t* data, size_t n) {
  int written = 0;
  return key.size() == crypt_key_size
         && EVP_EncryptInit_ex2(cipher, nullptr, key.data(), iv, nullptr) == 1
         && EVP_EncryptUpdate(cipher, data, &written, data, static_cast<int>(n))
              == 1
         && static_cast<size_t>(written) == n;
}

} // namespace vpn::protocol::wrap_crypto
