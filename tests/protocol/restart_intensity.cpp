// Five restarts in ten seconds are too many.
// spec: design 6, anchors 6.2
#define CAF_SUITE protocol.restart_intensity

#include "vpn/protocol/restart_intensity.hpp"

#include "caf/test/unit_test.hpp"

#include <string>
#include <vector>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

instant at(int64_t ms) {
  instant result;
  result.steady = time_point{1h} + std::chrono::milliseconds{ms};
  return result;
}

/// "....x": which restarts, at these milliseconds, were too many.
std::string answers(const std::vector<int64_t>& when) {
  restart_intensity x;
  std::string result;
  for (auto ms : when)
    result += x.allow(at(ms)) ? '.' : 'x';
  return result;
}

} // namespace

CAF_TEST(four restarts at once are fine and the fifth is one too many) {
  CAF_CHECK_EQUAL(answers({0}), ".");
  CAF_CHECK_EQUAL(answers({0, 0, 0, 0}), "....");
  CAF_CHECK_EQUAL(answers({0, 0, 0, 0, 0}), "....x");
}

CAF_TEST(the window is ten seconds and its end is outside) {
  CAF_CHECK_EQUAL(answers({0, 1, 2, 3, 9'998}), "....x");
  CAF_CHECK_EQUAL(answers({0, 1, 2, 3, 9'999}), "....x");
  CAF_CHECK_EQUAL(answers({0, 1, 2, 3, 10'000}), ".....");
  CAF_CHECK_EQUAL(answers({0, 1, 2, 3, 10'001}), ".....");
}

CAF_TEST(the window slides with each restart) {
  // The second to the sixth are within the window, though the first is not.
  CAF_CHECK_EQUAL(answers({0, 5'000, 5'001, 5'002, 10'000, 14'999}), ".....x");
  CAF_CHECK_EQUAL(answers({0, 5'000, 5'001, 5'002, 10'000, 15'000}), "......");
  // A window that starts anew every ten seconds would allow these.
  CAF_CHECK_EQUAL(answers({9'000, 9'500, 9'999, 10'001, 10'500}), "....x");
}

CAF_TEST(restarts just far enough apart go on for ever) {
  std::vector<int64_t> when;
  for (int64_t i = 0; i < 1'000; ++i)
    when.push_back(i * 2'500);
  CAF_CHECK_EQUAL(answers(when), std::string(when.size(), '.'));
}

CAF_TEST(restarts a little too close end the session with the fifth) {
  std::vector<int64_t> when;
  for (int64_t i = 0; i < 5; ++i)
    when.push_back(i * 2'500 - (i == 4 ? 1 : 0));
  CAF_CHECK_EQUAL(answers(when), "....x");
}

CAF_TEST(what was too many counts as well) {
  CAF_CHECK_EQUAL(answers({0, 0, 0, 0, 0, 1, 9'999, 10'000, 10'001}),
                  "....xxx..");
  CAF_CHECK_EQUAL(answers({0, 0, 0, 0, 0, 10'000, 10'000, 10'000, 10'000}),
                  "....x....");
}

CAF_TEST(a clock that stands still or steps back allows no more) {
  CAF_CHECK_EQUAL(answers({5'000, 4'000, 3'000, 2'000, 1'000}), "....x");
}

CAF_TEST(each one has its own count) {
  restart_intensity x, y;
  for (int i = 0; i < 4; ++i) {
    CAF_CHECK(x.allow(at(0)));
    CAF_CHECK(y.allow(at(0)));
  }
  CAF_CHECK(!x.allow(at(0)));
  CAF_CHECK(y.allow(at(10'000)));
}
