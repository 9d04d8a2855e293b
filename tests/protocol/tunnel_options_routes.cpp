// Routes, redirection and address translation, from a push and from a profile.
#define CAF_SUITE protocol.tunnel_options_routes

#include "protocol/tunnel_options_routes.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

ip_address ip(const char* text) {
  auto result = parse_ip(text);
  CAF_REQUIRE(result);
  return *result;
}

/// What the options of a profile come to.
finished_tunnel profile(const std::vector<strings>& options) {
  tunnel_draft draft;
  for (auto& words : options) {
    auto option = find_tunnel_option(words[0]);
    CAF_REQUIRE(option != nullptr);
    CAF_CHECK_EQUAL(option->apply(draft, words).error, "");
  }
  return finish(std::move(draft));
}

pull_config own_with_server(const char* server) {
  auto result = own_pull_config();
  result.tunnel.server = {ip(server), 1194, 0};
  return result;
}

redirect_config flags(const strings& pushed) {
  auto x = apply(pushed);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  return x.tunnel.redirect;
}

} // namespace

CAF_TEST(keywords stand for the server and for the own gateway) {
  auto own = own_with_server("198.51.100.7");
  auto x = apply({"route remote_host 255.255.255.255 net_gateway",
                  "route vpn_gateway", "route 10.1.0.0 255.255.0.0 remote_host",
                  "route-gateway 10.8.0.1"},
                 own);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  auto& routes = x.tunnel.routes;
  CAF_REQUIRE_EQUAL(routes.size(), 3u);
  CAF_CHECK_EQUAL(to_string(routes[0].destination), "198.51.100.7/32");
  CAF_CHECK(routes[0].to == route_target::network);
  CAF_CHECK(routes[0].via == gateway_kind::net);
  CAF_CHECK_EQUAL(to_string(routes[1].destination), "10.8.0.1/32");
  CAF_CHECK(routes[2].via == gateway_kind::address);
  CAF_CHECK(routes[2].gateway == ip("198.51.100.7"));
}

CAF_TEST(keywords stay open until what they stand for is known) {
  auto mine = profile({{"route", "remote_host", "default", "net_gateway"},
                       {"route", "vpn_gateway"},
                       {"route", "10.0.0.0", "255.0.0.0", "remote_host", "3"}});
  auto& open = mine.tunnel.routes;
  CAF_REQUIRE_EQUAL(open.size(), 3u);
  CAF_CHECK(open[0].to == route_target::remote_host);
  CAF_CHECK(!open[0].destination.address.defined());
  CAF_CHECK(open[1].to == route_target::vpn_gateway);
  CAF_CHECK(open[2].via == gateway_kind::remote);
  auto own = own_with_server("192.0.2.1");
  auto server = own.tunnel.server;
  own.tunnel = mine.tunnel;
  own.tunnel.server = server;
  auto x = apply({"ifconfig 10.8.0.6 10.8.0.5"}, own);
  auto& routes = x.tunnel.routes;
  CAF_CHECK_EQUAL(to_string(routes[0].destination), "192.0.2.1/32");
  CAF_CHECK_EQUAL(to_string(routes[1].destination), "10.8.0.5/32");
  CAF_CHECK(routes[2].gateway == ip("192.0.2.1") && routes[2].metric == 3u);
}

CAF_TEST(a server of the other family leaves an IPv4 keyword open) {
  auto x = apply({"route remote_host"}, own_with_server("2001:db8::1"));
  CAF_CHECK(x.tunnel.routes[0].to == route_target::remote_host);
  auto y = apply({"route-ipv6 fd00::/64 remote_host"},
                 own_with_server("2001:db8::1"));
  CAF_CHECK(y.tunnel.routes[0].gateway == ip("2001:db8::1"));
}

CAF_TEST(words named default leave things as they are) {
  auto x = apply({"route 10.0.0.0 default default default",
                  "route-ipv6 fd00::/64 default default",
                  "route-ipv6 fd01::/64 net_gateway_ipv6 9",
                  "route-ipv6 fd02::/64 vpn_gateway", "route-ipv6 fd03::5"});
  CAF_CHECK_EQUAL(x.warnings, strings{});
  auto& routes = x.tunnel.routes;
  CAF_REQUIRE_EQUAL(routes.size(), 5u);
  CAF_CHECK(routes[0].via == gateway_kind::vpn && !routes[0].metric);
  CAF_CHECK(routes[1].via == gateway_kind::vpn && !routes[1].metric);
  CAF_CHECK(routes[2].via == gateway_kind::net && routes[2].metric == 9u);
  CAF_CHECK(routes[3].via == gateway_kind::vpn);
  CAF_CHECK_EQUAL(to_string(routes[4].destination), "fd03::5/128");
}

CAF_TEST(a gateway by DHCP is refused with the reason) {
  auto x = apply({"route-gateway dhcp"});
  CAF_CHECK(mentions(x.warnings, "tap"));
  CAF_CHECK(!x.tunnel.gateway4.defined());
}

CAF_TEST(a delay before routes is kept) {
  CAF_CHECK_EQUAL(apply({"route-delay 5 60"}).tunnel.route_delay, 5u);
  CAF_CHECK_EQUAL(apply({"route-delay"}).tunnel.route_delay, 0u);
  CAF_CHECK_EQUAL(profile({{"route-delay", "7"}}).tunnel.route_delay, 7u);
}

CAF_TEST(only the profile leaves addresses and routes to scripts) {
  auto x = profile({{"ifconfig-noexec"}, {"route-noexec"}});
  CAF_CHECK(x.tunnel.ifconfig_noexec && x.tunnel.route_noexec);
  auto y = apply({"ifconfig-noexec", "route-noexec"});
  CAF_CHECK(!y.tunnel.ifconfig_noexec && !y.tunnel.route_noexec);
  CAF_CHECK_EQUAL(y.warnings.size(), 2u);
  auto own = own_pull_config();
  own.tunnel = x.tunnel;
  CAF_CHECK(apply({}, own).tunnel.route_noexec);
  tunnel_draft draft;
  draft.pushed = true;
  for (auto name : {"ifconfig-noexec", "route-noexec"})
    CAF_CHECK_NOT_EQUAL(find_tunnel_option(name)->apply(draft, {name}).error,
                        "");
}

CAF_TEST(flags of redirect gateway) {
  redirect_config wanted;
  wanted.ipv4 = true;
  CAF_CHECK(flags({"redirect-gateway"}) == wanted);
  wanted.def1 = wanted.ipv6 = true;
  CAF_CHECK(flags({"redirect-gateway def1 ipv6"}) == wanted);
  wanted.local = wanted.autolocal = wanted.bypass_dhcp = wanted.bypass_dns
    = wanted.block_local = true;
  CAF_CHECK(flags({"redirect-gateway def1 ipv6 local autolocal bypass-dhcp "
                   "bypass-dns block-local"})
            == wanted);
  redirect_config only6;
  only6.ipv6 = only6.local = true;
  CAF_CHECK(flags({"redirect-gateway ipv6 !ipv4 local"}) == only6);
  // Several add up.
  CAF_CHECK(flags({"redirect-gateway def1 ipv6 local autolocal",
                   "redirect-gateway bypass-dhcp bypass-dns block-local"})
            == wanted);
}

CAF_TEST(an unknown flag of a redirection makes it void) {
  for (auto text : {"redirect-gateway def2", "redirect-gateway def1 ipv4",
                    "redirect-private def1 x", "redirect-gateway \"\""}) {
    auto x = apply({text});
    CAF_CHECK(x.tunnel.redirect == redirect_config{});
    CAF_CHECK(mentions(x.warnings, "redirect-"));
  }
}

CAF_TEST(a private redirection keeps the way to the server alone) {
  redirect_config wanted;
  wanted.is_private = wanted.def1 = wanted.block_local = true;
  CAF_CHECK(flags({"redirect-private def1 block-local"}) == wanted);
  wanted.ipv4 = true;
  CAF_CHECK(flags({"redirect-gateway def1", "redirect-private block-local"})
            == wanted);
  redirect_config none;
  CAF_CHECK(flags({"redirect-private !ipv4"}) == none);
}

CAF_TEST(rules of address translation are kept in order) {
  auto own = own_pull_config();
  own.nat = profile({{"client-nat", "dnat", "192.168.0.0", "255.255.0.0",
                      "10.9.8.7"}})
              .nat;
  auto x = apply({"client-nat snat 10.1.2.3 255.255.0.0 172.16.9.9"}, own);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_REQUIRE_EQUAL(x.nat.size(), 2u);
  CAF_CHECK(!x.nat[0].source && x.nat[0].foreign == ip("10.9.0.0"));
  CAF_CHECK(x.nat[1].source);
  CAF_CHECK_EQUAL(to_string(x.nat[1].network), "10.1.0.0/16");
  CAF_CHECK(x.nat[1].foreign == ip("172.16.0.0"));
  CAF_CHECK_EQUAL(
    apply(strings(100, "client-nat snat 10.0.0.0 255.0.0.0 11.0.0.0"))
      .nat.size(),
    64u);
}

CAF_TEST(IPv6 may be blocked) {
  CAF_CHECK(apply({"block-ipv6"}).tunnel.block_ipv6);
  CAF_CHECK(!apply({}).tunnel.block_ipv6);
}
