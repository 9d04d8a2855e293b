// Packet ids: the replay window and the wrap ids.
// spec: openvpn-wire 2.6, 9.6, 9.7

#include "vpn/protocol/packet_id.hpp"

#include <algorithm>
#include <limits>

namespace vpn::protocol {

namespace {

constexpr uint32_t bits_per_word = 64;

} // namespace

expected<done_t> replay_window::accept(uint64_t id) noexcept {
  auto block = id / bits_per_word;
  auto mask = uint64_t{1} << (id % bits_per_word);
  if (id > highest_) {
    // The usual case, and in 63 of 64 packets no word has to be cleared.
    auto from = highest_ / bits_per_word;
    auto steps = std::min<uint64_t>(block - from, words);
    for (uint64_t i = 1; i <= steps; ++i)
      seen_[(from + i) % words] = 0;
    highest_ = id;
    seen_[block % words] |= mask;
    return done;
  }
  // Zero is never above the highest id, so the usual case does not ask for it.
  if (id == 0)
    return errc::bad_packet_id;
  if (highest_ - id >= size)
    return errc::replayed;
  auto& word = seen_[block % words];
  if ((word & mask) != 0)
    return errc::replayed;
  word |= mask;
  return done;
}

void replay_window::close(uint64_t up_to) noexcept {
  if (up_to == 0)
    return;
  auto last = up_to / bits_per_word;
  // All ones up to and with the bit of `up_to`; its upper neighbours stay open.
  auto mask = (uint64_t{2} << (up_to % bits_per_word)) - 1;
  if (up_to > highest_) {
    highest_ = up_to;
    seen_.fill(~uint64_t{0});
    seen_[last % words] = mask;
    return;
  }
  // Ids below the oldest word are refused by their distance.
  auto top = highest_ / bits_per_word;
  for (auto i = top - std::min<uint64_t>(top, words - 1); i < last; ++i)
    seen_[i % words] = ~uint64_t{0};
  if (top - last < words)
    seen_[last % words] |= mask;
}

void replay_window::reset() noexcept {
  highest_ = 0;
  seen_.fill(0);
}

wrap_packet_id wrap_id_sender::next(instant now) noexcept {
  constexpr uint64_t last = std::numeric_limits<uint32_t>::max();
  auto seconds = static_cast<uint32_t>(now.unix_seconds);
  if (!time_)
    time_ = seconds;
  while (counter_ >= last) {
    // The pair must grow even if the clock has stood still or gone back. What
    // was skipped beyond the end is skipped here, too: whoever may have used
    // those ids came to the same time half.
    time_ = std::max(seconds, *time_ + 1);
    counter_ = base_ + (counter_ - last);
  }
  ++counter_;
  return {static_cast<uint32_t>(counter_), *time_};
}

expected<done_t> wrap_id_receiver::accept(wrap_packet_id id) noexcept {
  if (id.counter == 0)
    return errc::bad_packet_id;
  if (id.time < time_)
    return errc::replayed;
  if (id.time > time_) {
    time_ = id.time;
    window_.reset();
  }
  return window_.accept(id.counter);
}

} // namespace vpn::protocol
