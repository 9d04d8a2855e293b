// The table of options: complete, consistent, and helpful with typing errors.
#define CAF_SUITE protocol.option_table

#include "vpn/protocol/option_table.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <sstream>

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

CAF_TEST(every name of OpenVPN 2 point 6 and 2 point 7 is classified) {
  std::istringstream names{
    "allow-compression allow-deprecated-insecure-static-crypto "
    "allow-nonadmin allow-pull-fqdn allow-recursive-routing askpass auth "
    "auth-gen-token auth-gen-token-secret auth-nocache auth-retry "
    "auth-token auth-token-user auth-user-pass auth-user-pass-optional "
    "auth-user-pass-verify bcast-buffers bind bind-dev block-ipv6 "
    "block-outside-dns ca capath ccd-exclusive cd cert chroot cipher client "
    "client-cert-not-required client-config-dir client-connect "
    "client-crresponse client-disconnect client-nat client-to-client "
    "comp-lzo comp-noadapt compat-mode compat-names compress config "
    "connect-freq connect-freq-initial connect-retry connect-retry-max "
    "connect-timeout connection crl-verify cryptoapicert daemon "
    "data-ciphers data-ciphers-fallback dev dev-node dev-type dh "
    "dhcp-internal dhcp-option dhcp-pre-release dhcp-release dhcp-renew "
    "disable disable-dco disable-occ dns dns-updown down down-pre "
    "duplicate-cn ecdh-curve echo engine errors-to-stderr "
    "explicit-exit-notify extra-certs fast-io float "
    "force-tls-key-material-export fragment genkey gremlin group "
    "hand-window hash-size help http-proxy http-proxy-option "
    "http-proxy-override http-proxy-retry http-proxy-timeout "
    "http-proxy-user-pass ifconfig ifconfig-ipv6 ifconfig-ipv6-pool "
    "ifconfig-ipv6-push ifconfig-noexec ifconfig-nowarn ifconfig-pool "
    "ifconfig-pool-persist ifconfig-push ifconfig-push-constraint "
    "ignore-unknown-option inactive ip-remote-hint ip-win32 ipchange "
    "iproute iroute iroute-ipv6 keepalive key key-derivation key-direction "
    "keying-material-exporter learn-address link-mtu lladdr local log "
    "log-append lport machine-readable-output management management-client "
    "management-client-auth management-client-group management-client-user "
    "management-external-cert management-external-key "
    "management-forget-disconnect management-hold management-log-cache "
    "management-query-passwords management-query-proxy "
    "management-query-remote management-signal management-up-down mark "
    "max-clients max-packet-size max-routes max-routes-per-client memstats "
    "mktun mlock mode msg-channel mssfix mtu-disc mtu-dynamic mtu-test "
    "multihome mute mute-replay-warnings ncp-ciphers nice no-name-remapping "
    "no-replay nobind ns-cert-type opt-verify override-username parameter "
    "passtos pause-exit peer-fingerprint peer-id persist-key "
    "persist-local-ip persist-remote-ip persist-tun ping ping-exit "
    "ping-restart ping-timer-rem pkcs11-cert-private pkcs11-id "
    "pkcs11-id-management pkcs11-pin-cache pkcs11-private-mode "
    "pkcs11-protected-authentication pkcs11-providers pkcs12 plugin port "
    "port-share preresolve prng proto proto-force protocol-flags providers "
    "pull pull-filter push push-continuation push-peer-info push-remove "
    "push-reset rcvbuf rdns-internal redirect-gateway redirect-private "
    "register-dns remap-usr1 remote remote-cert-eku remote-cert-ku "
    "remote-cert-tls remote-random remote-random-hostname reneg-bytes "
    "reneg-pkts reneg-sec replay-persist replay-window resolv-retry rmtun "
    "route route-delay route-gateway route-ipv6 route-ipv6-gateway "
    "route-method route-metric route-noexec route-nopull route-pre-down "
    "route-table route-up rport script-security secret server server-bridge "
    "server-ipv6 server-poll-timeout service session-timeout setcon setenv "
    "setenv-safe shaper show-adapters show-ciphers show-curves show-digests "
    "show-engines show-gateway show-groups show-net show-net-up "
    "show-pkcs11-ids show-tls show-valid-subnets single-session sndbuf "
    "socket-flags socks-proxy socks-proxy-retry stale-routes-check "
    "static-challenge status status-version suppress-timestamps syslog "
    "tap-sleep tcp-nodelay tcp-queue-limit test-crypto tls-auth "
    "tls-cert-profile tls-cipher tls-ciphersuites tls-client tls-crypt "
    "tls-crypt-v2 tls-crypt-v2-max-age tls-crypt-v2-verify tls-exit "
    "tls-export-cert tls-groups tls-server tls-timeout tls-verify "
    "tls-version-max tls-version-min tmp-dir topology tran-window tun-ipv6 "
    "tun-mtu tun-mtu-extra tun-mtu-max txqueuelen udp-mtu up up-delay "
    "up-restart use-prediction-resistance user username-as-common-name verb "
    "verify-client-cert verify-hash verify-x509-name version vlan-accept "
    "vlan-pvid vlan-tagging win-sys windows-driver writepid x509-track "
    "x509-username-field "};
  size_t count = 0;
  for (std::string name; names >> name; ++count) {
    CAF_MESSAGE(name);
    CAF_CHECK(find_option(name) != nullptr);
  }
  CAF_CHECK_EQUAL(count, 316u);
}

CAF_TEST(what is ours alone is marked) {
  std::set<std::string> ours;
  for (auto& x : all_options())
    if (x.ours)
      ours.insert(x.name);
  CAF_CHECK_EQUAL(ours, (std::set<std::string>{"allow-faults", "cleanup",
                                               "fault", "show-faults"}));
  // A server that could disturb a client would be no friend.
  for (auto& name : ours)
    CAF_CHECK(!find_option(name)->pushable);
}

CAF_TEST(word counts are in order) {
  for (auto& x : all_options()) {
    CAF_CHECK_LESS_OR_EQUAL(int{x.min_words}, int{x.max_words});
    CAF_CHECK_LESS_OR_EQUAL(int{x.max_words}, 15);
    if (x.inline_file)
      CAF_CHECK_GREATER_OR_EQUAL(int{x.max_words}, 1);
  }
}

CAF_TEST(every option says what it does or why it does not ) {
  for (auto& x : all_options()) {
    CAF_MESSAGE(x.name);
    CAF_CHECK_NOT_EQUAL(std::string{x.note}, "");
  }
}

CAF_TEST(what is refused says what to do instead) {
  for (auto& x : all_options()) {
    std::string note = x.note;
    if (x.kind != option_class::refused || note.find("command of") != note.npos)
      continue;
    CAF_MESSAGE(x.name);
    CAF_CHECK(note.find("use ") != note.npos || note.find("give ") != note.npos
              || note.find("name ") != note.npos);
  }
}

CAF_TEST(what would be missed is refused) {
  for (auto name :
       {"secret", "plugin", "capath", "pkcs11-id", "pkcs11-providers",
        "cryptoapicert", "engine", "management-external-key", "route-table",
        "allow-deprecated-insecure-static-crypto", "http-proxy-override",
        "genkey", "show-ciphers", "version"}) {
    CAF_MESSAGE(name);
    CAF_REQUIRE(find_option(name) != nullptr);
    CAF_CHECK(find_option(name)->kind == option_class::refused);
  }
}

CAF_TEST(what clients of today have in their profiles has an effect) {
  for (auto name :
       {"tls-crypt-v2",     "fragment",         "http-proxy",  "socks-proxy",
        "pkcs12",           "crl-verify",       "verify-hash", "comp-lzo",
        "tls-verify",       "static-challenge", "block-ipv6",  "auth-retry",
        "remote-random",    "resolv-retry",     "reneg-bytes", "inactive",
        "redirect-private", "peer-fingerprint", "float",       "user",
        "daemon",           "setenv-safe",      "tls-groups",  "mark",
        "tls-cert-profile", "route-noexec",     "dns-updown"}) {
    CAF_MESSAGE(name);
    CAF_REQUIRE(find_option(name) != nullptr);
    CAF_CHECK(find_option(name)->kind == option_class::accepted);
  }
}

CAF_TEST(classes of some well known options) {
  const std::map<std::string, option_class> expected{
    {"remote", option_class::accepted},
    {"persist-key", option_class::silent},
    {"mute", option_class::silent},
    {"ping-timer-rem", option_class::silent},
    {"disable-dco", option_class::silent},
    {"chroot", option_class::ignored},
    {"management", option_class::ignored},
    {"shaper", option_class::ignored},
    {"dh", option_class::ignored},
    {"link-mtu", option_class::ignored},
    {"server", option_class::server_only},
    {"mode", option_class::server_only},
    {"client-config-dir", option_class::server_only},
    {"no-iv", option_class::removed},
    {"ncp-disable", option_class::removed},
    {"ns-cert-type", option_class::removed},
    {"keysize", option_class::removed},
    {"tls-remote", option_class::removed},
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
