// Two clocks that run apart are a machine that has slept.
// spec: design 6
#define CAF_SUITE protocol.sleep_detector
#include "vpn/protocol/sleep_detector.hpp"

#include "caf/test/unit_test.hpp"

#include <limits>

using vpn::protocol::sleep_detector;

namespace {

constexpr int64_t second = 1'000'000'000;

struct fixture {
  sleep_detector uut;
  int64_t monotonic = 5000 * second;
  /// What the machine slept before anybody looked.
  int64_t apart = 777 * second;

  std::optional<uint64_t> look() {
    return uut.handle(monotonic + apart, monotonic);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(sleep_detector_tests, fixture)

CAF_TEST(the first look tells nothing) {
  CAF_CHECK(!look());
}

CAF_TEST(time that passes awake is no sleep) {
  look();
  for (int64_t step : {int64_t{1}, second, 3600 * second, 1000000 * second}) {
    monotonic += step;
    CAF_CHECK(!look());
  }
}

CAF_TEST(a sleep is told once with its seconds) {
  look();
  apart += 90 * second + second / 2;
  monotonic += second;
  CAF_CHECK(look() == 90u);
  CAF_CHECK(!look());
  monotonic += 3600 * second;
  CAF_CHECK(!look());
  apart += 2 * second;
  CAF_CHECK(look() == 2u);
}

CAF_TEST(a nap of a second is none and a little more is one) {
  look();
  apart += second;
  CAF_CHECK(!look());
  apart += 1;
  CAF_CHECK(look() == 1u);
}

CAF_TEST(short naps add up) {
  look();
  for (int i = 0; i < 2; ++i) {
    apart += second * 4 / 10;
    CAF_CHECK(!look());
  }
  apart += second * 4 / 10;
  CAF_CHECK(look() == 1u);
}

CAF_TEST(a pause between the clocks is no sleep) {
  look();
  // The second clock was read three seconds late.
  CAF_CHECK(!uut.handle(monotonic + apart, monotonic + 3 * second));
  monotonic += 3 * second;
  CAF_CHECK(!look());
  apart += 5 * second;
  CAF_CHECK(look() == 5u);
}

CAF_TEST(no reading of a clock is too much) {
  constexpr auto low = std::numeric_limits<int64_t>::min();
  constexpr auto high = std::numeric_limits<int64_t>::max();
  for (auto a : {low, low + 1, int64_t{-1}, int64_t{0}, int64_t{1}, high})
    for (auto b : {low, low + 1, int64_t{-1}, int64_t{0}, int64_t{1}, high})
      for (auto c : {low, int64_t{0}, high}) {
        sleep_detector x;
        CAF_CHECK(!x.handle(a, b));
        auto slept = x.handle(c, b);
        CAF_CHECK(!slept || *slept <= uint64_t{high} / second);
      }
}

CAF_TEST_FIXTURE_SCOPE_END()
