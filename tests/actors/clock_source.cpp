// The machine's clocks.
#define CAF_SUITE actors.clock_source
#include "vpn/actors/clock_source.hpp"

#include "caf/test/unit_test.hpp"

#include <ctime>

using namespace vpn;
using namespace vpn::actors;

CAF_TEST(both halves come from the clocks of this machine) {
  system_clock_source clock;
  auto steady = std::chrono::steady_clock::now();
  auto seconds = std::time(nullptr);
  auto now = clock.now();
  CAF_CHECK(now.steady >= steady);
  CAF_CHECK(now.steady <= std::chrono::steady_clock::now());
  CAF_CHECK(now.unix_seconds >= seconds - 1);
  CAF_CHECK(now.unix_seconds <= std::time(nullptr) + 1);
}

CAF_TEST(steady time does not go back) {
  system_clock_source clock;
  auto last = clock.now();
  for (int i = 0; i < 10000; ++i) {
    auto now = clock.now();
    CAF_REQUIRE(now.steady >= last.steady);
    last = now;
  }
}
