// From a finished key exchange to the 256 bytes both ends share, and from those
// to the keys of an epoch.
// spec: openvpn-wire 5.4, 5.5, 9.9
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/secret.hpp"

namespace vpn::protocol {

/// What key method 2 carries of randomness. The server sends no pre_master.
struct key_source {
  secret_array<48> pre_master;
  secret_array<32> random1;
  secret_array<32> random2;
};

/// Which of the two derivations the server chose.
enum class key_derivation : uint8_t { legacy_prf, tls_ekm };

/// TLS 1.0 PRF: P_MD5 xor P_SHA1. `tls_failed` where the library has no MD5.
expected<done_t> tls1_prf(byte_view secret, std::string_view label,
                          byte_view seed, uint8_t* out, size_t size);

/// Legacy derivation, from the randomness and session ids of both sides.
expected<key_block> derive_by_prf(const key_source& client,
                                  const key_source& server,
                                  const session_id& client_sid,
                                  const session_id& server_sid);

/// HKDF-Expand of RFC 5869 with SHA-256 and the structured label of the epoch
/// format, in which "ovpn " stands before `label`. `bad_value` when label or
/// size are too large.
expected<done_t> expand_label(byte_view secret, std::string_view label,
                              uint8_t* out, size_t size);

/// Exporter label of data keys, RFC 5705; no context, 256 bytes.
constexpr const char* ekm_data_label = "EXPORTER-OpenVPN-datakeys";

} // namespace vpn::protocol
