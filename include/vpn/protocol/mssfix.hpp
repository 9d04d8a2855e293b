// How large a TCP segment may be so that its datagram fits the path.
// spec: openvpn-wire 13.2, 13.3
#pragma once

#include "vpn/protocol/data_key.hpp"
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

/// All that stands around an inner packet. spec: openvpn-wire 13.2
struct packet_overhead {
  data_cipher cipher = data_cipher::aes_256_gcm;
  /// Bytes of the HMAC; without AEAD only.
  uint32_t digest_size = 20;
  /// DATA_V2.
  bool peer_id = true;
  bool epoch = false;
  /// One byte more for the first version of a compression framing.
  bool framing_byte = false;
  bool fragment = false;
  bool tcp = false;
  /// UDP through SOCKS5: ten bytes in each datagram.
  bool socks = false;
  family transport = family::v4;
};

/// IP and UDP or TCP header of the outer packet: what the `mtu` forms of
/// `mssfix` and `fragment` count and the others do not.
uint32_t datagram_overhead(const packet_overhead& around) noexcept;

/// The largest plaintext, as `data_key` seals it, whose datagram has no more
/// than `size` bytes, SOCKS header or TCP length included. Zero when there is
/// none. Less the four bytes of its header: the largest piece of a packet.
/// spec: openvpn-wire 13.4
uint32_t largest_plaintext(uint32_t size,
                           const packet_overhead& around) noexcept;

mss_limits compute_mss(const mssfix_config& cfg,
                       const packet_overhead& around) noexcept;

} // namespace vpn::protocol
