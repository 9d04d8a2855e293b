// Gates: fault actors that kill, crash and stall the actor behind them.
#define CAF_SUITE actors.fault_actor_gate
#include "vpn/actors/fault_actor.hpp"
#include "vpn/actors/seat.hpp"

#include "tests/support/faulted_layer.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;

namespace {

struct fixture : test::faulted_layer {
  /// Who died, and why.
  std::vector<caf::error> ends;

  fault_hdl gate(const std::string& text, test::world_actor target) {
    auto cfg = config_of(text);
    cfg.gate = true;
    return own(spawn_fault(sys, cfg, target));
  }
  fault_hdl gate(const std::string& text) { return gate(text, around); }

  test::world_actor watched() {
    auto hdl = own(sys.spawn(test::world, &seen));
    self->monitor(hdl);
    return hdl;
  }
  size_t dead() {
    while (self->has_next_message())
      self->receive([&](const caf::down_msg& x) {
        ends.push_back(x.reason);
      });
    return ends.size();
  }
  static data_key_box key(uint8_t id) {
    auto result = std::make_shared<protocol::data_key_spec>();
    result->key_id = id;
    return {result};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fault_actor_gate_tests, fixture)

CAF_TEST(a kill and a crash reach who is behind at their time) {
  auto hdl = gate("muxer:kill=5s", watched());
  pass(4999ms);
  CAF_CHECK_EQUAL(dead(), 0u);
  pass(1ms);
  CAF_REQUIRE_EQUAL(dead(), 1u);
  CAF_CHECK(ends[0] == caf::exit_reason::kill);
  gate("muxer:crash=0s", watched());
  CAF_REQUIRE_EQUAL(dead(), 2u);
  CAF_CHECK_EQUAL(
    sys.render(ends[1]),
    sys.render(caf::make_error(caf::sec::runtime_error, "fault: crash")));
  CAF_CHECK_EQUAL(fault_text(hdl), "muxer:kill=5s; kills 1");
  // The gate lives on.
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 1u);
}

CAF_TEST(a gate kills each one who sits behind it) {
  seat<test::world_actor> place{sys};
  auto hdl = gate("muxer:kill=1s,every=2s", place.handle());
  for (size_t i = 0; i < 3; ++i) {
    place.put(watched());
    tell(hdl, tls_bytes{{1}});
    CAF_CHECK_EQUAL(seen.tls.size(), i + 1);
    CAF_CHECK_EQUAL(dead(), i);
    pass(i == 0 ? 1s : 2s);
    CAF_CHECK_EQUAL(dead(), i + 1);
    place.vacate();
  }
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 3u);
}

CAF_TEST(a gate does not look at packets and a fault not at its actor) {
  auto hdl = gate("muxer:drop=1,kill=1s", watched());
  tell(hdl, tls_bytes{{1}});
  CAF_CHECK_EQUAL(seen.tls.size(), 1u);
  own(spawn_fault(sys, config_of("muxer:drop=1,kill=1s"), watched()));
  pass(2s);
  CAF_CHECK_EQUAL(dead(), 1u);
}

CAF_TEST(who is stalled gets everything later and in order) {
  auto hdl = gate("muxer:stall=1s/3s");
  tell(hdl, tls_bytes{{0}});
  pass(1s);
  tell(hdl, tls_bytes{{1}});
  auto answer = ask_later<uint8_t>(hdl, atom::install_v, key(5));
  tell(hdl, window_open{1});
  tell(hdl, tls_bytes{{2}});
  tell(hdl, atom::up_v, make_batch({{0x48, 1}}));
  tell(hdl, control_datagram{{3}});
  pass(2999ms);
  CAF_CHECK_EQUAL(seen.log.size(), 1u);
  CAF_CHECK(!*answer);
  CAF_CHECK_EQUAL(fault_text(hdl), "muxer:stall=1s/3s; stalls 1, held 6");
  pass(1ms);
  CAF_CHECK((seen.log
             == std::vector<std::string>{"tls", "tls", "install", "window",
                                         "tls", "up", "datagram"}));
  CAF_CHECK((seen.tls == bytes{0, 1, 2}));
  CAF_REQUIRE(*answer);
  CAF_CHECK(**answer && ***answer == 5);
  tell(hdl, tls_bytes{{4}});
  CAF_CHECK_EQUAL(seen.tls.size(), 4u);
  CAF_CHECK_EQUAL(pending_timers(), 0u);
}

CAF_TEST(an urgent message is urgent after a stall) {
  auto hdl = gate("muxer:stall=0s/1s");
  self->send(hdl, tls_bytes{{1}});
  self->send<caf::message_priority::high>(hdl, tls_bytes{{2}});
  consume_messages();
  pass(1s);
  CAF_CHECK((seen.tls == bytes{2, 1}));
}

CAF_TEST(stalls come again and one that outlasts the next goes on) {
  auto hdl = gate("muxer:stall=1s/500ms,every=1s,stall=3s/2s");
  auto passes = [&] {
    auto before = seen.tls.size();
    tell(hdl, tls_bytes{{1}});
    return seen.tls.size() > before;
  };
  CAF_CHECK(passes());
  pass(1s);
  CAF_CHECK(!passes());
  pass(500ms);
  CAF_CHECK(passes());
  pass(500ms);
  CAF_CHECK(!passes());
  pass(500ms);
  CAF_CHECK(passes());
  // From 3 s to 5.5 s without a gap.
  pass(500ms);
  for (int i = 0; i < 5; ++i) {
    CAF_CHECK(!passes());
    pass(500ms);
  }
  CAF_CHECK(passes());
}

CAF_TEST(few batches wait in a stall and the others are lost) {
  auto hdl = gate("muxer:stall=0s/1s");
  for (uint8_t i = 0; i < 6; ++i)
    tell(hdl, atom::up_v, make_batch({{0x48, i}}));
  CAF_CHECK_EQUAL(pool->available(), pool->capacity() - 4);
  CAF_CHECK_EQUAL(fault_text(hdl),
                  "muxer:stall=0s/1s; stalls 1, held 4, no room 2");
  tell(hdl, tls_bytes{{1}});
  pass(1s);
  CAF_CHECK_EQUAL(seen.up.size(), 4u);
  CAF_CHECK_EQUAL(seen.tls.size(), 1u);
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(a request without room in a stall is answered with an error) {
  auto hdl = gate("muxer:stall=0s/1s");
  for (int i = 0; i < 4096; ++i)
    self->send(hdl, window_open{1});
  consume_messages();
  CAF_CHECK(!ask<uint8_t>(hdl, atom::install_v, key(5)));
  pass(1s);
  CAF_CHECK_EQUAL(seen.slots, 4096u);
  CAF_CHECK(ask<uint8_t>(hdl, atom::install_v, key(5)));
}

CAF_TEST(a stall ends with a pause or with another specification) {
  for (bool pauses : {true, false}) {
    seen.tls.clear();
    auto hdl = gate("muxer:stall=0s/1h");
    tell(hdl, tls_bytes{{1}});
    CAF_CHECK(seen.tls.empty());
    if (pauses)
      tell(hdl, atom::pause_v, true);
    else
      tell(hdl, atom::fault_v, protocol::fault_spec{});
    CAF_CHECK_EQUAL(seen.tls.size(), 1u);
    tell(hdl, tls_bytes{{2}});
    CAF_CHECK_EQUAL(seen.tls.size(), 2u);
  }
}

CAF_TEST(what comes while it pauses does not happen) {
  auto hdl = gate("muxer:kill=1s,every=10s,stall=2s/5s,kill=3s", watched());
  tell(hdl, atom::pause_v, true);
  pass(4s);
  tell(hdl, atom::pause_v, false);
  tell(hdl, tls_bytes{{1}});
  CAF_CHECK_EQUAL(seen.tls.size(), 1u);
  CAF_CHECK_EQUAL(dead(), 0u);
  pass(7s);
  CAF_CHECK_EQUAL(dead(), 1u);
}

CAF_TEST(times count from the beginning of the fault and end with it) {
  auto hdl = gate("muxer:kill=1s,every=1s,from=10s,until=14s", watched());
  pass(10999ms);
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 0u);
  pass(1ms);
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 1u);
  pass(1min);
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 3u);
  CAF_CHECK_EQUAL(pending_timers(), 0u);
  // Anew, from now.
  tell(hdl, atom::fault_v, spec_of("muxer:kill=1s"));
  pass(1s);
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 4u);
}

CAF_TEST(a gate that wakes late does each thing once) {
  auto hdl = gate("muxer:kill=1s,every=1ms,stall=2s/1s", watched());
  advance_time(10s);
  consume_messages();
  CAF_CHECK_EQUAL(counter(hdl, "fault_kills"), 1u);
  // The stall is over by now.
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), 0u);
  CAF_CHECK(ask<layer_status>(hdl, atom::fault_v, atom::status_v));
}

CAF_TEST(a gate that ends answers the requests it holds) {
  auto hdl = gate("muxer:stall=0s/1h");
  auto answer = ask_later<uint8_t>(hdl, atom::install_v, key(5));
  tell(hdl, atom::up_v, make_batch({{0x48, 1}}));
  CAF_CHECK(!*answer);
  self->send_exit(hdl, caf::exit_reason::user_shutdown);
  consume_messages();
  CAF_REQUIRE(*answer);
  CAF_CHECK(!**answer);
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  CAF_CHECK(seen.log.empty());
}

CAF_TEST(a gate that is cleared passes on what it holds and ends) {
  auto hdl = gate("muxer:stall=0s/1h,kill=10ms");
  self->monitor(hdl);
  tell(hdl, tls_bytes{{1}});
  auto answer = ask_later<uint8_t>(hdl, atom::install_v, key(5));
  tell(hdl, window_open{1});
  tell(hdl, atom::up_v, make_batch({{0x48, 1}}));
  tell(hdl, tls_bytes{{2}});
  CAF_CHECK(seen.log.empty());
  // Those who do not know yet that it goes lose nothing either.
  self->send(hdl, tls_bytes{{3}});
  self->send(hdl, atom::fault_v, atom::clear_v);
  self->send(hdl, tls_bytes{{4}});
  consume_messages();
  tell(hdl, tls_bytes{{5}});
  CAF_CHECK((seen.log
             == std::vector<std::string>{"tls", "install", "window", "up",
                                         "tls", "tls", "tls", "tls"}));
  CAF_CHECK((seen.tls == bytes{1, 2, 3, 4, 5}));
  CAF_REQUIRE(*answer);
  CAF_CHECK(**answer && ***answer == 5);
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  CAF_CHECK_EQUAL(dead(), 0u);
  pass(100ms);
  CAF_REQUIRE_EQUAL(dead(), 1u);
  CAF_CHECK(ends[0] == caf::exit_reason::user_shutdown);
  // What it was to do has not happened.
  tell(around, tls_bytes{{6}});
  CAF_CHECK_EQUAL(seen.tls.size(), 6u);
}

CAF_TEST(a gate that pauses is cleared like any other) {
  auto hdl = gate("muxer:stall=0s/1h");
  self->monitor(hdl);
  tell(hdl, atom::pause_v, true);
  tell(hdl, atom::fault_v, atom::clear_v);
  tell(hdl, tls_bytes{{1}});
  CAF_CHECK_EQUAL(seen.tls.size(), 1u);
  pass(100ms);
  CAF_CHECK_EQUAL(dead(), 1u);
}

CAF_TEST(nobody behind a gate misses what it held when others take its way) {
  seat<test::world_actor> way{sys}, place{sys};
  place.put(around);
  auto hdl = gate("muxer:stall=0s/1h", place.handle());
  way.put(hdl);
  for (uint8_t i = 0; i < 5; ++i)
    tell(way.handle(), tls_bytes{{i}});
  CAF_CHECK(seen.tls.empty());
  caf::anon_send(hdl, atom::fault_v, atom::clear_v);
  way.put(around);
  consume_messages();
  tell(way.handle(), tls_bytes{{5}});
  CAF_CHECK((seen.tls == bytes{0, 1, 2, 3, 4, 5}));
}

CAF_TEST(a killed actor is dead for who asks through the gate) {
  auto hdl = gate("muxer:kill=1s", watched());
  pass(1s);
  auto x = ask<uint8_t>(hdl, atom::install_v, key(5));
  CAF_REQUIRE(!x);
  CAF_CHECK(x.error() == caf::sec::request_receiver_down);
}

CAF_TEST(every interface of a layer has its fault) {
  auto fits = [&](auto target) {
    using interface = decltype(target);
    // Any handle will do: nothing is sent.
    auto raw = caf::actor_cast<caf::strong_actor_ptr>(around);
    auto before = own(spawn_fault(sys, config_of("muxer:drop=1"),
                                  caf::actor_cast<interface>(raw)));
    interface same {
      before
    };
    return same != target;
  };
  CAF_CHECK(fits(wire_actor{}) && fits(batch_up_actor{})
            && fits(batch_down_actor{}) && fits(data_upper_actor{})
            && fits(control_sink_actor{}) && fits(message_sink_actor{}));
  CAF_CHECK(fits(control_upper_actor{}) && fits(control_top_actor{})
            && fits(tls_sink_actor{}) && fits(network_actor{})
            && fits(muxer_actor{}) && fits(reliable_actor{})
            && fits(control_actor{}));
  CAF_CHECK(fits(tls_actor{}) && fits(data_channel_actor{}) && fits(tun_actor{})
            && fits(host_actor{}) && fits(resolver_actor{})
            && fits(runner_actor{}) && fits(prompter_actor{})
            && fits(supervisor_actor{}));
}

CAF_TEST_FIXTURE_SCOPE_END()
