// Redirection and the way around the tunnel, on a real kernel.
#define CAF_SUITE actors.host_redirect
#include "vpn/actors/host_network.hpp"

#include "tests/support/tunnel_host.hpp"

#include "caf/test/unit_test.hpp"

#include <fstream>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::protocol;
using vpn::test::ip;
using vpn::test::net;
using lines = vpn::test::lines;

CAF_TEST_FIXTURE_SCOPE(host_redirect_tests, test::tunnel_host)

CAF_TEST(redirect with def1 puts two halves before the default route) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(way_to("200.8.8.8"), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(way_to("2001:db8:9::1"), "up0 via 2001:db8:1::1");
  CAF_CHECK(has("ip route add 198.51.100.7/32 via 192.0.2.1 dev up0"));
  CAF_CHECK(has("ip route add 0.0.0.0/1 via 10.8.0.1 dev tun0"));
  CAF_CHECK(has("ip route add 128.0.0.0/1 via 10.8.0.1 dev tun0"));
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(redirect without def1 replaces the default route and restores it) {
  auto old = route("0.0.0.0/0", "192.0.2.1", "up0", 100);
  old.protocol = RTPROT_DHCP;
  old.source = ip("192.0.2.10");
  CAF_REQUIRE(kernel.add_route(old));
  add_route("0.0.0.0/0", "192.0.2.2", "up0", 600);
  auto before = dump();
  redirect(false);
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(has("ip route del default via 192.0.2.1 dev up0 proto dhcp "
                "src 192.0.2.10 metric 100"));
  CAF_CHECK(has("ip route add default via 10.8.0.1 dev tun0"));
  CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
  CAF_CHECK(dump() != before);
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
}

CAF_TEST(a default route with two hops stays behind two halves) {
  add_default_with_two_hops();
  auto before = dump();
  redirect(false);
  host_network host{to_said()};
  auto warnings = apply(host);
  CAF_CHECK(has_part(warnings, "more than could be restored"));
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(way_to("198.51.100.7").substr(0, 15), "up0 via 192.0.2");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a server on the same link gets a route without gateway) {
  add_default_routes();
  auto before = dump();
  tunnel.server.address = ip("192.0.2.77");
  for (auto def1 : {true, false}) {
    redirect(def1);
    host_network host{to_said()};
    CAF_CHECK_EQUAL(apply(host), lines{});
    CAF_CHECK(has("ip route add 192.0.2.77/32 dev up0"));
    CAF_CHECK_EQUAL(way_to("192.0.2.77"), "up0");
    host.undo();
    CAF_CHECK_EQUAL(dump(), before);
  }
  said.clear();
  tunnel.redirect.local = true;
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(!has("ip route add 192.0.2.77/32 dev up0"));
  CAF_CHECK_EQUAL(way_to("192.0.2.77"), "up0");
}

CAF_TEST(the flag local does not lead a distant server into the tunnel) {
  add_route("0.0.0.0/0", "", "up0");
  redirect(false);
  tunnel.redirect.local = true;
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0");
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
}

CAF_TEST(redirect of ipv6 takes all pieces and spares the server) {
  add_default_routes();
  auto before = dump();
  use_ipv6();
  redirect(true, true);
  tunnel.server.address = ip("2001:db8:99::7");
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(has("ip -6 addr add fd00:8::2/64 dev tun0"));
  CAF_CHECK(has(
    "ip -6 route add 2001:db8:99::7/128 via 2001:db8:1::1 dev up0 metric 1"));
  for (auto x : {"::/3", "2000::/4", "3000::/4", "fc00::/7"})
    CAF_CHECK(has("ip -6 route add " + std::string{x} + " dev tun0"));
  CAF_CHECK_EQUAL(way_to("2001:db8:99::7"), "up0 via 2001:db8:1::1");
  CAF_CHECK_EQUAL(way_to("2001:db8:99::8"), "tun0");
  CAF_CHECK_EQUAL(way_to("3fff::1"), "tun0");
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(no pushed route leads the server into the tunnel) {
  add_default_routes();
  auto before = dump();
  push("198.51.100.0/24");
  push("198.51.100.7/32");
  push("198.51.100.7/32", gateway_kind::address, "10.8.0.1");
  push("198.51.100.7/32", gateway_kind::net);
  host_network host{to_said()};
  auto warnings = apply(host);
  CAF_CHECK_EQUAL(warnings.size(), 2u);
  CAF_CHECK(has_part(warnings, "packets for the server into the tunnel"));
  CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(way_to("198.51.100.8"), "tun0 via 10.8.0.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
  // The same holds for the network the tunnel itself lies in.
  tunnel.routes.clear();
  tunnel.address4 = net("198.51.100.200/24");
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(way_to("198.51.100.8"), "tun0");
}

CAF_TEST(without such a route the server needs none of its own) {
  push("10.0.0.0/8");
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(!has_part(said, "198.51.100.7"));
}

CAF_TEST(a tunnel cannot have the address of its server) {
  add_default_routes();
  auto before = dump();
  tunnel.server.address = ip("10.8.0.2");
  host_network host{to_said()};
  CAF_CHECK(fail(host).find("same address") != std::string::npos);
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a server on this host needs no route) {
  add_default_routes();
  redirect(true);
  tunnel.server.address = ip("127.0.0.1");
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(!has_part(said, "127.0.0.1"));
}

CAF_TEST(a server nobody knows a way to refuses the redirection) {
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  CAF_CHECK_EQUAL(fail(host), "no way around the tunnel to the server "
                              "198.51.100.7: Network is unreachable");
  CAF_CHECK_EQUAL(dump(), before);
  tunnel.server = {};
  CAF_CHECK(has_part(apply(host), "not known"));
}

CAF_TEST(a gateway that counts as reachable stays so in the copy) {
  auto old = route("0.0.0.0/0", "172.31.1.1", "up0");
  old.on_link = true;
  CAF_REQUIRE(kernel.add_route(old));
  auto before = dump();
  redirect(false);
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(has("ip route add 198.51.100.7/32 via 172.31.1.1 dev up0 onlink"));
  CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 172.31.1.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a tunnel too small for ipv6 goes without or fails) {
  auto before = dump();
  use_ipv6();
  push("2001:db8:5::/48");
  tunnel.mtu = 1200;
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), (lines{"no IPv6 in the tunnel: IPv6 needs an "
                                      "MTU of 1280 or more, the tunnel has "
                                      "1200"}));
  CAF_CHECK(!has_part(said, "ip -6"));
  host.undo();
  redirect(true, true);
  add_default_routes();
  before = dump();
  CAF_CHECK(fail(host).find("1280") != std::string::npos);
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a host with ipv6 switched off gets the ipv4 half) {
  std::ofstream{"/proc/sys/net/ipv6/conf/tun0/disable_ipv6"} << "1";
  add_route("0.0.0.0/0", "192.0.2.1", "up0");
  auto before = dump();
  use_ipv6();
  redirect(true, true);
  push("2001:db8:5::/48");
  host_network host{to_said()};
  auto warnings = apply(host);
  CAF_CHECK_EQUAL(warnings.size(), 1u);
  CAF_CHECK(has_part(warnings, "no IPv6 in the tunnel"));
  CAF_CHECK(!has_part(said, "ip -6"));
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
  // Where IPv6 would leak out beside the tunnel this is no warning.
  add_route("::/0", "2001:db8:1::1", "up0");
  before = dump();
  CAF_CHECK(fail(host).find("ip -6 addr add") == 0);
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a gateway of another family cannot be copied) {
  add_default_via_ipv6();
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  CAF_CHECK_EQUAL(fail(host), "no way around the tunnel to the server "
                              "198.51.100.7: its gateway is of another family");
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST_FIXTURE_SCOPE_END()
