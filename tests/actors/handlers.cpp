// The handlers every actor installs: nothing on standard output, and bugs that
// are heard.
#define CAF_SUITE actors.handlers
#include "vpn/actors/handlers.hpp"

#include "tests/support/actor_fixture.hpp"

#include <stdexcept>

using namespace vpn;
using namespace vpn::actors;

namespace {

/// Throws what it is told to.
caf::behavior thrower(caf::event_based_actor* self) {
  install_handlers(self);
  return {
    [](int) {
      throw std::runtime_error("out of order");
    },
    [](double) {
      throw 1;
    },
    [](bool x) {
      return x;
    },
  };
}

struct fixture : test::actor_fixture {
  caf::actor actor = own(sys.spawn(thrower));

  /// The reason with which the actor ended.
  std::string end_of_actor() {
    std::string result = "has not ended";
    self->receive(
      [&](const caf::down_msg& x) {
        result = sys.render(x.reason);
      },
      caf::after(std::chrono::seconds{0}) >> [] {});
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(handlers_tests, fixture)

CAF_TEST(an exception ends the actor with its text) {
  self->monitor(actor);
  tell(actor, 1);
  CAF_CHECK(end_of_actor().find("out of order") != std::string::npos);
}

CAF_TEST(whatever is thrown ends the actor) {
  self->monitor(actor);
  tell(actor, 1.0);
  CAF_CHECK(end_of_actor().find("unknown exception") != std::string::npos);
}

CAF_TEST(an unexpected message is answered with an error and no more) {
  auto x = ask<bool>(actor, std::string{"what is this"});
  CAF_REQUIRE(!x);
  CAF_CHECK(x.error() == caf::sec::unexpected_message);
  auto y = ask<bool>(actor, true);
  CAF_REQUIRE(y);
  CAF_CHECK(*y);
}

CAF_TEST(errors and ends of others change nothing) {
  auto other = own(sys.spawn(thrower));
  auto watcher = own(sys.spawn([=](caf::event_based_actor* self) {
    install_handlers(self);
    self->monitor(other);
    return caf::behavior{[](bool x) {
      return x;
    }};
  }));
  tell(other, 1);
  tell(watcher, caf::make_error(caf::sec::runtime_error, "stray"));
  auto y = ask<bool>(watcher, true);
  CAF_CHECK(y && *y);
}

CAF_TEST_FIXTURE_SCOPE_END()
