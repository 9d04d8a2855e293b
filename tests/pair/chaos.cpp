// An hour on a link that does everything a link can do, with a new key every
// minute: what arrives is what was sent, nothing piles up, and when the link is
// good again, so is the tunnel. The second half of the seeds: chaos_more.cpp.
// spec: design 6, 7
#define CAF_SUITE pair.chaos
#include "tests/support/chaos_pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;

namespace {

run_digest digest_of_run(uint64_t seed, duration how_long) {
  seeded_run fixed{seed};
  chaos_pair x{seed};
  run_digest result;
  result.watch(x);
  x.start();
  x.stream.run(how_long);
  x.tap = nullptr;
  return result;
}

} // namespace

CAF_TEST(an hour on a bad link) {
  chaos_totals totals;
  for (auto& what : hours_of_chaos(1, 25, totals))
    CAF_ERROR(what);
  CAF_MESSAGE(totals.text());
}

CAF_TEST(another hour on a bad link) {
  chaos_totals totals;
  for (auto& what : hours_of_chaos(26, 50, totals))
    CAF_ERROR(what);
  CAF_MESSAGE(totals.text());
}

CAF_TEST(the same seed is the same run) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    auto first = digest_of_run(seed, 300s);
    auto second = digest_of_run(seed, 300s);
    CAF_CHECK(first.datagrams > 600);
    CAF_CHECK_EQUAL(first.datagrams, second.datagrams);
    CAF_CHECK_EQUAL(first.value, second.value);
    CAF_CHECK_NOT_EQUAL(first.value, digest_of_run(seed + 1, 300s).value);
  }
}
