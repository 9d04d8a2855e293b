// The kinds of dhcp-option: what may follow each, and what becomes of it.
#define CAF_SUITE protocol.tunnel_options_dhcp

#include "protocol/tunnel_options_dhcp.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

#include "protocol/tunnel_options_dns.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

std::string addresses(const dns_config& x) {
  std::string result;
  for (auto& server : x.servers)
    for (auto& address : server.addresses)
      result += (result.empty() ? "" : " ") + to_string(address.address);
  return result;
}

} // namespace

CAF_TEST(every kind is kept for scripts) {
  const strings all{"dhcp-option DNS 10.8.0.1",
                    "dhcp-option DNS fd00::53",
                    "dhcp-option DNS6 fd00::54",
                    "dhcp-option DOMAIN corp.example",
                    "dhcp-option ADAPTER_DOMAIN_SUFFIX lan.example",
                    "dhcp-option DOMAIN-SEARCH a.example",
                    "dhcp-option WINS 10.8.0.2",
                    "dhcp-option NTP 10.8.0.3",
                    "dhcp-option NBDD 10.8.0.4",
                    "dhcp-option NBT 2",
                    "dhcp-option NBS scope_1",
                    "dhcp-option DISABLE-NBT",
                    "dhcp-option PROXY_HTTP proxy.example 3128",
                    "dhcp-option PROXY_HTTPS 10.8.0.5 3128",
                    "dhcp-option PROXY_BYPASS a.example b.example 10.0.0.1",
                    "dhcp-option PROXY_AUTO_CONFIG_URL http://p.example/x.pac"};
  auto x = apply(all);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK_EQUAL(x.tunnel.foreign_options, all);
}

CAF_TEST(an unknown kind is left to scripts with a warning) {
  auto x = apply({"dhcp-option DOMAIN-ROUTE corp.example"});
  CAF_CHECK_EQUAL(x.tunnel.foreign_options,
                  strings{"dhcp-option DOMAIN-ROUTE corp.example"});
  CAF_CHECK(mentions(x.warnings, "DOMAIN-ROUTE"));
}

CAF_TEST(a wrong value of any kind is refused by name) {
  // source: the classes of CVE-2025-10680 and CVE-2025-12106
  for (auto text : {"dhcp-option",
                    "dhcp-option DNS",
                    "dhcp-option DNS 10.8.0.1 10.8.0.2",
                    "dhcp-option DNS 10.8.0.1:53",
                    "dhcp-option DNS [fd00::1]",
                    "dhcp-option DNS6 ::ffff:1.2.3.4.5",
                    "dhcp-option DOMAIN a b",
                    "dhcp-option DOMAIN a..b",
                    "dhcp-option DOMAIN .a",
                    "dhcp-option DOMAIN a.-b",
                    "dhcp-option DOMAIN a:b",
                    "dhcp-option DOMAIN a/b",
                    "dhcp-option DOMAIN \"a b\"",
                    "dhcp-option DOMAIN-SEARCH",
                    "dhcp-option DOMAIN-SEARCH $(id)",
                    "dhcp-option ADAPTER_DOMAIN_SUFFIX `id`",
                    "dhcp-option WINS 10.8.0.256",
                    "dhcp-option NTP fd00::1",
                    "dhcp-option NBDD x",
                    "dhcp-option NBT 3",
                    "dhcp-option NBT 0",
                    "dhcp-option NBS a;b",
                    "dhcp-option DISABLE-NBT x",
                    "dhcp-option PROXY_HTTP",
                    "dhcp-option PROXY_HTTP a.example 0",
                    "dhcp-option PROXY_HTTP a.example 65536",
                    "dhcp-option PROXY_HTTP a.example 1 2",
                    "dhcp-option PROXY_HTTPS http://a.example 3128",
                    "dhcp-option PROXY_BYPASS",
                    "dhcp-option PROXY_BYPASS a.example *.b",
                    "dhcp-option PROXY_AUTO_CONFIG_URL file:///etc/passwd",
                    "dhcp-option PROXY_AUTO_CONFIG_URL http://a/?x=$(id)",
                    "dhcp-option dns 10.8.0.1",
                    "dhcp-option 1 x",
                    "dhcp-option \"\""}) {
    auto x = apply({text});
    CAF_MESSAGE(text);
    CAF_CHECK_EQUAL(x.tunnel.foreign_options, strings{});
    CAF_CHECK(x.tunnel.dns.empty());
    CAF_CHECK(mentions(x.warnings, "'dhcp-option'"));
  }
}

CAF_TEST(domains have the length limits of the name system) {
  std::string label(63, 'a');
  CAF_CHECK(is_domain_name("a"));
  CAF_CHECK(is_domain_name("corp-1.example_2.Com."));
  CAF_CHECK(is_domain_name(label));
  CAF_CHECK(!is_domain_name(label + "a"));
  auto longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  CAF_CHECK(is_domain_name(longest));
  CAF_CHECK(!is_domain_name(longest + "b"));
  for (auto text : {"", ".", "..", "-a", "a.-b", "a..b", "a b", "a\n", "a;b",
                    "a$b", "\xc3\xa4", "a/b", "a:b", "a'b", "~a", "*.a"})
    CAF_CHECK(!is_domain_name(text));
}

CAF_TEST(name servers and domains become those of the tunnel) {
  auto x = apply({"dhcp-option DNS 10.8.0.1", "dhcp-option DNS6 fd00::53",
                  "dhcp-option DOMAIN-SEARCH b.example",
                  "dhcp-option DOMAIN a.example", "dhcp-option NTP 10.8.0.3"});
  auto& dns = x.tunnel.dns;
  CAF_REQUIRE_EQUAL(dns.servers.size(), 1u);
  CAF_CHECK_EQUAL(dns.servers[0].priority, 0);
  CAF_CHECK_EQUAL(addresses(dns), "10.8.0.1 fd00::53");
  CAF_CHECK_EQUAL(dns.search_domains, (strings{"a.example", "b.example"}));
}

CAF_TEST(four name servers of each family are enough) {
  strings options;
  for (int i = 1; i < 10; ++i) {
    options.push_back("dhcp-option DNS 10.8.0." + std::to_string(i));
    options.push_back("dhcp-option DNS6 fd00::" + std::to_string(i));
  }
  auto x = apply(options);
  CAF_CHECK_EQUAL(x.tunnel.dns.servers[0].addresses.size(), 8u);
  CAF_CHECK_EQUAL(x.tunnel.foreign_options.size(), 18u);
}

CAF_TEST(the push adds to what the profile says) {
  auto own = own_pull_config();
  own.tunnel = apply({"dhcp-option DNS 10.8.0.1"}).tunnel;
  auto x = apply({"dhcp-option DNS 10.8.0.2"}, own);
  CAF_CHECK_EQUAL(addresses(x.tunnel.dns), "10.8.0.1 10.8.0.2");
}

CAF_TEST(lines that are not what they should be yield nothing) {
  auto x = dns_of_dhcp_options(
    {"dhcp-option DNS", "dhcp-option DNS x", "dhcp-option", "", "dns server",
     "dhcp-option DOMAIN $(id)", "dhcp-option DOMAIN",
     "xdhcp-option DNS 1.1.1.1", "dhcp-option DOMAIN-SEARCH a b"});
  CAF_CHECK(x.empty());
}
