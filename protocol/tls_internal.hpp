// What the TLS sources share: owning handles, OpenSSL's error queue, the
// loaded context, and the questions asked of a certificate.
// spec: openvpn-wire 5.1
#pragma once

#include "vpn/protocol/tls_engine.hpp"

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
using bio_ptr = std::unique_ptr<BIO, handle_deleter<BIO_free_all>>;
using x509_ptr = std::unique_ptr<X509, handle_deleter<X509_free>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, handle_deleter<EVP_PKEY_free>>;
using ssl_ptr = std::unique_ptr<SSL, handle_deleter<SSL_free>>;
using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, handle_deleter<SSL_CTX_free>>;

/// OpenSSL keeps errors per thread, and what one call leaves there another
/// misreads. Every public function of ours holds one of these.
class error_queue_guard {
public:
  error_queue_guard() { ERR_clear_error(); }
  ~error_queue_guard() { ERR_clear_error(); }
  error_queue_guard(const error_queue_guard&) = delete;
  error_queue_guard& operator=(const error_queue_guard&) = delete;
};

/// The reason words of one OpenSSL error code.
std::string error_words(unsigned long code);

/// The subject as "C=DE, O=Example, CN=server"; control characters escaped.
std::string subject_of(const X509* cert);

/// The last common name as UTF-8, byte for byte; empty if there is none.
std::string common_name_of(const X509* cert);

/// Every control character as '_'.
std::string without_control_characters(std::string text);

/// Puts `text` of a peer between quotes, cut to a length that fits a log line.
std::string quoted(std::string_view text);

/// What is wrong with the peer's own certificate beside its chain.
struct peer_objection {
  /// An X509_V_ERR code; it decides which alert the peer gets.
  int code = 0;
  std::string text;
};

} // namespace vpn::protocol::tls_internal

namespace vpn::protocol {

struct tls_context::impl {
  tls_internal::ssl_ctx_ptr ctx;
  role self = role::client;
  peer_usage usage = peer_usage::any;
  name_check check = name_check::none;
  std::string expected_name;
  bool require_peer_certificate = true;

  /// Options remote-cert-tls and verify-x509-name.
  std::optional<tls_internal::peer_objection> object_to(X509* cert) const;
};

} // namespace vpn::protocol
