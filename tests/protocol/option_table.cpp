// The table of options: complete, consistent, and helpful with typing errors.
#define CAF_SUITE protocol.option_table

#include "vpn/protocol/option_table.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace vpn::protocol;

CAF_TEST(names are unique and sorted) {
  std::string last;
  for (auto& x : all_options()) {
    CAF_CHECK_LESS(last, std::string{x.name});
    last = x.name;
  }
}

CAF_TEST(every option is found by its name) {
  for (auto& x : all_options())
    CAF_CHECK_EQUAL(find_option(x.name), &x);
  for (auto name : {"", "remot", "remote ", "REMOTE", "--remote", "zzz"})
    CAF_CHECK(find_option(name) == nullptr);
}

CAF_TEST(the table knows about three hundred names) {
  auto all = all_options();
  CAF_CHECK_GREATER(std::distance(all.begin(), all.end()), 310);
  for (auto name :
       {"allow-compression", "auth-user-pass", "dns-updown", "peer-fingerprint",
        "route-table", "tls-crypt-v2-max-age", "x509-track",
        "override-username", "memstats", "vlan-pvid", "win-sys"})
    CAF_CHECK(find_option(name) != nullptr);
}

CAF_TEST(word counts are in order) {
  for (auto& x : all_options()) {
    CAF_CHECK_LESS_OR_EQUAL(int{x.min_words}, int{x.max_words});
    CAF_CHECK_LESS_OR_EQUAL(int{x.max_words}, 15);
    if (x.inline_file)
      CAF_CHECK_GREATER_OR_EQUAL(int{x.max_words}, 1);
  }
}

CAF_TEST(everything without an effect says why) {
  for (auto& x : all_options()) {
    auto needs_note
      = x.kind != option_class::accepted && x.kind != option_class::silent;
    CAF_MESSAGE(x.name);
    CAF_CHECK_EQUAL(needs_note, *x.note != '\0');
  }
}

CAF_TEST(what would be missed is refused) {
  for (auto name :
       {"tls-crypt-v2", "fragment", "secret", "http-proxy", "socks-proxy",
        "pkcs12", "crl-verify", "peer-fingerprint", "verify-hash",
        "static-challenge", "comp-lzo", "tls-verify", "plugin", "block-ipv6"}) {
    CAF_MESSAGE(name);
    CAF_REQUIRE(find_option(name) != nullptr);
    CAF_CHECK(find_option(name)->kind == option_class::refused);
  }
}

CAF_TEST(classes of some well known options) {
  const std::map<std::string, option_class> expected{
    {"remote", option_class::accepted},
    {"persist-key", option_class::silent},
    {"mute", option_class::silent},
    {"status", option_class::ignored},
    {"management", option_class::ignored},
    {"remote-random", option_class::ignored},
    {"server", option_class::server_only},
    {"client-config-dir", option_class::server_only},
    {"no-iv", option_class::removed},
  };
  for (auto& [name, kind] : expected) {
    CAF_MESSAGE(name);
    CAF_CHECK_EQUAL(to_string(find_option(name)->kind), to_string(kind));
  }
}

CAF_TEST(what a server pushes by itself is pushable) {
  for (auto name :
       {"route", "route-gateway", "topology", "ping", "ping-restart",
        "ifconfig", "ifconfig-ipv6", "peer-id", "auth-token", "cipher",
        "key-derivation", "protocol-flags", "tun-mtu", "dhcp-option", "dns",
        "redirect-gateway", "route-ipv6", "block-outside-dns", "tun-ipv6"})
    CAF_CHECK(find_option(name)->pushable);
  for (auto name : {"up", "down", "script-security", "remote", "ca", "plugin",
                    "setenv", "proto", "mssfix", "reneg-sec", "config"})
    CAF_CHECK(!find_option(name)->pushable);
}

CAF_TEST(a typing error gives the nearest name) {
  const std::map<std::string, std::string> expected{
    {"remot", "remote"},
    {"rmeote", "remote"},
    {"remotee", "remote"},
    {"cleint", "client"},
    {"data-cipher", "data-ciphers"},
    {"datacipher", "data-ciphers"},
    {"tls_auth", "tls-auth"},
    {"redirect-gatway", "redirect-gateway"},
    {"verify-x509", "verify-x509-name"},
    {"prot", "proto"},
    {"explicit-exit", "explicit-exit-notify"},
    {"xyzzy-plugh", ""},
    {"", ""},
    {"x", ""},
    {"zz", ""},
  };
  for (auto& [name, nearest] : expected) {
    CAF_MESSAGE(name);
    CAF_CHECK_EQUAL(nearest_option(name), nearest);
  }
}

CAF_TEST(a known name is nearest to itself) {
  for (auto& x : all_options())
    if (std::string{x.name}.size() > 2)
      CAF_CHECK_EQUAL(nearest_option(x.name), x.name);
}

CAF_TEST(random words of any length are answered) {
  std::minstd_rand rng{7};
  for (int i = 0; i < 2000; ++i) {
    std::string name;
    for (auto n = rng() % 80; n > 0; --n)
      name.push_back(static_cast<char>(rng() % 256));
    auto found = nearest_option(name);
    CAF_CHECK(found.empty() || find_option(found) != nullptr);
  }
}
