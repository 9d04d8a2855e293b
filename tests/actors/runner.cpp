// RUNNER: what goes into a program and what comes out of it.
#define CAF_SUITE actors.runner
#include "vpn/actors/runner.hpp"

#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;

namespace {

struct fixture : test::loop_fixture {
  runner_actor runner = own(spawn_runner(sys));

  run_result run(const std::vector<std::string>& words,
                 const std::vector<std::string>& environment = {},
                 uint32_t limit = 60) {
    return ask<run_result>(runner, run_request{words, environment, limit});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(runner_tests, fixture)

CAF_TEST(the status of a program comes back) {
  for (auto status : {0, 1, 77}) {
    auto x = run({"/bin/sh", "-c", "exit " + std::to_string(status)});
    CAF_CHECK(x.what.why == reason::none);
    CAF_CHECK_EQUAL(x.status, status);
  }
}

CAF_TEST(words and environment arrive) {
  auto x = run(
    {"/bin/sh", "-c", "test \"$1\" = 'a b' && test \"$X\" = y", "sh", "a b"},
    {"X=y"});
  CAF_CHECK(x.what.why == reason::none);
  CAF_CHECK_EQUAL(x.status, 0);
}

CAF_TEST(a program that cannot start is a failure) {
  auto x = run({"/no/such/program"});
  CAF_CHECK(x.what.why != reason::none);
  CAF_CHECK(x.what.text.find("/no/such/program") != std::string::npos);
  CAF_CHECK(run({}).what.why != reason::none);
}

CAF_TEST(a program that lasts too long is a failure) {
  auto x = run({"/bin/sh", "-c", "sleep 600"}, {}, 1);
  CAF_CHECK(x.what.why != reason::none);
  CAF_CHECK(!x.what.text.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
