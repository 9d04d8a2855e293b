// Reliability layer under loss, reordering and hostile packets, by seed.
// spec: openvpn-wire 4.2, 4.3, 4.4

#define CAF_SUITE protocol.reliable_link_loss

#include "vpn/protocol/reliable_link.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <map>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

control_message message(uint8_t x) {
  return {opcode::control_v1, bytes{x}};
}

} // namespace

CAF_TEST(a lossy link that reorders delivers everything in order) {
  instant now;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    test::seeded random{seed};
    reliable_link ends[2];
    std::multimap<time_point, std::pair<int, control_packet>> wire;
    uint32_t sent[2] = {0, 0};
    uint32_t received[2] = {0, 0};
    constexpr uint32_t total = 200;
    size_t rounds = 0;
    while (received[0] < total || received[1] < total) {
      CAF_REQUIRE(++rounds < 100000);
      for (int i = 0; i < 2; ++i) {
        auto& end = ends[i];
        while (sent[i] < total && end.free_slots() > 0)
          CAF_REQUIRE(end.send(message(static_cast<uint8_t>(sent[i]++)), now));
        while (auto x = end.poll_transmit(now)) {
          CAF_REQUIRE(x->acks.size() <= max_acks_sent);
          // One in four is lost, one in eight arrives twice.
          if (random.one_in(4))
            continue;
          auto copies = random.one_in(8) ? 2 : 1;
          for (int k = 0; k < copies; ++k)
            wire.emplace(now.steady + 1ms * random.below(100),
                         std::make_pair(1 - i, *x));
        }
        CAF_REQUIRE(end.in_flight() <= 6);
      }
      // To the next arrival or timer, whichever is first.
      auto next = time_point::max();
      if (!wire.empty())
        next = wire.begin()->first;
      for (auto& end : ends)
        if (auto due = end.poll_timeout())
          next = std::min(next, *due);
      CAF_REQUIRE(next != time_point::max());
      now.steady = std::max(now.steady, next);
      while (!wire.empty() && wire.begin()->first <= now.steady) {
        auto [to, pkt] = std::move(wire.begin()->second);
        wire.erase(wire.begin());
        static_cast<void>(ends[to].handle_packet(std::move(pkt), now));
        while (auto x = ends[to].poll_deliver())
          CAF_REQUIRE_EQUAL(x->payload.at(0),
                            static_cast<uint8_t>(received[to]++));
      }
    }
    CAF_CHECK_EQUAL(received[0], total);
    CAF_CHECK_EQUAL(received[1], total);
  }
}

CAF_TEST(random packets keep every list short) {
  reliable_link link;
  instant now;
  test::seeded random{6};
  const opcode ops[] = {opcode::control_v1, opcode::ack_v1, opcode::control_v1,
                        opcode::control_soft_reset_v1};
  for (int i = 0; i < 100000; ++i) {
    if (random.one_in(8))
      static_cast<void>(link.send(message(0), now));
    control_packet x;
    x.op = ops[random.below(4)];
    x.id = random.one_in(4) ? random.below(UINT32_MAX) : random.below(4000);
    x.acks.resize(random.below(9));
    for (auto& id : x.acks)
      id = random.one_in(4) ? random.below(UINT32_MAX) : random.below(4000);
    static_cast<void>(link.handle_packet(std::move(x), now));
    if (random.one_in(4)) {
      size_t packets = 0;
      while (auto y = link.poll_transmit(now)) {
        CAF_REQUIRE(y->acks.size() <= max_acks_sent);
        CAF_REQUIRE(++packets <= 8);
      }
    }
    if (random.one_in(4)) {
      size_t messages = 0;
      while (link.poll_deliver())
        CAF_REQUIRE(++messages <= 12);
    }
    CAF_REQUIRE(link.in_flight() <= 6);
    now.steady += 1ms * random.below(100);
  }
}
