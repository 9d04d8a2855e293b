// What of a layer outlives it, and who gets it.
// spec: design 6
#define CAF_SUITE actors.checkpoint
#include "vpn/actors/checkpoint.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn::actors;

CAF_TEST(the block of the dead goes on) {
  checkpoint<int> kept;
  auto first = kept.take(succession::first);
  *first = 7;
  auto second = kept.take(succession::dead);
  CAF_CHECK(second == first);
  CAF_CHECK_EQUAL(*second, 7);
}

CAF_TEST(who is stuck finds nothing when it wakes up) {
  checkpoint<int> kept;
  auto first = kept.take(succession::first);
  *first = 7;
  auto second = kept.take(succession::stuck);
  CAF_CHECK_EQUAL(*second, 7);
  CAF_CHECK_EQUAL(*first, 0);
  *first = 8;
  CAF_CHECK_EQUAL(*second, 7);
}

CAF_TEST(a first one that comes late leaves the block to its successor) {
  for (auto how : {succession::stuck, succession::dead}) {
    checkpoint<int> kept;
    auto second = kept.take(how);
    *second = 7;
    auto first = kept.take(succession::first);
    CAF_CHECK(first != second);
    *first = 8;
    CAF_CHECK_EQUAL(*second, 7);
    CAF_CHECK(kept.take(succession::dead) == second);
  }
}
