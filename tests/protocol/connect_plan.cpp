// Which server is tried next, and after which wait.
// spec: openvpn-wire 14

#define CAF_SUITE protocol.connect_plan

#include "vpn/protocol/connect_plan.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <map>

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::seeded;
using namespace std::chrono_literals;

namespace {

connect_plan_config remotes(size_t n, uint32_t max_tries = 0) {
  connect_plan_config cfg;
  for (size_t i = 0; i < n; ++i) {
    remote_entry x;
    x.host = "vpn" + std::to_string(i) + ".example";
    cfg.remotes.push_back(x);
  }
  cfg.max_tries = max_tries;
  return cfg;
}

endpoint address(uint8_t last) {
  endpoint x;
  x.address.kind = family::v4;
  x.address.octets = {192, 0, 2, last};
  x.port = 1194;
  return x;
}

/// "1: 192.0.2.7:1194 after 2" or "0: resolve".
std::string line(const std::optional<connect_plan::step>& x) {
  if (!x)
    return "end";
  auto result = std::to_string(x->remote) + ": "
                + (x->address ? to_string(*x->address) : "resolve");
  if (x->delay > duration::zero())
    result
      += " after "
         + std::to_string(
           std::chrono::duration_cast<std::chrono::seconds>(x->delay).count());
  return result;
}

} // namespace

CAF_TEST(the first try is at once and the next ones wait a second) {
  connect_plan plan{remotes(1)};
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(remotes take turns in the order of the configuration) {
  connect_plan plan{remotes(3)};
  for (auto expected :
       {"0: resolve", "1: resolve after 1", "2: resolve after 1",
        "0: resolve after 1", "1: resolve after 1"})
    CAF_CHECK_EQUAL(line(plan.next_step()), expected);
  CAF_CHECK_EQUAL(plan.remote(2).host, "vpn2.example");
}

CAF_TEST(each address of a remote is tried before the next remote) {
  connect_plan plan{remotes(2)};
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve");
  plan.handle_resolved({address(1), address(2)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.1:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.2:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
  plan.handle_resolved({address(3)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: 192.0.2.3:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(a name without addresses is left for the next remote) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  plan.handle_resolved({});
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
}

CAF_TEST(new addresses replace old ones) {
  connect_plan plan{remotes(1)};
  static_cast<void>(plan.next_step());
  plan.handle_resolved({address(1), address(2)});
  plan.handle_resolved({address(3)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.3:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(after five failed rounds the wait doubles up to its limit) {
  for (size_t n : {1u, 3u}) {
    connect_plan plan{remotes(n)};
    auto round = [&] {
      auto first = plan.next_step();
      CAF_REQUIRE(first);
      for (size_t i = 1; i < n; ++i) {
        auto step = plan.next_step();
        CAF_REQUIRE(step);
        // All remotes of a round wait alike; only the very first try does not.
        CAF_CHECK(step->delay == first->delay
                  || first->delay == duration::zero());
        first->delay = step->delay;
      }
      return first->delay;
    };
    round();
    for (auto expected : {1s, 1s, 1s, 1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s,
                          300s, 300s, 300s})
      CAF_CHECK(round() == expected);
  }
}

CAF_TEST(the wait is bounded however long nothing works) {
  connect_plan plan{remotes(1)};
  for (int i = 0; i < 10000; ++i) {
    auto step = plan.next_step();
    CAF_REQUIRE(step);
    CAF_REQUIRE(step->delay <= 300s);
  }
}

CAF_TEST(the configured wait is the one that doubles) {
  auto cfg = remotes(1);
  cfg.retry = 7s;
  cfg.retry_max = 20s;
  connect_plan plan{cfg};
  for (auto expected : {0s, 7s, 7s, 7s, 7s, 14s, 20s, 20s}) {
    auto step = plan.next_step();
    CAF_REQUIRE(step);
    CAF_CHECK(step->delay == expected);
  }
}

CAF_TEST(a longest wait below the wait is obeyed) {
  auto cfg = remotes(1);
  cfg.retry = 10s;
  cfg.retry_max = 3s;
  connect_plan plan{cfg};
  static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 3");
}

CAF_TEST(each remote has as many tries as configured) {
  connect_plan plan{remotes(2, 2)};
  for (auto expected :
       {"0: resolve", "1: resolve after 1", "0: resolve after 1",
        "1: resolve after 1", "end", "end", "end", "end"})
    CAF_CHECK_EQUAL(line(plan.next_step()), expected);
}

CAF_TEST(the addresses of the last try are still tried) {
  connect_plan plan{remotes(1, 1)};
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve");
  plan.handle_resolved({address(1), address(2)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.1:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.2:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "end");
}

CAF_TEST(a plan without remotes has no steps) {
  connect_plan plan{remotes(0)};
  CAF_CHECK_EQUAL(line(plan.next_step()), "end");
  CAF_CHECK_EQUAL(line(plan.next_step(5s)), "end");
}

CAF_TEST(a wait that the server asked for is a lower bound) {
  connect_plan plan{remotes(1)};
  static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step(40s)), "0: resolve after 40");
  CAF_CHECK_EQUAL(line(plan.next_step(0s)), "0: resolve after 1");
  // Beyond our own limit too: the server knows why.
  CAF_CHECK_EQUAL(line(plan.next_step(1000s)), "0: resolve after 1000");
  for (int i = 0; i < 20; ++i)
    static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step(40s)), "0: resolve after 300");
}

CAF_TEST(after a connection the same remote is tried first) {
  connect_plan plan{remotes(3)};
  static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
  plan.handle_resolved({address(1), address(2)});
  plan.handle_connected();
  // Its name is resolved anew: the server may have moved.
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
  // Then the one that its owner put first.
  for (auto expected : {"0: resolve after 1", "1: resolve after 1",
                        "2: resolve after 1", "0: resolve after 1"})
    CAF_CHECK_EQUAL(line(plan.next_step()), expected);
}

CAF_TEST(all addresses of the last server come before the first server) {
  connect_plan plan{remotes(3)};
  static_cast<void>(plan.next_step());
  static_cast<void>(plan.next_step());
  static_cast<void>(plan.next_step());
  plan.handle_connected();
  CAF_CHECK_EQUAL(line(plan.next_step()), "2: resolve after 1");
  plan.handle_resolved({address(1)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "2: 192.0.2.1:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(failing back to the first server is no round of its own) {
  // Three tries each, and the last server's first one on top.
  for (size_t last : {0u, 1u, 2u}) {
    connect_plan plan{remotes(3, 3)};
    for (size_t i = 0; i <= last; ++i)
      static_cast<void>(plan.next_step());
    plan.handle_connected();
    size_t tries = 0;
    while (plan.next_step())
      CAF_REQUIRE(++tries < 100);
    CAF_CHECK_EQUAL(tries, last == 0 ? 9u : 10u);
  }
}

CAF_TEST(the first way back to the same address is no try) {
  // As is the first way back to the same name.
  for (auto repeat : {false, true}) {
    connect_plan plan{remotes(1, 1)};
    static_cast<void>(plan.next_step());
    plan.handle_connected();
    if (repeat)
      plan.go(advance::no);
    CAF_CHECK(plan.next_step());
    if (repeat)
      plan.go(advance::no);
    CAF_CHECK(!plan.next_step());
  }
}

CAF_TEST(a server that was kept to after a connection is left for the first) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  static_cast<void>(plan.next_step());
  plan.handle_resolved({address(1)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: 192.0.2.1:1194 after 1");
  plan.handle_connected();
  plan.go(advance::no);
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: 192.0.2.1:1194 after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(after a connection waits and tries are counted anew) {
  auto cfg = remotes(1, 8);
  connect_plan plan{cfg};
  for (int i = 0; i < 7; ++i)
    static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 8");
  plan.handle_connected();
  for (auto expected : {1s, 1s, 1s, 1s, 1s, 2s, 4s, 8s}) {
    auto step = plan.next_step();
    CAF_REQUIRE(step);
    CAF_CHECK(step->delay == expected);
  }
  CAF_CHECK_EQUAL(line(plan.next_step()), "end");
}

// -- the network has changed --

CAF_TEST(waits and tries are counted anew when the network has changed) {
  connect_plan plan{remotes(2, 8)};
  for (int i = 0; i < 13; ++i)
    static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 4");
  plan.hurry();
  // The walk goes on where it was.
  for (auto expected : {1, 1, 1, 1, 2, 4, 8})
    for (auto remote : {"0", "1"})
      CAF_CHECK_EQUAL(line(plan.next_step()), std::string{remote}
                                                + ": resolve after "
                                                + std::to_string(expected));
  CAF_CHECK_EQUAL(line(plan.next_step()), "end");
}

CAF_TEST(the network may change before the first try) {
  connect_plan plan{remotes(1)};
  plan.hurry();
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve");
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(a server that keeps us is counted anew too) {
  connect_plan plan{remotes(2, 1)};
  static_cast<void>(plan.next_step());
  plan.go(advance::no);
  CAF_CHECK(plan.next_step());
  plan.hurry();
  plan.go(advance::no);
  CAF_CHECK(plan.next_step());
  plan.go(advance::no);
  CAF_CHECK(!plan.next_step());
}

// -- where the server sends us --

CAF_TEST(a server may keep us at its address) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  plan.handle_resolved({address(1), address(2)});
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.1:1194 after 1");
  plan.go(advance::no);
  CAF_CHECK_EQUAL(line(plan.next_step(9s)), "0: 192.0.2.1:1194 after 9");
  // It counts once.
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.2:1194 after 1");
}

CAF_TEST(an address that the plan did not give is looked up again) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  plan.go(advance::no);
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
}

CAF_TEST(a server may send us to its next address) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  plan.handle_resolved({address(1), address(2)});
  plan.go(advance::address);
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.1:1194 after 1");
  plan.go(advance::address);
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: 192.0.2.2:1194 after 1");
  // There is no other address, so another server has to do.
  plan.go(advance::address);
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
}

CAF_TEST(a server may send us to the next remote) {
  connect_plan plan{remotes(3)};
  static_cast<void>(plan.next_step());
  plan.handle_resolved({address(1), address(2)});
  plan.go(advance::remote);
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
  plan.handle_connected();
  // Otherwise the same remote would come first.
  plan.go(advance::remote);
  CAF_CHECK_EQUAL(line(plan.next_step()), "2: resolve after 1");
  plan.go(advance::remote);
  CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve after 1");
}

CAF_TEST(after a connection no other address is known) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  plan.handle_resolved({address(1)});
  plan.handle_connected();
  plan.go(advance::address);
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
}

CAF_TEST(the last word counts) {
  connect_plan plan{remotes(2)};
  static_cast<void>(plan.next_step());
  plan.go(advance::no);
  plan.go(advance::remote);
  CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
}

CAF_TEST(nobody can send us anywhere before the first try) {
  for (auto where : {advance::no, advance::address, advance::remote}) {
    connect_plan plan{remotes(2)};
    plan.go(where);
    CAF_CHECK_EQUAL(line(plan.next_step()), "0: resolve");
    CAF_CHECK_EQUAL(line(plan.next_step()), "1: resolve after 1");
  }
}

CAF_TEST(a server cannot keep us for ever) {
  for (size_t n : {1u, 2u}) {
    connect_plan plan{remotes(n, 3)};
    size_t tries = 0;
    while (plan.next_step()) {
      ++tries;
      CAF_REQUIRE(tries < 100);
      plan.go(advance::no);
    }
    CAF_CHECK_EQUAL(tries, 3 * n);
  }
}

CAF_TEST(coming back to the same address waits longer and longer) {
  connect_plan plan{remotes(1)};
  static_cast<void>(plan.next_step());
  for (auto expected : {1s, 1s, 1s, 1s, 2s, 4s, 8s}) {
    plan.go(advance::no);
    auto step = plan.next_step();
    CAF_REQUIRE(step);
    CAF_CHECK(step->delay == expected);
  }
}

// -- waits that differ --

namespace {

random_source constant(uint8_t byte) {
  return [=](uint8_t* out, size_t n) {
    std::fill_n(out, n, byte);
  };
}

} // namespace

CAF_TEST(a wait is exact when nothing is drawn) {
  for (auto& random : {random_source{}, constant(0)}) {
    connect_plan plan{remotes(1), random};
    for (auto expected : {0s, 1s, 1s, 1s, 1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s,
                          256s, 300s, 300s}) {
      auto step = plan.next_step();
      CAF_REQUIRE(step);
      CAF_CHECK(step->delay == expected);
    }
  }
}

CAF_TEST(up to a quarter is taken off a wait) {
  connect_plan plan{remotes(1), constant(0xff)};
  for (duration most : {0s, 1s, 1s, 1s, 1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s,
                        256s, 300s, 300s}) {
    auto step = plan.next_step();
    CAF_REQUIRE(step);
    CAF_CHECK(step->delay >= most - most / 4);
    CAF_CHECK(step->delay <= most - most / 4 + most / 1000);
  }
}

CAF_TEST(clients of one server come back at different times) {
  seeded random{11};
  std::map<long, int> seen;
  for (int i = 0; i < 10000; ++i) {
    connect_plan plan{remotes(1), random.source()};
    static_cast<void>(plan.next_step());
    auto step = plan.next_step();
    CAF_REQUIRE(step);
    ++seen[static_cast<long>(step->delay / 25ms)];
  }
  // From 750 ms to 1 s, and each part of that alike.
  CAF_CHECK_EQUAL(seen.size(), 10u);
  CAF_CHECK_EQUAL(seen.begin()->first, 30);
  for (auto& [part, n] : seen) {
    CAF_MESSAGE(part);
    CAF_CHECK(n > 880 && n < 1120);
  }
}

CAF_TEST(what the server asked for is not shortened) {
  connect_plan plan{remotes(1), constant(0xff)};
  static_cast<void>(plan.next_step());
  CAF_CHECK_EQUAL(line(plan.next_step(40s)), "0: resolve after 40");
  CAF_CHECK(plan.next_step(0s)->delay < 1s);
}

// -- random order, settings --

namespace {

std::string order(const connect_plan& plan, size_t n) {
  std::string result;
  for (size_t i = 0; i < n; ++i)
    result += plan.remote(i).host.substr(3, 1);
  return result;
}

} // namespace

CAF_TEST(the order is that of the configuration unless asked otherwise) {
  size_t asked = 0;
  connect_plan plan{remotes(5), [&](uint8_t*, size_t) {
                      ++asked;
                    }};
  CAF_CHECK_EQUAL(order(plan, 5), "01234");
  CAF_CHECK_EQUAL(asked, 0u);
}

CAF_TEST(each random order is as likely as any other) {
  seeded random{7};
  auto cfg = remotes(3);
  cfg.shuffle = true;
  std::map<std::string, int> seen;
  for (int i = 0; i < 6000; ++i) {
    connect_plan plan{cfg, random.source()};
    ++seen[order(plan, 3)];
  }
  CAF_CHECK_EQUAL(seen.size(), 6u);
  for (auto& [text, n] : seen) {
    CAF_MESSAGE(text);
    CAF_CHECK(n > 850 && n < 1150);
  }
}

CAF_TEST(a random order is drawn once) {
  seeded random{3};
  auto cfg = remotes(4);
  cfg.shuffle = true;
  connect_plan plan{cfg, random.source()};
  for (int round = 0; round < 3; ++round)
    for (size_t i = 0; i < 4; ++i) {
      auto step = plan.next_step();
      CAF_REQUIRE(step);
      CAF_CHECK_EQUAL(step->remote, i);
    }
}

CAF_TEST(a poor source of randomness does not hang the plan) {
  for (auto byte : {0x00, 0xff}) {
    auto cfg = remotes(5);
    cfg.shuffle = true;
    connect_plan plan{cfg, [=](uint8_t* out, size_t n) {
                        std::fill_n(out, n, static_cast<uint8_t>(byte));
                      }};
    auto text = order(plan, 5);
    std::sort(text.begin(), text.end());
    CAF_CHECK_EQUAL(text, "01234");
  }
}

CAF_TEST(settings stay with their remote in any order) {
  seeded random{9};
  auto cfg = remotes(6);
  cfg.shuffle = true;
  for (uint32_t i = 0; i < 6; ++i)
    cfg.remotes[i].settings.tun_mtu = 1400 + i;
  connect_plan plan{cfg, random.source()};
  for (size_t i = 0; i < 6; ++i) {
    auto& x = plan.remote(i);
    CAF_CHECK_EQUAL(x.host, "vpn" + std::to_string(x.settings.tun_mtu - 1400)
                              + ".example");
  }
}
