// A few packets each way, all the time, through whatever happens to the pair:
// what arrives must have been sent just so, and arrives once.
#pragma once

#include "tests/support/pair.hpp"

#include <set>

namespace vpn::test {

/// Its packets say which way they go and their number; size and filling follow
/// from it, so nothing has to be kept to know what was sent.
class light_stream {
public:
  explicit light_stream(vpn_pair& x) : x_(x) {}

  /// One packet each way, then `pause`.
  void step(duration pause) {
    x_.send(x_.client, {packet(up)});
    x_.send(x_.server, {packet(down)});
    ++sent_;
    x_.drive(pause);
    if (after_step)
      after_step();
    take(x_.server, up, up_);
    take(x_.client, down, down_);
  }
  void run(duration how_long, duration pause = std::chrono::seconds{1}) {
    for (auto end = x_.elapsed() + how_long; x_.elapsed() < end;)
      step(pause);
  }

  /// Called after each step.
  std::function<void()> after_step;

  // -- observers --
  /// Packets that were never sent, or came twice.
  size_t wrong() const { return wrong_; }
  /// Each way.
  size_t sent() const { return sent_; }
  size_t arrived_up() const { return up_.size(); }
  size_t arrived_down() const { return down_.size(); }
  /// Everything sent has arrived.
  bool complete() const {
    return wrong_ == 0 && up_.size() == sent_ && down_.size() == sent_;
  }

private:
  static constexpr uint32_t up = 0x10000000, down = 0x20000000;

  static bytes packet_of(uint32_t number) {
    return numbered_packet(number, 20 + number * 37 % 1300);
  }
  bytes packet(uint32_t way) const {
    return packet_of(way + static_cast<uint32_t>(sent_));
  }

  void take(vpn_pair::side& at, uint32_t way, std::set<uint32_t>& seen) {
    for (auto& packet : at.saw.packets) {
      auto number = packet.size() < 8 ? 0 : load_u32(packet.data() + 4);
      auto ours = number >= way && number - way < sent_;
      if (!ours || packet != packet_of(number) || !seen.insert(number).second)
        ++wrong_;
    }
    at.saw.packets.clear();
  }

  vpn_pair& x_;
  size_t sent_ = 0, wrong_ = 0;
  std::set<uint32_t> up_, down_;
};

} // namespace vpn::test
