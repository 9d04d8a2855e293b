// The list of pushed options: changed while the session lives, and compared.
#define CAF_SUITE protocol.push_update

#include "vpn/protocol/push_options.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

#include <random>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

const strings before{"topology subnet",
                     "ifconfig 10.8.0.2 255.255.255.0",
                     "route 10.1.0.0 255.255.0.0",
                     "route 10.2.0.0 255.255.0.0",
                     "route-ipv6 fd01::/64",
                     "dhcp-option DNS 10.8.0.1",
                     "redirect-gateway def1",
                     "ping 10",
                     "ping-restart 60",
                     "peer-id 4"};

strings updated(const strings& update, strings list = before) {
  auto skipped = apply_update(list, update);
  if (!skipped)
    throw std::runtime_error(skipped.error().text);
  if (!skipped->empty())
    throw std::runtime_error("skipped: " + skipped->front());
  return list;
}

size_t count_of(const strings& xs, const std::string& prefix) {
  return static_cast<size_t>(std::count_if(xs.begin(), xs.end(), [&](auto& x) {
    return x.compare(0, prefix.size(), prefix) == 0;
  }));
}

bool holds(const strings& xs, const std::string& x) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

} // namespace

CAF_TEST(an update without options changes nothing) {
  CAF_CHECK_EQUAL(updated({}), before);
  CAF_CHECK_EQUAL(updated({"", " ", "push-continuation 1"}), before);
}

CAF_TEST(a list is replaced by its first occurrence and then grows) {
  auto list
    = updated({"route 10.3.0.0 255.255.0.0", "route 10.4.0.0 255.255.0.0"});
  CAF_CHECK_EQUAL(count_of(list, "route "), 2u);
  CAF_CHECK(holds(list, "route 10.3.0.0 255.255.0.0"));
  CAF_CHECK(holds(list, "route 10.4.0.0 255.255.0.0"));
  // Names that only begin alike are others.
  CAF_CHECK(holds(list, "route-ipv6 fd01::/64"));
  CAF_CHECK(holds(list, "peer-id 4"));
  // The next sequence begins anew.
  list = updated({"route 10.5.0.0 255.255.0.0"}, list);
  CAF_CHECK_EQUAL(count_of(list, "route "), 1u);
}

CAF_TEST(a single value is replaced each time) {
  auto list = updated({"ifconfig 10.8.0.3 255.255.255.0",
                       "ifconfig 10.8.0.4 255.255.255.0", "tun-mtu 1400",
                       "route-gateway 10.8.0.1", "route-metric 7"});
  CAF_CHECK_EQUAL(count_of(list, "ifconfig "), 1u);
  CAF_CHECK(holds(list, "ifconfig 10.8.0.4 255.255.255.0"));
  CAF_CHECK(holds(list, "tun-mtu 1400"));
}

CAF_TEST(a minus takes all of a name away) {
  auto list = updated({"-route", "-dhcp-option", "-?redirect-gateway"});
  CAF_CHECK_EQUAL(count_of(list, "route "), 0u);
  CAF_CHECK_EQUAL(count_of(list, "dhcp-option"), 0u);
  CAF_CHECK_EQUAL(count_of(list, "redirect-gateway"), 0u);
  CAF_CHECK(holds(list, "route-ipv6 fd01::/64"));
  CAF_CHECK_EQUAL(updated({"-block-ipv6"}), before);
  // What follows is added again.
  list = updated({"-route", "route 10.9.0.0 255.255.0.0", "-ifconfig-ipv6"});
  CAF_CHECK_EQUAL(count_of(list, "route "), 1u);
  CAF_CHECK_EQUAL(
    count_of(updated({"route 10.9.0.0 255.255.0.0", "-route"}), "route "), 0u);
}

CAF_TEST(the two redirections stand for each other) {
  auto list = updated({"redirect-private def1", "redirect-private bypass-dns"});
  CAF_CHECK_EQUAL(count_of(list, "redirect-gateway"), 0u);
  CAF_CHECK_EQUAL(count_of(list, "redirect-private"), 2u);
}

CAF_TEST(keepalive becomes the two timers) {
  auto list = updated({"keepalive 5 30"});
  CAF_CHECK(holds(list, "ping 5") && holds(list, "ping-restart 30"));
  CAF_CHECK_EQUAL(count_of(list, "ping"), 2u);
  CAF_CHECK_EQUAL(count_of(updated({"-keepalive"}), "ping"), 0u);
  auto copy = before;
  for (auto text : {"keepalive", "keepalive 5", "keepalive 5 x",
                    "keepalive 5 30 7", "keepalive \"5 30"}) {
    CAF_CHECK(!apply_update(copy, {text}));
    CAF_CHECK(apply_update(copy, {"?" + std::string{text}}));
  }
  CAF_CHECK_EQUAL(copy, before);
}

CAF_TEST(what cannot be updated fails and leaves all as it was) {
  for (auto text : {"cipher AES-128-GCM", "-peer-id", "auth-token SECRET1234",
                    "up /bin/sh", "nonsense", "-nonsense", "?-route", "--route",
                    "route\n10.0.0.0", "-route\x1b"}) {
    auto list = before;
    auto result = apply_update(
      list, {"route 10.9.0.0 255.255.0.0", "-dhcp-option", text});
    CAF_MESSAGE(text);
    // A question mark alone makes it optional, whatever stands behind it.
    if (text[0] == '?') {
      CAF_CHECK(result);
      continue;
    }
    CAF_REQUIRE(!result);
    CAF_CHECK(result.error().why == reason::push_refused);
    CAF_CHECK(result.error().text.find("SECRET") == std::string::npos);
    CAF_CHECK_EQUAL(list, before);
  }
}

CAF_TEST(what is optional is skipped with a text) {
  auto list = before;
  auto skipped = apply_update(
    list, {"?cipher AES-128-GCM", "-?nonsense", "?auth-token SECRET1234",
           "?route 10.9.0.0 255.255.0.0", "?" + std::string(2000, 'x')});
  CAF_REQUIRE(skipped);
  CAF_CHECK_EQUAL(skipped->size(), 4u);
  CAF_CHECK(mentions(*skipped, "'cipher'"));
  CAF_CHECK(mentions(*skipped, "'nonsense'"));
  CAF_CHECK(!mentions(*skipped, "SECRET"));
  CAF_CHECK_EQUAL(count_of(list, "route "), 1u);
}

CAF_TEST(an updated list makes the new tunnel) {
  auto list = before;
  list.emplace_back("cipher AES-256-GCM");
  CAF_REQUIRE(apply_update(list, {"-redirect-gateway", "tun-mtu 1300",
                                  "ifconfig 10.8.0.9 255.255.255.0"}));
  auto x = apply_push(own_pull_config(), list, "");
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->warnings, strings{});
  CAF_CHECK(x->tunnel.redirect == redirect_config{});
  CAF_CHECK_EQUAL(x->tunnel.mtu, 1300u);
  CAF_CHECK_EQUAL(to_string(*x->tunnel.address4), "10.8.0.9/24");
  CAF_CHECK(x->peer_id == 4u);
}

CAF_TEST(an update cannot grow without bound) {
  strings list;
  CAF_CHECK(!apply_update(list, strings(8193, "route 10.0.0.0 255.0.0.0")));
  CAF_REQUIRE(apply_update(list, strings(8192, "route 10.0.0.0 255.0.0.0")));
  CAF_CHECK_EQUAL(list.size(), 8192u);
  CAF_CHECK(!apply_update(list, {"tun-mtu 1400"}));
  CAF_CHECK_EQUAL(list.size(), 8192u);
  CAF_REQUIRE(apply_update(list, {"-route", "tun-mtu 1400"}));
  CAF_CHECK_EQUAL(list, strings{"tun-mtu 1400"});
  auto skipped = apply_update(list, strings(5000, "?nonsense"));
  CAF_REQUIRE(skipped);
  CAF_CHECK_EQUAL(skipped->size(), 64u);
}

CAF_TEST(random updates never break the list) {
  const strings pieces{"-", "?",    "route",     " ",   "10.0.0.0", "dns",
                       ",", "ping", "keepalive", "5 6", "\x01",     "ifconfig"};
  std::minstd_rand rng{8};
  auto list = before;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (auto n = rng() % 6; n > 0; --n)
      text += pieces[rng() % pieces.size()];
    auto copy = list;
    if (!apply_update(list, {text}))
      CAF_REQUIRE(list == copy);
  }
}

CAF_TEST(the digest tells tunnels apart) {
  // source: openvpn-wire 7.1; sha256sum over the lines, each with its NUL
  CAF_CHECK_EQUAL(
    digest_of({}),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  auto digest = digest_of(before);
  CAF_CHECK_EQUAL(digest.size(), 64u);
  CAF_CHECK_EQUAL(digest_of(before), digest);
  auto other = before;
  other[1] = "ifconfig 10.8.0.3 255.255.255.0";
  CAF_CHECK_NOT_EQUAL(digest_of(other), digest);
  // A comma moved from one option to the next is not the same.
  CAF_CHECK_NOT_EQUAL(digest_of({"ping 1", "0"}), digest_of({"ping 10"}));
}

CAF_TEST(the digest leaves out what changes with each connection) {
  auto digest = digest_of(before);
  auto same = before;
  same.back() = "peer-id 17";
  same.insert(same.begin(), "auth-token SESS_ID_AT_x");
  same.emplace_back("auth-token-user YWxpY2U=");
  same.emplace_back("cipher AES-128-GCM");
  same.emplace_back("push-continuation 1");
  CAF_CHECK_EQUAL(digest_of(same), digest);
  same.emplace_back("auth-tokens x");
  CAF_CHECK_NOT_EQUAL(digest_of(same), digest);
}
