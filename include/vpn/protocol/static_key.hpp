// Static keys of tls-auth and tls-crypt, and which half of them is whose.
// spec: openvpn-rfc#openvpnkey
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/secret.hpp"

#include <string_view>

namespace vpn::protocol {

/// Parses "OpenVPN Static key V1" text: 512 hex digits between the two marker
/// lines, white space ignored, anything before BEGIN ignored. Any other count
/// of digits or any other character is `bad_key_material`.
expected<key_block> parse_static_key(std::string_view text);

/// Which slots a side sends and receives with.
enum class key_direction : uint8_t {
  /// "0": sends with slot 0, receives with slot 1.
  normal,
  /// "1": sends with slot 1, receives with slot 0.
  inverse,
  /// No direction given: slot 0 both ways.
  bidirectional,
};

/// The four slots of a key block, by what this side does with them.
struct directed_keys {
  byte_view send_cipher, send_hmac, receive_cipher, receive_hmac;
};

/// Borrows from `block`. Each slot has 64 bytes.
directed_keys slots_of(const key_block& block, key_direction direction);

} // namespace vpn::protocol
