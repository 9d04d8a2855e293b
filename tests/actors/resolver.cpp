// RESOLVER: what goes into the look-up and what comes out of it.
#define CAF_SUITE actors.resolver
#include "vpn/actors/resolver.hpp"

#include "tests/support/loop_fixture.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;

namespace {

struct fixture : test::loop_fixture {
  resolver_actor resolver = own(spawn_resolver(sys));

  resolve_result look_up(const std::string& host, const std::string& port,
                         family kind = family::unspecified) {
    return ask<resolve_result>(resolver,
                               resolve_request{host, port, kind, false});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(resolver_tests, fixture)

CAF_TEST(an answer holds endpoints or a failure) {
  auto good = look_up("192.0.2.1", "1194");
  CAF_CHECK(good.what.why == reason::none);
  CAF_REQUIRE_EQUAL(good.endpoints.size(), 1u);
  CAF_CHECK_EQUAL(to_string(good.endpoints[0]), "192.0.2.1:1194");
  auto other = look_up("192.0.2.1", "1194", family::v6);
  CAF_CHECK(other.what.why == reason::resolve_failed);
  CAF_CHECK(other.endpoints.empty());
  auto port = look_up("192.0.2.1", "no-such-service");
  CAF_CHECK(port.what.why == reason::bad_config);
}

CAF_TEST(each request gets its own answer) {
  for (int i = 1; i < 50; ++i) {
    auto x = look_up("192.0.2." + std::to_string(i), std::to_string(i));
    CAF_REQUIRE_EQUAL(x.endpoints.size(), 1u);
    CAF_CHECK_EQUAL(x.endpoints[0].port, i);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
