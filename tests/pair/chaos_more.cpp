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

CAF_TEST(another hour on a bad link) {
  chaos_totals totals;
  for (uint64_t seed = 51; seed <= 100; ++seed)
    if (auto what = hour_of_chaos(seed, totals); !what.empty())
      CAF_ERROR("seed " << seed << ": " << what);
  CAF_MESSAGE(totals.text());
  CAF_CHECK(totals.arrived > totals.sent * 3 / 4);
  CAF_CHECK(totals.keys > 50u * 45);
}

CAF_TEST(ten minutes on a bad link while layers die) {
  chaos_totals totals;
  for (uint64_t seed = 1; seed <= 20; ++seed)
    if (auto what = deadly_minutes(seed, totals); !what.empty())
      CAF_ERROR("seed " << seed << ": " << what);
  CAF_MESSAGE(totals.text());
}
