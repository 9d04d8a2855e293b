// The home of the data path: what runs on the loop's thread, what never does,
// and in which order.
#define CAF_SUITE actors.io_loop
#include "vpn/actors/homed.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/actors/tls.hpp"

#include "tests/support/loop_fixture.hpp"
#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp"
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <string>
#include <thread>

using namespace vpn;
using namespace vpn::actors;

namespace {

using test::channel;

/// Does what the test wants at each message.
using probe_actor = caf::typed_actor<caf::reacts_to<atom::start>,
                                     caf::replies_to<atom::status>::with<int>>;

struct probe_state {
  static inline const char* name = "probe";
  probe_state() = default;
  ~probe_state() {
    if (at_end)
      at_end();
  }
  std::function<void()> at_end;
};

using probe_hooks = std::function<void(const char*)>;

class probe final : public homed<probe_actor::stateful_base<probe_state>> {
public:
  probe(caf::actor_config& cfg, io_loop* home, probe_hooks f)
    : homed(cfg, home),
      f_(std::move(f)) {}

  behavior_type make_behavior() override {
    state.at_end = [f = f_] {
      f("end");
    };
    f_("begin");
    return {
      [this](atom::start) {
        f_("message");
      },
      [this](atom::status) {
        f_("request");
        return 1;
      },
    };
  }

private:
  probe_hooks f_;
};

struct fixture : test::loop_fixture {
  std::thread::id loop_thread;
  fixture() {
    on_loop([this] {
      loop_thread = std::this_thread::get_id();
    });
  }

  probe_actor spawn_probe(io_loop* home, probe_hooks f) {
    return own(probe_actor{sys.spawn<probe>(home, std::move(f))});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(io_loop_tests, fixture)

// -- who runs where --

CAF_TEST(an actor at home runs on the thread of its loop from begin to end) {
  channel<std::pair<std::string, std::thread::id>> seen;
  auto f = [&](const char* what) {
    seen.put({what, std::this_thread::get_id()});
  };
  auto hdl = sys.spawn<probe>(&loop, f);
  caf::anon_send(hdl, atom::start_v);
  CAF_CHECK_EQUAL(ask<int>(hdl, atom::status_v), 1);
  caf::anon_send_exit(hdl, caf::exit_reason::user_shutdown);
  for (auto wanted : {"begin", "message", "request", "end"}) {
    auto x = seen.take();
    CAF_REQUIRE(x);
    CAF_CHECK_EQUAL(x->first, wanted);
    CAF_CHECK(x->second == loop_thread);
  }
}

CAF_TEST(an actor without home never runs on the loop) {
  constexpr int messages = 2000;
  channel<std::thread::id> seen;
  auto plain = spawn_probe(nullptr, [&](const char*) {
    seen.put(std::this_thread::get_id());
  });
  // Its neighbour at home causes each of its messages from the loop's thread.
  auto homed = spawn_probe(&loop, [&](const char* what) {
    if (std::string{what} == "message")
      caf::anon_send(plain, atom::start_v);
  });
  for (int i = 0; i < messages; ++i)
    caf::anon_send(homed, atom::start_v);
  for (int i = 0; i <= messages; ++i) {
    auto x = seen.take();
    CAF_REQUIRE(x);
    CAF_REQUIRE(*x != loop_thread);
  }
  end_actors(); // before what they write to
}

CAF_TEST(TLS never sees the thread of the loop) {
  constexpr int messages = 500;
  // It asks for the time with each message.
  struct witness : clock_source {
    instant now() const override {
      seen.put(std::this_thread::get_id());
      return {std::chrono::steady_clock::now(), test::pki_now};
    }
    mutable channel<std::thread::id> seen;
  } clock;
  auto args = std::make_shared<tls_arguments>();
  args->negotiation.tls = test::make_tls(test::client_tls_config());
  args->random = [](uint8_t*, size_t) {};
  auto layer = own(sys.spawn(tls, args, &clock, tls_sink_actor{},
                             key_sink_actor{}, control_key_sink_actor{},
                             negotiation_observer_actor{}));
  auto neighbour = spawn_probe(&loop, [&](const char* what) {
    if (std::string{what} == "message")
      caf::anon_send(layer, tls_bytes{{1, 2, 3}});
  });
  for (int i = 0; i < messages; ++i)
    caf::anon_send(neighbour, atom::start_v);
  for (int i = 0; i <= messages; ++i) {
    auto x = clock.seen.take();
    CAF_REQUIRE(x);
    CAF_REQUIRE(*x != loop_thread);
  }
  end_actors();
}

CAF_TEST(an actor that one at home spawns runs on the scheduler) {
  channel<std::thread::id> seen;
  probe_actor child;
  auto parent = spawn_probe(&loop, [&](const char* what) {
    if (std::string{what} == "message")
      child = sys.spawn<probe>(nullptr, [&](const char*) {
        seen.put(std::this_thread::get_id());
      });
  });
  caf::anon_send(parent, atom::start_v);
  auto x = seen.take();
  CAF_REQUIRE(x);
  CAF_CHECK(*x != loop_thread);
  finish_round();
  own(child);
  end_actors();
}

CAF_TEST(an actor of one loop talks to an actor of another one) {
  io_loop other;
  other.start(sys);
  channel<bool> at_home;
  auto there = sys.spawn<probe>(&other, [&](const char*) {
    at_home.put(other.on_own_thread() && !loop.on_own_thread());
  });
  auto here = spawn_probe(&loop, [&](const char*) {
    caf::anon_send(there, atom::start_v);
  });
  caf::anon_send(here, atom::start_v);
  for (int i = 0; i < 3; ++i) {
    auto x = at_home.take();
    CAF_REQUIRE(x);
    CAF_CHECK(*x);
  }
  caf::anon_send_exit(there, caf::exit_reason::user_shutdown);
  there = nullptr;
  end_actors();
  other.stop();
}

CAF_TEST(messages from many threads all arrive) {
  constexpr int threads = 4, messages = 3000;
  std::atomic<int> handled{0};
  channel<int> complete;
  auto hdl = spawn_probe(&loop, [&](const char* what) {
    if (std::string{what} == "message" && ++handled == threads * messages)
      complete.put(1);
  });
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i)
    pool.emplace_back([&] {
      for (int k = 0; k < messages; ++k)
        caf::anon_send(hdl, atom::start_v);
    });
  for (auto& x : pool)
    x.join();
  CAF_CHECK(complete.take());
  CAF_CHECK_EQUAL(handled.load(), threads * messages);
}

// -- the end of a round --

CAF_TEST(hooks run in the order of their stages with messages between) {
  std::vector<std::string> log;
  auto actor = spawn_probe(&loop, [&](const char* what) {
    log.push_back(what);
  });
  finish_round();
  std::unique_ptr<io_loop::hook> one, two, three;
  auto active = false;
  on_loop([&] {
    // Not in the order in which they run.
    three = loop.at_end_of_round(flush_stage::edges, [&] {
      if (std::exchange(active, false))
        log.push_back("edges");
    });
    one = loop.at_end_of_round(flush_stage::data_channel, [&] {
      if (active) {
        log.push_back("data channel");
        caf::anon_send(actor, atom::start_v);
      }
    });
    two = loop.at_end_of_round(flush_stage::data_channel, [&] {
      if (active)
        log.push_back("data channel 2");
    });
  });
  on_loop([&] {
    log.clear();
    log.push_back("event");
    active = true;
    caf::anon_send(actor, atom::start_v);
  });
  finish_round();
  on_loop([&] {
    std::vector<std::string> wanted{"event",          "message", "data channel",
                                    "data channel 2", "message", "edges"};
    CAF_CHECK(log == wanted);
    one.reset();
    two.reset();
    three.reset();
  });
  end_actors();
}

CAF_TEST(a hook may end itself and others and add new ones) {
  std::vector<std::string> log;
  std::unique_ptr<io_loop::hook> killer, victim, added;
  on_loop([&] {
    killer = loop.at_end_of_round(flush_stage::data_channel, [&] {
      log.push_back("killer");
      victim.reset();
      added = loop.at_end_of_round(flush_stage::data_channel, [&] {
        log.push_back("added");
        added.reset();
      });
      killer.reset();
    });
    victim = loop.at_end_of_round(flush_stage::data_channel, [&] {
      log.push_back("victim");
    });
  });
  finish_round();
  on_loop([&] {
    CAF_CHECK(log == (std::vector<std::string>{"killer", "added"}));
  });
}

CAF_TEST(a hook that has ended lets go of what it holds) {
  auto alive = std::make_shared<int>(0);
  std::weak_ptr<int> watcher = alive;
  std::unique_ptr<io_loop::hook> hook;
  on_loop([&] {
    hook = loop.at_end_of_round(flush_stage::edges, [alive] {});
  });
  alive.reset();
  CAF_CHECK(!watcher.expired());
  hook.reset();
  finish_round();
  CAF_CHECK(watcher.expired());
}

CAF_TEST(no stage misses what a long queue of messages has caused) {
  // A round handles a bounded number of messages. However many there are: the
  // loop does not sleep before each stage has seen the last one's effect.
  for (int messages : {1, 64, 511, 512, 513, 600, 1024, 1025, 1200, 5000}) {
    auto handled = 0;
    std::array<channel<int>, flush_stages> complete;
    std::array<std::unique_ptr<io_loop::hook>, flush_stages> hooks;
    auto hdl = sys.spawn<probe>(&loop, [&](const char* what) {
      if (std::string{what} == "message")
        ++handled;
    });
    finish_round();
    on_loop([&] {
      for (size_t i = 0; i < flush_stages; ++i)
        hooks[i] = loop.at_end_of_round(static_cast<flush_stage>(i), [&, i] {
          if (handled == messages)
            complete[i].put(messages);
        });
    });
    // Sent from the loop, so that nothing else wakes it up afterwards.
    loop.post([&] {
      for (int i = 0; i < messages; ++i)
        caf::anon_send(hdl, atom::start_v);
    });
    for (auto& x : complete)
      CAF_CHECK(x.take() == messages);
    on_loop([&] {
      for (auto& x : hooks)
        x.reset();
    });
    caf::anon_send_exit(hdl, caf::exit_reason::user_shutdown);
    self->wait_for(hdl);
  }
}

CAF_TEST(time does not move within a round) {
  on_loop([&] {
    auto before = loop.now();
    for (int i = 0; i < 100000; ++i)
      if (loop.now().steady != before.steady)
        CAF_FAIL("the time has moved");
    CAF_CHECK_EQUAL(loop.now().unix_seconds, before.unix_seconds);
  });
}

// -- work from outside --

CAF_TEST(what many threads post runs on the loop and in order for each) {
  constexpr int threads = 4, posts = 3000;
  std::array<int, threads> last{};
  std::atomic<int> wrong{0};
  std::vector<std::thread> pool;
  for (size_t i = 0; i < threads; ++i)
    pool.emplace_back([&, i] {
      for (int k = 1; k <= posts; ++k)
        loop.post([&, i, k] {
          if (!loop.on_own_thread() || last[i] != k - 1)
            ++wrong;
          last[i] = k;
        });
    });
  for (auto& x : pool)
    x.join();
  finish_round();
  CAF_CHECK_EQUAL(wrong.load(), 0);
  for (auto x : last)
    CAF_CHECK_EQUAL(x, posts);
}

CAF_TEST(what is posted on the loop itself runs later) {
  std::vector<int> log;
  on_loop([&] {
    loop.post([&] {
      log.push_back(2);
    });
    log.push_back(1);
  });
  finish_round();
  on_loop([&] {
    CAF_CHECK(log == (std::vector<int>{1, 2}));
  });
}

CAF_TEST(every wake causes a round) {
  channel<int> rounds;
  std::atomic<bool> active{false};
  std::unique_ptr<io_loop::hook> hook;
  on_loop([&] {
    hook = loop.at_end_of_round(flush_stage::edges, [&] {
      if (active.exchange(false))
        rounds.put(1);
    });
  });
  finish_round();
  for (int i = 0; i < 1000; ++i) {
    active = true;
    loop.wake();
    CAF_REQUIRE(rounds.take());
  }
  on_loop([&] {
    hook.reset();
  });
}

CAF_TEST(stopping does not wait for work that never ends) {
  std::function<void()> again = [&] {
    loop.post(again);
  };
  loop.post(again);
  loop.stop();
  loop.stop();
  // What comes too late is kept and forgotten with the loop.
  loop.post([] {});
}

CAF_TEST(a loop that never started ends) {
  io_loop idle;
  idle.post([] {
    CAF_FAIL("there is no thread to run this");
  });
  idle.wake();
  idle.stop();
}

CAF_TEST_FIXTURE_SCOPE_END()
