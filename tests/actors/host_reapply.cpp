// A tunnel that takes the place of another on the same device: what both have
// in common stays untouched.
#define CAF_SUITE actors.host_reapply
#include "vpn/actors/host_journal.hpp"

#include "tests/support/tunnel_host.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

CAF_TEST_FIXTURE_SCOPE(host_reapply_tests, tunnel_host)

CAF_TEST(nothing is touched when nothing differs) {
  add_default_routes();
  redirect(true);
  push("10.0.0.0/8");
  host_network host{to_said()};
  apply(host);
  auto stands = dump();
  auto journal = host.journal();
  said.clear();
  apply(host);
  CAF_CHECK(said.empty());
  CAF_CHECK_EQUAL(dump(), stands);
  CAF_CHECK_EQUAL(host.journal().size(), journal.size());
}

CAF_TEST(only what differs is changed and the end is as the beginning) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  push("10.0.0.0/8");
  push("172.16.0.0/12");
  {
    host_network host{to_said()};
    apply(host);
    said.clear();
    tunnel.routes.erase(tunnel.routes.begin());
    push("192.168.0.0/16");
    apply(host);
    CAF_CHECK_EQUAL(said, (lines{
                            "ip route add 192.168.0.0/16 via 10.8.0.1 dev tun0",
                            "ip route del 10.0.0.0/8 via 10.8.0.1 dev tun0",
                          }));
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a route that leads elsewhere now takes the place of the old one) {
  add_default_routes();
  auto before = dump();
  push("10.0.0.0/8");
  {
    host_network host{to_said()};
    apply(host);
    tunnel.routes.clear();
    push("10.0.0.0/8", gateway_kind::net);
    apply(host);
    CAF_CHECK_EQUAL(way_to("10.1.1.1"), "up0 via 192.0.2.1");
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(another address takes the place of the old one) {
  auto before = dump();
  {
    host_network host{to_said()};
    apply(host);
    tunnel.address4 = net("10.9.0.2/24");
    tunnel.gateway4 = ip("10.9.0.1");
    apply(host);
    CAF_CHECK(has("ip addr del 10.8.0.2/24 dev tun0"));
    CAF_CHECK_EQUAL(way_to("10.9.0.7"), "tun0");
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(the device gets its own values back after several tunnels) {
  auto before = dump();
  {
    host_network host{to_said()};
    for (auto mtu : {1400u, 1300u, 1450u}) {
      tunnel.mtu = mtu;
      apply(host);
    }
    said.clear();
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a default route that was replaced is found again) {
  add_default_routes();
  auto before = dump();
  redirect(false);
  {
    host_network host{to_said()};
    apply(host);
    auto stands = dump();
    said.clear();
    apply(host);
    CAF_CHECK(said.empty());
    CAF_CHECK_EQUAL(dump(), stands);
    // And one that is wanted no more is restored.
    tunnel.redirect.ipv4 = false;
    apply(host);
    CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a failure in the second tunnel takes both back) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  host_network host{to_said()};
  apply(host);
  tunnel.mtu = 100000;
  fail(host);
  CAF_CHECK(host.journal().empty());
  device.fd.reset();
  device = open_device();
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
}

CAF_TEST(routes that never come leave only addresses) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  push("10.0.0.0/8");
  {
    host_network host{to_said()};
    apply(host);
    // The next tunnel gets its addresses and then nobody asks for routes.
    tunnel.address4 = net("10.9.0.2/24");
    CAF_REQUIRE(host.apply(tunnel, device.name));
    // A third one finds what both have left.
    apply(host);
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(route noexec and ifconfig noexec leave the host alone) {
  add_default_routes();
  redirect(true);
  push("10.0.0.0/8");
  tunnel.route_noexec = true;
  {
    host_network host{to_said()};
    apply(host);
    CAF_CHECK_EQUAL(way_to("10.1.1.1"), "up0 via 192.0.2.1");
    CAF_CHECK_EQUAL(way_to("10.8.0.7"), "tun0");
  }
  said.clear();
  tunnel.ifconfig_noexec = true;
  host_network host{to_said()};
  apply(host);
  CAF_CHECK(said.empty());
}

CAF_TEST(redirect private keeps the server outside without a default route) {
  add_default_routes();
  tunnel.redirect.is_private = true;
  host_network host{to_said()};
  apply(host);
  CAF_CHECK(has("ip route add 198.51.100.7/32 via 192.0.2.1 dev up0"));
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
}

CAF_TEST(block local takes the neighbours into the tunnel but the gateway) {
  add_default_routes();
  redirect(true);
  tunnel.redirect.block_local = true;
  auto before = dump();
  {
    host_network host{to_said()};
    apply(host);
    CAF_CHECK_EQUAL(way_to("192.0.2.1"), "up0 via 192.0.2.1");
    CAF_CHECK_EQUAL(way_to("192.0.2.9"), "tun0 via 10.8.0.1");
    CAF_CHECK_EQUAL(way_to("192.0.2.200"), "tun0 via 10.8.0.1");
    CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 192.0.2.1");
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(what others have taken away meanwhile is made again) {
  add_default_routes();
  auto before = dump();
  redirect(true);
  push("10.0.0.0/8");
  {
    host_network host{to_said()};
    apply(host);
    auto stands = dump();
    CAF_REQUIRE(kernel.remove_route(route("10.0.0.0/8", "10.8.0.1", "tun0")));
    said.clear();
    apply(host);
    CAF_CHECK_EQUAL(said,
                    (lines{"ip route add 10.0.0.0/8 via 10.8.0.1 dev tun0"}));
    CAF_CHECK_EQUAL(dump(), stands);
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a gateway that had to be called reachable is not tried anew) {
  tunnel.gateway4 = ip("10.99.0.1");
  push("10.0.0.0/8");
  host_network host{to_said()};
  apply(host);
  auto stands = dump();
  said.clear();
  apply(host);
  CAF_CHECK(said.empty());
  CAF_CHECK_EQUAL(dump(), stands);
}

CAF_TEST(one that comes after a death changes nothing that is the same) {
  add_default_routes();
  use_ipv6();
  auto before = dump();
  for (auto def1 : {true, false}) {
    redirect(def1, true);
    tunnel.routes.clear();
    push("10.0.0.0/8");
    auto written = std::make_shared<host_journal>();
    { apply(*std::make_unique<host_network>(to_said(), written)); }
    auto stands = dump();
    said.clear();
    host_network next{to_said(), written};
    CAF_CHECK_EQUAL(apply(next), lines{});
    CAF_CHECK_EQUAL(said, lines{});
    CAF_CHECK_EQUAL(dump(), stands);
    CAF_CHECK_EQUAL(to_string(next.former_gateway(family::v4)), "192.0.2.1");
    next.undo();
    CAF_CHECK_EQUAL(dump(), before);
    CAF_CHECK(written->empty());
  }
}

CAF_TEST(one that comes after a death changes only what differs) {
  add_default_routes();
  auto before = dump();
  redirect(false);
  push("10.0.0.0/8");
  push("172.16.0.0/12");
  auto written = std::make_shared<host_journal>();
  { apply(*std::make_unique<host_network>(to_said(), written)); }
  said.clear();
  tunnel.routes.erase(tunnel.routes.begin());
  push("192.168.0.0/16");
  {
    host_network next{to_said(), written};
    apply(next);
    CAF_CHECK_EQUAL(said, (lines{
                            "ip route add 192.168.0.0/16 via 10.8.0.1 dev tun0",
                            "ip route del 10.0.0.0/8 via 10.8.0.1 dev tun0",
                          }));
  }
  // And one more, which finds that nothing is wanted any more.
  host_network last{to_said(), written};
  last.undo();
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK(written->empty());
}

CAF_TEST(a death after each change is followed by the whole tunnel) {
  struct death {};
  add_default_routes();
  auto before = dump();
  redirect(false);
  push("10.0.0.0/8");
  for (size_t steps = 1;; ++steps) {
    auto written = std::make_shared<host_journal>();
    said.clear();
    auto died = false;
    try {
      host_network dead{[&](const std::string& x) {
                          said.push_back(x);
                          if (said.size() == steps)
                            throw death{};
                        },
                        written};
      apply(dead);
    } catch (const death&) {
      died = true;
    }
    host_network next{{}, written};
    CAF_CHECK_EQUAL(apply(next), lines{});
    CAF_CHECK_EQUAL(way_to("10.1.1.1"), "tun0 via 10.8.0.1");
    CAF_CHECK_EQUAL(way_to("8.8.8.8"), "tun0 via 10.8.0.1");
    CAF_CHECK_EQUAL(way_to("198.51.100.7"), "up0 via 192.0.2.1");
    next.undo();
    CAF_CHECK_EQUAL(dump(), before);
    CAF_CHECK(written->empty());
    if (!died)
      break;
  }
}

CAF_TEST(what was written down and not done is done by the next) {
  add_default_routes();
  auto before = dump();
  push("10.0.0.0/8");
  auto written = std::make_shared<host_journal>();
  { apply(*std::make_unique<host_network>(to_said(), written)); }
  CAF_REQUIRE(kernel.remove_route(route("10.0.0.0/8", "10.8.0.1", "tun0")));
  host_network next{to_said(), written};
  apply(next);
  CAF_CHECK_EQUAL(way_to("10.1.1.1"), "tun0 via 10.8.0.1");
  next.undo();
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST_FIXTURE_SCOPE_END()
