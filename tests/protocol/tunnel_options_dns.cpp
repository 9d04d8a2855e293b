// The dns option: its forms, and how it merges with others.
#define CAF_SUITE protocol.tunnel_options_dns

#include "protocol/tunnel_options_dns.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

#include <random>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

/// The tunnel of a profile with these options.
tunnel_config profile(const std::vector<strings>& options) {
  tunnel_draft draft;
  for (auto& words : options)
    CAF_CHECK_EQUAL(find_dns_option(words[0])->apply(draft, words).error, "");
  auto result = finish(std::move(draft));
  CAF_CHECK_EQUAL(result.dns_problem, "");
  return result.tunnel;
}

dns_config pushed(const strings& options) {
  auto x = apply(options);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  return x.tunnel.dns;
}

} // namespace

CAF_TEST(all forms of a server are understood) {
  auto dns
    = pushed({"dns search-domains a.example b.example",
              "dns search-domains c.example a.example",
              "dns server 1 address 10.8.0.1 10.8.0.2:5353 fd00::1",
              "dns server 1 address [fd00::2] [fd00::3]:853",
              "dns server 1 resolve-domains corp.example lan",
              "dns server 1 dnssec optional", "dns server 1 transport DoT",
              "dns server 1 sni dns.corp"});
  CAF_CHECK_EQUAL(dns.search_domains,
                  (strings{"a.example", "b.example", "c.example"}));
  CAF_REQUIRE_EQUAL(dns.servers.size(), 1u);
  auto& x = dns.servers[0];
  CAF_CHECK_EQUAL(x.priority, 1);
  CAF_REQUIRE_EQUAL(x.addresses.size(), 5u);
  const strings wanted{"10.8.0.1:0", "10.8.0.2:5353", "[fd00::1]:0",
                       "[fd00::2]:0", "[fd00::3]:853"};
  for (size_t i = 0; i < wanted.size(); ++i)
    CAF_CHECK_EQUAL(to_string(x.addresses[i]), wanted[i]);
  CAF_CHECK_EQUAL(x.resolve_domains, (strings{"corp.example", "lan"}));
  CAF_CHECK(x.dnssec == dns_security::optional);
  CAF_CHECK(x.transport == dns_transport::tls);
  CAF_CHECK_EQUAL(x.sni, "dns.corp");
}

CAF_TEST(values of dnssec and transport) {
  auto of = [](const std::string& word) {
    return pushed({"dns server 0 address 10.8.0.1", "dns server 0 " + word})
      .servers[0];
  };
  CAF_CHECK(of("dnssec yes").dnssec == dns_security::yes);
  CAF_CHECK(of("dnssec no").dnssec == dns_security::no);
  CAF_CHECK(of("transport plain").transport == dns_transport::plain);
  CAF_CHECK(of("transport DoH").transport == dns_transport::https);
  CAF_CHECK(of("sni x").dnssec == dns_security::unset);
}

CAF_TEST(servers are sorted by priority) {
  auto dns
    = pushed({"dns server 5 address 10.0.0.5", "dns server 0 address 10.0.0.0",
              "dns server 127 address 10.0.0.127"});
  CAF_REQUIRE_EQUAL(dns.servers.size(), 3u);
  CAF_CHECK_EQUAL(dns.servers[0].priority, 0);
  CAF_CHECK_EQUAL(dns.servers[1].priority, 5);
  CAF_CHECK_EQUAL(dns.servers[2].priority, 127);
}

CAF_TEST(what is malformed is refused by name and changes nothing) {
  // source: the classes of CVE-2025-10680 and CVE-2025-12106
  const strings bad{
    "dns",
    "dns search-domains",
    "dns search-domains a b;reboot",
    "dns search-domains ;reboot",
    "dns search-domains $(id)",
    "dns search-domains a -b",
    "dns search-domains " + std::string(64, 'a'),
    "dns domains a",
    "dns server",
    "dns server 1",
    "dns server 1 address",
    "dns server 1 sni",
    "dns server x address 10.8.0.2",
    "dns server -1 address 10.8.0.2",
    "dns server 128 address 10.8.0.2",
    "dns server 1x address 10.8.0.2",
    "dns server 0 address example.com",
    "dns server 0 address 10.8.0.2:0",
    "dns server 0 address 10.8.0.2:65536",
    "dns server 0 address 10.8.0.2:",
    "dns server 0 address 10.8.0.2:53x",
    "dns server 0 address [10.8.0.2]:53",
    "dns server 0 address [fd00::2",
    "dns server 0 address [fd00::2]53",
    "dns server 0 address [fd00::2]:",
    "dns server 0 address []:53",
    "dns server 0 address fd00::2%eth0",
    "dns server 0 address 10.8.0.2 `id`",
    "dns server 0 address \"10.8.0.2 10.8.0.3\"",
    "dns server 0 resolve-domains a |b",
    "dns server 0 resolve-domains a..b",
    "dns server 0 dnssec maybe",
    "dns server 0 dnssec yes no",
    "dns server 0 transport doh",
    "dns server 0 transport",
    "dns server 0 sni a b",
    "dns server 0 sni a/b",
    "dns server 0 exclude-domains a",
    "dns server 0 address 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 "
    "10.0.0.6 10.0.0.7 10.0.0.8 10.0.0.9",
  };
  auto good = pushed({"dns server 0 address 10.8.0.1", "dns search-domains x"});
  for (auto& text : bad) {
    auto x
      = apply({"dns server 0 address 10.8.0.1", "dns search-domains x", text});
    CAF_MESSAGE(text);
    CAF_CHECK(mentions(x.warnings, "'dns'"));
    CAF_CHECK(x.tunnel.dns == good);
  }
}

CAF_TEST(a server without an address makes all of it void) {
  auto x = apply({"dns server 0 address 10.8.0.1", "dns search-domains a",
                  "dns server 1 resolve-domains b"});
  CAF_CHECK(x.tunnel.dns.empty());
  CAF_CHECK(mentions(x.warnings, "'dns'"));
  CAF_CHECK(mentions(x.warnings, "server 1 has no address"));
  // Older options stand in.
  auto y = apply({"dns server 1 sni b", "dhcp-option DNS 10.8.0.9"});
  CAF_REQUIRE_EQUAL(y.tunnel.dns.servers.size(), 1u);
  CAF_CHECK_EQUAL(to_string(y.tunnel.dns.servers[0].addresses[0].address),
                  "10.8.0.9");
  tunnel_draft draft;
  find_dns_option("dns")->apply(draft, {"dns", "server", "3", "sni", "b"});
  CAF_CHECK_NOT_EQUAL(finish(std::move(draft)).dns_problem, "");
}

CAF_TEST(only the profile has priorities below zero) {
  auto x = profile({{"dns", "server", "-128", "address", "10.0.0.1"}});
  CAF_CHECK_EQUAL(x.dns.servers[0].priority, -128);
  tunnel_draft draft;
  for (auto text : {"-129", "128", "-", "--1", "-0x1"})
    CAF_CHECK_NOT_EQUAL(
      find_dns_option("dns")
        ->apply(draft, {"dns", "server", text, "address", "10.0.0.1"})
        .error,
      "");
}

CAF_TEST(a pushed server replaces the own one of its priority) {
  auto own = own_pull_config();
  own.tunnel = profile({{"dns", "server", "-3", "address", "10.0.0.3"},
                        {"dns", "server", "1", "address", "10.0.0.1"},
                        {"dns", "server", "1", "sni", "mine"},
                        {"dns", "search-domains", "mine"}});
  auto x = apply({"dns server 1 address 10.9.0.1",
                  "dns server 2 address "
                  "10.9.0.2",
                  "dns search-domains theirs"},
                 own);
  auto& servers = x.tunnel.dns.servers;
  CAF_REQUIRE_EQUAL(servers.size(), 3u);
  CAF_CHECK_EQUAL(servers[0].priority, -3);
  CAF_CHECK_EQUAL(to_string(servers[1].addresses[0].address), "10.9.0.1");
  CAF_CHECK_EQUAL(servers[1].sni, "");
  CAF_CHECK_EQUAL(servers[2].priority, 2);
  CAF_CHECK_EQUAL(x.tunnel.dns.search_domains, (strings{"mine", "theirs"}));
  CAF_CHECK(apply({}, own).tunnel.dns == own.tunnel.dns);
}

CAF_TEST(dns wins over the older options) {
  auto x = apply({"dhcp-option DNS 10.8.0.1", "dhcp-option DOMAIN-SEARCH old",
                  "dhcp-option DOMAIN corp", "dhcp-option NTP 10.8.0.3",
                  "dns server 4 address 10.9.0.1 [fd00::9]:53",
                  "dns server 5 address 10.9.0.5", "dns search-domains new"});
  CAF_REQUIRE_EQUAL(x.tunnel.dns.servers.size(), 2u);
  CAF_CHECK_EQUAL(x.tunnel.dns.search_domains, strings{"new"});
  // Scripts see the same in the words they know.
  CAF_CHECK_EQUAL(
    x.tunnel.foreign_options,
    (strings{"dhcp-option DOMAIN corp", "dhcp-option NTP 10.8.0.3",
             "dhcp-option DNS 10.9.0.1", "dhcp-option DNS6 fd00::9",
             "dhcp-option DOMAIN-SEARCH new"}));
}

CAF_TEST(without routes neither names nor servers are pulled) {
  auto own = own_pull_config();
  own.route_nopull = true;
  own.tunnel = profile({{"dns", "server", "1", "address", "10.0.0.1"}});
  auto x = apply({"dns server 0 address 10.9.0.1", "dns search-domains a",
                  "dhcp-option DNS 10.9.0.1"},
                 own);
  CAF_CHECK(x.tunnel.dns == own.tunnel.dns);
}

CAF_TEST(domains are bounded) {
  strings options{"dns server 0 address 10.8.0.1"};
  for (int i = 0; i < 500; ++i) {
    options.push_back("dns search-domains d" + std::to_string(i));
    options.push_back("dns server 0 resolve-domains d" + std::to_string(i));
  }
  auto x = apply(options);
  CAF_CHECK_EQUAL(x.tunnel.dns.search_domains.size(), 64u);
  CAF_CHECK_EQUAL(x.tunnel.dns.servers[0].resolve_domains.size(), 64u);
}

CAF_TEST(mutated options yield nothing but clean names) {
  const strings seeds{"dns search-domains a.example b.example",
                      "dns server 1 address 10.8.0.1:53 [fd00::1]:53",
                      "dns server 1 resolve-domains corp.example",
                      "dns server 1 sni dns.example",
                      "dhcp-option DOMAIN corp.example"};
  const std::string alphabet = " \"'\\/:.-_[];$`|&\n\x01\xff~*";
  std::minstd_rand rng{15};
  for (int i = 0; i < 20000; ++i) {
    auto text = seeds[rng() % seeds.size()];
    for (auto n = 1 + rng() % 3; n > 0; --n)
      text[rng() % text.size()] = alphabet[rng() % alphabet.size()];
    auto x = apply({"dns server 1 address 10.8.0.1", text});
    for (auto& name : x.tunnel.dns.search_domains)
      CAF_REQUIRE(is_domain_name(name));
    for (auto& server : x.tunnel.dns.servers) {
      CAF_REQUIRE(!server.addresses.empty() && server.addresses.size() <= 8);
      CAF_REQUIRE(server.sni.empty() || is_domain_name(server.sni));
      for (auto& name : server.resolve_domains)
        CAF_REQUIRE(is_domain_name(name));
    }
  }
}
