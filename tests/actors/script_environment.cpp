// Variables and arguments of user scripts: the whole table, and what hostile
// values make of it.
#define CAF_SUITE actors.script_environment
#include "actors/script_environment.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

#include <algorithm>

using namespace vpn;
using namespace vpn::actors;

namespace {

using strings = std::vector<std::string>;

ip_address ip(const char* text) {
  return *parse_ip(text);
}

ip_prefix prefix(const char* text, family kind = family::v4) {
  return *parse_prefix(text, kind);
}

protocol::route_config route(const char* to, family kind = family::v4) {
  protocol::route_config result;
  result.destination = prefix(to, kind);
  return result;
}

protocol::peer_certificate certificate(int depth, const std::string& name) {
  protocol::peer_certificate result;
  result.depth = depth;
  result.subject = "C=DE, CN=" + name;
  result.common_name = name;
  result.serial = "4660";
  result.serial_hex = "12:34";
  result.sha1 = "aa:bb";
  result.sha256 = "cc:dd";
  result.fields = {{"C", "DE"}, {"CN", name}};
  return result;
}

script_facts full_tunnel() {
  script_facts x;
  x.host = "vpn.test";
  x.port = "443";
  x.tcp = true;
  x.local = {ip("192.0.2.77"), 5000, 0};
  x.remote = {ip("192.0.2.1"), 443, 0};
  x.common_name = "server";
  x.username = "alice";
  x.device = "tun7";
  x.chain = {certificate(0, "server"), certificate(1, "authority")};
  auto& t = x.tunnel;
  t.layout = protocol::topology::subnet;
  t.mtu = 1420;
  t.address4 = prefix("10.8.0.2/24");
  t.gateway4 = ip("10.8.0.1");
  t.address6 = prefix("2001:db8::2/64", family::v6);
  t.gateway6 = ip("2001:db8::1");
  t.routes = {route("10.1.0.0/16"), route("2001:db8:1::/48", family::v6),
              route("10.2.0.0/16")};
  t.routes[1].metric = 5;
  t.routes[2].gateway = ip("10.8.0.9");
  t.routes[2].metric = 20;
  t.redirect.ipv4 = true;
  x.net_gateway4 = ip("192.0.2.254");
  x.net_gateway6 = ip("2001:db8:99::1");
  t.foreign_options = {"dhcp-option DNS 10.8.0.1", "dhcp-option DOMAIN a.test"};
  t.dns.search_domains = {"a.test", "b.test"};
  x.extra = {{"MINE", "yes"}, {"OPENVPN_COLOUR", "blue"}};
  return x;
}

strings sorted(strings xs) {
  std::sort(xs.begin(), xs.end());
  return xs;
}

void check_equal(strings got, strings expected) {
  got = sorted(std::move(got));
  expected = sorted(std::move(expected));
  strings missing, surplus;
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(),
                      std::back_inserter(missing));
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(),
                      std::back_inserter(surplus));
  for (auto& x : missing)
    CAF_ERROR("missing: " << x);
  for (auto& x : surplus)
    CAF_ERROR("too much: " << x);
  CAF_CHECK_EQUAL(got.size(), expected.size());
}

bool has(const strings& xs, const std::string& line) {
  return std::find(xs.begin(), xs.end(), line) != xs.end();
}

bool names(const strings& xs, const std::string& name) {
  return std::any_of(xs.begin(), xs.end(), [&](auto& x) {
    return x.compare(0, name.size() + 1, name + '=') == 0;
  });
}

} // namespace

CAF_TEST(a full tunnel has a table of variables) {
  check_equal(make_script_environment(full_tunnel()),
              {"dev=tun7",
               "dev_type=tun",
               "script_context=init",
               "tun_mtu=1420",
               "link_mtu=0",
               "proto_1=tcp-client",
               "remote_1=vpn.test",
               "remote_port_1=443",
               "local_port_1=5000",
               "untrusted_ip=192.0.2.1",
               "untrusted_port=443",
               "trusted_ip=192.0.2.1",
               "trusted_port=443",
               "common_name=server",
               "username=alice",
               "ifconfig_local=10.8.0.2",
               "ifconfig_netmask=255.255.255.0",
               "ifconfig_broadcast=10.8.0.255",
               "route_vpn_gateway=10.8.0.1",
               "ifconfig_ipv6_local=2001:db8::2",
               "ifconfig_ipv6_netbits=64",
               "ifconfig_ipv6_remote=2001:db8::1",
               "route_network_1=10.1.0.0",
               "route_netmask_1=255.255.0.0",
               "route_gateway_1=10.8.0.1",
               "route_network_2=10.2.0.0",
               "route_netmask_2=255.255.0.0",
               "route_gateway_2=10.8.0.9",
               "route_metric_2=20",
               "route_ipv6_network_1=2001:db8:1::/48",
               "route_ipv6_gateway_1=2001:db8::1",
               "route_ipv6_metric_1=5",
               "redirect_gateway=1",
               "route_net_gateway=192.0.2.254",
               "net_gateway_ipv6=2001:db8:99::1",
               "foreign_option_1=dhcp-option DOMAIN a.test",
               "foreign_option_2=dhcp-option DNS 10.8.0.1",
               "foreign_option_3=dhcp-option DOMAIN-SEARCH a.test",
               "foreign_option_4=dhcp-option DOMAIN-SEARCH b.test",
               "dns_search_domain_1=a.test",
               "dns_search_domain_2=b.test",
               "tls_id_0=C=DE, CN=server",
               "tls_serial_0=4660",
               "tls_serial_hex_0=12:34",
               "tls_digest_0=aa:bb",
               "tls_digest_sha256_0=cc:dd",
               "X509_0_C=DE",
               "X509_0_CN=server",
               "tls_id_1=C=DE, CN=authority",
               "tls_serial_1=4660",
               "tls_serial_hex_1=12:34",
               "tls_digest_1=aa:bb",
               "tls_digest_sha256_1=cc:dd",
               "X509_1_C=DE",
               "X509_1_CN=authority",
               "MINE=yes",
               "OPENVPN_COLOUR=blue"});
}

CAF_TEST(nothing known means few variables) {
  check_equal(make_script_environment({}),
              {"dev=", "dev_type=tun", "script_context=init", "tun_mtu=1500",
               "link_mtu=0", "proto_1=udp", "redirect_gateway=0"});
}

CAF_TEST(layouts with a peer tell the peer) {
  for (auto layout : {protocol::topology::net30, protocol::topology::p2p}) {
    script_facts x;
    x.device = "tun0";
    x.tunnel.layout = layout;
    x.tunnel.address4 = prefix("10.8.0.6/32");
    x.tunnel.peer4 = ip("10.8.0.5");
    auto xs = make_script_environment(x);
    CAF_CHECK(has(xs, "ifconfig_local=10.8.0.6"));
    CAF_CHECK(has(xs, "ifconfig_remote=10.8.0.5"));
    CAF_CHECK(!names(xs, "ifconfig_netmask"));
    CAF_CHECK(!names(xs, "ifconfig_broadcast"));
    CAF_CHECK(
      script_arguments(x)
      == (strings{"tun0", "1500", "0", "10.8.0.6", "10.8.0.5", "init"}));
  }
}

CAF_TEST(a server on IPv6 has variables of its own) {
  script_facts x;
  x.remote = {ip("2001:db8::77"), 1194, 0};
  auto xs = make_script_environment(x);
  CAF_CHECK(has(xs, "trusted_ip6=2001:db8::77"));
  CAF_CHECK(has(xs, "untrusted_ip6=2001:db8::77"));
  CAF_CHECK(has(xs, "trusted_port=1194"));
  CAF_CHECK(!names(xs, "trusted_ip"));
}

CAF_TEST(a reconnect says so) {
  auto x = full_tunnel();
  x.restart = true;
  x.signal = "ping-restart";
  auto xs = make_script_environment(x);
  CAF_CHECK(has(xs, "script_context=restart"));
  CAF_CHECK(has(xs, "signal=ping-restart"));
  CAF_CHECK(
    script_arguments(x)
    == (strings{"tun7", "1420", "0", "10.8.0.2", "255.255.255.0", "restart"}));
}

CAF_TEST(name servers are told one by one) {
  script_facts x;
  protocol::dns_server a, b;
  a.addresses.resize(2);
  a.addresses[0].address = ip("10.8.0.1");
  a.addresses[1].address = ip("2001:db8::53");
  a.addresses[1].port = 853;
  a.resolve_domains = {"corp.test", "lab.test"};
  a.dnssec = protocol::dns_security::optional;
  a.transport = protocol::dns_transport::tls;
  a.sni = "dns.test";
  b.addresses.resize(1);
  b.addresses[0].address = ip("10.8.0.2");
  x.tunnel.dns.servers = {a, b};
  auto xs = make_script_environment(x);
  for (auto line :
       {"dns_server_1_address_1=10.8.0.1",
        "dns_server_1_address_2=2001:db8::53", "dns_server_1_port_2=853",
        "dns_server_1_resolve_domain_1=corp.test",
        "dns_server_1_resolve_domain_2=lab.test",
        "dns_server_1_dnssec=optional", "dns_server_1_transport=DoT",
        "dns_server_1_sni=dns.test", "dns_server_2_address_1=10.8.0.2"}) {
    CAF_MESSAGE(line);
    CAF_CHECK(has(xs, line));
  }
  CAF_CHECK(!names(xs, "dns_server_1_port_1"));
  CAF_CHECK(!names(xs, "dns_server_2_dnssec"));
  CAF_CHECK(!names(xs, "dns_server_2_transport"));
}

// -- hostile values --

CAF_TEST(control characters become harmless) {
  const std::string bad{"a\nPATH=/tmp\r\t\x1b[0m\x7f\0b", 20};
  auto x = full_tunnel();
  x.common_name = bad;
  x.username = bad;
  x.host = bad;
  x.tunnel.foreign_options = {bad};
  x.tunnel.dns.search_domains = {bad};
  x.chain[0].subject = bad;
  x.chain[0].fields = {{"CN", bad}};
  x.extra = {{"MINE", bad}};
  auto xs = make_script_environment(x);
  for (auto name : {"common_name", "username", "remote_1", "foreign_option_1",
                    "dns_search_domain_1", "tls_id_0", "X509_0_CN", "MINE"}) {
    CAF_MESSAGE(name);
    CAF_CHECK(has(xs, std::string{name} + "=a_PATH=/tmp___[0m__b"));
  }
  for (auto& line : xs)
    for (unsigned char c : line)
      CAF_CHECK(c >= 0x20 && c != 0x7f);
  CAF_CHECK(!names(xs, "PATH"));
}

CAF_TEST(names that are none are left out) {
  auto x = full_tunnel();
  x.extra.clear();
  for (auto name : {"", "A=B", "A B", "A-B", "A;B", "A\nB", "$(id)", "Ä", "=",
                    "BASH_FUNC_x%%", "A.B"})
    x.extra.emplace_back(name, "value");
  x.extra.emplace_back("GOOD_1", "value");
  auto with = make_script_environment(x);
  x.extra = {{"GOOD_1", "value"}};
  check_equal(with, make_script_environment(x));
}

CAF_TEST(names of certificate fields are checked as well) {
  auto x = full_tunnel();
  x.chain[0].fields
    = {{"CN=evil\nLD_PRELOAD", "/tmp/x.so"}, {"emailAddress", "a@b.test"}};
  auto xs = make_script_environment(x);
  CAF_CHECK(has(xs, "X509_0_emailAddress=a@b.test"));
  for (auto& line : xs)
    CAF_CHECK(line.find("LD_PRELOAD") == std::string::npos);
}

CAF_TEST(a hostile server cannot choose a name) {
  // What it pushes with setenv-safe has a prefix, whatever the name is.
  auto x = full_tunnel();
  x.extra = {{"OPENVPN_LD_PRELOAD", "/tmp/x.so"}};
  auto xs = make_script_environment(x);
  CAF_CHECK(!names(xs, "LD_PRELOAD"));
  CAF_CHECK(has(xs, "OPENVPN_LD_PRELOAD=/tmp/x.so"));
}
