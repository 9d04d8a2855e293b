// Our own certificate and private key: from PEM texts or from a PKCS#12 file,
// behind a pass phrase or not.
// spec: openvpn-wire 5.1
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/tls_engine.hpp"

#include <vector>

#include "protocol/tls_handles.hpp"

namespace vpn::protocol::tls_internal {

/// Options cert, key, extra-certs and pkcs12. Authorities of a PKCS#12 file
/// come back when there is no `ca`; else they only complete our chain.
expected<std::vector<x509_ptr>, failure> load_identity(SSL_CTX* ctx,
                                                       const tls_config& cfg);

} // namespace vpn::protocol::tls_internal
