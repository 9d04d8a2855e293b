// Questions to a certificate: its names, numbers, digests and dates, in the
// spellings that OpenVPN's options and scripts use.
// spec: openvpn-wire 5.1
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/tls_engine.hpp"

#include <string>
#include <vector>

#include "protocol/tls_handles.hpp"

namespace vpn::protocol::tls_internal {

/// Every certificate of a PEM text, in order; at least one. A failure names
/// `part` and the certificate's number.
expected<std::vector<x509_ptr>, failure>
read_certificates(const std::string& part, std::string_view pem);

/// The subject as "C=DE, O=Example, CN=server"; control characters escaped.
std::string subject_of(const X509* cert);
std::string issuer_of(const X509* cert);

/// What option x509-username-field makes of a certificate, byte for byte;
/// nothing when a field is missing. Several fields are joined with '_'.
std::optional<std::string> username_of(const X509* cert,
                                       const std::string& fields);

/// What is wrong with the words of option x509-username-field.
problem check_username_fields(const std::string& fields);

/// Digest of the whole certificate: "SHA1" or "SHA256".
bytes digest_of(const X509* cert, const std::string& digest);

/// "5f:b0:6f", as fingerprints and serial numbers are written.
std::string hex_with_colons(byte_view xs);

/// Everything that is told of a certificate.
peer_certificate describe(int depth, const X509* cert,
                          const std::string& username_field);

/// "2026-11-21 06:17:23Z".
std::string date_text(const ASN1_TIME* x);

} // namespace vpn::protocol::tls_internal
