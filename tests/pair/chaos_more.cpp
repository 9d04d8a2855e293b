// More hours on a bad link, see chaos.cpp; and the same while layers die.
// spec: design 6, 7
#define CAF_SUITE pair.chaos_more
#include "vpn/protocol/layer.hpp"

#include "tests/support/chaos_pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using protocol::all_layers;

namespace {

/// Ten minutes on a bad link in which every few seconds a layer of either side
/// ends, crashes or hangs: less often than SUPERVISOR gives up.
std::string deadly_minutes(uint64_t seed, chaos_totals& totals) {
  seeded_run fixed{seed};
  chaos_pair x{seed};
  for (auto* side : {&x.client, &x.server})
    side->cfg->heartbeat = 2s;
  x.start();
  seeded random{seed};
  constexpr std::array<const char*, 3> ways{":kill=0s", ":crash=0s",
                                            ":stall=0s/3s"};
  for (auto end = x.elapsed() + 600s; x.elapsed() < end;) {
    auto& side = random.one_in(2) ? x.client : x.server;
    x.fault(side, to_string(all_layers[random.below(all_layers.size())])
                    + ways[random.below(ways.size())]);
    x.stream.run(std::chrono::seconds{4 + random.below(4)});
    x.clear_faults(side);
    if (auto excess = x.excess(); !excess.empty())
      return "piles up: " + excess + x.story();
  }
  return check_recovery(x, totals);
}

} // namespace

CAF_TEST(a third hour on a bad link) {
  chaos_totals totals;
  for (auto& what : hours_of_chaos(51, 75, totals))
    CAF_ERROR(what);
  CAF_MESSAGE(totals.text());
}

CAF_TEST(a fourth hour on a bad link) {
  chaos_totals totals;
  for (auto& what : hours_of_chaos(76, 100, totals))
    CAF_ERROR(what);
  CAF_MESSAGE(totals.text());
}

CAF_TEST(ten minutes on a bad link while layers die) {
  chaos_totals totals;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    if (auto what = deadly_minutes(seed, totals); !what.empty())
      CAF_ERROR("seed " << seed << ": " << what);
  CAF_MESSAGE(totals.text());
}

CAF_TEST(a layer that dies counts once also while an old key lingers) {
  // Three deaths in ten seconds, of each layer that a negotiation has; those of
  // the key before are there as well until the peer is heard under the next.
  for (auto* what : {"reliable", "control", "tls"})
    for (auto* how : {":kill=0s", ":crash=0s", ":stall=0s/3s"}) {
      pair_config cfg;
      cfg.faults.delay = 50ms;
      vpn_pair x{cfg};
      for (auto* side : {&x.client, &x.server}) {
        side->cfg->heartbeat = 2s;
        side->cfg->session.reneg_after = 0s;
      }
      x.start();
      CAF_REQUIRE(x.drive_to_connected(10s));
      x.drive(5s);
      for (auto i = 0; i < 10; ++i) {
        x.fault(x.client, std::string{what} + how);
        x.drive(4s);
        x.clear_faults(x.client);
      }
      x.drive(3s);
      if (!x.client.saw.ended.empty() || !x.server.saw.ended.empty()
          || !x.carries())
        CAF_ERROR(what << how << ": " << x.story());
      CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 10u);
      CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::connected), 1u);
    }
}
