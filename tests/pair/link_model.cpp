// The lossy link of the pair suites: as lossy as it says, and the same for the
// same seed.
#define CAF_SUITE pair.link_model
#include "tests/support/link_model.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

const bytes datagram(100, 0x55);

/// Everything that becomes of `n` datagrams.
std::vector<link_model::delivery> run(link_model& x, int n) {
  std::vector<link_model::delivery> result;
  for (auto i = 0; i < n; ++i)
    for (auto& y : x.decide(byte_view{datagram}))
      result.push_back(std::move(y));
  return result;
}

link_faults faults(uint32_t lose, uint32_t duplicate, uint32_t corrupt) {
  link_faults result;
  result.lose = lose;
  result.duplicate = duplicate;
  result.corrupt = corrupt;
  return result;
}

} // namespace

CAF_TEST(a clean link delivers everything after its delay) {
  link_model x;
  auto got = run(x, 100);
  CAF_CHECK_EQUAL(got.size(), 100u);
  for (auto& y : got) {
    CAF_CHECK(y.data == datagram);
    CAF_CHECK(y.after == 10ms);
  }
}

CAF_TEST(rates are kept) {
  link_model x{faults(300, 100, 0), 3};
  auto got = run(x, 10000);
  CAF_CHECK_EQUAL(x.sent(), 10000u);
  CAF_CHECK(x.lost() > 2800 && x.lost() < 3200);
  CAF_CHECK(x.duplicated() > 600 && x.duplicated() < 800);
  CAF_CHECK_EQUAL(got.size(), x.sent() - x.lost() + x.duplicated());
}

CAF_TEST(corruption flips exactly one bit) {
  link_model x{faults(0, 0, 1000)};
  for (auto& y : run(x, 1000)) {
    CAF_REQUIRE_EQUAL(y.data.size(), datagram.size());
    auto flipped = 0;
    for (size_t i = 0; i < datagram.size(); ++i)
      for (auto bits = y.data[i] ^ datagram[i]; bits != 0; bits &= bits - 1)
        ++flipped;
    CAF_CHECK_EQUAL(flipped, 1);
  }
  CAF_CHECK(x.decide(byte_view{}).front().data.empty());
}

CAF_TEST(jitter stays between its bounds and reaches them) {
  link_faults f;
  f.jitter = 5ms;
  link_model x{f};
  std::vector<int> seen(6);
  for (auto& y : run(x, 1000)) {
    auto more = std::chrono::duration_cast<std::chrono::milliseconds>(
      y.after - duration{10ms});
    CAF_REQUIRE(more >= 0ms && more <= 5ms);
    ++seen[static_cast<size_t>(more.count())];
  }
  for (auto n : seen)
    CAF_CHECK(n > 100);
}

CAF_TEST(a link that is down loses everything) {
  link_model x;
  x.set_up(false);
  CAF_CHECK(run(x, 10).empty());
  x.set_up(true);
  CAF_CHECK_EQUAL(run(x, 10).size(), 10u);
}

CAF_TEST(the same seed gives the same decisions) {
  auto f = faults(300, 100, 60);
  f.jitter = 50ms;
  auto same = [](link_model x, link_model y) {
    auto a = run(x, 500);
    auto b = run(y, 500);
    auto equal = a.size() == b.size();
    for (size_t i = 0; equal && i < a.size(); ++i)
      equal = a[i].after == b[i].after && a[i].data == b[i].data;
    return equal;
  };
  CAF_CHECK(same(link_model{f, 7}, link_model{f, 7}));
  CAF_CHECK(!same(link_model{f, 7}, link_model{f, 8}));
}

CAF_TEST(one more fault does not change the fate of other datagrams) {
  link_model x{faults(0, 0, 0), 5};
  link_model y{faults(0, 1000, 0), 5};
  link_faults with_jitter;
  with_jitter.jitter = 50ms;
  x.set_faults(with_jitter);
  with_jitter.duplicate = 1000;
  y.set_faults(with_jitter);
  for (auto i = 0; i < 100; ++i)
    CAF_CHECK(x.decide(byte_view{datagram}).front().after
              == y.decide(byte_view{datagram}).front().after);
}
