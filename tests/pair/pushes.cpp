// What a server pushes beside addresses: limits of a session, and updates of an
// established one.
#define CAF_SUITE pair.pushes
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::phase;

namespace {

void connect(vpn_pair& x) {
  x.start();
  if (!x.drive_to_connected(5s))
    CAF_FAIL(x.story());
}

void push(vpn_pair& x, std::string option) {
  x.server.cfg->session.server.push.push_back(std::move(option));
}

void update(vpn_pair& x, std::vector<std::string> options) {
  x.server.cfg->session.server.update = std::move(options);
}

std::vector<std::string> routes(const protocol::tunnel_config& x) {
  std::vector<std::string> result;
  for (auto& route : x.routes)
    result.push_back(to_string(route.destination));
  return result;
}

using strings = std::vector<std::string>;

constexpr auto completed = "Initialization Sequence Completed";

} // namespace

// -- the log --

CAF_TEST(a pushed verb reaches the log of the application) {
  vpn_pair x;
  std::vector<int> levels;
  x.client.cfg->parts.set_verbosity = [&](int level) {
    levels.push_back(level);
  };
  push(x, "verb 5");
  connect(x);
  CAF_CHECK_EQUAL(levels, std::vector<int>{5});
}

// -- limits --

CAF_TEST(a tunnel without traffic ends for good) {
  vpn_pair x;
  push(x, "inactive 20");
  x.client.settings().exit_notify = 1;
  connect(x);
  x.drive(15s);
  CAF_CHECK(x.carries());
  // Pings do not count.
  x.drive(18s);
  CAF_CHECK(vpn_pair::connected(x.client));
  x.drive(4s);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "none");
  CAF_CHECK(
    x.client.saw.noted("[server] Inactivity timeout (--inactive), exiting"));
  CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
  CAF_CHECK(x.server.saw.noted("Remote exit"));
}

CAF_TEST(a tunnel with less traffic than it must have ends) {
  vpn_pair x;
  push(x, "inactive 20 1000");
  connect(x);
  for (auto i = 0U; i < 5; ++i) {
    x.send(x.client, {numbered_packet(i, 30)});
    x.drive(5s);
  }
  CAF_CHECK(x.client.saw.noted("--inactive"));
  CAF_CHECK_EQUAL(x.client.saw.ended.size(), 1u);
}

CAF_TEST(a session ends when its time is over whatever happens) {
  vpn_pair x;
  push(x, "session-timeout 60");
  x.client.cfg->session.reneg_after = 20s;
  connect(x);
  for (auto i = 0; i < 55; ++i)
    CAF_CHECK(x.carries(3));
  x.drive(10s);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "none");
  CAF_CHECK(x.client.saw.noted("Session timeout, exiting"));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(each connection has the whole time of a session) {
  pair_config cfg;
  cfg.restart_server = true;
  vpn_pair x{cfg};
  push(x, "session-timeout 60");
  x.server.settings().exit_notify = 1;
  connect(x);
  x.drive(40s);
  x.stop(x.server);
  x.drive(3s);
  if (!x.drive_to_connected(5s))
    CAF_FAIL(x.story());
  x.drive(50s);
  CAF_CHECK(vpn_pair::connected(x.client));
  x.drive(15s);
  CAF_CHECK_EQUAL(x.client.saw.ended.size(), 1u);
}

// -- PUSH_UPDATE --

CAF_TEST(an update replaces the routes of a tunnel that stands) {
  vpn_pair x;
  update(x, {"route 10.1.0.0 255.255.0.0",
             "route 10.2.0.0 255.255.0.0 10.8.0.9", "tun-mtu 1400"});
  connect(x);
  CAF_CHECK(x.carries());
  x.drive(10s);
  CAF_REQUIRE_EQUAL(x.client.saw.applied.size(), 2u);
  CAF_CHECK(routes(x.client.saw.applied[0]) == strings{"192.168.77.0/24"});
  auto& tunnel = x.client.saw.applied[1];
  CAF_CHECK(routes(tunnel) == (strings{"10.1.0.0/16", "10.2.0.0/16"}));
  CAF_CHECK_EQUAL(tunnel.mtu, 1400u);
  // What the update does not mention stays.
  CAF_REQUIRE(tunnel.address4);
  CAF_CHECK_EQUAL(to_string(*tunnel.address4), "10.8.0.2/24");
  CAF_CHECK_EQUAL(to_string(tunnel.gateway4), "10.8.0.1");
  CAF_CHECK_EQUAL(x.client.saw.joined_order(), "apply route apply route");
  CAF_CHECK_EQUAL(x.client.saw.times(completed), 1u);
  CAF_CHECK_EQUAL(x.client.saw.count(phase::connected), 1u);
  CAF_CHECK(x.client.saw.noted("The server updated what it had pushed"));
  CAF_CHECK(x.client.saw.noted("The tunnel follows the server's update"));
  CAF_CHECK(vpn_pair::connected(x.client));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  CAF_CHECK(x.carries());
}

CAF_TEST(an update takes options away) {
  vpn_pair x;
  push(x, "block-ipv6");
  push(x, "dhcp-option DNS 10.8.0.1");
  update(x, {"-route", "-block-ipv6", "-?dhcp-option", "-?nonsense"});
  connect(x);
  x.drive(10s);
  CAF_REQUIRE_EQUAL(x.client.saw.applied.size(), 2u);
  CAF_CHECK(x.client.saw.applied[0].block_ipv6);
  auto& tunnel = x.client.saw.applied[1];
  CAF_CHECK(tunnel.routes.empty());
  CAF_CHECK(!tunnel.block_ipv6);
  CAF_CHECK(tunnel.dns.servers.empty());
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(an update changes how long silence may last) {
  vpn_pair x;
  update(x, {"keepalive 10 15"});
  connect(x);
  x.drive(10s);
  if (x.client.saw.times("The server updated") != 1)
    CAF_FAIL(x.story());
  x.set_link_up(false);
  x.drive(20s);
  CAF_CHECK(x.client.saw.noted("Inactivity timeout (--ping-restart)"));
}

CAF_TEST(a long update comes in parts over a lossy link) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    cfg.shuffle = true;
    vpn_pair x{cfg};
    strings options;
    for (auto i = 0; i < 120; ++i)
      options.push_back("route 10.99." + std::to_string(i)
                        + ".0 255.255.255.0");
    update(x, options);
    connect(x);
    link_faults faults;
    faults.lose = 200;
    faults.jitter = 40ms;
    x.set_faults(faults);
    if (!x.drive(1min, [&] {
          return x.client.saw.applied.size() == 2;
        }))
      CAF_FAIL("seed " << seed << ": " << x.story());
    CAF_CHECK_EQUAL(x.client.saw.applied[1].routes.size(), 120u);
  }
}

CAF_TEST(an update that must not be made restarts the client) {
  vpn_pair x;
  update(x, {"route 10.1.0.0 255.255.0.0", "cipher AES-128-GCM"});
  connect(x);
  x.drive(6s);
  CAF_CHECK_EQUAL(x.client.saw.applied.size(), 1u);
  if (!x.client.saw.noted("Failed to apply pushed update"))
    CAF_FAIL(x.story());
  CAF_CHECK_EQUAL(x.client.saw.count(phase::reconnecting), 1u);
  CAF_CHECK(x.client.saw.noted("SIGUSR1[soft,process-push-msg-failed]"));
  CAF_CHECK(x.client.saw.ended.empty());
}

CAF_TEST(an update whose optional parts are unknown is made) {
  vpn_pair x;
  update(x, {"?cipher AES-128-GCM", "?no-such-option 1",
             "route 10.1.0.0 255.255.0.0"});
  connect(x);
  x.drive(10s);
  CAF_REQUIRE_EQUAL(x.client.saw.applied.size(), 2u);
  CAF_CHECK(routes(x.client.saw.applied[1]) == strings{"10.1.0.0/16"});
  CAF_CHECK(vpn_pair::connected(x.client));
}

CAF_TEST(a host that fails at an update ends the session) {
  vpn_pair x;
  update(x, {"route 10.1.0.0 255.255.0.0"});
  connect(x);
  x.client.saw.host_answer = {reason::host_failed, "no room for a route"};
  x.drive(10s);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "host_failed");
  CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
}

CAF_TEST(a new key after an update is for the same session) {
  vpn_pair x;
  x.client.cfg->session.reneg_after = 10s;
  update(x, {"route 10.1.0.0 255.255.0.0"});
  connect(x);
  x.drive(35s);
  CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 3u);
  CAF_CHECK_EQUAL(x.client.saw.applied.size(), 2u);
  CAF_CHECK(x.carries());
}

// -- the rest --

CAF_TEST(routes that are refused are warnings and the tunnel stands) {
  vpn_pair x;
  x.client.saw.routes_answer.warnings = {"no route to 192.168.77.0/24"};
  connect(x);
  CAF_CHECK(x.client.saw.noted("no route to 192.168.77.0/24"));
  CAF_CHECK_EQUAL(x.client.saw.times(completed), 1u);
}

CAF_TEST(routes that would leak end the session) {
  vpn_pair x;
  x.client.saw.routes_answer.what = {reason::host_failed, "it would leak"};
  x.start();
  x.drive(5s);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "host_failed");
  CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
  CAF_CHECK_EQUAL(x.client.saw.count(phase::connected), 0u);
}

CAF_TEST(the server of a route through remote host is known) {
  vpn_pair x;
  push(x, "route remote_host 255.255.255.255 net_gateway");
  push(x, "route 10.5.0.0 255.255.0.0 remote_host");
  connect(x);
  CAF_REQUIRE_EQUAL(x.client.saw.applied.size(), 1u);
  auto& tunnel = x.client.saw.applied[0];
  CAF_CHECK(routes(tunnel)
            == (strings{"192.168.77.0/24", "192.0.2.2/32", "10.5.0.0/16"}));
  CAF_CHECK_EQUAL(to_string(tunnel.routes.back().gateway), "192.0.2.2");
}
