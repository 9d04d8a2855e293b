// One layer alone on a virtual clock, with the world around it. Include it
// last.
#pragma once

#include "tests/support/actor_fixture.hpp"
#include "tests/support/layer_world.hpp"
#include "tests/support/virtual_clock.hpp"

#include "caf/test/dsl.hpp"

namespace vpn::test {

struct layer_fixture : actor_fixture {
  virtual_clock clock{sched.clock()};
  world_record seen;
  world_actor around = own(sys.spawn(world, &seen));

  ~layer_fixture() override { seen.batches.clear(); }

  /// Lets time pass, in steps as small as timers may be, and all messages with
  /// it.
  void pass(duration x) {
    constexpr duration step = std::chrono::milliseconds{100};
    for (; x > step; x -= step) {
      advance_time(step);
      consume_messages();
    }
    advance_time(x);
    consume_messages();
  }

  /// Timers of all actors that are under way.
  size_t pending_timers() { return sched.clock().schedule().size(); }

  template <class Handle>
  std::string status_of(const Handle& hdl) {
    auto x = ask<actors::layer_status>(hdl, atom::status_v);
    return x ? x->text : "no answer";
  }

  static bool has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE(text);
    return false;
  }
};

} // namespace vpn::test
