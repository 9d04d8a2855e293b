// A real loop and a real scheduler, for what only threads can show. Include it
// after CAF_SUITE is defined.
#pragma once

#include "vpn/actors/config.hpp"
#include "vpn/actors/io_loop.hpp"

#include "tests/support/channel.hpp"

#include "caf/all.hpp"
#include "caf/test/unit_test.hpp"

#include <vector>

namespace vpn::test {

struct loop_fixture {
  actors::io_loop loop;
  actors::config cfg;
  caf::actor_system sys{cfg};
  caf::scoped_actor self{sys, true};
  std::vector<caf::strong_actor_ptr> owned;

  loop_fixture() { loop.start(sys); }
  loop_fixture(const loop_fixture&) = delete;
  loop_fixture& operator=(const loop_fixture&) = delete;
  ~loop_fixture() { end_actors(); }

  /// Ends the actor when the test ends.
  template <class Handle>
  Handle own(Handle hdl) {
    owned.push_back(caf::actor_cast<caf::strong_actor_ptr>(hdl));
    return hdl;
  }

  /// Runs `f` on the loop's thread and returns when it has.
  template <class F>
  void on_loop(F f) {
    channel<int> ready;
    loop.post([&] {
      f();
      ready.put(1);
    });
    CAF_REQUIRE(ready.take());
  }

  /// Returns after a whole round of the loop, with all that was ready for it.
  void finish_round() {
    for (int i = 0; i < 2; ++i)
      on_loop([] {});
  }

  /// The answer to a request; aborts when there is none.
  template <class T, class Handle, class... Ts>
  T ask(const Handle& hdl, Ts&&... xs) {
    T result;
    self->request(hdl, long_enough, std::forward<Ts>(xs)...)
      .receive(
        [&](T& x) {
          result = std::move(x);
        },
        [&](caf::error& x) {
          CAF_FAIL(sys.render(x));
        });
    return result;
  }

  void end_actors() {
    for (auto& x : owned)
      caf::anon_send_exit(x, caf::exit_reason::user_shutdown);
    owned.clear();
    // Only `self` may be left.
    sys.registry().await_running_count_equal(1);
    loop.stop();
  }
};

} // namespace vpn::test
