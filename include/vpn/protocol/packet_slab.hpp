// The unit of the data path: one buffer and the packets in it.
#pragma once

#include "vpn/protocol/bytes.hpp"

#include <cstdint>

namespace vpn::protocol {

/// What a run of bytes in a slab is, beyond its place. Values of
/// virtio_net_hdr.gso_type without its qualifier bits.
enum class train_kind : uint8_t { none = 0, tcp4 = 1, tcp6 = 4, udp = 5 };

/// One packet, or several that share a description.
struct packet_run {
  /// Where the first byte is, and how many there are.
  uint32_t offset = 0;
  uint32_t length = 0;
  /// On the way to the network: bytes per datagram, the last one may be
  /// shorter. On the way from TUN: payload bytes per segment of a train. Zero:
  /// the run is a single packet.
  uint16_t stride = 0;
  /// From TUN only: a super-packet that is not yet split, and where its layer-4
  /// checksum starts and stands. `needs_checksum`: the field holds the folded
  /// pseudo-header sum only.
  train_kind train = train_kind::none;
  bool needs_checksum = false;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};

/// A buffer that somebody else owns, with descriptions of the packets in it.
/// Memory and descriptors have fixed capacity: nothing here allocates.
struct packet_slab {
  uint8_t* data = nullptr;
  uint32_t capacity = 0;
  /// Bytes in use from the start; free room begins here.
  uint32_t used = 0;
  packet_run* runs = nullptr;
  uint32_t max_runs = 0;
  uint32_t count = 0;

  uint32_t room() const noexcept { return capacity - used; }
  bool full() const noexcept { return count == max_runs; }
  packet_run* begin() noexcept { return runs; }
  packet_run* end() noexcept { return runs + count; }
  const packet_run* begin() const noexcept { return runs; }
  const packet_run* end() const noexcept { return runs + count; }
  uint8_t* at(const packet_run& x) noexcept { return data + x.offset; }
  const uint8_t* at(const packet_run& x) const noexcept {
    return data + x.offset;
  }
  byte_view view(const packet_run& x) const noexcept {
    return {at(x), x.length};
  }
  /// Adds a single packet; false when there is no descriptor left.
  bool add(uint32_t offset, uint32_t length) noexcept {
    if (full())
      return false;
    runs[count] = packet_run{};
    runs[count].offset = offset;
    runs[count].length = length;
    ++count;
    return true;
  }
  void clear() noexcept {
    used = 0;
    count = 0;
  }
};

} // namespace vpn::protocol
