// Control messages on their way through a fault actor, and how it is steered:
// seeds, changes while it runs, bounds, its status and its end.
#define CAF_SUITE actors.fault_actor_steering
#include "vpn/actors/fault_actor.hpp"
#include "vpn/actors/reliable.hpp"

#include "tests/support/faulted_layer.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::control_message;
using protocol::control_packet;
using protocol::opcode;

namespace {

const bytes body(40, 0xAB);

size_t bits_that_differ(const bytes& x, const bytes& y) {
  size_t result = x.size() == y.size() ? 0 : 1000;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    for (auto bits = x[i] ^ y[i]; bits != 0; bits &= bits - 1)
      ++result;
  return result;
}

void append(bytes& to, const bytes& xs) {
  to.insert(to.end(), xs.begin(), xs.end());
}

struct fixture : test::faulted_layer {
  control_packet packet(opcode op = opcode::control_v1, uint32_t id = 7) {
    control_packet x;
    x.op = op;
    x.key_id = 3;
    x.id = id;
    x.acks = {1, 2};
    if (op != opcode::ack_v1)
      x.payload = body;
    return x;
  }

  /// The bodies of everything that came, one after the other.
  bytes heard() {
    bytes result = seen.tls;
    for (auto& x : seen.datagrams)
      append(result, x);
    for (auto& x : seen.packets)
      append(result, x.payload);
    for (auto& x : seen.messages)
      append(result, x.payload);
    return result;
  }
  void forget() {
    seen.tls.clear();
    seen.datagrams.clear();
    seen.packets.clear();
    seen.messages.clear();
  }

  /// Each knob on one kind of message.
  template <class T>
  void turn_all_knobs(const T& message) {
    bytes twice = body;
    append(twice, body);
    auto at_once = [&](const std::string& knob) {
      forget();
      tell(start("network:" + knob), T{message});
      return heard();
    };
    CAF_CHECK(at_once("drop=0,jitter=0s") == body);
    CAF_CHECK(at_once("drop=1").empty());
    CAF_CHECK(at_once("down=1h").empty());
    CAF_CHECK(at_once("duplicate=1") == twice);
    CAF_CHECK_EQUAL(bits_that_differ(at_once("corrupt=1"), body), 1u);
    auto changed
      = bits_that_differ(at_once("corrupt=1,corrupt-how=byte"), body);
    CAF_CHECK(changed > 0 && changed <= 8);
    auto shorter = at_once("truncate=1");
    CAF_CHECK(!shorter.empty() && shorter.size() < body.size());
    CAF_CHECK(byte_view{shorter} == byte_view{body}.first(shorter.size()));
    auto longer = at_once("extend=1");
    CAF_CHECK(longer.size() > body.size());
    CAF_CHECK(byte_view{longer}.first(body.size()) == byte_view{body});
    for (auto knob : {"delay=1s", "reorder=1,reorder-by=1s"}) {
      CAF_CHECK(at_once(knob).empty());
      pass(999ms);
      CAF_CHECK(heard().empty());
      pass(1ms);
      CAF_CHECK(heard() == body);
    }
    CAF_CHECK(at_once("replay=1") == body);
    pass(999ms);
    CAF_CHECK(heard() == body);
    pass(1ms);
    CAF_CHECK(heard() == twice);
  }

  /// What comes of the same packets, as text.
  std::string run_of(const std::string& spec) {
    forget();
    seen.up.clear();
    seen.log.clear();
    auto hdl = start(spec);
    for (uint8_t i = 0; i < 100; ++i) {
      std::vector<bytes> packets(5, bytes(60, i));
      for (uint8_t k = 0; k < 5; ++k) {
        packets[k][0] = 0x48;
        packets[k][1] = k;
      }
      tell(hdl, atom::up_v, make_batch(packets));
      tell(hdl, packet(opcode::control_v1, i));
      tell(hdl, tls_bytes{bytes(30, i)});
      pass(7ms);
    }
    pass(10s);
    std::string result;
    for (auto& x : seen.log)
      result += x + ' ';
    for (auto& x : seen.up)
      result += to_hex(x) + ' ';
    for (auto& x : seen.packets)
      result += std::to_string(x.id) + ' ' + to_hex(x.payload) + ' ';
    return result + to_hex(seen.tls) + fault_text(hdl);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fault_actor_steering_tests, fixture)

// -- control messages --

CAF_TEST(every knob works on control datagrams) {
  turn_all_knobs(control_datagram{body});
}

CAF_TEST(every knob works on control packets) {
  turn_all_knobs(packet());
  // What is not payload stays.
  forget();
  tell(start("network:corrupt=1"), packet());
  CAF_REQUIRE_EQUAL(seen.packets.size(), 1u);
  auto x = seen.packets.front();
  x.payload = body;
  CAF_CHECK(x == packet());
}

CAF_TEST(every knob works on control messages) {
  turn_all_knobs(control_message{opcode::control_v1, body});
}

CAF_TEST(every knob works on tls bytes) {
  turn_all_knobs(tls_bytes{body});
}

CAF_TEST(an acknowledgement has nothing that could change) {
  for (auto knob : {"corrupt=1", "truncate=1", "extend=1"}) {
    tell(start(std::string{"network:"} + knob), packet(opcode::ack_v1));
    CAF_REQUIRE_EQUAL(seen.packets.size(), 1u);
    CAF_CHECK(seen.packets.front() == packet(opcode::ack_v1));
    forget();
  }
}

CAF_TEST(control messages are told apart by their opcode) {
  auto left = [&](const std::string& kind) {
    auto hdl = start("network:drop=1,opcode=" + kind);
    for (auto op :
         {opcode::control_v1, opcode::ack_v1, opcode::control_soft_reset_v1,
          opcode::control_hard_reset_client_v2,
          opcode::control_hard_reset_client_v3}) {
      tell(hdl, packet(op));
      tell(hdl, control_message{op, body});
    }
    tell(hdl, tls_bytes{body});
    auto result = std::to_string(seen.packets.size()) + ' '
                  + std::to_string(seen.messages.size()) + ' '
                  + std::to_string(seen.tls.size());
    forget();
    return result;
  };
  CAF_CHECK_EQUAL(left("data"), "5 5 40");
  CAF_CHECK_EQUAL(left("control"), "0 0 0");
  CAF_CHECK_EQUAL(left("ack"), "4 4 40");
  CAF_CHECK_EQUAL(left("soft_reset"), "4 4 40");
  CAF_CHECK_EQUAL(left("hard_reset"), "3 3 40");
}

CAF_TEST(a packet that somebody asks to be answered is answered once) {
  auto hdl = start("network:duplicate=1");
  auto answer = self->request(hdl, caf::infinite, tls_bytes{body});
  consume_messages();
  answer.receive([] {},
                 [&](caf::error& x) {
                   CAF_FAIL(sys.render(x));
                 });
  CAF_CHECK_EQUAL(seen.tls.size(), 80u);
  CAF_CHECK(!self->has_next_message());
}

// -- seeds --

CAF_TEST(the same seed gives the same run) {
  std::string knobs = "network:drop=0.1,duplicate=0.1,reorder=0.1,corrupt=0.1,"
                      "truncate=0.1,extend=0.1,replay=0.1,delay=5ms,"
                      "jitter=20ms,up=50ms..200ms,down=5ms..20ms,seed=";
  auto first = run_of(knobs + "7");
  CAF_CHECK(first.size() > 10000);
  CAF_CHECK(run_of(knobs + "7") == first);
  CAF_CHECK(run_of(knobs + "8") != first);
}

CAF_TEST(directions have fates of their own) {
  auto lost = [&](bool both) {
    auto hdl = start("network:drop=0.5,seed=9");
    seen.up.clear();
    for (uint8_t i = 0; i < 50; ++i) {
      tell(hdl, atom::up_v, make_batch({{0x48, i}}));
      if (both)
        tell(hdl, atom::down_v, make_batch({{0x48, i}}));
    }
    return seen.up;
  };
  auto alone = lost(false);
  CAF_CHECK(!alone.empty() && alone.size() < 50);
  CAF_CHECK(lost(true) == alone);
  CAF_CHECK(seen.down != alone);
}

// -- changes while it runs --

CAF_TEST(a fault is changed and cleared while it runs) {
  auto hdl = start("network:drop=1,seed=5");
  tell(hdl, tls_bytes{{1}});
  tell(hdl, atom::fault_v, spec_of("network:delay=1s"));
  tell(hdl, tls_bytes{{2}});
  CAF_CHECK(seen.tls.empty());
  tell(hdl, atom::fault_v, protocol::fault_spec{});
  tell(hdl, tls_bytes{{3}});
  CAF_CHECK(seen.tls == bytes{3});
  CAF_CHECK_EQUAL(fault_text(hdl), "off; seen 2, dropped 1, delayed 1, held 1");
  // What is held back keeps its time.
  pass(1s);
  CAF_CHECK((seen.tls == bytes{3, 2}));
}

CAF_TEST(a direction is changed while it runs) {
  auto hdl = start("network.down:drop=1");
  tell(hdl, tls_bytes{{1}});
  tell(hdl, atom::fault_v, spec_of("network.up:drop=1"));
  tell(hdl, tls_bytes{{2}});
  tell(hdl, control_datagram{{3}});
  CAF_CHECK((heard() == bytes{1, 3}));
}

CAF_TEST(another rate goes on with the seed and another seed begins anew) {
  auto fates = [&](const fault_hdl& hdl) {
    forget();
    for (uint8_t i = 0; i < 60; ++i)
      tell(hdl, tls_bytes{{i}});
    return seen.tls;
  };
  auto hdl = start("network:drop=0.5,seed=5");
  auto first = fates(hdl);
  tell(hdl, atom::fault_v, spec_of("network:drop=0.5,seed=5"));
  auto second = fates(hdl);
  CAF_CHECK(second != first);
  auto unchanged = start("network:drop=0.5,seed=5");
  CAF_CHECK(fates(unchanged) == first);
  CAF_CHECK(fates(unchanged) == second);
  tell(hdl, atom::fault_v, spec_of("network:drop=0.5,seed=6"));
  CAF_CHECK(fates(hdl) == fates(start("network:drop=0.5,seed=6")));
  tell(hdl, atom::fault_v, spec_of("network:drop=0.5,seed=5"));
  CAF_CHECK(fates(hdl) == first);
}

CAF_TEST(everything passes while it pauses) {
  auto hdl = start("network:drop=1");
  tell(hdl, atom::pause_v, true);
  tell(hdl, tls_bytes{{1}});
  tell(hdl, atom::up_v, make_batch({body}));
  CAF_CHECK(seen.tls == bytes{1});
  CAF_CHECK_EQUAL(seen.up.size(), 1u);
  CAF_CHECK_EQUAL(fault_text(hdl), "network:drop=1, paused");
  // A change does not wake it.
  tell(hdl, atom::fault_v, spec_of("network:drop=1,seed=3"));
  tell(hdl, tls_bytes{{2}});
  CAF_CHECK((seen.tls == bytes{1, 2}));
  tell(hdl, atom::pause_v, false);
  tell(hdl, tls_bytes{{3}});
  CAF_CHECK((seen.tls == bytes{1, 2}));
  CAF_CHECK_EQUAL(fault_text(hdl), "network:drop=1,seed=3; seen 1, dropped 1");
}

CAF_TEST(a fault stands before a fault) {
  auto inner = start("network:delay=1s");
  auto cfg = config_of("network:duplicate=1");
  auto outer = own(spawn_fault(sys, cfg, test::world_actor{inner}));
  tell(outer, tls_bytes{{1}});
  CAF_CHECK(seen.tls.empty());
  pass(1s);
  CAF_CHECK((seen.tls == bytes{1, 1}));
  CAF_CHECK_EQUAL(counter(outer, "fault_duplicated"), 1u);
}

// -- bounds --

CAF_TEST(no more messages are held than there is room for) {
  auto hdl = start("network:delay=1s");
  for (int i = 0; i < 4100; ++i)
    tell(hdl, packet(opcode::ack_v1));
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), 4096u);
  CAF_CHECK_EQUAL(counter(hdl, "fault_no_room"), 4u);
  CAF_CHECK(has(fault_text(hdl), "held 4096, no room 4"));
  pass(1s);
  CAF_CHECK_EQUAL(seen.packets.size(), 4096u);
  tell(hdl, packet(opcode::ack_v1));
  pass(1s);
  CAF_CHECK_EQUAL(seen.packets.size(), 4097u);
}

CAF_TEST(no more bytes are held than there is room for) {
  auto hdl = start("network:delay=1s");
  bytes large(60000, 0x48);
  for (int i = 0; i < 80; ++i)
    tell(hdl, atom::up_v, make_batch({large}));
  size_t fit = (4u << 20) / large.size();
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), fit);
  CAF_CHECK_EQUAL(counter(hdl, "fault_no_room"), 80 - fit);
  pass(1s);
  // They need more batches than there are: the rest waits until these are
  // back.
  for (int i = 0; i < 3; ++i)
    pass(1ms);
  CAF_CHECK_EQUAL(seen.up.size(), fit);
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), 0u);
}

CAF_TEST(packets wait while all batches are out) {
  seen.keep = true;
  auto hdl = start("network:delay=1s");
  bytes large(60000, 0x48);
  for (int i = 0; i < 40; ++i)
    tell(hdl, atom::down_v, make_batch({large}));
  pass(2s);
  CAF_CHECK_EQUAL(seen.batches.size(), 32u);
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), 8u);
  seen.batches.clear();
  pass(2ms);
  CAF_CHECK_EQUAL(seen.batches.size(), 8u);
  CAF_CHECK_EQUAL(counter(hdl, "fault_no_room"), 0u);
}

// -- its end --

CAF_TEST(what is held is dropped when it ends) {
  auto hdl = start("network:delay=1s");
  tell(hdl, tls_bytes{{1}});
  tell(hdl, atom::up_v, make_batch({body}));
  self->monitor(hdl);
  self->send_exit(hdl, caf::exit_reason::user_shutdown);
  consume_messages();
  bool down = false;
  self->receive([&](const caf::down_msg& x) {
    down = x.reason == caf::exit_reason::user_shutdown;
  });
  CAF_CHECK(down);
  pass(2s);
  CAF_CHECK(seen.log.empty());
  // Who is behind goes on.
  tell(around, tls_bytes{{2}});
  CAF_CHECK(seen.tls == bytes{2});
}

CAF_TEST(its status says what it does and has done) {
  auto hdl = start("network.up:drop=1,seed=7");
  auto x = status(hdl);
  CAF_CHECK_EQUAL(x.layer, "fault x");
  CAF_CHECK_EQUAL(x.text, "network.up:drop=1,seed=7");
  tell(hdl, tls_bytes{{1}});
  CAF_CHECK_EQUAL(fault_text(hdl),
                  "network.up:drop=1,seed=7; seen 1, dropped 1");
  CAF_CHECK_EQUAL(counter(hdl, "fault_seen"), 1u);
  CAF_CHECK_EQUAL(counter(hdl, "fault_dropped"), 1u);
}

CAF_TEST(what is held goes at once when it is told to end) {
  auto hdl = start("network:delay=1s,jitter=1s,seed=3");
  for (uint8_t i = 0; i < 20; ++i)
    tell(hdl, tls_bytes{{i}});
  tell(hdl, atom::up_v, make_batch({{0x48, 1}, {0x48, 2}}));
  CAF_CHECK(seen.log.empty());
  // The same fate, but each packet at its time.
  auto twin = start("network:delay=1s,jitter=1s,seed=3");
  tell(hdl, atom::fault_v, atom::clear_v);
  auto order = std::exchange(seen.tls, {});
  CAF_CHECK_EQUAL(order.size(), 20u);
  CAF_CHECK_EQUAL(seen.up.size(), 2u);
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  for (uint8_t i = 0; i < 20; ++i)
    tell(twin, tls_bytes{{i}});
  pass(2s);
  CAF_CHECK(seen.tls == order);
}

CAF_TEST(packets wait for a batch before the fault ends) {
  seen.keep = true;
  auto hdl = start("network:delay=1h");
  self->monitor(hdl);
  bytes large(60000, 0x48);
  for (int i = 0; i < 40; ++i)
    tell(hdl, atom::down_v, make_batch({large}));
  tell(hdl, atom::fault_v, atom::clear_v);
  CAF_CHECK_EQUAL(seen.batches.size(), 32u);
  pass(1s);
  CAF_CHECK(!self->has_next_message());
  seen.batches.clear();
  pass(1s);
  CAF_CHECK_EQUAL(seen.batches.size(), 8u);
  CAF_CHECK(self->has_next_message());
}

// -- clocks --

CAF_TEST(a skewed clock is wrong by what it was told and timers are right) {
  skewed_clock wrong{clock};
  for (auto by : {0s, -90s, 2s, -31'536'000s}) {
    wrong.skew(by);
    pass(1s);
    CAF_CHECK_EQUAL(wrong.now().unix_seconds,
                    clock.now().unix_seconds + by.count());
    CAF_CHECK(wrong.now().steady == clock.now().steady);
  }
}

CAF_TEST(a layer with a wrong clock wakes up at its times) {
  for (auto by : {-90s, 90s}) {
    skewed_clock wrong{clock};
    wrong.skew(by);
    auto layer = own(sys.spawn(reliable, protocol::reliable_config{}, &wrong,
                               control_sink_actor{around}));
    tell(layer, atom::attach_v, control_upper_actor{around});
    forget();
    self->send(layer, control_message{opcode::control_v1, body});
    // One message, and no timer that is due at once again and again.
    CAF_CHECK_EQUAL(consume_messages(), 2u);
    CAF_CHECK_EQUAL(pending_timers(), 1u);
    pass(499ms);
    CAF_CHECK_EQUAL(seen.packets.size(), 1u);
    pass(1ms);
    CAF_CHECK_EQUAL(seen.packets.size(), 2u);
    self->send_exit(layer, caf::exit_reason::user_shutdown);
    pass(2s);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
