// Pushed options of a server that means no good.
#define CAF_SUITE protocol.push_options_hostile

#include "vpn/protocol/option_table.hpp"
#include "vpn/protocol/push_options.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

#include <cctype>
#include <random>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

CAF_TEST(a netmask where a peer belongs and the reverse are not applied) {
  auto x = apply({"ifconfig 10.8.0.2 255.255.255.0"});
  CAF_CHECK(!x.tunnel.address4);
  CAF_CHECK(mentions(x.warnings, "ifconfig"));
  auto y = apply({"ifconfig 10.8.0.6 10.8.0.5", "topology subnet"});
  CAF_CHECK(!y.tunnel.address4);
  CAF_CHECK(mentions(y.warnings, "ifconfig"));
}

CAF_TEST(a user that is not base64 of a name is skipped) {
  for (auto text : {"YWxpY2U", "!!!!", "====", "YW==xx==", "YWxpY2U==",
                    "YWxp\u00e9", "AAAA", "CgoK", "\"\"", "Y==="})
    CAF_CHECK_EQUAL(
      apply({std::string{"auth-token-user "} + text}).auth_token_user, "");
}

CAF_TEST(nothing a shell would obey reaches the resolver) {
  // source: the class of CVE-2025-10680
  for (auto text :
       {"dhcp-option DOMAIN $(reboot)", "dhcp-option DOMAIN a;reboot",
        "dhcp-option DOMAIN `reboot`",  "dhcp-option DOMAIN a|b",
        "dhcp-option DOMAIN \"a'b\"",   "dhcp-option DOMAIN a\\\\b",
        "dhcp-option DOMAIN a&b",       "dhcp-option DOMAIN -x",
        "dhcp-option DOMAIN a\"b",      "dhcp-option DOMAIN \"\"",
        "dhcp-option DOMAIN a\xc3\xa9", "dhcp-option DOMAIN a\nnameserver",
        "dhcp-option DOMAIN 'a>b'",     "dns search-domains a *",
        "dns server 0 sni a%b",         "dhcp-option DOMAIN a{b,c}",
        "dhcp-option DNS example.com",  "dhcp-option DNS6 10.0.0.1",
        "dhcp-option WINS fd00::1",     "dhcp-option DNS"}) {
    auto x = apply({text});
    CAF_MESSAGE(text);
    CAF_CHECK_EQUAL(x.tunnel.foreign_options, strings{});
    CAF_CHECK(mentions(x.warnings, "pushed option 'd"));
  }
}

CAF_TEST(malformed options are skipped with a warning and never applied) {
  // source: the class of CVE-2025-12106 among others
  const strings bad{
    "ifconfig",
    "ifconfig 10.8.0.2",
    "ifconfig 10.8.0.2 10.8.0.1 x",
    "ifconfig fd00::1 fd00::2",
    "ifconfig 10.8.0.256 10.8.0.1",
    "ifconfig 10.8.0.2 fd00::1",
    "ifconfig 010.8.0.2 1.2.3.4.5",
    "ifconfig-ipv6 fd00::1/64",
    "ifconfig-ipv6 10.8.0.2/24 10.8.0.1",
    "ifconfig-ipv6 fd00::1/129 fd00::2",
    "ifconfig-ipv6 fd00::1/ fd00::2",
    "ifconfig-ipv6 fd00::1/64x fd00::2",
    "ifconfig-ipv6 fd00::1/-1 fd00::2",
    "ifconfig-ipv6 fd00::1/0 fd00::2",
    "ifconfig-ipv6 fd00::1/64 10.8.0.1",
    "ifconfig-ipv6 fd00::1%eth0/64 fd00::2",
    "ifconfig-ipv6 " + std::string(300, ':') + "/64 fd00::1",
    "ifconfig ::ffff:10.8.0.2 255.255.255.0",
    "ifconfig 10.8.0.2:1194 255.255.255.0",
    "ifconfig $(id) 255.255.255.0",
    "ifconfig 10.8.0.2 ;reboot",
    "ifconfig \"10.8.0.2 x\" 10.8.0.1",
    "ifconfig 0x0a080002 10.8.0.1",
    "ifconfig-ipv6 `id`/64 fd00::1",
    "ifconfig-ipv6 fd00::1/+64 fd00::2",
    "ifconfig-noexec",
    "route",
    "route 10.0.0.0 255.0.255.0",
    "route fd00:: 255.0.0.0",
    "route example.com",
    "route 10.0.0.0 255.0.0.0 fd00::1",
    "route 10.0.0.0 255.0.0.0 gw",
    "route 10.0.0.0 255.0.0.0 10.8.0.1 x",
    "route 10.0.0.0 255.0.0.0 10.8.0.1 -1",
    "route 10.0.0.0 255.0.0.0 10.8.0.1 4294967295",
    "route 10.0.0.0 255.0.0.0 10.8.0.1 1 2",
    "route 10.0.0.0/8",
    "route net_gateway",
    "route default",
    "route $(reboot) 255.0.0.0",
    "route 10.0.0.0 255.0.0.0 $(id)",
    "route 10.0.0.0 ffff:ffff:: 10.8.0.1",
    "route remote_host 255.0.255.0",
    "route vpn_gateway 255.255.255.255 fd00::1",
    "route " + std::string(900, '1'),
    "route \"\"",
    "route-ipv6",
    "route-ipv6 10.0.0.0/8",
    "route-ipv6 fd00::/200",
    "route-ipv6 fd00::/",
    "route-ipv6 fd00::/64 10.8.0.1",
    "route-ipv6 fd00::/64 fd00::1 -2",
    "route-ipv6 fd00::/+64",
    "route-ipv6 remote_host",
    "route-ipv6 fd00::/64 `id`",
    "route-ipv6 fd00::/64 default default x",
    "route-noexec",
    "route-delay x",
    "route-delay 3601",
    "route-delay 1 -1",
    "route-delay 1 2 3",
    "route-gateway remote_host",
    "route-gateway 10.8.0.1/24",
    "route-gateway dhcp",
    "route-gateway fd00::1",
    "route-gateway",
    "route-ipv6-gateway 10.8.0.1",
    "topology",
    "topology tap",
    "topology subnet x",
    "ping",
    "ping x",
    "ping -1",
    "ping 86401",
    "ping 99999999999999999999",
    "ping-restart 1e3",
    "ping-exit 1 2",
    "peer-id x",
    "key-derivation",
    "protocol-flags",
    "auth-token",
    "auth-token \"\"",
    "route-metric x",
    "route-metric 4294967295",
    "redirect-gateway def1 everything",
    "dns server",
    "redirect-gateway \"def1 ipv6\"",
    "redirect-gateway $(id)",
    "redirect-private everything",
    "redirect-private DEF1",
    "block-ipv6 yes",
    "client-nat",
    "client-nat snat 10.0.0.0 255.0.0.0",
    "client-nat nat 10.0.0.0 255.0.0.0 11.0.0.0",
    "client-nat snat fd00:: 255.0.0.0 11.0.0.0",
    "client-nat snat 10.0.0.0 255.0.255.0 11.0.0.0",
    "client-nat snat 10.0.0.0 255.0.0.0 fd00::1",
    "client-nat snat 10.0.0.0 255.0.0.0 localhost",
    "client-nat dnat 10.0.0.0 8 11.0.0.0",
    "inactive",
    "inactive x",
    "inactive -1",
    "inactive 4294967295",
    "inactive 60 x",
    "inactive 60 -1",
    "inactive 60 18446744073709551616",
    "inactive x 60",
    "session-timeout",
    "session-timeout 1s",
    "session-timeout 4294967296",
    "explicit-exit-notify 101",
    "explicit-exit-notify -1",
    "sndbuf",
    "sndbuf -1",
    "sndbuf 67108865",
    "sndbuf 1e6",
    "rcvbuf 0x1000",
    "rcvbuf 99999999999",
    "socket-flags",
    "socket-flags TCP_NODELAY IP_TOS",
    "socket-flags tcp_nodelay",
    "verb -1",
    "verb 16",
    "verb x",
    "mute x",
    "mute -1",
    "persist-tun yes",
    "setenv-safe",
    "setenv-safe A B C",
    "setenv-safe \"\" x",
    "setenv-safe A=B x",
    "setenv-safe $(id) x",
    "setenv-safe LD-PRELOAD x",
    "setenv-safe A\xc3\xa9 x",
    "setenv-safe A \xc3\xa9",
    "setenv-safe " + std::string(65, 'A') + " x",
    "setenv-safe A " + std::string(256, 'x'),
    "comp-lzo maybe",
    "comp-lzo yes yes",
    "compress snappy",
    "compress migrate",
    "compress \"\"",
    "compress STUB",
    "tun-mtu 1500 x",
    "peer-id 0x1",
    "peer-id 1 2",
    "auth-token-user x y",
    "key-derivation tls-ekm tls-ekm",
  };
  auto untouched = apply({});
  for (auto& text : bad) {
    auto x = apply({text});
    auto name = text.substr(0, text.find(' '));
    CAF_MESSAGE(text);
    CAF_CHECK(mentions(x.warnings, "'" + name + "'"));
    CAF_CHECK(are_equal(x, untouched));
  }
}

namespace {

/// `option` with `n` times the same word.
std::string with_words(const char* option, int n, const std::string& word) {
  std::string result = option;
  for (; n > 0; --n)
    result += " " + word;
  return result;
}

/// Text of these is for others and free, or refuses the whole push.
bool takes_any_text(std::string_view option) {
  return option == "auth-token" || option == "echo" || option == "cipher";
}

} // namespace

CAF_TEST(a wrong number of words is refused by name for every option) {
  auto untouched = apply({});
  size_t tried = 0;
  for (auto& info : all_options()) {
    if (!info.pushable)
      continue;
    std::vector<int> counts;
    if (info.min_words > 0)
      counts = {0, info.min_words - 1};
    if (info.max_words < 15)
      counts.push_back(info.max_words + 1);
    for (auto n : counts) {
      ++tried;
      auto x = apply({with_words(info.name, n, "1")});
      CAF_MESSAGE(info.name << " with " << n);
      CAF_CHECK(mentions(x.warnings, std::string{"'"} + info.name + "'"));
      CAF_CHECK(are_equal(x, untouched));
    }
  }
  CAF_CHECK_GREATER(tried, 60u);
}

CAF_TEST(hostile words change nothing in any option) {
  const strings hostile{"$(reboot)",
                        "`reboot`",
                        "a;reboot",
                        "a|b",
                        "a&b",
                        "../../etc/passwd",
                        "\"a b\"",
                        "'a\"b'",
                        "%s%n",
                        "\"\"",
                        "-x",
                        "*",
                        "a\\\\b",
                        "fd00::1%eth0",
                        "1.2.3.4.5",
                        "\xff\xfe",
                        std::string(50, '-')};
  auto untouched = apply({});
  for (auto& info : all_options()) {
    if (!info.pushable || info.max_words == 0 || takes_any_text(info.name))
      continue;
    for (auto& word : hostile)
      for (int n = std::max<int>(info.min_words, 1);
           n <= std::min<int>(info.max_words, 5); ++n) {
        auto x = apply({with_words(info.name, n, word)});
        auto told = mentions(x.warnings, std::string{"'"} + info.name + "'");
        if (!are_equal(x, untouched)
            || (!told && info.kind != option_class::silent))
          CAF_ERROR(info.name << " takes " << word << " " << n << " times");
      }
  }
}

CAF_TEST(control bytes anywhere change nothing in any option) {
  auto untouched = apply({});
  for (auto& info : all_options()) {
    if (!info.pushable)
      continue;
    for (auto c : {'\0', '\n', '\r', '\t', '\x1b', '\x7f'}) {
      auto text = with_words(info.name, std::max<int>(info.min_words, 1), "1");
      text += c;
      auto x = apply({text});
      CAF_CHECK(mentions(x.warnings, std::string{"'"} + info.name + "'"));
      CAF_CHECK(are_equal(x, untouched));
    }
    auto x = apply({with_words(info.name, 1, std::string(1100, '1'))});
    CAF_CHECK(mentions(x.warnings, "too long"));
    CAF_CHECK(are_equal(x, untouched));
  }
}

CAF_TEST(no warning repeats a token) {
  for (auto text : {"auth-token SECRET1234 x", "\"auth-token SECRET1234\"",
                    "'auth-token SECRET1234", "auth-tokenSECRET1234",
                    "auth-token=SECRET1234", "auth-token\tSECRET1234",
                    "auth-token\nSECRET1234", "\\auth-token SECRET1234",
                    "auth-token-SECRET1234", "AUTH-TOKEN SECRET1234",
                    "auth-token-user SECRET1234", "SESS_ID_AT_SECRET1234",
                    "x-SESS_ID_AT_SECRET1234", " \"\" auth-token SECRET1234"}) {
    auto x = apply({text});
    CAF_MESSAGE(text);
    CAF_CHECK(!x.warnings.empty());
    CAF_CHECK(!mentions(x.warnings, "SECRET1234"));
  }
}

CAF_TEST(control characters and absurd lengths are skipped) {
  for (auto& text :
       strings{"route 10.0.0.0\n255.0.0.0", "route 10.0.0.0\t255.0.0.0",
               std::string("route 10.0.0.0\0 x", 18), "route \x1b[2J",
               "route 10.0.0.0\x7f", "route " + std::string(2000, '1')}) {
    auto x = apply({text});
    CAF_CHECK(x.tunnel.routes.empty());
    CAF_CHECK(mentions(x.warnings, "'route"));
    for (auto& warning : x.warnings)
      for (auto c : warning)
        CAF_CHECK(c >= 0x20 && c < 0x7f);
  }
}

CAF_TEST(what a server may not set is skipped) {
  for (auto text : {"up /bin/sh", "script-security 2", "remote evil.example",
                    "config /etc/passwd", "plugin x.so", "ca x", "setenv A b",
                    "tls-timeout 1", "proto tcp", "mssfix 100", "nonsense",
                    "ignore-unknown-option x", "route-nopull"}) {
    auto x = apply({text});
    CAF_MESSAGE(text);
    CAF_REQUIRE_EQUAL(x.warnings.size(), 1u);
  }
}

CAF_TEST(every pushable option of the table is answered) {
  for (auto& info : all_options()) {
    std::string text = info.name;
    for (int i = 0; i < info.min_words; ++i)
      text += " 1";
    (void)apply_push(own_pull_config(), {text}, "");
  }
}

CAF_TEST(what a server can make us keep is bounded) {
  strings many;
  for (int i = 0; i < 20000; ++i) {
    auto net = std::to_string(i / 256) + "." + std::to_string(i % 256);
    many.push_back("route 10." + net + ".0 255.255.255.0");
    many.push_back("dhcp-option DOMAIN d" + std::to_string(i));
    many.push_back("nonsense-" + std::to_string(i));
  }
  many.insert(many.begin(), "cipher AES-256-GCM");
  auto x = apply_push(own_pull_config(), many, "");
  CAF_REQUIRE(x);
  CAF_CHECK_LESS_OR_EQUAL(x->tunnel.routes.size(), 4096u);
  CAF_CHECK_LESS_OR_EQUAL(x->tunnel.foreign_options.size(), 64u);
  CAF_CHECK_LESS_OR_EQUAL(x->warnings.size(), 65u);
  strings routes(5000, "route 10.0.0.0 255.0.0.0");
  auto y = apply(routes);
  CAF_CHECK_EQUAL(y.tunnel.routes.size(), 4096u);
}

CAF_TEST(mutated options never break anything) {
  const strings seeds{"route 10.0.0.0 255.0.0.0 vpn_gateway 5",
                      "ifconfig-ipv6 fd00::1000/64 fd00::1",
                      "redirect-gateway def1 ipv6 !ipv4",
                      "dhcp-option DNS 10.8.0.1",
                      "protocol-flags cc-exit tls-ekm",
                      "auth-token-user YWxpY2U=",
                      "peer-id 77",
                      "ifconfig 10.8.0.2 255.255.255.0",
                      "topology subnet"};
  const std::string alphabet = " \"'\\/:.-_0f\x01\xff,!";
  std::minstd_rand rng{4711};
  for (int i = 0; i < 100000; ++i) {
    auto text = seeds[rng() % seeds.size()];
    for (auto n = 1 + rng() % 4; n > 0 && !text.empty(); --n) {
      auto at = rng() % text.size();
      if (rng() % 3 == 0)
        text.erase(at, 1 + rng() % 3);
      else if (rng() % 2 == 0)
        text.insert(at, 1 + rng() % 2, alphabet[rng() % alphabet.size()]);
      else
        text[at] = static_cast<char>(rng() % 256);
    }
    auto x = apply_push(own_pull_config(), {text, "cipher AES-256-GCM"}, "");
    if (x && !x->tunnel.foreign_options.empty())
      for (auto c : x->tunnel.foreign_options[0])
        if (std::isalnum(static_cast<unsigned char>(c)) == 0
            && std::string{".:-_/ "}.find(c) == std::string::npos)
          CAF_FAIL("a character that must not pass: " << int{c});
  }
}
