// How large a TCP segment may be so that its datagram fits the path.
// spec: openvpn-wire 13.2, 13.3
#pragma once

#include "vpn/protocol/ip_address.hpp"

#include <cstdint>

namespace vpn::protocol {

/// What the number of `mssfix` counts.
enum class mssfix_kind : uint8_t {
  off,
  /// Bytes of UDP or TCP payload: `mssfix n`.
  udp_payload,
  /// With IP and UDP headers: `mssfix n mtu`, and the default 1492.
  outer_packet,
  /// The inner packet itself: `mssfix n fixed`.
  fixed,
};

struct mssfix_config {
  mssfix_kind kind = mssfix_kind::outer_packet;
  uint32_t size = 1492;
};

/// Largest TCP payload by family of the inner packet; zero: leave it alone.
struct mss_limits {
  uint16_t v4 = 0;
  uint16_t v6 = 0;
};

/// `overhead` is what the data channel adds to a packet: 24 bytes for DATA_V2
/// with AEAD, 21 for DATA_V1.
mss_limits compute_mss(const mssfix_config& cfg, bool tcp, family transport,
                       uint32_t overhead);

} // namespace vpn::protocol
