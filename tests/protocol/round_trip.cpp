// The estimate of the round trip, by the numbers of its specification.
// spec: RFC 6298 2, 3, 5.5
#define CAF_SUITE protocol.round_trip

#include "vpn/protocol/round_trip.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

constexpr round_trip_limits limits{500ms, 100ms, 2s};

} // namespace

CAF_TEST(before a sample the wait is a guess) {
  round_trip x{limits};
  CAF_CHECK(!x.measured());
  CAF_CHECK(x.wait() == 500ms);
  CAF_CHECK(x.usual() == 500ms);
  round_trip impatient{{500ms, 100ms, 300ms}};
  CAF_CHECK(impatient.wait() == 300ms);
  // The longest wait is stronger than the shortest.
  round_trip strict{{500ms, 100ms, 40ms}};
  CAF_CHECK(strict.wait() == 40ms);
  strict.handle_sample(10ms);
  CAF_CHECK(strict.wait() == 40ms);
}

CAF_TEST(the first sample triples and the next ones settle) {
  round_trip x{limits};
  x.handle_sample(160ms);
  CAF_CHECK(x.measured());
  CAF_CHECK(x.usual() == 160ms);
  // 160 + 4 * 80
  CAF_CHECK(x.wait() == 480ms);
  x.handle_sample(160ms);
  // 160 + 4 * 60
  CAF_CHECK(x.wait() == 400ms);
  x.handle_sample(240ms);
  // Deviation 60 + (80 - 60) / 4 = 65, smoothed 160 + 80 / 8 = 170.
  CAF_CHECK(x.usual() == 170ms);
  CAF_CHECK(x.wait() == 430ms);
  x.handle_sample(90ms);
  // Deviation 65 + (80 - 65) / 4, smoothed 170 - 80 / 8.
  CAF_CHECK(x.usual() == 160ms);
  CAF_CHECK(x.wait() == 160ms + 4 * 68750us);
}

CAF_TEST(the wait stays between its limits) {
  round_trip x{limits};
  for (int i = 0; i < 100; ++i)
    x.handle_sample(1ms);
  CAF_CHECK(x.wait() == 100ms);
  // Where no peer takes its time, the path alone counts, and its jitter.
  CAF_CHECK(x.usual() == 20ms);
  for (int i = 0; i < 100; ++i)
    x.handle_sample(1h);
  CAF_CHECK(x.wait() == 2s);
  CAF_CHECK(x.usual() == 2s);
}

CAF_TEST(a clock that goes back is a round trip of nothing) {
  round_trip x{limits};
  x.handle_sample(-1h);
  CAF_CHECK(x.wait() == 100ms);
  x.handle_sample(-1h);
  CAF_CHECK(x.wait() == 100ms);
}

CAF_TEST(a late ack makes the wait longer until the next sample) {
  round_trip x{limits};
  x.handle_late_ack(800ms);
  CAF_CHECK(!x.measured());
  CAF_CHECK(x.wait() == 800ms);
  x.handle_late_ack(300ms);
  CAF_CHECK(x.wait() == 800ms);
  x.handle_late_ack(30s);
  CAF_CHECK(x.wait() == 2s);
  x.handle_sample(40ms);
  CAF_CHECK(x.wait() == 120ms);
  x.handle_late_ack(200ms);
  CAF_CHECK(x.wait() == 200ms);
  // It says how slow the path may be, not how fast it is.
  CAF_CHECK(x.usual() == 40ms);
  x.handle_late_ack(110ms);
  CAF_CHECK(x.wait() == 200ms);
}
