// How long the reliability layer waits, and how it asks for what is missing.
// spec: openvpn-wire 4.1, 4.2, RFC 6298
#define CAF_SUITE protocol.reliable_link_rtt

#include "vpn/protocol/reliable_link.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

using ids = std::vector<uint32_t>;

control_packet data(uint32_t id, ids acks = {}) {
  control_packet x;
  x.id = id;
  x.acks = std::move(acks);
  return x;
}

control_packet ack(ids acks) {
  control_packet x;
  x.op = opcode::ack_v1;
  x.acks = std::move(acks);
  return x;
}

struct fixture {
  reliable_config cfg;
  reliable_link link;
  instant now;

  fixture() { now.steady = time_point{} + 1h; }

  void restart() { link = reliable_link{cfg}; }
  void advance(duration x) { now.steady += x; }

  void send(int n = 1) {
    for (int i = 0; i < n; ++i)
      CAF_REQUIRE(link.send({opcode::control_v1, {}}, now));
  }
  /// Ids of the messages that go out now.
  ids transmit() {
    ids result;
    while (auto x = link.poll_transmit(now))
      if (x->op != opcode::ack_v1)
        result.push_back(x->id);
    return result;
  }
  bool take(const control_packet& x) {
    return static_cast<bool>(link.handle_packet(x, now));
  }
  /// A message that was sent once and acknowledged so long after.
  void measure(duration x) {
    send();
    auto sent = transmit();
    CAF_REQUIRE_EQUAL(sent.size(), 1u);
    advance(x);
    CAF_REQUIRE(take(ack(sent)));
  }
  /// Until the timer; zero without one.
  duration wait() {
    auto at = link.poll_timeout();
    return at ? *at - now.steady : duration{};
  }
  /// The waits between so many copies of one message.
  std::vector<duration> waits(int n) {
    std::vector<duration> result;
    send();
    for (int i = 0; i < n; ++i) {
      CAF_REQUIRE_EQUAL(transmit().size(), 1u);
      CAF_REQUIRE(transmit().empty());
      result.push_back(wait());
      advance(wait() - 1ms);
      CAF_REQUIRE(transmit().empty());
      advance(1ms);
      link.handle_timeout(now);
    }
    return result;
  }
  /// The ids of the bare ack that goes out now, if it is the only packet.
  ids bare_ack() {
    auto x = link.poll_transmit(now);
    if (!x || x->op != opcode::ack_v1 || link.poll_transmit(now))
      return {};
    return x->acks;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(reliable_link_rtt_tests, fixture)

// -- waits --

CAF_TEST(before anything is measured the waits begin at half a second) {
  CAF_CHECK(waits(7) == (std::vector<duration>{500ms, 1s, 2s, 4s, 8s, 8s, 8s}));
}

CAF_TEST(no first wait is longer than the option says) {
  for (duration after : {duration{10ms}, duration{300ms}, duration{1s}}) {
    cfg.retransmit_after = after;
    restart();
    CAF_CHECK(waits(1).at(0) == std::min<duration>(after, 500ms));
    restart();
    measure(30s);
    CAF_CHECK(waits(1).at(0) == after);
  }
}

CAF_TEST(an option beyond the longest wait is kept all the same) {
  cfg.retransmit_after = 20s;
  restart();
  CAF_CHECK(waits(6) == (std::vector<duration>{500ms, 1s, 2s, 4s, 8s, 8s}));
  restart();
  measure(10s);
  CAF_CHECK(waits(3) == (std::vector<duration>{20s, 20s, 20s}));
}

CAF_TEST(after a measurement the waits begin at the round trip) {
  measure(160ms);
  CAF_CHECK(
    waits(7)
    == (std::vector<duration>{480ms, 960ms, 1920ms, 3840ms, 7680ms, 8s, 8s}));
}

CAF_TEST(a fast path is not used up) {
  measure(1ms);
  CAF_CHECK(waits(3) == (std::vector<duration>{100ms, 200ms, 400ms}));
}

CAF_TEST(a slow path has the wait of the option) {
  measure(1400ms);
  CAF_CHECK(waits(4) == (std::vector<duration>{2s, 4s, 8s, 8s}));
}

CAF_TEST(the ack of a message that was sent twice measures nothing) {
  send();
  transmit();
  advance(500ms);
  CAF_CHECK_EQUAL(transmit(), ids{0});
  advance(10ms);
  CAF_CHECK(take(ack({0})));
  // Which copy it is for nobody knows: the next one waits as long as this one
  // would have waited.
  CAF_CHECK(waits(1).at(0) == 1s);
}

CAF_TEST(a path that has become slow is believed) {
  measure(20ms);
  // Each round trip takes 900 ms now. With every message the first wait grows,
  // until one is acknowledged before its time is up.
  size_t copies = 0;
  std::vector<size_t> by_message;
  for (int i = 0; i < 6; ++i) {
    send();
    auto answered = now.steady + 900ms;
    auto sent = transmit();
    copies = 1;
    while (*link.poll_timeout() < answered) {
      now.steady = *link.poll_timeout();
      copies += transmit().size();
    }
    now.steady = answered;
    CAF_CHECK(take(ack(sent)));
    by_message.push_back(copies);
  }
  CAF_CHECK_EQUAL(by_message, (std::vector<size_t>{4, 2, 1, 1, 1, 1}));
}

CAF_TEST(a path that has become fast is believed as well) {
  measure(1400ms);
  measure(10ms);
  for (int i = 0; i < 60; ++i)
    measure(10ms);
  CAF_CHECK(waits(1).at(0) == 100ms);
}

CAF_TEST(a measurement shortens the wait of what is under way) {
  send(3);
  CAF_CHECK_EQUAL(transmit(), (ids{0, 1, 2}));
  advance(40ms);
  CAF_CHECK(take(ack({1})));
  // 40 + 4 * 20 after they were sent.
  CAF_CHECK(wait() == 80ms);
  advance(79ms);
  CAF_CHECK_EQUAL(transmit(), ids{});
  advance(1ms);
  CAF_CHECK_EQUAL(transmit(), (ids{0, 2}));
}

CAF_TEST(a measurement ends the back off of what is under way) {
  send(2);
  transmit();
  CAF_CHECK(take(ack({0})));
  // The burst after the first ack.
  CAF_CHECK_EQUAL(transmit(), ids{1});
  for (int i = 0; i < 8; ++i) {
    advance(wait());
    CAF_CHECK_EQUAL(transmit(), ids{1});
  }
  CAF_CHECK(wait() == 8s);
  // The path was dead, and now it carries another message.
  measure(10ms);
  CAF_CHECK(wait() <= 90ms);
}

CAF_TEST(messages that are asked for again do not wait longer) {
  measure(10ms);
  send();
  transmit();
  advance(10ms);
  for (int i = 0; i < 20; ++i) {
    link.send_again(now);
    CAF_CHECK_EQUAL(transmit().size(), 1u);
    CAF_CHECK(transmit().empty());
    CAF_CHECK(wait() == 100ms);
    advance(50ms);
  }
}

CAF_TEST(a clock that goes back keeps every timer in the future) {
  measure(10ms);
  send();
  transmit();
  now.steady -= 30min;
  CAF_CHECK(take(ack({1})));
  CAF_CHECK(!link.poll_timeout());
  CAF_CHECK(waits(2) == (std::vector<duration>{100ms, 200ms}));
}

// -- no storms --

CAF_TEST(acks in any number are answered once in a round trip) {
  measure(20ms);
  send(3);
  CAF_CHECK_EQUAL(transmit(), (ids{1, 2, 3}));
  advance(20ms);
  CAF_CHECK(take(ack({3, 2})));
  // A peer that repeats itself, every millisecond for two seconds.
  size_t copies = 0;
  for (int i = 0; i < 2000; ++i) {
    CAF_CHECK(take(ack({3, 2, 3, 2, 3, 2, 3, 2})));
    copies += transmit().size();
    advance(1ms);
  }
  // One each 20 ms, and the first few.
  CAF_CHECK(copies >= 100);
  CAF_CHECK(copies <= 104);
}

CAF_TEST(a few early copies follow the acks and the next ones the round trip) {
  measure(60ms);
  send(5);
  transmit();
  advance(60ms);
  for (int i = 0; i < 3; ++i) {
    CAF_CHECK(take(ack({2, 3, 4, 5})));
    CAF_CHECK_EQUAL(transmit(), ids{1});
    CAF_CHECK_EQUAL(transmit(), ids{});
    advance(1ms);
  }
  // Acks that were sent before the last copy could arrive say nothing of it.
  advance(58ms);
  CAF_CHECK(take(ack({5, 4, 3})));
  CAF_CHECK_EQUAL(transmit(), ids{});
  advance(1ms);
  CAF_CHECK(take(ack({5, 4, 3})));
  CAF_CHECK_EQUAL(transmit(), ids{1});
  // Without acks its time comes all the same.
  advance(wait());
  CAF_CHECK_EQUAL(transmit(), ids{1});
}

// -- what is missing --

CAF_TEST(a missing message is asked for after a round trip) {
  measure(60ms);
  CAF_CHECK(take(data(0)));
  CAF_CHECK(take(data(2)));
  CAF_CHECK_EQUAL(bare_ack(), (ids{2, 0}));
  CAF_CHECK(wait() == 60ms);
  advance(59ms);
  CAF_CHECK(!link.poll_transmit(now));
  advance(1ms);
  // Each of them is true, and a peer that counts to three sends 1 again.
  CAF_CHECK_EQUAL(bare_ack(), (ids{2, 2, 2, 2}));
  CAF_CHECK(wait() == 60ms);
  CAF_CHECK(take(data(1)));
  CAF_CHECK_EQUAL(bare_ack(), (ids{1, 2, 0}));
  CAF_CHECK(!link.poll_timeout());
}

CAF_TEST(everything above the gap is named) {
  for (uint32_t id : {5u, 3u, 8u})
    CAF_CHECK(take(data(id)));
  transmit();
  advance(500ms);
  CAF_CHECK_EQUAL(bare_ack(), (ids{3, 5, 8, 3}));
  // The gap ends where the next one begins, which has a time of its own.
  for (uint32_t id : {0u, 1u, 2u})
    CAF_CHECK(take(data(id)));
  transmit();
  CAF_CHECK(wait() == 500ms);
  advance(500ms);
  CAF_CHECK_EQUAL(bare_ack(), (ids{5, 8, 5, 8}));
}

CAF_TEST(packets that overtake each other are not asked for) {
  for (uint32_t id : {1u, 0u, 3u, 2u, 6u, 5u, 4u}) {
    CAF_CHECK(take(data(id)));
    transmit();
    advance(90ms);
  }
  CAF_CHECK(!link.poll_timeout());
}

CAF_TEST(questions become rarer and end) {
  CAF_CHECK(take(data(7)));
  transmit();
  size_t asked = 0;
  std::vector<duration> waits;
  while (auto at = link.poll_timeout()) {
    waits.push_back(*at - now.steady);
    now.steady = *at;
    CAF_CHECK_EQUAL(bare_ack(), (ids{7, 7, 7, 7}));
    CAF_REQUIRE(++asked < 100);
  }
  CAF_CHECK_EQUAL(asked, size_t{cfg.asks});
  waits.resize(5);
  CAF_CHECK(waits == (std::vector<duration>{500ms, 500ms, 1s, 2s, 2s}));
  // More packets above it are no reason to begin again.
  CAF_CHECK(take(data(8)));
  transmit();
  CAF_CHECK(!link.poll_timeout());
}

CAF_TEST(a message asks along with its acks and the question waits) {
  CAF_CHECK(take(data(2)));
  transmit();
  send();
  CAF_CHECK_EQUAL(transmit(), ids{0});
  advance(500ms);
  auto x = link.poll_transmit(now);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::control_v1);
  CAF_CHECK_EQUAL(x->acks, ids{2});
  CAF_CHECK_EQUAL(bare_ack(), (ids{2, 2, 2, 2}));
}

CAF_TEST(nobody asks before the reset is answered) {
  auto reset = data(0);
  reset.op = opcode::control_hard_reset_server_v2;
  send();
  transmit();
  CAF_CHECK(take(ack({0})));
  CAF_CHECK(take(reset));
  CAF_CHECK(take(data(2)));
  CAF_CHECK(!link.poll_timeout());
  advance(10s);
  CAF_CHECK(!link.poll_transmit(now));
  send();
  CAF_CHECK_EQUAL(transmit().size(), 1u);
  CAF_CHECK(link.poll_timeout());
}

CAF_TEST(without measuring nobody asks) {
  cfg.measure = false;
  restart();
  CAF_CHECK(take(data(7)));
  transmit();
  CAF_CHECK(!link.poll_timeout());
  advance(1h);
  CAF_CHECK(!link.poll_transmit(now));
}

CAF_TEST(a peer of stock sends at once what it is asked for) {
  cfg.measure = false;
  reliable_link peer{cfg};
  std::vector<control_packet> sent;
  auto peer_sends = [&] {
    CAF_REQUIRE(peer.send({opcode::control_v1, {}}, now));
    sent.push_back(*peer.poll_transmit(now));
  };
  peer_sends();
  CAF_CHECK(take(sent[0]));
  CAF_CHECK(peer.handle_packet(*link.poll_transmit(now), now));
  peer_sends();
  peer_sends();
  // The first of these two is lost.
  CAF_CHECK(take(sent[2]));
  auto first = link.poll_transmit(now);
  CAF_REQUIRE(first);
  CAF_CHECK(peer.handle_packet(*first, now));
  CAF_CHECK(!peer.poll_transmit(now));
  advance(wait());
  auto question = link.poll_transmit(now);
  CAF_REQUIRE(question);
  CAF_CHECK(peer.handle_packet(*question, now));
  auto again = peer.poll_transmit(now);
  CAF_REQUIRE(again);
  CAF_CHECK_EQUAL(again->id, 1u);
  CAF_CHECK(!peer.poll_transmit(now));
  CAF_CHECK(take(*again));
  CAF_CHECK_EQUAL(now.steady - (time_point{} + 1h), 500ms);
}

CAF_TEST_FIXTURE_SCOPE_END()
