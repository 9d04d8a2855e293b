// Owning handles for OpenSSL's objects, its error queue, and words for what is
// wrong with a configuration.
// spec: openvpn-wire 5.1
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/secret.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vpn::protocol::tls_internal {

template <auto Free>
struct handle_deleter {
  template <class T>
  void operator()(T* x) const noexcept {
    Free(x);
  }
};
template <class T, auto Free>
using handle = std::unique_ptr<T, handle_deleter<Free>>;

using bio_ptr = handle<BIO, BIO_free_all>;
using x509_ptr = handle<X509, X509_free>;
using crl_ptr = handle<X509_CRL, X509_CRL_free>;
using pkey_ptr = handle<EVP_PKEY, EVP_PKEY_free>;
using object_ptr = handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using ssl_ptr = handle<SSL, SSL_free>;
using ssl_ctx_ptr = handle<SSL_CTX, SSL_CTX_free>;

/// OpenSSL keeps errors per thread, and what one call leaves there another
/// misreads. Every public function of ours holds one of these.
class error_queue_guard {
public:
  error_queue_guard() { ERR_clear_error(); }
  ~error_queue_guard() { ERR_clear_error(); }
  error_queue_guard(const error_queue_guard&) = delete;
  error_queue_guard& operator=(const error_queue_guard&) = delete;
};

/// For the inside of OpenSSL's callbacks: forgets the errors made meanwhile and
/// keeps the older ones.
class error_mark {
public:
  error_mark() { ERR_set_mark(); }
  ~error_mark() { ERR_pop_to_mark(); }
  error_mark(const error_mark&) = delete;
  error_mark& operator=(const error_mark&) = delete;
};

/// Why a configuration cannot be used; nothing when it can.
using problem = std::optional<failure>;

failure bad_config(std::string text);

/// Names the part of the configuration that OpenSSL refused, and why.
failure refused(const std::string& part, const std::string& what);

/// The reason words of one OpenSSL error code.
std::string error_words(unsigned long code);

/// Puts `text` of a peer between quotes, cut to a length that fits a log line.
std::string quoted(std::string_view text);

/// A source that reads `text` without copying it; null when it is too long.
bio_ptr open_text(std::string_view text);

/// Everything that was written into a memory BIO.
std::string written(BIO* out);

/// What the pass phrase callback is given, and whether it was asked at all.
struct passphrase_request {
  const secret* passphrase = nullptr;
  bool asked = false;
};

/// Handed to every reader of PEM, which would ask on the terminal otherwise.
/// `arg` is a `passphrase_request` or null.
int give_passphrase(char* buf, int size, int writing, void* arg);

} // namespace vpn::protocol::tls_internal
