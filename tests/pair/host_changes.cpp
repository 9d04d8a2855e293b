// What becomes of a session when its host changes: another network, another
// address, a sleep.
// spec: design 5, 6
#define CAF_SUITE pair.host_changes
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

const ip_address own = *parse_ip("192.0.2.1");
const ip_address other = *parse_ip("192.0.2.99");

void lose(vpn_pair& x, const ip_address& address) {
  caf::anon_send(x.client.supervisor, actors::addresses_changed{{address}});
  x.drive(0s);
}

void connect(vpn_pair& x) {
  x.start();
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
  x.drive(1s);
}

} // namespace

CAF_TEST(a session goes on from another address when its own is gone) {
  vpn_pair x;
  connect(x);
  lose(x, own);
  x.drive(1s);
  CAF_CHECK_EQUAL(x.client.sockets, 2u);
  CAF_CHECK_EQUAL(x.client.saw.times("Initialization Sequence Completed"), 1u);
  CAF_CHECK(x.client.saw.noted("going on from another one"));
  // The way to the server is kept out of the tunnel first.
  CAF_CHECK_EQUAL(x.client.saw.exempted.size(), 1u);
  CAF_CHECK_EQUAL(x.client.saw.undone, 0u);
  CAF_CHECK(x.carries());
}

CAF_TEST(what changes elsewhere on the host costs one ping) {
  pair_config cfg;
  cfg.ping = 0;
  vpn_pair x{cfg};
  connect(x);
  auto sent = x.client.link.sent();
  lose(x, other);
  CAF_CHECK_EQUAL(x.client.link.sent(), sent + 1);
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  CAF_CHECK(x.carries());
}

CAF_TEST(a machine that slept pings at once) {
  pair_config cfg;
  cfg.ping = 0;
  vpn_pair x{cfg};
  connect(x);
  auto sent = x.client.link.sent();
  caf::anon_send(x.client.supervisor, actors::host_woke{3600});
  x.drive(0s);
  CAF_CHECK_EQUAL(x.client.link.sent(), sent + 1);
  CAF_CHECK(x.client.saw.noted("has slept for 3600 second(s)"));
}

CAF_TEST(an address that goes in the handshake begins another try) {
  vpn_pair x;
  x.set_link_up(false);
  x.start();
  x.drive(1s);
  lose(x, own);
  x.set_link_up(true);
  x.drive(3s);
  CAF_CHECK_EQUAL(x.client.sockets, 2u);
  if (!x.drive_to_connected(90s))
    CAF_FAIL(x.story());
}

CAF_TEST(another network cuts the wait for the next try short) {
  vpn_pair x;
  x.client.saw.resolved = {{}, {reason::resolve_failed, "no such name"}};
  x.client.cfg->plan.retry = 100s;
  x.start(x.client);
  x.drive(1s);
  auto asked = x.client.saw.lookups.size();
  lose(x, other);
  CAF_CHECK_EQUAL(x.client.saw.lookups.size(), asked + 1);
  // But not with everything that somebody changes.
  for (int i = 0; i < 40; ++i) {
    lose(x, other);
    x.drive(100ms);
  }
  CAF_CHECK_EQUAL(x.client.saw.lookups.size(), asked + 1);
  x.drive(1s);
  lose(x, other);
  CAF_CHECK_EQUAL(x.client.saw.lookups.size(), asked + 2);
}

CAF_TEST(the way to a server is kept out of a tunnel that stays) {
  pair_config cfg;
  cfg.restart_server = true;
  cfg.ping_restart = 20;
  vpn_pair x{cfg};
  x.client.cfg->persist_tun = true;
  connect(x);
  CAF_CHECK(x.client.saw.exempted.empty());
  caf::anon_send(x.client.supervisor, atom::restart_v);
  x.drive(3s);
  CAF_CHECK_EQUAL(x.client.saw.exempted.size(), 1u);
  CAF_CHECK_EQUAL(x.client.saw.undone, 0u);
  if (!x.drive_to_connected(90s))
    CAF_FAIL(x.story());
}
