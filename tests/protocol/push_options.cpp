// Pushed options: what reaches the tunnel.
#define CAF_SUITE protocol.push_options

#include "vpn/protocol/push_options.hpp"

#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using std::chrono::seconds;

namespace {

ip_address ip(const char* text) {
  auto result = parse_ip(text);
  CAF_REQUIRE(result);
  return *result;
}

} // namespace

CAF_TEST(the reply of a stock server makes a tunnel) {
  // source: openvpn-wire 7.1, a reply of OpenVPN 2.6.14
  auto result = apply_push(
    own_pull_config(),
    {"route 192.168.77.0 255.255.255.0", "route-gateway 10.199.0.1",
     "topology subnet", "ping 10", "ping-restart 60",
     "ifconfig 10.199.0.2 255.255.255.0", "peer-id 0", "cipher AES-256-GCM",
     "protocol-flags cc-exit tls-ekm", "tun-mtu 1500"},
    "");
  CAF_REQUIRE(result);
  auto& x = *result;
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK(x.tunnel.layout == topology::subnet);
  CAF_CHECK_EQUAL(to_string(*x.tunnel.address4), "10.199.0.2/24");
  CAF_CHECK(!x.tunnel.peer4.defined());
  CAF_CHECK_EQUAL(to_string(x.tunnel.gateway4), "10.199.0.1");
  CAF_REQUIRE_EQUAL(x.tunnel.routes.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.tunnel.routes[0].destination), "192.168.77.0/24");
  CAF_CHECK(x.tunnel.routes[0].via == gateway_kind::vpn);
  CAF_CHECK(x.ping == seconds{10} && x.ping_restart == seconds{60});
  CAF_CHECK(x.peer_id == 0u);
  CAF_CHECK(x.cipher == data_cipher::aes_256_gcm);
  CAF_CHECK(x.derivation == key_derivation::tls_ekm && x.cc_exit);
}

CAF_TEST(topology may follow ifconfig) {
  auto x = apply({"ifconfig 10.8.0.2 255.255.0.0", "topology subnet"});
  CAF_CHECK_EQUAL(to_string(*x.tunnel.address4), "10.8.0.2/16");
  auto y = apply({"ifconfig 10.8.0.6 10.8.0.5", "topology net30"});
  CAF_CHECK_EQUAL(to_string(*y.tunnel.address4), "10.8.0.6/32");
  CAF_CHECK_EQUAL(to_string(y.tunnel.peer4), "10.8.0.5");
  CAF_CHECK_EQUAL(to_string(y.tunnel.gateway4), "10.8.0.5");
}

CAF_TEST(the topology of the profile holds when none is pushed) {
  auto own = own_pull_config();
  own.tunnel.layout = topology::subnet;
  auto x = apply({"ifconfig 10.8.0.2 255.255.255.0"}, own);
  CAF_CHECK_EQUAL(to_string(*x.tunnel.address4), "10.8.0.2/24");
}

CAF_TEST(addresses and routes of IPv6) {
  auto x = apply({"tun-ipv6", "ifconfig-ipv6 fd00::1000/64 fd00::1",
                  "route-ipv6 2001:db8::5/32", "route-ipv6 fd01::/16 fd00::9 7",
                  "route-ipv6 fd02::/16 default"});
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK_EQUAL(to_string(*x.tunnel.address6), "fd00::1000/64");
  CAF_CHECK_EQUAL(to_string(x.tunnel.gateway6), "fd00::1");
  CAF_REQUIRE_EQUAL(x.tunnel.routes.size(), 3u);
  CAF_CHECK_EQUAL(to_string(x.tunnel.routes[0].destination), "2001:db8::/32");
  CAF_CHECK(x.tunnel.routes[1].gateway == ip("fd00::9"));
  CAF_CHECK(x.tunnel.routes[1].metric == 7u);
  auto y = apply(
    {"route-ipv6-gateway fd00::2", "ifconfig-ipv6 fd00::1000/64 fd00::1"});
  CAF_CHECK_EQUAL(to_string(y.tunnel.gateway6), "fd00::2");
}

CAF_TEST(routes have gateways and metrics) {
  auto x
    = apply({"route 10.1.2.3", "route 10.2.3.4 255.255.0.0 net_gateway",
             "route 10.3.0.0 255.255.0.0 10.8.0.9 5",
             "route 10.4.0.0 default vpn_gateway default", "route-metric 77"});
  CAF_CHECK_EQUAL(x.warnings, strings{});
  auto& routes = x.tunnel.routes;
  CAF_REQUIRE_EQUAL(routes.size(), 4u);
  CAF_CHECK_EQUAL(to_string(routes[0].destination), "10.1.2.3/32");
  CAF_CHECK(routes[0].metric == 77u);
  CAF_CHECK_EQUAL(to_string(routes[1].destination), "10.2.0.0/16");
  CAF_CHECK(routes[1].via == gateway_kind::net);
  CAF_CHECK(routes[2].via == gateway_kind::address);
  CAF_CHECK(routes[2].gateway == ip("10.8.0.9") && routes[2].metric == 5u);
  CAF_CHECK_EQUAL(to_string(routes[3].destination), "10.4.0.0/32");
}

CAF_TEST(pushed routes join those of the profile) {
  auto own = own_pull_config();
  own.route_metric = 3;
  route_config mine;
  mine.destination = {ip("172.16.0.0"), 12};
  own.tunnel.routes.push_back(mine);
  auto x = apply({"route 10.0.0.0 255.0.0.0"}, own);
  CAF_REQUIRE_EQUAL(x.tunnel.routes.size(), 2u);
  CAF_CHECK(x.tunnel.routes[0].metric == 3u);
  CAF_CHECK(x.tunnel.routes[1].metric == 3u);
}

CAF_TEST(the device MTU has bounds) {
  CAF_CHECK_EQUAL(apply({"tun-mtu 1400"}).tunnel.mtu, 1400u);
  CAF_CHECK_EQUAL(apply({"tun-mtu 100"}).tunnel.mtu, 100u);
  auto big = apply({"tun-mtu 9000"});
  CAF_CHECK_EQUAL(big.tunnel.mtu, 1600u);
  CAF_CHECK(mentions(big.warnings, "tun-mtu"));
  for (auto text : {"tun-mtu 99", "tun-mtu 0", "tun-mtu -1", "tun-mtu 65536",
                    "tun-mtu 4294967397", "tun-mtu 1400x", "tun-mtu"}) {
    auto x = apply({text});
    CAF_CHECK_EQUAL(x.tunnel.mtu, 1500u);
    CAF_CHECK(mentions(x.warnings, "tun-mtu"));
  }
}

CAF_TEST(the later of restart and exit decides) {
  auto x = apply({"ping-exit 30"});
  CAF_CHECK(x.ping_exit == seconds{30} && x.ping_restart == seconds{0});
  auto y = apply({"ping-exit 30", "ping-restart 40"});
  CAF_CHECK(y.ping_exit == seconds{0} && y.ping_restart == seconds{40});
  CAF_CHECK(apply({"ping-restart 0"}).ping_restart == seconds{0});
  CAF_CHECK(apply({}).ping_restart == seconds{120});
}

CAF_TEST(peer ids have 24 bits and the last one means none) {
  CAF_CHECK(apply({"peer-id 16777214"}).peer_id == 16777214u);
  CAF_CHECK(!apply({"peer-id 3", "peer-id 16777215"}).peer_id);
  CAF_CHECK(!apply({"peer-id 16777216"}).peer_id);
  CAF_CHECK(!apply({"peer-id -1"}).peer_id);
}

CAF_TEST(the server chooses the key derivation) {
  CAF_CHECK(apply({}).derivation == key_derivation::legacy_prf);
  CAF_CHECK(apply({"key-derivation tls-ekm"}).derivation
            == key_derivation::tls_ekm);
  auto x = apply({"key-derivation magic"});
  CAF_CHECK(x.derivation == key_derivation::legacy_prf);
  CAF_CHECK(mentions(x.warnings, "key-derivation"));
  auto y = apply({"protocol-flags cc-exit future-flag"});
  CAF_CHECK(y.cc_exit && y.derivation == key_derivation::legacy_prf);
  CAF_CHECK(mentions(y.warnings, "future-flag"));
}

CAF_TEST(a token and its user are kept and not told) {
  auto x
    = apply({"auth-token SESS_ID_AT_c2VjcmV0", "auth-token-user YWxpY2U="});
  CAF_CHECK_EQUAL(std::string{x.auth_token.text()}, "SESS_ID_AT_c2VjcmV0");
  CAF_CHECK_EQUAL(x.auth_token_user, "alice");
  CAF_CHECK_EQUAL(x.warnings, strings{});
  for (auto text :
       {"auth-token SESS_ID_AT_c2VjcmV0 x", "auth-token \"SESS_ID_AT_c2VjcmV0",
        "auth-token SESS_ID_AT_c2VjcmV0\n",
        "auth-token \xff\\SESS_ID_AT_c2VjcmV0"}) {
    auto y = apply({text});
    CAF_CHECK(y.auth_token.empty());
    CAF_CHECK(mentions(y.warnings, "auth-token"));
    CAF_CHECK(!mentions(y.warnings, "SESS_ID"));
  }
}

CAF_TEST(names for the resolver are kept as they were pushed) {
  auto x = apply({"dhcp-option DNS 10.8.0.1", "dhcp-option DOMAIN corp.example",
                  "dhcp-option  DNS6 fd00::53", "dhcp-option DISABLE-NBT",
                  "dhcp-option DNS 10.8.0.1"});
  CAF_CHECK_EQUAL(
    x.tunnel.foreign_options,
    (strings{"dhcp-option DNS 10.8.0.1", "dhcp-option DOMAIN corp.example",
             "dhcp-option DNS6 fd00::53", "dhcp-option DISABLE-NBT"}));
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(harmless options are silent and others say they have no effect) {
  auto x = apply({"persist-tun", "persist-key", "tun-ipv6", "echo hello",
                  "socket-flags TCP_NODELAY", "mute 3", "register-dns",
                  "compress stub-v2", "ip-win32 dynamic", "dhcp-renew",
                  "dhcp-release", "dhcp-pre-release", "tap-sleep 1",
                  "route-method exe", "ping-timer-rem", "comp-noadapt",
                  "ifconfig-nowarn", "", "   "});
  CAF_CHECK_EQUAL(x.warnings, strings{});
  for (auto text : {"block-outside-dns", "shaper 1000", "lladdr 0:1:2:3:4:5"})
    CAF_CHECK_EQUAL(apply({text}).warnings.size(), 1u);
}

CAF_TEST(a server may ask to be told when we leave) {
  CAF_CHECK(!apply({}).exit_notify);
  CAF_CHECK(apply({"explicit-exit-notify"}).exit_notify == 1u);
  CAF_CHECK(apply({"explicit-exit-notify 3"}).exit_notify == 3u);
  CAF_CHECK(!apply({"explicit-exit-notify x"}).exit_notify);
}

CAF_TEST(pull filters decide by prefix and the first one wins) {
  using action = pull_filter::action;
  auto own = own_pull_config();
  own.filters = {{action::accept, "route 10.1."}, {action::ignore, "route "}};
  auto x = apply({"route 10.1.0.0 255.255.0.0", " route 10.2.0.0 255.255.0.0",
                  "route-gateway 10.8.0.1"},
                 own);
  CAF_CHECK_EQUAL(x.tunnel.routes.size(), 1u);
  CAF_CHECK(x.tunnel.gateway4.defined());
  own.filters = {{action::reject, "redirect-gateway"}};
  auto why = refusal({"ping 10", "redirect-gateway def1"}, own);
  CAF_CHECK_NOT_EQUAL(why.text.find("redirect-gateway"), std::string::npos);
  own.filters = {{action::ignore, ""}};
  refusal({"cipher AES-256-GCM"}, own);
}

CAF_TEST(no quote or blank leads past a pull filter) {
  auto own = own_pull_config();
  own.filters = {{pull_filter::action::ignore, "redirect-gateway"},
                 {pull_filter::action::ignore, "route 10."}};
  auto x
    = apply({"\"redirect-gateway\" def1", "redirect\\-gateway def1",
             "'redirect-gateway' def1", "route   10.1.0.0 255.255.0.0",
             "\"route\" '10.2.0.0' 255.255.0.0", "route 11.0.0.0 255.0.0.0"},
            own);
  CAF_CHECK(!x.tunnel.redirect.ipv4);
  CAF_REQUIRE_EQUAL(x.tunnel.routes.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.tunnel.routes[0].destination), "11.0.0.0/8");
  // The prefix may end in a blank, and then the name alone is not meant.
  own.filters = {{pull_filter::action::ignore, "route "}};
  CAF_CHECK(apply({"route-gateway 10.8.0.1"}, own).tunnel.gateway4.defined());
  CAF_CHECK(apply({"'route' 10.1.0.0"}, own).tunnel.routes.empty());
}

CAF_TEST(without pulling routes only routes and names are left out) {
  auto own = own_pull_config();
  own.route_nopull = true;
  auto x
    = apply({"route 10.0.0.0 255.0.0.0", "route-ipv6 fd00::/8",
             "redirect-gateway def1", "dhcp-option DNS 10.8.0.1",
             "dns search-domains a", "route-metric 3", "route-gateway 10.8.0.1",
             "ifconfig 10.8.0.2 255.255.255.0", "topology subnet", "ping 5"},
            own);
  CAF_CHECK(x.tunnel.routes.empty() && x.tunnel.foreign_options.empty());
  CAF_CHECK(x.tunnel.redirect == redirect_config{});
  CAF_CHECK(x.tunnel.address4 && x.ping == seconds{5});
  // What only helps with routes of the profile stays.
  auto y = apply({"redirect-private def1", "block-ipv6",
                  "client-nat snat 10.0.0.0 255.0.0.0 11.0.0.0",
                  "route-ipv6-gateway fd00::9", "route-delay 3"},
                 own);
  CAF_CHECK(y.tunnel.redirect == redirect_config{});
  CAF_CHECK(!y.tunnel.block_ipv6 && y.nat.empty());
  CAF_CHECK(y.tunnel.gateway6 == ip("fd00::9"));
  CAF_CHECK_EQUAL(y.tunnel.route_delay, 3u);
}

CAF_TEST(the cipher must be one of ours) {
  CAF_CHECK(
    apply_push(own_pull_config(), {"cipher CHACHA20-POLY1305"}, "")->cipher
    == data_cipher::chacha20_poly1305);
  for (auto text : {"cipher AES-192-GCM", "cipher aes-256-gcm", "cipher none",
                    "cipher AES-256-CBC", "cipher \"\"", "cipher BF-CBC"})
    refusal({text}, own_pull_config(), "V4,cipher AES-256-GCM");
  auto own = own_pull_config();
  own.fallback = data_cipher::aes_192_gcm;
  CAF_CHECK(apply_push(own, {"cipher AES-192-GCM"}, "")->cipher
            == data_cipher::aes_192_gcm);
}

CAF_TEST(a server without negotiation is taken at its options string) {
  auto x = apply_push(own_pull_config(), {"ping 10"},
                      "V4,dev-type tun,cipher AES-128-GCM,auth SHA1");
  CAF_REQUIRE(x);
  CAF_CHECK(x->cipher == data_cipher::aes_128_gcm);
  for (auto text : {"", "V4", "cipher", "V4,cipher ", "V4,cipher BF-CBC",
                    "V4,cipher [null-cipher]", ",,,", "V4,xcipher AES-128-GCM"})
    refusal({"ping 10"}, own_pull_config(), text);
  auto own = own_pull_config();
  own.fallback = data_cipher::aes_256_gcm;
  CAF_CHECK(apply_push(own, {}, "V4,cipher BF-CBC")->cipher
            == data_cipher::aes_256_gcm);
}

CAF_TEST(ciphers without AEAD are taken only from the own list) {
  auto own = own_pull_config();
  own.ciphers = {data_cipher::aes_256_gcm, data_cipher::aes_256_cbc};
  CAF_CHECK(apply_push(own, {"cipher AES-256-CBC"}, "")->cipher
            == data_cipher::aes_256_cbc);
  CAF_CHECK(apply_push(own, {"ping 10"}, "V4,cipher AES-256-CBC")->cipher
            == data_cipher::aes_256_cbc);
  refusal({"cipher AES-128-CBC"}, own);
  refusal({"cipher none"}, own);
  refusal({"ping 10"}, own, "V4,cipher [null-cipher]");
  own.ciphers = {data_cipher::none};
  CAF_CHECK(apply_push(own, {"cipher none"}, "")->cipher == data_cipher::none);
  CAF_CHECK(apply_push(own, {}, "V4,cipher [null-cipher]")->cipher
            == data_cipher::none);
}
