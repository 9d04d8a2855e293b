// Keys of tls-crypt-v2: a client's own key, the same key wrapped for the server
// that will meet it, and the key which a server wraps and unwraps with.
// spec: openvpn-wire 2.8
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/secret.hpp"

#include <string_view>

namespace vpn::protocol {

/// Bytes of a wrapped client key, its length field included: without metadata,
/// and the most a server takes.
constexpr size_t min_wrapped_key_size = 290;
constexpr size_t max_wrapped_key_size = 1024;

/// Bytes of a server's key.
constexpr size_t crypt_v2_server_key_size = 128;

/// Metadata goes into a wrapped key with its type in front; so long it may be.
constexpr size_t max_key_metadata_size = 734;
enum class key_metadata_type : uint8_t { user = 0, timestamp = 1 };

/// What a client's key file holds.
struct crypt_v2_client_key {
  key_block key;
  /// For the server only; a client sends it as it is.
  bytes wrapped;
};

/// Parses the PEM text of a client's key file. What is wrapped is opaque here,
/// only its size is looked at.
expected<crypt_v2_client_key> parse_crypt_v2_client_key(std::string_view text);

/// Parses the PEM text of a server's key file: 128 bytes.
expected<secret> parse_crypt_v2_server_key(std::string_view text);

/// Wraps `key` together with `metadata`, whose first byte is its type. The same
/// input yields the same bytes.
expected<bytes> wrap_client_key(const secret& server_key, const key_block& key,
                                byte_view metadata);

/// What a server finds in a wrapped key.
struct unwrapped_client_key {
  key_block key;
  /// With its type in front; empty when the client's key was made without.
  bytes metadata;
};

/// `bad_key_material` when it has not the length it says, `bad_tag` when
/// another server has wrapped it.
expected<unwrapped_client_key> unwrap_client_key(const secret& server_key,
                                                 byte_view wrapped);

/// True for packets that a wrapped key is appended to.
constexpr bool carries_wrapped_key(opcode op) noexcept {
  return op == opcode::control_hard_reset_client_v3
         || op == opcode::control_wkc_v1;
}

/// The two parts of such a packet.
struct packet_with_key {
  byte_view packet;
  byte_view wrapped;
};

/// Cuts a datagram by the length in its last two bytes. What is left in front
/// holds at least the head of a packet, so that no byte is read as both.
expected<packet_with_key> split_wrapped_key(byte_view datagram);

} // namespace vpn::protocol
