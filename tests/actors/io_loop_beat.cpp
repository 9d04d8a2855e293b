// The heartbeat of a loop: it counts rounds, and it is silent while the loop
// is.
// spec: design 6
#define CAF_SUITE actors.io_loop_beat
#include "vpn/actors/loop_beat.hpp"

#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;

namespace {

using fixture = test::loop_fixture;

} // namespace

CAF_TEST_FIXTURE_SCOPE(io_loop_beat_tests, fixture)

CAF_TEST(a loop that turns counts its rounds) {
  uint64_t last = 0;
  for (int i = 0; i < 10; ++i) {
    uint64_t rounds = 0;
    on_loop([&] {
      rounds = loop.rounds();
    });
    CAF_CHECK(rounds > last);
    last = rounds;
    finish_round();
  }
}

CAF_TEST(the beat tells the rounds of its loop) {
  auto beat = own(spawn_loop_beat(sys, loop));
  uint64_t last = 0;
  for (int i = 0; i < 10; ++i) {
    auto rounds = ask<uint64_t>(beat, atom::beat_v);
    CAF_CHECK(rounds > last);
    CAF_CHECK(rounds <= loop.rounds());
    last = rounds;
    finish_round();
  }
}

CAF_TEST(the beat is silent while the loop hangs) {
  auto beat = own(spawn_loop_beat(sys, loop));
  auto first = ask<uint64_t>(beat, atom::beat_v);
  test::channel<int> hangs, goes_on;
  loop.post([&] {
    hangs.put(1);
    goes_on.take();
  });
  CAF_REQUIRE(hangs.take());
  auto stuck_at = loop.rounds();
  auto answer = self->request(beat, std::chrono::milliseconds{1}, atom::beat_v);
  auto silent = false;
  answer.receive([](uint64_t) {},
                 [&](caf::error& x) {
                   silent = x == caf::sec::request_timeout;
                 });
  CAF_CHECK(silent);
  CAF_CHECK_EQUAL(loop.rounds(), stuck_at);
  goes_on.put(1);
  CAF_CHECK(ask<uint64_t>(beat, atom::beat_v) > first);
  // The loop has left the channels before they go.
  finish_round();
}

CAF_TEST_FIXTURE_SCOPE_END()
