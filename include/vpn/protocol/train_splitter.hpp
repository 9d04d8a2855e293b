// Splits a super-packet of TUN into the packets it stands for, in place.
// spec: virtio 5.1.6 (virtio_net_hdr), RFC 9293 3.1, RFC 768
#pragma once

#include "vpn/protocol/inner_packet.hpp"

#include <array>

namespace vpn::protocol {

/// Splits one train of a slab, in place: each segment's headers are written
/// into the bytes before its payload, which belong to the segment before it and
/// have been consumed by then. So: seal a segment, then ask for the next one.
class train_splitter {
public:
  /// Yields nothing.
  train_splitter() = default;
  /// Checks the description against the bytes; `bad_train` if they disagree. A
  /// run that is no train yields itself once, with its checksum finished when
  /// the kernel left that to us.
  static expected<train_splitter> make(packet_slab& slab,
                                       const packet_run& run) noexcept;
  /// The next complete IP packet, empty at the end. Invalidates the one before.
  mutable_byte_view next() noexcept;
  uint32_t segments() const noexcept { return segments_; }

private:
  bool parse(const packet_run& run) noexcept;
  void stamp(uint8_t* segment, uint32_t payload) const noexcept;

  uint8_t* base_ = nullptr;
  uint32_t length_ = 0;
  /// Of IP and layer 4 together; layer 4 begins at `l4_offset_`.
  uint32_t header_length_ = 0;
  uint32_t l4_offset_ = 0;
  uint32_t segment_payload_ = 0;
  uint32_t segments_ = 0;
  uint32_t index_ = 0;
  train_kind kind_ = train_kind::none;
  bool v4_ = false;
  /// What differs from segment to segment, as the first one has it.
  uint16_t first_id_ = 0;
  uint32_t first_sequence_ = 0;
  uint8_t flags_ = 0;
  /// Sums of what does not differ.
  uint32_t ip_sum_ = 0;
  uint32_t l4_sum_ = 0;
  /// The headers of the first segment; IPv6 and TCP with options fit.
  std::array<uint8_t, 128> header_{};
};

} // namespace vpn::protocol
