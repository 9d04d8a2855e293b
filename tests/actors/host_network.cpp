// HOST's work on a real kernel, in a network namespace of the test's own.
#define CAF_SUITE actors.host_network
#include "vpn/actors/host_network.hpp"

#include "vpn/actors/host_journal.hpp"

#include "tests/support/tunnel_host.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::protocol;
using vpn::test::ip;
using vpn::test::net;
using lines = vpn::test::lines;

CAF_TEST_FIXTURE_SCOPE(host_network_tests, test::tunnel_host)

CAF_TEST(a subnet tunnel gets its link and address and gives them back) {
  auto before = dump();
  host_network host{to_said()};
  CAF_CHECK(apply(host).empty());
  CAF_CHECK_EQUAL(said, (lines{
                          "ip link set dev tun0 mtu 1400",
                          "ip link set dev tun0 txqueuelen 1000",
                          "ip link set dev tun0 up",
                          "ip addr add 10.8.0.2/24 dev tun0",
                        }));
  auto link = kernel.link("tun0");
  CAF_REQUIRE(link);
  CAF_CHECK_EQUAL(link->mtu, 1400u);
  CAF_CHECK_EQUAL(link->tx_queue_length, 1000u);
  CAF_CHECK(link->up);
  CAF_CHECK_EQUAL(way_to("10.8.0.9"), "tun0");
  CAF_CHECK_EQUAL(host.journal().size(), 4u);
  said.clear();
  host.undo();
  CAF_CHECK_EQUAL(said, (lines{
                          "ip addr del 10.8.0.2/24 dev tun0",
                          "ip link set dev tun0 down",
                          "ip link set dev tun0 txqueuelen 500",
                          "ip link set dev tun0 mtu 1500",
                        }));
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK(host.journal().empty());
}

CAF_TEST(a point to point tunnel names its peer) {
  auto before = dump();
  tunnel.layout = topology::net30;
  tunnel.address4 = net("10.8.0.6/32");
  tunnel.peer4 = ip("10.8.0.5");
  tunnel.gateway4 = {};
  push("10.8.0.1/32");
  {
    host_network host{to_said()};
    CAF_CHECK(apply(host).empty());
    CAF_CHECK(has("ip addr add 10.8.0.6 peer 10.8.0.5 dev tun0"));
    CAF_CHECK(has("ip route add 10.8.0.1/32 via 10.8.0.5 dev tun0"));
    CAF_CHECK_EQUAL(way_to("10.8.0.5"), "tun0");
    CAF_CHECK_EQUAL(way_to("10.8.0.1"), "tun0 via 10.8.0.5");
  }
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK(has("ip addr del 10.8.0.6 peer 10.8.0.5 dev tun0"));
}

CAF_TEST(pushed routes take the gateway they name) {
  add_default_routes();
  auto before = dump();
  push("10.1.2.3/8", gateway_kind::vpn, "", 77);
  push("203.0.113.0/24", gateway_kind::net);
  push("203.0.114.0/24", gateway_kind::address, "192.0.2.99");
  push("203.0.115.0/24", gateway_kind::address, "10.8.0.33");
  push("2001:db8:2::/48", gateway_kind::net);
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(has("ip route add 10.0.0.0/8 via 10.8.0.1 dev tun0 metric 77"));
  CAF_CHECK(has("ip route add 203.0.113.0/24 via 192.0.2.1 dev up0"));
  CAF_CHECK(has("ip route add 203.0.114.0/24 via 192.0.2.99 dev up0"));
  CAF_CHECK(has("ip route add 203.0.115.0/24 via 10.8.0.33 dev tun0"));
  CAF_CHECK(has("ip -6 route add 2001:db8:2::/48 via 2001:db8:1::1 dev up0"));
  CAF_CHECK_EQUAL(way_to("10.200.0.1"), "tun0 via 10.8.0.1");
  CAF_CHECK_EQUAL(way_to("203.0.113.5"), "up0 via 192.0.2.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a route that cannot be is skipped with a warning) {
  tunnel.gateway4 = {};
  push("10.0.0.0/8");
  push("203.0.113.0/24", gateway_kind::net);
  push("203.0.114.0/24", gateway_kind::address, "8.8.8.8");
  push("203.0.115.0/24", gateway_kind::address, "fd00::1");
  push("203.0.116.0/24", gateway_kind::address, "10.8.0.2");
  push("224.0.0.0/4", gateway_kind::address, "255.255.255.255");
  push("10.0.0.0/8");
  tunnel.routes.back().destination.length = 99;
  tunnel.routes.push_back({});
  host_network host{to_said()};
  auto warnings = apply(host);
  CAF_CHECK_EQUAL(warnings.size(), tunnel.routes.size());
  CAF_CHECK(has_part(warnings, "10.0.0.0/8 is skipped: its gateway is not"));
  CAF_CHECK(has_part(warnings, "had no default gateway before"));
  CAF_CHECK(has_part(warnings, "8.8.8.8 is not a neighbour"));
  CAF_CHECK(has_part(warnings, "same family"));
  CAF_CHECK(has_part(warnings, "10.8.0.2 is not a neighbour"));
  CAF_CHECK(has_part(warnings, "without a valid destination"));
  CAF_CHECK_EQUAL(host.journal().size(), 4u);
}

CAF_TEST(a gateway outside of the tunnel network is taken as its peer) {
  auto before = dump();
  tunnel.gateway4 = ip("10.99.0.1");
  push("10.0.0.0/8");
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(has("ip route add 10.0.0.0/8 via 10.99.0.1 dev tun0 onlink"));
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a route that was there before stays before during and after) {
  add_default_routes();
  add_route("10.0.0.0/8", "192.0.2.50", "up0");
  auto before = dump();
  push("10.0.0.0/8");
  push("10.1.0.0/16");
  push("10.1.0.0/16");
  host_network host{to_said()};
  auto warnings = apply(host);
  CAF_CHECK_EQUAL(warnings,
                  (lines{"such a route was there before, and stays as it is: "
                         "ip route add 10.0.0.0/8 via 10.8.0.1 dev tun0"}));
  CAF_CHECK_EQUAL(way_to("10.2.0.1"), "up0 via 192.0.2.50");
  CAF_CHECK_EQUAL(way_to("10.1.0.1"), "tun0 via 10.8.0.1");
  host.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(ipv6 routes work without a gateway) {
  use_ipv6();
  tunnel.gateway6 = {};
  push("2001:db8:5::/48");
  host_network host{to_said()};
  CAF_CHECK_EQUAL(apply(host), lines{});
  CAF_CHECK(has("ip -6 route add 2001:db8:5::/48 dev tun0"));
}

CAF_TEST(a failure half way leaves nothing) {
  add_default_routes();
  use_ipv6();
  redirect(false, true);
  push("10.0.0.0/8");
  size_t total = 0;
  {
    host_network host{to_said()};
    apply(host);
    total = said.size();
  }
  device.fd.reset();
  auto before = dump();
  // Pulls the device away after each number of changes in turn.
  for (size_t steps = 1; steps < total; ++steps) {
    device = open_device();
    said.clear();
    host_network host{[&](const std::string& x) {
      said.push_back(x);
      if (said.size() == steps)
        device.fd.reset();
    }};
    auto text = fail(host);
    CAF_CHECK_EQUAL(text.substr(0, 3), "ip ");
    CAF_CHECK(host.journal().empty());
    CAF_CHECK_EQUAL(dump(), before);
  }
  CAF_CHECK_EQUAL(total, 13u);
}

CAF_TEST(a value the kernel does not take is a failure that says so) {
  auto before = dump();
  tunnel.mtu = 100000;
  host_network host{to_said()};
  auto text = fail(host);
  CAF_CHECK_EQUAL(text.substr(0, text.find(':')),
                  "ip link set dev tun0 mtu 100000");
  CAF_CHECK(said.empty());
  CAF_CHECK_EQUAL(dump(), before);
  tunnel.mtu = 1400;
  tunnel.address4->address.kind = family::v6;
  CAF_CHECK_EQUAL(fail(host), "the IPv4 address of the tunnel is not one");
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(without privileges the failure says what to do) {
  host_network host{to_said()};
  CAF_REQUIRE_EQUAL(::seteuid(65534), 0);
  auto result = host.apply(tunnel, device.name);
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  CAF_REQUIRE(!result);
  CAF_CHECK_EQUAL(result.error().text,
                  "ip link set dev tun0 mtu 1400: Operation not permitted; run "
                  "as root or with CAP_NET_ADMIN");
}

CAF_TEST(a device that is not there is a failure) {
  host_network host{to_said()};
  for (auto name : {"tun9", "a name with more than fifteen bytes"}) {
    auto result = host.apply(tunnel, name);
    CAF_REQUIRE(!result);
    CAF_CHECK_EQUAL(result.error().text,
                    "device " + std::string{name} + ": No such device");
  }
  auto none = host.apply(tunnel, "");
  CAF_CHECK(none);
  CAF_CHECK(said.empty());
}

CAF_TEST(undo can be said twice and apply takes back what was) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  auto first = dump();
  apply(host);
  CAF_CHECK_EQUAL(dump(), first);
  host.undo();
  said.clear();
  host.undo();
  CAF_CHECK(said.empty());
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a device that went away does not keep the rest from being undone) {
  add_default_routes();
  redirect(false);
  host_network host{to_said()};
  apply(host);
  device.fd.reset();
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "none");
  said.clear();
  host.undo();
  CAF_CHECK_EQUAL(
    said, (lines{"ip route add default via 192.0.2.1 dev up0 proto boot",
                 "ip route del 198.51.100.7/32 via 192.0.2.1 dev up0"}));
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
  CAF_CHECK(host.journal().empty());
}

CAF_TEST(what the kernel refuses to take back stays for another attempt) {
  add_default_routes();
  auto before = dump();
  redirect(false);
  host_network host{to_said()};
  apply(host);
  set_up("up0", false);
  said.clear();
  host.undo();
  CAF_CHECK_EQUAL(host.journal().size(), 1u);
  CAF_CHECK(has_part(said, "# ip route add default via 192.0.2.1 dev up0"));
  set_up("up0", true);
  host.undo();
  CAF_CHECK(host.journal().empty());
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
}

CAF_TEST(the journal of a dead process is taken over) {
  add_default_routes();
  auto before = dump();
  redirect(false);
  auto written = std::make_shared<host_journal>();
  size_t made = 0;
  {
    host_network dead{to_said(), written};
    apply(dead);
    CAF_CHECK(written->changes() == dead.journal());
    made = said.size();
    said.clear();
  }
  // With a journal that remembers it, an end is no reason to undo.
  CAF_CHECK(said.empty());
  CAF_CHECK(dump() != before);
  host_network next{to_said(), written};
  next.undo();
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK_EQUAL(said.size(), made);
  CAF_CHECK(written->empty());
}

CAF_TEST(another device with the old name is left alone) {
  auto written = std::make_shared<host_journal>();
  {
    host_network dead{{}, written};
    apply(dead);
  }
  device.fd.reset();
  // The kernel gives each new device a new index.
  device = open_device();
  CAF_REQUIRE_EQUAL(device.name, "tun0");
  tunnel.mtu = 1350;
  host_network other;
  apply(other);
  auto now = dump();
  host_network next{to_said(), written};
  next.undo();
  CAF_CHECK(said.empty());
  CAF_CHECK_EQUAL(dump(), now);
}

CAF_TEST(each change is in the journal before it is made) {
  add_default_routes();
  redirect(true);
  auto written = std::make_shared<host_journal>();
  size_t made = 0;
  host_network host{[&](const std::string& x) {
                      auto all = written->changes();
                      if (all.size() > made)
                        CAF_CHECK_EQUAL(to_command(all.back()), x);
                      made = all.size();
                    },
                    written};
  apply(host);
  CAF_CHECK_EQUAL(made, host.journal().size());
  CAF_CHECK(written->changes() == host.journal());
  // What the kernel refuses is not in it afterwards.
  tunnel.mtu = 100000;
  fail(host);
  CAF_CHECK(written->empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
