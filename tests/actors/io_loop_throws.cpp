// Exceptions where no message handler runs: they end one actor, never the loop.
// spec: design 6
#define CAF_SUITE actors.io_loop_throws
#include "vpn/actors/data_channel.hpp"
#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"
#include "vpn/actors/unique_fd.hpp"

#include "tests/support/data_tunnel.hpp"
#include "tests/support/loop_fixture.hpp"
#include "tests/support/throwing_actor.hpp"

#include "caf/test/unit_test.hpp"
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <stdexcept>

#include <sys/epoll.h>
#include <sys/eventfd.h>

using namespace vpn;
using namespace vpn::actors;

namespace {

using test::channel;

/// A descriptor that is ready, and stays so.
unique_fd make_ready() {
  return unique_fd{eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)};
}

[[noreturn]] void bug() {
  throw std::runtime_error{"a bug"};
}

/// Registers what the test wants when it is started, with itself as owner.
using owner_actor = caf::typed_actor<caf::reacts_to<atom::start>,
                                     caf::reacts_to<atom::timeout>>;

struct plan {
  std::function<void()> at_watch;
  std::function<void()> at_hook;
  std::function<void()> at_message = [] {};
  /// It has a message to itself in its mailbox when the watch is called.
  bool sends_itself = false;
};

struct owner_state {
  static inline const char* name = "owner";
  owner_state() = default;
  unique_fd fd = make_ready();
  std::unique_ptr<io_loop::watch> watch;
  std::unique_ptr<io_loop::hook> hook;
};

class owner final : public homed<owner_actor::stateful_base<owner_state>> {
public:
  owner(caf::actor_config& cfg, io_loop* home, plan x)
    : homed(cfg, home),
      plan_(std::move(x)) {}

  behavior_type make_behavior() override {
    install_handlers(this);
    return {
      [this](atom::start) {
        if (plan_.at_hook)
          state.hook = home()->at_end_of_round(flush_stage::edges,
                                               plan_.at_hook, address());
        if (plan_.at_watch)
          state.watch = home()->watch_fd(
            state.fd.get(), EPOLLIN,
            [this](uint32_t) {
              if (plan_.sends_itself)
                send(owner_actor{this}, atom::timeout_v);
              plan_.at_watch();
            },
            address());
      },
      [this](atom::timeout) {
        plan_.at_message();
      },
    };
  }

private:
  plan plan_;
};

struct fixture : test::loop_fixture {
  /// Others that the loop still has to serve.
  unique_fd other = make_ready();
  std::unique_ptr<io_loop::watch> other_watch;
  std::unique_ptr<io_loop::hook> before, behind;
  channel<int> watched, first, last;

  /// Hooks on both sides of whoever registers between these two calls.
  void add_first() {
    on_loop([this] {
      before = loop.at_end_of_round(flush_stage::edges, [this] {
        first.put(1);
      });
    });
  }
  void add_last() {
    on_loop([this] {
      behind = loop.at_end_of_round(flush_stage::edges, [this] {
        last.put(1);
      });
    });
  }

  /// The loop calls watches and hooks, now and later.
  void check_loop_goes_on() {
    on_loop([this] {
      other_watch = loop.watch_fd(other.get(), EPOLLIN, [this](uint32_t) {
        other_watch->set_events(0);
        watched.put(1);
      });
    });
    CAF_CHECK(watched.take());
    while (first.take_now() || last.take_now())
      ;
    loop.wake();
    CAF_CHECK(first.take());
    CAF_CHECK(last.take());
    on_loop([this] {
      other_watch.reset();
      before.reset();
      behind.reset();
    });
  }

  owner_actor start(plan x) {
    owner_actor hdl{sys.spawn<owner>(&loop, std::move(x))};
    self->monitor(hdl);
    add_first();
    caf::anon_send(hdl, atom::start_v);
    add_last();
    return hdl;
  }

  /// Why an actor that the test watches has ended.
  std::string end_of(const caf::actor_addr& who) {
    std::string result;
    self->receive(
      [&](const caf::down_msg& x) {
        CAF_CHECK(x.source == who);
        result = sys.render(x.reason);
      },
      caf::after(test::long_enough) >>
        [&] {
          CAF_FAIL("nobody has ended");
        });
    return result;
  }
  std::string runtime_error(const std::string& text) {
    return sys.render(caf::make_error(caf::sec::runtime_error, text));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(io_loop_throws_tests, fixture)

CAF_TEST(a watch that throws ends its owner and nobody else) {
  std::atomic<int> calls{0};
  plan x;
  x.at_watch = [&] {
    ++calls;
    bug();
  };
  auto hdl = start(x);
  CAF_CHECK_EQUAL(end_of(hdl.address()), runtime_error("a bug"));
  check_loop_goes_on();
  CAF_CHECK_EQUAL(calls.load(), 1);
}

CAF_TEST(a hook that throws ends its owner and nobody else) {
  std::atomic<int> calls{0};
  plan x;
  x.at_hook = [&] {
    ++calls;
    bug();
  };
  auto hdl = start(x);
  CAF_CHECK_EQUAL(end_of(hdl.address()), runtime_error("a bug"));
  check_loop_goes_on();
  CAF_CHECK_EQUAL(calls.load(), 1);
}

CAF_TEST(what is thrown may be no exception of the library) {
  plan x;
  x.at_watch = [] {
    throw 42;
  };
  auto hdl = start(x);
  CAF_CHECK_EQUAL(end_of(hdl.address()), runtime_error("unknown exception"));
  check_loop_goes_on();
}

CAF_TEST(nothing of an owner runs once it has thrown) {
  std::atomic<bool> thrown{false};
  std::atomic<int> late{0};
  plan x;
  x.sends_itself = true;
  x.at_watch = [&] {
    thrown = true;
    bug();
  };
  // It would run at the end of the same round.
  x.at_hook = x.at_message = [&] {
    if (thrown)
      ++late;
  };
  auto hdl = start(x);
  CAF_CHECK_EQUAL(end_of(hdl.address()), runtime_error("a bug"));
  check_loop_goes_on();
  CAF_CHECK_EQUAL(late.load(), 0);
}

CAF_TEST(many owners may throw in one round) {
  constexpr size_t owners = 50;
  plan x;
  x.at_watch = x.at_hook = bug;
  std::vector<owner_actor> all;
  for (size_t i = 0; i < owners; ++i) {
    all.push_back(owner_actor{sys.spawn<owner>(&loop, x)});
    self->monitor(all.back());
  }
  add_first();
  on_loop([&] {
    for (auto& hdl : all)
      caf::anon_send(hdl, atom::start_v);
  });
  add_last();
  for (size_t i = 0; i < owners; ++i)
    self->receive([&](const caf::down_msg& down) {
      CAF_CHECK_EQUAL(sys.render(down.reason), runtime_error("a bug"));
    });
  check_loop_goes_on();
}

CAF_TEST(what throws and has no owner is not called again) {
  auto fd = make_ready();
  auto calls = 0, hook_calls = 0;
  std::unique_ptr<io_loop::watch> watch;
  std::unique_ptr<io_loop::hook> hook;
  add_first();
  on_loop([&] {
    watch = loop.watch_fd(fd.get(), EPOLLIN, [&](uint32_t) {
      ++calls;
      bug();
    });
    hook = loop.at_end_of_round(flush_stage::edges, [&] {
      ++hook_calls;
      bug();
    });
  });
  add_last();
  check_loop_goes_on();
  // A ready descriptor that nobody hears of must not keep the loop awake.
  auto rounds = loop.rounds();
  for (int i = 0; i < 100; ++i)
    finish_round();
  CAF_CHECK(loop.rounds() - rounds <= 500);
  on_loop([&] {
    CAF_CHECK_EQUAL(calls, 1);
    CAF_CHECK_EQUAL(hook_calls, 1);
    // It may still be changed, and must be ended, by who has it.
    watch->set_events(EPOLLIN);
    watch.reset();
    hook.reset();
    watch = loop.watch_fd(fd.get(), EPOLLIN, [&](uint32_t) {
      watch.reset();
      watched.put(1);
    });
  });
  CAF_CHECK(watched.take());
}

CAF_TEST(an owner that is gone needs no end) {
  auto hdl = start({});
  auto address = hdl.address();
  caf::anon_send_exit(hdl, caf::exit_reason::user_shutdown);
  end_of(address);
  hdl = nullptr;
  std::unique_ptr<io_loop::hook> hook;
  on_loop([&] {
    hook = loop.at_end_of_round(flush_stage::edges, bug, address);
  });
  check_loop_goes_on();
  on_loop([&] {
    hook.reset();
  });
}

CAF_TEST(what is posted may throw) {
  add_first();
  add_last();
  auto ran = 0;
  on_loop([&] {
    // All in one go.
    loop.post([&] {
      ++ran;
    });
    loop.post(bug);
    loop.post([&] {
      ++ran;
    });
  });
  finish_round();
  on_loop([&] {
    CAF_CHECK_EQUAL(ran, 2);
  });
  check_loop_goes_on();
}

CAF_TEST(a DATA CHANNEL that throws while it flushes ends alone) {
  // Only its hook sends down: a round's packets leave together.
  auto pool = caf::make_counted<batch_pool>(pool_config{4, 8192, 64});
  auto wire = test::make_throwing<batch_down_actor>(sys);
  auto hdl = spawn_data_channel(sys, &loop, pool, &loop, wire, {});
  self->monitor(hdl);
  add_first();
  add_last();
  auto spec = test::spec_of(protocol::role::client, 0);
  ask<uint8_t>(
    hdl, atom::install_v,
    data_key_box{std::make_shared<const protocol::data_key_spec>(spec)});
  auto batch = pool->get();
  CAF_REQUIRE(batch);
  auto packet = test::make_packet({}, {}, {});
  std::copy(packet.begin(), packet.end(), batch->data);
  CAF_REQUIRE(batch->add(0, static_cast<uint32_t>(packet.size())));
  batch->used = static_cast<uint32_t>(packet.size());
  caf::anon_send(hdl, atom::down_v, std::move(batch));
  CAF_CHECK_EQUAL(end_of(hdl.address()), runtime_error("nobody may send this"));
  check_loop_goes_on();
  finish_round();
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST_FIXTURE_SCOPE_END()
