// IP packets inside the tunnel: checksums, the MSS of a SYN, and TUN's virtio
// header.
// spec: openvpn-wire 13.3; virtio 5.1.6 (virtio_net_hdr)
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/packet_slab.hpp"

#include <cstdint>

namespace vpn::protocol {

/// A sum of 16-bit words, of any length, as 16 bits (RFC 1071).
constexpr uint16_t fold_checksum(uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

/// What a checksum field holds for this sum.
constexpr uint16_t checksum_field(uint64_t sum) noexcept {
  return static_cast<uint16_t>(~fold_checksum(sum));
}

/// The same for UDP, where zero means "no checksum" and has a twin.
constexpr uint16_t udp_checksum_field(uint64_t sum) noexcept {
  auto result = checksum_field(sum);
  return result == 0 ? uint16_t{0xffff} : result;
}

/// Ones' complement sum of `xs` added to `initial`, folded to 16 bits, not
/// inverted. An odd last byte counts as its high half.
uint16_t checksum_partial(byte_view xs, uint32_t initial = 0) noexcept;

/// Ones' complement sum of the pseudo-header of a complete IPv4 or IPv6 header:
/// both addresses, the protocol and the length of layer 4. Not inverted.
uint16_t pseudo_header_sum(const uint8_t* ip_header, uint8_t protocol,
                           uint32_t l4_length) noexcept;

/// Lowers the MSS option of a TCP SYN to at most `mss4` (IPv4) or `mss6`
/// (IPv6), and patches the TCP checksum (RFC 1624), which is right before or
/// holds a bare pseudo-header sum: both stay what they were. Anything that is
/// no complete TCP SYN is left alone. Zero switches a family off. True when the
/// packet was changed.
/// spec: openvpn-wire 13.3
bool clamp_mss(mutable_byte_view ip_packet, uint16_t mss4,
               uint16_t mss6) noexcept;

/// Finishes the checksum of a single packet, if the kernel left that to us.
/// `bad_train` when the description points outside of the packet.
expected<done_t> finish_checksum(mutable_byte_view ip_packet,
                                 const packet_run& run) noexcept;

/// virtio_net_hdr of ten bytes, as TUN reads and writes it, native endian.
constexpr size_t vnet_header_size = 10;
/// Parses a header that TUN gave us for a packet of `length` bytes at `offset`.
/// `bad_train` for a type we did not ask for.
expected<packet_run> read_vnet_header(const uint8_t* header, uint32_t offset,
                                      uint32_t length) noexcept;

} // namespace vpn::protocol
