// The unit of the data path: one buffer and the packets in it.
#pragma once

#include "vpn/protocol/bytes.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>

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

/// Space in a slab whose packets are read one after the other, and in part
/// handed on where they are: what was read and is not handed on may be written
/// to, and so may what is behind everything.
class slab_gap {
public:
  slab_gap() = default;
  explicit slab_gap(const packet_slab& batch) noexcept {
    // Without order nobody knows what has been read already.
    ordered_ = true;
    auto end = batch.count != 0 ? batch.runs[0].offset : 0;
    start_ = end;
    for (auto& run : batch) {
      ordered_ = ordered_ && run.offset >= end;
      end = run.offset + run.length;
    }
  }

  /// Finds a place for `body`. It may lie inside of `packet`, the one that was
  /// read just now, and stays there; or outside of the slab, and is copied.
  /// Null when there is no room.
  uint8_t* place(byte_view body, byte_view packet,
                 packet_slab& batch) noexcept {
    auto size = static_cast<uint32_t>(body.size());
    auto end
      = static_cast<uint32_t>(packet.data() - batch.data + packet.size());
    std::less_equal<const uint8_t*> before;
    if (before(packet.begin(), body.begin())
        && before(body.end(), packet.end())) {
      start_ = static_cast<uint32_t>(body.end() - batch.data);
      return batch.data + start_ - size;
    }
    uint8_t* result = nullptr;
    if (ordered_ && start_ <= end && size <= end - start_) {
      result = batch.data + start_;
      start_ += size;
    } else if (size <= batch.room()) {
      result = batch.data + batch.used;
      batch.used += size;
    } else {
      return nullptr;
    }
    std::copy(body.begin(), body.end(), result);
    return result;
  }

private:
  bool ordered_ = false;
  /// Everything handed on so far lies before it, or behind everything read.
  uint32_t start_ = 0;
};

} // namespace vpn::protocol
