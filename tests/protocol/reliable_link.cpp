// Reliability layer: order, acks, both windows, and every reason to send again.
// How long it waits is tested as reliable_link_rtt.
// spec: openvpn-wire 4.1, 4.2, 4.3, 4.4

#define CAF_SUITE protocol.reliable_link

#include "vpn/protocol/reliable_link.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

using ids = std::vector<uint32_t>;

control_message message(uint8_t x) {
  return {opcode::control_v1, bytes{x}};
}

control_packet data(uint32_t id, ids acks = {}) {
  control_packet x;
  x.id = id;
  x.acks = std::move(acks);
  x.payload = {static_cast<uint8_t>(id)};
  return x;
}

control_packet ack(ids acks) {
  control_packet x;
  x.op = opcode::ack_v1;
  x.acks = std::move(acks);
  return x;
}

/// One link and a clock that the test moves.
struct fixture {
  reliable_link link;
  instant now;

  fixture() { now.steady = time_point{} + 1h; }

  void advance(duration x) { now.steady += x; }

  /// From now on the link does as stock does.
  void be_stock() {
    reliable_config cfg;
    cfg.measure = false;
    link = reliable_link{cfg};
  }

  void send(uint8_t n) {
    for (uint8_t i = 0; i < n; ++i)
      CAF_REQUIRE(link.send(message(i), now));
  }

  /// Ids of the messages that go out now.
  ids transmit() {
    ids result;
    while (auto x = link.poll_transmit(now))
      if (x->op != opcode::ack_v1)
        result.push_back(x->id);
    return result;
  }

  bool take(control_packet x) {
    return static_cast<bool>(link.handle_packet(std::move(x), now));
  }

  errc refusal(control_packet x) {
    auto result = link.handle_packet(std::move(x), now);
    CAF_REQUIRE(!result);
    return result.error();
  }

  /// First payload bytes of what is delivered now.
  ids deliver() {
    ids result;
    while (auto x = link.poll_deliver())
      result.push_back(x->payload.at(0));
    return result;
  }

  ids next_acks() {
    auto x = link.poll_transmit(now);
    return x ? x->acks : ids{};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(reliable_link_tests, fixture)

CAF_TEST(an idle link has nothing to do) {
  CAF_CHECK(!link.poll_transmit(now));
  CAF_CHECK(!link.poll_deliver());
  CAF_CHECK(!link.poll_timeout());
  CAF_CHECK_EQUAL(link.free_slots(), 6u);
}

CAF_TEST(messages get ascending ids from zero and keep their opcode) {
  CAF_REQUIRE(link.send({opcode::control_hard_reset_client_v2, {}}, now));
  CAF_REQUIRE(link.send(message(7), now));
  auto x = link.poll_transmit(now);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::control_hard_reset_client_v2);
  CAF_CHECK_EQUAL(x->id, 0u);
  CAF_CHECK(x->acks.empty());
  x = link.poll_transmit(now);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->id, 1u);
  CAF_CHECK_EQUAL(to_hex(x->payload), "07");
  CAF_CHECK(!link.poll_transmit(now));
}

CAF_TEST(packets carry the key id of the link) {
  reliable_config cfg;
  cfg.key_id = 5;
  link = reliable_link{cfg};
  send(1);
  CAF_CHECK(link.poll_transmit(now)->key_id == 5);
  CAF_CHECK(take(data(0)));
  CAF_CHECK(link.poll_transmit(now)->key_id == 5);
}

CAF_TEST(six messages fill the send window) {
  send(6);
  CAF_CHECK_EQUAL(link.free_slots(), 0u);
  auto full = link.send(message(6), now);
  CAF_REQUIRE(!full);
  CAF_CHECK(full.error() == errc::window_full);
  CAF_CHECK_EQUAL(transmit(), (ids{0, 1, 2, 3, 4, 5}));
}

CAF_TEST(the lowest unacknowledged message holds the send window) {
  send(6);
  transmit();
  CAF_CHECK(take(ack({1, 2, 3, 4, 5})));
  CAF_CHECK_EQUAL(link.in_flight(), 1u);
  CAF_CHECK_EQUAL(link.free_slots(), 0u);
  CAF_CHECK(take(ack({0})));
  CAF_CHECK_EQUAL(link.free_slots(), 6u);
}

CAF_TEST(without measuring a message is sent after 2 and 6 and 14 and 30 s) {
  be_stock();
  send(1);
  CAF_CHECK_EQUAL(transmit(), ids{0});
  for (auto wait : {2s, 4s, 8s, 16s, 32s, 64s}) {
    CAF_CHECK(link.poll_timeout() == now.steady + wait);
    advance(wait - 1ms);
    link.handle_timeout(now);
    CAF_CHECK_EQUAL(transmit(), ids{});
    advance(1ms);
    link.handle_timeout(now);
    CAF_CHECK_EQUAL(transmit(), ids{0});
  }
  CAF_CHECK_EQUAL(link.retransmits(), 6u);
}

CAF_TEST(a back off that doubles forever stays a time in the future) {
  for (bool stock : {false, true}) {
    if (stock)
      be_stock();
    send(1);
    for (int i = 0; i < 200; ++i) {
      CAF_REQUIRE_EQUAL(transmit(), ids{0});
      CAF_REQUIRE(*link.poll_timeout() > now.steady);
      now.steady = *link.poll_timeout();
    }
  }
}

CAF_TEST(a retransmission has the same content and fresh acks) {
  send(1);
  auto first = link.poll_transmit(now);
  CAF_CHECK(take(data(0)));
  advance(2s);
  auto second = link.poll_transmit(now);
  CAF_REQUIRE(first && second);
  CAF_CHECK_EQUAL(second->acks, ids{0});
  second->acks.clear();
  CAF_CHECK(*first == *second);
}

CAF_TEST(an acknowledged message is never sent again) {
  send(2);
  transmit();
  CAF_CHECK(take(ack({0, 1})));
  CAF_CHECK_EQUAL(link.in_flight(), 0u);
  CAF_CHECK(!link.poll_timeout());
  advance(1h);
  CAF_CHECK_EQUAL(transmit(), ids{});
}

CAF_TEST(three acks of later messages bring an early retransmission) {
  send(4);
  transmit();
  CAF_CHECK(take(ack({1})));
  CAF_CHECK(take(ack({2})));
  CAF_CHECK_EQUAL(transmit(), ids{});
  CAF_CHECK(take(ack({3})));
  CAF_CHECK_EQUAL(transmit(), ids{0});
  // The wait starts anew, and is no longer: the path works.
  CAF_CHECK(link.poll_timeout() == now.steady + 100ms);
  CAF_CHECK(take(ack({3})));
  CAF_CHECK(take(ack({3})));
  CAF_CHECK_EQUAL(transmit(), ids{});
}

CAF_TEST(without measuring an early retransmission doubles like any other) {
  be_stock();
  send(4);
  transmit();
  CAF_CHECK(take(ack({1})));
  CAF_CHECK(take(ack({2})));
  CAF_CHECK_EQUAL(transmit(), ids{});
  CAF_CHECK(take(ack({3})));
  CAF_CHECK_EQUAL(transmit(), ids{0});
  CAF_CHECK(link.poll_timeout() == now.steady + 4s);
  CAF_CHECK(take(ack({3})));
  CAF_CHECK(take(ack({3})));
  CAF_CHECK_EQUAL(transmit(), ids{});
  CAF_CHECK(take(ack({3})));
  CAF_CHECK_EQUAL(transmit(), ids{0});
}

CAF_TEST(repeated acks in one packet count too) {
  send(4);
  transmit();
  CAF_CHECK(take(ack({3, 2, 1})));
  CAF_CHECK_EQUAL(transmit(), ids{0});
}

CAF_TEST(acks of ids that were never sent have no effect) {
  send(2);
  transmit();
  CAF_CHECK(take(ack({2, 3, 4, 5, 6, 7, 0xffffffff, 100})));
  CAF_CHECK_EQUAL(link.in_flight(), 2u);
  CAF_CHECK_EQUAL(transmit(), ids{});
}

CAF_TEST(the first ack of the reset makes everything due once) {
  send(3);
  transmit();
  advance(1s);
  CAF_CHECK(take(ack({0})));
  CAF_CHECK_EQUAL(transmit(), (ids{1, 2}));
  CAF_CHECK(take(ack({0})));
  CAF_CHECK_EQUAL(transmit(), ids{});
  CAF_CHECK(take(data(0, {0})));
  CAF_CHECK_EQUAL(transmit(), ids{});
}

CAF_TEST(messages are delivered in order whatever their arrival) {
  for (uint32_t id : {2u, 0u, 3u, 1u, 5u})
    CAF_CHECK(take(data(id)));
  CAF_CHECK_EQUAL(deliver(), (ids{0, 1, 2, 3}));
  CAF_CHECK(take(data(4)));
  CAF_CHECK_EQUAL(deliver(), (ids{4, 5}));
}

CAF_TEST(delivered messages keep opcode and payload) {
  auto x = data(0);
  x.op = opcode::control_hard_reset_server_v2;
  x.payload = from_hex("000100020001");
  CAF_CHECK(take(x));
  auto y = link.poll_deliver();
  CAF_REQUIRE(y);
  CAF_CHECK(y->op == opcode::control_hard_reset_server_v2);
  CAF_CHECK_EQUAL(to_hex(y->payload), "000100020001");
}

CAF_TEST(an id beyond the receive window is neither stored nor acknowledged) {
  CAF_CHECK(take(data(0)));
  CAF_CHECK(take(data(1)));
  deliver();
  transmit();
  CAF_CHECK(take(data(13)));
  CAF_CHECK_EQUAL(next_acks(), (ids{13, 1, 0}));
  CAF_CHECK(refusal(data(14)) == errc::outside_window);
  CAF_CHECK(refusal(data(0xffffffff)) == errc::outside_window);
  CAF_CHECK(!link.poll_transmit(now));
}

CAF_TEST(a reader that does not poll closes the receive window) {
  for (uint32_t id = 0; id < 12; ++id)
    CAF_CHECK(take(data(id)));
  CAF_CHECK(refusal(data(12)) == errc::outside_window);
  CAF_CHECK_EQUAL(deliver().size(), 12u);
  CAF_CHECK(take(data(12)));
}

CAF_TEST(old and stored ids are acknowledged again) {
  CAF_CHECK(take(data(0)));
  deliver();
  CAF_CHECK(take(data(2)));
  transmit();
  CAF_CHECK(refusal(data(0)) == errc::replayed);
  CAF_CHECK_EQUAL(next_acks(), (ids{0, 2}));
  CAF_CHECK(refusal(data(2)) == errc::replayed);
  CAF_CHECK_EQUAL(next_acks(), (ids{2, 0}));
  CAF_CHECK(!link.poll_transmit(now));
  CAF_CHECK_EQUAL(deliver(), ids{});
}

CAF_TEST(acks of a refused packet count) {
  send(1);
  transmit();
  CAF_CHECK(refusal(data(99, {0})) == errc::outside_window);
  CAF_CHECK_EQUAL(link.in_flight(), 0u);
}

CAF_TEST(a bare ack goes out only when no message does) {
  CAF_CHECK(take(data(0)));
  send(1);
  auto x = link.poll_transmit(now);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::control_v1);
  CAF_CHECK_EQUAL(x->acks, ids{0});
  CAF_CHECK(!link.poll_transmit(now));
  CAF_CHECK(take(data(1)));
  x = link.poll_transmit(now);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::ack_v1);
  CAF_CHECK_EQUAL(x->acks, (ids{1, 0}));
  CAF_CHECK(x->payload.empty());
  CAF_CHECK(!link.poll_transmit(now));
}

CAF_TEST(the ack of a reset goes with the message that answers it) {
  // How many messages of ours have to be on their way before a bare ack.
  struct row {
    opcode reset;
    uint8_t sent_before;
    bool held;
  };
  const row rows[] = {
    {opcode::control_hard_reset_server_v2, 1, true},
    {opcode::control_hard_reset_server_v2, 2, false},
    {opcode::control_hard_reset_client_v2, 0, true},
    {opcode::control_hard_reset_client_v3, 0, true},
    {opcode::control_soft_reset_v1, 0, true},
    {opcode::control_soft_reset_v1, 1, false},
    {opcode::control_v1, 0, false},
  };
  for (auto& x : rows) {
    link = reliable_link{};
    send(x.sent_before);
    transmit();
    auto reset = data(0);
    reset.op = x.reset;
    CAF_CHECK(link.handle_packet(reset, now));
    if (!x.held) {
      auto y = link.poll_transmit(now);
      CAF_REQUIRE(y);
      CAF_CHECK(y->op == opcode::ack_v1);
      continue;
    }
    CAF_CHECK(!link.poll_transmit(now));
    // Not even when the reset comes again.
    CAF_CHECK(!link.handle_packet(reset, now));
    CAF_CHECK(!link.poll_transmit(now));
    CAF_REQUIRE(link.send(message(7), now));
    ids acks;
    while (auto y = link.poll_transmit(now)) {
      CAF_CHECK(y->op != opcode::ack_v1);
      acks = y->acks;
    }
    CAF_CHECK_EQUAL(acks, ids{0});
    // From here on bare acks go out as ever.
    CAF_CHECK(link.handle_packet(data(1), now));
    auto y = link.poll_transmit(now);
    CAF_REQUIRE(y);
    CAF_CHECK(y->op == opcode::ack_v1);
  }
}

CAF_TEST(what is not acknowledged can be sent again at once) {
  send(3);
  transmit();
  CAF_CHECK(!link.answered());
  CAF_CHECK(take(ack({0})));
  CAF_CHECK(link.answered());
  transmit();
  link.send_again(now);
  CAF_CHECK_EQUAL(transmit(), (ids{1, 2}));
  CAF_CHECK(transmit().empty());
}

CAF_TEST(an ack is never acknowledged) {
  CAF_CHECK(take(ack({0})));
  CAF_CHECK(!link.poll_transmit(now));
}

CAF_TEST(a packet carries at most four acks and the rest follows) {
  for (uint32_t id = 0; id < 6; ++id)
    CAF_CHECK(take(data(id)));
  CAF_CHECK_EQUAL(next_acks(), (ids{3, 2, 1, 0}));
  CAF_CHECK_EQUAL(next_acks(), (ids{5, 4, 3, 2}));
  CAF_CHECK(!link.poll_transmit(now));
}

CAF_TEST(a bare ack may carry eight and a message never) {
  reliable_config cfg;
  for (size_t most : {size_t{8}, size_t{1000}}) {
    cfg.bare_acks = most;
    link = reliable_link{cfg};
    for (uint32_t id = 0; id < 8; ++id)
      CAF_CHECK(take(data(id)));
    send(1);
    CAF_CHECK_EQUAL(next_acks().size(), 4u);
    CAF_CHECK_EQUAL(next_acks(), (ids{7, 6, 5, 4, 3, 2, 1, 0}));
    CAF_CHECK(!link.poll_transmit(now));
  }
}

CAF_TEST(recent acks are repeated with the most recent first) {
  for (uint32_t id = 0; id < 4; ++id) {
    CAF_CHECK(take(data(id)));
    next_acks();
  }
  send(1);
  CAF_CHECK_EQUAL(next_acks(), (ids{3, 2, 1, 0}));
  advance(2s);
  CAF_CHECK_EQUAL(next_acks(), (ids{3, 2, 1, 0}));
}

CAF_TEST(the ninth ack owed is left to the retransmission) {
  for (uint32_t id = 0; id < 9; ++id)
    CAF_CHECK(take(data(id)));
  std::set<uint32_t> acked;
  while (auto x = link.poll_transmit(now))
    acked.insert(x->acks.begin(), x->acks.end());
  CAF_CHECK_EQUAL(acked.size(), 8u);
  CAF_CHECK(refusal(data(8)) == errc::replayed);
  CAF_CHECK(next_acks().front() == 8u);
}

CAF_TEST_FIXTURE_SCOPE_END()
