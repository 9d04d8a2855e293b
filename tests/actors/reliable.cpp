// RELIABLE between a CONTROL and a MUXER that only write down what they hear.
#define CAF_SUITE actors.reliable
#include "vpn/actors/reliable.hpp"

#include "tests/support/layer_fixture.hpp"
#include "tests/support/seeded.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::control_message;
using protocol::control_packet;
using protocol::opcode;

namespace {

control_message text(const std::string& x) {
  return {opcode::control_v1, byte_view{std::string_view{x}}.copy()};
}

control_packet packet(uint32_t id, std::vector<uint32_t> acks = {}) {
  control_packet x;
  x.id = id;
  x.acks = std::move(acks);
  x.payload = {static_cast<uint8_t>(id)};
  return x;
}

control_packet ack(std::vector<uint32_t> ids) {
  control_packet x;
  x.op = opcode::ack_v1;
  x.acks = std::move(ids);
  return x;
}

struct fixture : test::layer_fixture {
  protocol::reliable_config cfg;
  reliable_actor rel = spawn_one();

  reliable_actor spawn_one() {
    cfg.key_id = 3;
    auto hdl = own(sys.spawn(reliable, cfg, &clock, around));
    tell(hdl, atom::attach_v, control_upper_actor{around});
    return hdl;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(reliable_tests, fixture)

CAF_TEST(a message leaves as a packet of this key id) {
  tell(rel, text("hello"));
  CAF_REQUIRE_EQUAL(seen.packets.size(), 1u);
  auto& x = seen.packets.front();
  CAF_CHECK(x.op == opcode::control_v1);
  CAF_CHECK_EQUAL(x.key_id, 3u);
  CAF_CHECK_EQUAL(x.id, 0u);
  CAF_CHECK(x.payload == text("hello").payload);
}

CAF_TEST(an unacknowledged packet is sent again and each time later) {
  tell(rel, text("x"));
  size_t wanted = 1;
  for (auto wait : {500ms, 1000ms, 2000ms, 4000ms}) {
    CAF_CHECK_EQUAL(seen.packets.size(), wanted);
    advance_time(wait - 1ms);
    consume_messages();
    CAF_CHECK_EQUAL(seen.packets.size(), wanted);
    advance_time(1ms);
    consume_messages();
    CAF_CHECK_EQUAL(seen.packets.size(), ++wanted);
    CAF_CHECK(seen.packets.back() == seen.packets.front());
  }
  CAF_CHECK(has(status_of(rel), "retransmitted 4"));
}

CAF_TEST(an acknowledged packet is never sent again) {
  tell(rel, text("x"));
  tell(rel, ack({0}));
  pass(120s);
  CAF_CHECK_EQUAL(seen.packets.size(), 1u);
  CAF_CHECK(has(status_of(rel), "in flight 0"));
  CAF_CHECK_EQUAL(pending_timers(), 0u);
}

CAF_TEST(three later acks bring a lost packet back at once) {
  for (auto x : {"a", "b", "c", "d"})
    tell(rel, text(x));
  CAF_REQUIRE_EQUAL(seen.packets.size(), 4u);
  tell(rel, ack({1}));
  tell(rel, ack({2}));
  CAF_CHECK_EQUAL(seen.packets.size(), 4u);
  tell(rel, ack({3}));
  CAF_REQUIRE_EQUAL(seen.packets.size(), 5u);
  CAF_CHECK_EQUAL(seen.packets.back().id, 0u);
}

CAF_TEST(packets in any order come up in their order and once) {
  for (auto id : {2u, 0u, 0u, 3u, 1u, 2u, 1u})
    tell(rel, packet(id));
  CAF_REQUIRE_EQUAL(seen.messages.size(), 4u);
  for (size_t i = 0; i < 4; ++i)
    CAF_CHECK(seen.messages[i].payload == bytes{static_cast<uint8_t>(i)});
  // Each one is acknowledged, repeated ones again.
  CAF_CHECK_EQUAL(seen.packets.size(), 7u);
  for (auto& x : seen.packets)
    CAF_CHECK(x.op == opcode::ack_v1);
  CAF_CHECK(has(status_of(rel), "replayed 3"));
}

CAF_TEST(an answer carries the ack along) {
  self->send(rel, packet(0));
  self->send(rel, text("answer"));
  consume_messages();
  // The ack leaves at once; the answer repeats it.
  CAF_REQUIRE_EQUAL(seen.packets.size(), 2u);
  CAF_CHECK(seen.packets[0].acks == std::vector<uint32_t>{0});
  CAF_CHECK(seen.packets[1].acks == std::vector<uint32_t>{0});
}

CAF_TEST(what lies beyond the window is refused and counted) {
  tell(rel, packet(cfg.receive_window));
  tell(rel, packet(0xffffffff));
  CAF_CHECK(seen.packets.empty());
  CAF_CHECK(seen.messages.empty());
  CAF_CHECK(has(status_of(rel), "outside_window 2"));
}

CAF_TEST(CONTROL may send as many messages as it is told) {
  CAF_CHECK_EQUAL(seen.slots, size_t{cfg.send_window});
  for (uint32_t i = 0; i < cfg.send_window; ++i)
    tell(rel, text("x"));
  CAF_CHECK_EQUAL(seen.slots, size_t{cfg.send_window});
  CAF_CHECK_EQUAL(seen.packets.size(), size_t{cfg.send_window});
  // The first ones are acknowledged: so many more are welcome.
  tell(rel, ack({0, 1}));
  CAF_CHECK_EQUAL(seen.slots, size_t{cfg.send_window} + 2);
  // One in the middle opens nothing, since the window is a range.
  tell(rel, ack({3}));
  CAF_CHECK_EQUAL(seen.slots, size_t{cfg.send_window} + 2);
  tell(rel, ack({2}));
  CAF_CHECK_EQUAL(seen.slots, size_t{cfg.send_window} + 4);
  CAF_CHECK(has(status_of(rel), "dropped []"));
}

CAF_TEST(slots are never promised twice) {
  // The other end takes what it gets, some acks are lost, and CONTROL uses
  // each slot at once: no message is ever refused.
  test::seeded random{11};
  size_t used = 0;
  uint32_t acked = 0;
  for (int i = 0; i < 500; ++i) {
    while (used < seen.slots && !random.one_in(4)) {
      tell(rel, text("x"));
      ++used;
    }
    if (acked < used && !random.one_in(3))
      tell(rel, ack({acked++}));
    pass(100ms);
  }
  CAF_CHECK(used > 100);
  CAF_CHECK(has(status_of(rel), "dropped []"));
  CAF_CHECK(seen.slots <= acked + cfg.send_window);
}

CAF_TEST(a message too many is refused and counted) {
  for (uint32_t i = 0; i <= cfg.send_window; ++i)
    tell(rel, text("x"));
  CAF_CHECK_EQUAL(seen.packets.size(), size_t{cfg.send_window});
  CAF_CHECK(has(status_of(rel), "window_full 1"));
}

CAF_TEST(timers do not pile up however often deadlines move) {
  // Each round an old message waits for long and a new one for short.
  uint32_t id = 0;
  for (int round = 0; round < 50; ++round) {
    tell(rel, text("old"));
    pass(7s);
    tell(rel, text("new"));
    pass(5s);
    tell(rel, ack({id, id + 1}));
    id += 2;
    CAF_REQUIRE(pending_timers() <= 3);
  }
  pass(60s);
  CAF_CHECK_EQUAL(pending_timers(), 0u);
}

CAF_TEST(a shutdown waits for the last ack) {
  tell(rel, text("bye"));
  auto answer = ask_later<layer_status>(rel, atom::shutdown_v);
  pass(500ms);
  CAF_CHECK(!*answer);
  tell(rel, ack({0}));
  CAF_REQUIRE(*answer);
  CAF_CHECK_EQUAL((**answer)->layer, "reliable");
  CAF_CHECK(has((**answer)->text, "in flight 0"));
}

CAF_TEST(a shutdown does not wait for ever) {
  tell(rel, text("bye"));
  auto answer = ask_later<layer_status>(rel, atom::shutdown_v);
  pass(999ms);
  CAF_CHECK(!*answer);
  pass(1ms);
  CAF_REQUIRE(*answer);
  CAF_CHECK(has((**answer)->text, "in flight 1"));
}

CAF_TEST(after a shutdown the layer lives on) {
  CAF_CHECK(ask<layer_status>(rel, atom::shutdown_v));
  tell(rel, text("x"));
  tell(rel, ack({0}));
  tell(rel, packet(0));
  CAF_CHECK_EQUAL(seen.packets.size(), 2u);
  CAF_CHECK_EQUAL(seen.messages.size(), 1u);
  CAF_CHECK(ask<layer_status>(rel, atom::shutdown_v));
}

CAF_TEST(no bare ack goes before the first TLS bytes) {
  tell(rel, control_message{opcode::control_hard_reset_client_v3, {}});
  auto reset = packet(0, {0});
  reset.op = opcode::control_hard_reset_server_v2;
  tell(rel, reset);
  CAF_CHECK_EQUAL(seen.messages.size(), 1u);
  CAF_CHECK_EQUAL(seen.packets.size(), 1u);
  tell(rel, text("hello"));
  CAF_REQUIRE_EQUAL(seen.packets.size(), 2u);
  CAF_CHECK_EQUAL(seen.packets[1].id, 1u);
  CAF_CHECK(seen.packets[1].acks == std::vector<uint32_t>{0});
}

CAF_TEST_FIXTURE_SCOPE_END()
