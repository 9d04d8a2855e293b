// A link that loses, doubles, reorders and corrupts: both connect all the same.
#define CAF_SUITE pair.loss
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

#include <set>

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::key_direction;
using protocol::wrap_mode;

namespace {

constexpr uint64_t seeds = 40;
/// A client that has bad luck tries again after the hand window.
constexpr auto few_tries = 5min;

/// All of `got` was sent, and nothing twice.
bool are_distinct_of(const std::vector<bytes>& got,
                     const std::vector<bytes>& sent) {
  std::set<bytes> once{got.begin(), got.end()};
  std::set<bytes> all{sent.begin(), sent.end()};
  return once.size() == got.size()
         && std::all_of(once.begin(), once.end(), [&](const bytes& x) {
              return all.count(x) > 0;
            });
}

void check_traffic(vpn_pair& x, uint64_t seed) {
  auto up = numbered_packets(0, 100, seed);
  auto down = numbered_packets(1000, 100, seed);
  x.client.saw.packets.clear();
  x.server.saw.packets.clear();
  x.send(x.client, up);
  x.send(x.server, down);
  x.drive(1s);
  CAF_CHECK(x.client.saw.packets.size() > 30);
  CAF_CHECK(x.server.saw.packets.size() > 30);
  CAF_CHECK(are_distinct_of(x.server.saw.packets, up));
  CAF_CHECK(are_distinct_of(x.client.saw.packets, down));
  // What is still under way belongs to the lossy time.
  x.set_faults({});
  x.client.saw.packets.clear();
  x.server.saw.packets.clear();
  up = numbered_packets(2000, 100, seed);
  down = numbered_packets(3000, 100, seed);
  x.send(x.client, up);
  x.send(x.server, down);
  x.drive(1s);
  CAF_CHECK(x.server.saw.packets == up);
  CAF_CHECK(x.client.saw.packets == down);
}

pair_config lossy(wrap_mode wrap) {
  pair_config cfg;
  cfg.wrap = wrap;
  cfg.client_direction = key_direction::inverse;
  cfg.faults.lose = 300;
  cfg.faults.duplicate = 100;
  cfg.faults.jitter = 60ms;
  cfg.restart_server = true;
  return cfg;
}

void check_loss(wrap_mode wrap) {
  size_t retried = 0;
  duration longest{};
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    auto cfg = lossy(wrap);
    cfg.seed = seed + 1000 * static_cast<uint64_t>(wrap);
    vpn_pair x{cfg};
    x.start();
    if (!x.drive_to_connected(few_tries))
      CAF_FAIL("seed " << seed << ": " << x.story());
    longest = std::max(longest, x.elapsed());
    retried += x.client.sockets > 1 ? 1 : 0;
    check_traffic(x, seed);
  }
  CAF_MESSAGE(
    "needed more than one try: "
    << retried << " of " << seeds << ", longest "
    << std::chrono::duration_cast<std::chrono::seconds>(longest).count()
    << " s");
  CAF_CHECK(retried <= seeds / 10);
}

pair_config corrupting(wrap_mode wrap, uint64_t seed) {
  pair_config cfg;
  cfg.wrap = wrap;
  cfg.client_direction = key_direction::inverse;
  cfg.faults.corrupt = 1000 / 8;
  cfg.seed = seed;
  return cfg;
}

void check_corruption(wrap_mode wrap) {
  uint64_t corrupted = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    vpn_pair x{corrupting(wrap, seed)};
    x.start();
    if (!x.drive_to_connected(1min))
      CAF_FAIL("seed " << seed << ": " << x.story());
    CAF_CHECK_EQUAL(x.client.sockets, 1u);
    corrupted += x.client.link.corrupted() + x.server.link.corrupted();
    check_traffic(x, seed);
  }
  CAF_CHECK(corrupted > seeds);
}

} // namespace

CAF_TEST(both connect over a lossy link without wrapping) {
  check_loss(wrap_mode::none);
}

CAF_TEST(both connect over a lossy link with tls auth) {
  check_loss(wrap_mode::tls_auth);
}

CAF_TEST(both connect over a lossy link with tls crypt) {
  check_loss(wrap_mode::tls_crypt);
}

CAF_TEST(corruption goes unnoticed behind tls auth) {
  check_corruption(wrap_mode::tls_auth);
}

CAF_TEST(corruption goes unnoticed behind tls crypt) {
  check_corruption(wrap_mode::tls_crypt);
}

CAF_TEST(without wrapping corruption costs a few tries) {
  // What UDP does not notice reaches TLS, which has no way but to give up.
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    auto cfg = corrupting(wrap_mode::none, seed);
    cfg.restart_server = true;
    vpn_pair x{cfg};
    x.start();
    if (!x.drive_to_connected(10min))
      CAF_FAIL("seed " << seed << ": " << x.story());
    check_traffic(x, seed);
  }
}

CAF_TEST(loss and random order of actors together) {
  for (uint64_t seed = 100; seed < 120; ++seed) {
    auto cfg = lossy(wrap_mode::tls_crypt);
    cfg.seed = seed;
    cfg.shuffle = true;
    vpn_pair x{cfg};
    x.start();
    if (!x.drive_to_connected(few_tries))
      CAF_FAIL("seed " << seed << ": " << x.story());
    // Batches overtake nothing: each actor's mailbox keeps its order.
    check_traffic(x, seed);
  }
}
