// What the TLS sources share: owning handles, OpenSSL's error queue, words for
// what is wrong, and the loaded context.
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

#include "protocol/tls_trust.hpp"

namespace vpn::protocol {

struct tls_context::impl {
  tls_internal::ssl_ctx_ptr ctx;
  role self = role::client;
  bool require_peer_certificate = true;
  tls_internal::trust_rules rules;
};

namespace tls_internal {

/// Options tls-cert-profile, tls-cipher and tls-ciphersuites. What cannot be
/// used is named.
problem set_strength(SSL_CTX* ctx, const tls_config& cfg);

} // namespace tls_internal

} // namespace vpn::protocol
