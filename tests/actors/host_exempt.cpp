// Another way around a tunnel that stands: another server, another network of
// this host. On a real kernel, in a network namespace of the test's own.
#define CAF_SUITE actors.host_exempt
#include "vpn/actors/host_journal.hpp"
#include "vpn/actors/host_network.hpp"

#include "tests/support/tunnel_host.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::protocol;
using vpn::test::ip;
using vpn::test::net;
using lines = vpn::test::lines;

namespace {

struct fixture : test::tunnel_host {
  static constexpr const char* first = "198.51.100.7";
  static constexpr const char* second = "198.51.100.8";

  lines exempt(host_network& host, const std::string& server) {
    return host.exempt(tunnel, device.name, ip(server));
  }

  /// As a laptop that is carried elsewhere; the default route comes later.
  void move_to_another_network() {
    CAF_REQUIRE(
      kernel.remove_address({index("up0"), net("192.0.2.10/24"), {}}));
    CAF_REQUIRE(kernel.add_address({index("up0"), net("203.0.113.10/24"), {}}));
  }

  void move_back() {
    CAF_REQUIRE(
      kernel.remove_address({index("up0"), net("203.0.113.10/24"), {}}));
    CAF_REQUIRE(kernel.add_address({index("up0"), net("192.0.2.10/24"), {}}));
  }

  /// The kernel's table has it, and so often.
  size_t routes_to(const std::string& destination) {
    auto all = kernel.routes(net(destination).address.kind);
    CAF_REQUIRE(all);
    return static_cast<size_t>(
      std::count_if(all->begin(), all->end(), [&](const kernel_route& x) {
        return x.destination == net(destination);
      }));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_exempt_tests, fixture)

// -- another server --

CAF_TEST(another server is reached around the tunnel) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  CAF_CHECK_EQUAL(way_to(second), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(way_to(first), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(way_to("198.51.100.9"), "tun0 via 10.8.0.1");
  // A second time there is nothing to do.
  said.clear();
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(exempt(host, first), lines{});
  CAF_CHECK_EQUAL(said, lines{});
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(the next tunnel keeps the way to its server and drops the former) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  exempt(host, second);
  said.clear();
  tunnel.server.address = ip(second);
  apply(host);
  CAF_CHECK_EQUAL(said,
                  lines{"ip route del 198.51.100.7/32 via 192.0.2.1 dev up0"});
  CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.1");
  // What was tried in vain goes as well.
  exempt(host, first);
  apply(host);
  CAF_CHECK_EQUAL(way_to(first), "tun0 via 10.8.0.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a plain redirection leads another server by the old default route) {
  add_route("0.0.0.0/0", "192.0.2.1", "up0", 100);
  auto before = dump();
  redirect(false);
  host_network host{to_said()};
  apply(host);
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.1");
  said.clear();
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(said, lines{});
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(the most specific route around the tunnel is the way) {
  add_default_routes();
  add_route("198.51.0.0/16", "192.0.2.9", "up0");
  auto before = dump();
  push("198.51.100.0/24");
  host_network host{to_said()};
  apply(host);
  CAF_CHECK_EQUAL(way_to(second), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.9");
  CAF_CHECK_EQUAL(way_to("198.51.100.9"), "tun0 via 10.8.0.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a pushed route to the other server makes room) {
  add_default_routes();
  auto before = dump();
  push("198.51.100.8/32");
  host_network host{to_said()};
  apply(host);
  CAF_CHECK_EQUAL(way_to(second), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a server over ipv6 is reached around the tunnel) {
  add_default_routes();
  auto before = dump();
  use_ipv6();
  redirect(true, true);
  host_network host{to_said()};
  apply(host);
  CAF_CHECK_EQUAL(way_to("2001:db8:99::8"), "tun0");
  CAF_CHECK_EQUAL(exempt(host, "2001:db8:99::8"), lines{});
  CAF_CHECK_EQUAL(way_to("2001:db8:99::8"), "up0 via 2001:db8:1::1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a neighbour is reached without a gateway) {
  add_default_routes();
  auto before = dump();
  redirect(false);
  host_network host{to_said()};
  apply(host);
  CAF_CHECK_EQUAL(exempt(host, "192.0.2.77"), lines{});
  CAF_CHECK_EQUAL(way_to("192.0.2.77"), "up0");
  CAF_CHECK(has("ip route add 192.0.2.77/32 dev up0"));
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(what the tunnel does not take in needs no exemption) {
  add_default_routes();
  push("10.0.0.0/8");
  host_network host{to_said()};
  apply(host);
  said.clear();
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  // Nor does an address of this host, or routes that are a script's business.
  redirect(true);
  CAF_CHECK_EQUAL(exempt(host, "127.0.0.1"), lines{});
  CAF_CHECK_EQUAL(exempt(host, "192.0.2.10"), lines{});
  tunnel.route_noexec = true;
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(said, lines{});
}

CAF_TEST(a route of somebody else that leads around is as good) {
  add_default_routes();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  add_route("198.51.100.8/32", "192.0.2.5", "up0");
  auto stands = dump();
  CAF_CHECK_EQUAL(exempt(host, second), lines{});
  CAF_CHECK_EQUAL(dump(), stands);
  host.undo();
  CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.5");
}

// -- another network --

CAF_TEST(with def1 the server is found in another network) {
  add_default_routes();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  // The kernel drops the exemption together with the address.
  move_to_another_network();
  CAF_CHECK_EQUAL(way_to(first), "tun0 via 10.8.0.1");
  auto missing = exempt(host, first);
  CAF_REQUIRE_EQUAL(missing.size(), 1u);
  CAF_CHECK_EQUAL(missing[0].find("no way to 198.51.100.7 around the tunnel"),
                  0u);
  add_route("0.0.0.0/0", "203.0.113.1", "up0");
  CAF_CHECK_EQUAL(exempt(host, first), lines{});
  CAF_CHECK_EQUAL(way_to(first), "up0 via 203.0.113.1");
  CAF_CHECK_EQUAL(routes_to("198.51.100.7/32"), 1u);
  // The next tunnel finds all as it needs it.
  said.clear();
  apply(host);
  CAF_CHECK_EQUAL(said, lines{});
  host.undo();
  CAF_CHECK_EQUAL(way_to(first), "up0 via 203.0.113.1");
  CAF_CHECK_EQUAL(routes_to("198.51.100.7/32"), 0u);
  CAF_CHECK_EQUAL(routes_to("0.0.0.0/1"), 0u);
}

CAF_TEST(another gateway takes the place of the former) {
  add_default_routes();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  CAF_REQUIRE(kernel.remove_route(route("0.0.0.0/0", "192.0.2.1", "up0")));
  add_route("0.0.0.0/0", "192.0.2.2", "up0");
  auto before = dump();
  CAF_CHECK_EQUAL(way_to(first), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(exempt(host, first), lines{});
  CAF_CHECK_EQUAL(way_to(first), "up0 via 192.0.2.2");
  CAF_CHECK_EQUAL(routes_to("198.51.100.7/32"), 1u);
  CAF_CHECK_EQUAL(dump().size(), before.size());
  host.undo();
  CAF_CHECK_EQUAL(way_to(first), "up0 via 192.0.2.2");
  CAF_CHECK_EQUAL(routes_to("198.51.100.7/32"), 0u);
}

CAF_TEST(an exemption stays when no other way is known) {
  add_default_routes();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  CAF_REQUIRE(kernel.remove_route(route("0.0.0.0/0", "192.0.2.1", "up0")));
  said.clear();
  CAF_CHECK_EQUAL(exempt(host, first), lines{});
  CAF_CHECK_EQUAL(said, lines{});
  CAF_CHECK_EQUAL(way_to(first), "up0 via 192.0.2.1");
}

CAF_TEST(a plain redirection finds the default route of another network) {
  add_route("0.0.0.0/0", "192.0.2.1", "up0");
  redirect(false);
  host_network host{to_said()};
  apply(host);
  move_to_another_network();
  // The old gateway is no neighbour any more: it leads nowhere.
  auto missing = exempt(host, first);
  CAF_REQUIRE_EQUAL(missing.size(), 1u);
  CAF_CHECK_EQUAL(missing[0].find("no way to 198.51.100.7 around the tunnel"),
                  0u);
  CAF_CHECK_EQUAL(routes_to("198.51.100.7/32"), 0u);
  add_route("0.0.0.0/0", "203.0.113.1", "up0", 50);
  CAF_CHECK_EQUAL(exempt(host, first), lines{});
  CAF_CHECK_EQUAL(way_to(first), "up0 via 203.0.113.1");
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
  // The default route of the network that was left is not owed to anybody.
  host.undo();
  CAF_CHECK_EQUAL(host.journal().size(), 0u);
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 203.0.113.1");
  CAF_CHECK_EQUAL(routes_to("0.0.0.0/0"), 1u);
}

CAF_TEST(a default route is owed until this host has another) {
  add_route("0.0.0.0/0", "192.0.2.1", "up0");
  redirect(false);
  host_network host{to_said()};
  apply(host);
  move_to_another_network();
  host.undo();
  CAF_CHECK_EQUAL(host.journal().size(), 1u);
  move_back();
  host.undo();
  CAF_CHECK_EQUAL(host.journal().size(), 0u);
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
}

CAF_TEST(without any way there is a warning and nothing else) {
  add_default_routes();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  CAF_REQUIRE(kernel.remove_route(route("0.0.0.0/0", "192.0.2.1", "up0")));
  auto stands = dump();
  auto journal = host.journal();
  CAF_CHECK_EQUAL(exempt(host, second),
                  lines{"no way to 198.51.100.8 around the tunnel: all routes "
                        "lead into the tunnel"});
  CAF_CHECK_EQUAL(exempt(host, "10.8.0.2"),
                  lines{"no way to 10.8.0.2 around the tunnel: the tunnel has "
                        "the same address"});
  CAF_CHECK_EQUAL(dump(), stands);
  CAF_CHECK(host.journal() == journal);
}

// -- another HOST --

CAF_TEST(one with the same journal exempts as well) {
  for (auto def1 : {true, false}) {
    auto default_route = route("0.0.0.0/0", "192.0.2.1", "up0");
    CAF_REQUIRE(kernel.add_route(default_route));
    auto before = dump();
    redirect(def1);
    tunnel.server.address = ip(first);
    auto journal = std::make_shared<host_journal>();
    {
      host_network host{to_said(), journal};
      apply(host);
    }
    {
      host_network next{to_said(), journal};
      CAF_CHECK_EQUAL(exempt(next, second), lines{});
      CAF_CHECK_EQUAL(way_to(second), "up0 via 192.0.2.1");
      said.clear();
      CAF_CHECK_EQUAL(exempt(next, first), lines{});
      CAF_CHECK_EQUAL(exempt(next, second), lines{});
      CAF_CHECK_EQUAL(said, lines{});
      // The tunnel of the session that comes knows it again.
      tunnel.server.address = ip(second);
      apply(next);
      CAF_CHECK_EQUAL(
        said, lines{"ip route del 198.51.100.7/32 via 192.0.2.1 dev up0"});
      CAF_CHECK_EQUAL(exempt(next, first), lines{});
    }
    CAF_CHECK(!journal->empty());
    {
      host_network last{to_said(), journal};
      last.undo();
    }
    CAF_CHECK(journal->empty());
    CAF_CHECK_EQUAL(dump(), before);
    CAF_REQUIRE(kernel.remove_route(default_route));
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
