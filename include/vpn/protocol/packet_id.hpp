// Packet ids of the control wrapping (long form: counter and time), and the
// sliding window that refuses replays, shared with the data channel.
// spec: openvpn-wire 2.6, 9.6, 9.7, 9.9
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/error.hpp"

#include <array>
#include <optional>

namespace vpn::protocol {

/// Remembers which of the last `size` ids were seen. Ids start at 1; of the 64
/// bits only the epoch format uses more than 32.
class replay_window {
public:
  /// Ids of the window. Multi-queue peers reorder by more than the stock 64.
  static constexpr uint32_t size = 2048;

  /// Accepts `id` once. Refuses zero (`bad_packet_id`), ids seen before and ids
  /// at or below highest - size (`replayed`). Call only for a packet whose tag
  /// has been verified.
  expected<done_t> accept(uint64_t id) noexcept;

  /// Every id up to this one is refused as replayed from now on; those above
  /// are judged as ever. For a window that may be older than what was accepted.
  void close(uint64_t up_to) noexcept;

  uint64_t highest() const noexcept { return highest_; }
  void reset() noexcept;

private:
  // One bit per id in a ring of 64-bit words, as in RFC 6479: the extra word
  // makes clearing a matter of whole words.
  static constexpr uint32_t words = size / 64 + 1;
  uint64_t highest_ = 0;
  std::array<uint64_t, words> seen_{};
};

/// A wrap packet id: eight bytes on the wire.
struct wrap_packet_id {
  uint32_t counter = 0;
  uint32_t time = 0;
};

/// Issues wrap packet ids. Every transmission needs a fresh one.
class wrap_id_sender {
public:
  /// Counters of every time half begin above `base`.
  explicit wrap_id_sender(uint32_t base = 0) noexcept
    : base_(base),
      counter_(base) {}
  /// The time half is the second of the first call and stays until its counters
  /// are used up. Each pair is greater than all before.
  wrap_packet_id next(instant now) noexcept;
  /// The next id is `n` further on: somebody else may have used those between.
  void skip(uint32_t n) noexcept { counter_ += n; }

private:
  uint32_t base_;
  /// The last counter issued or skipped; beyond 32 bits the rest counts in the
  /// time half that comes next.
  uint64_t counter_;
  std::optional<uint32_t> time_;
};

/// Accepts each wrap packet id once: counter zero and a time that goes back are
/// refused, a later time starts the counter window anew.
class wrap_id_receiver {
public:
  expected<done_t> accept(wrap_packet_id id) noexcept;

private:
  uint32_t time_ = 0;
  replay_window window_;
};

} // namespace vpn::protocol
