// What two ends tell each other inside the tunnel, in place of an IP packet.
// spec: openvpn-wire 11.1, 11.2
#pragma once

#include "vpn/protocol/bytes.hpp"

#include <cstdint>

namespace vpn::protocol {

enum class in_tunnel_message : uint8_t {
  /// It is something else.
  none,
  ping,
  /// Questions about options and MTU, and their answers: for old modes of
  /// OpenVPN, nothing to us.
  chatter,
  /// The peer leaves.
  exit,
};

/// The 16 bytes of a ping, as plaintext.
byte_view ping_magic() noexcept;
/// The plaintext that says that we leave: OCC_EXIT.
byte_view exit_magic() noexcept;

in_tunnel_message classify_message(byte_view plain) noexcept;

} // namespace vpn::protocol
