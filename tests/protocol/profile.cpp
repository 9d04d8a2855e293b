// Profiles that are right: each option reaches the value it is for.
#define CAF_SUITE protocol.profile

#include "vpn/protocol/profile.hpp"

#include "tests/support/profile_texts.hpp"
#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using std::chrono::seconds;

namespace {

profile parse(const std::string& text) {
  auto result = try_profile(text);
  if (!result)
    CAF_FAIL(text_of(result.error()));
  return std::move(*result);
}

profile parse_words(const strings& words) {
  fake_files files;
  auto result = parse_command_line(words, files.reader());
  if (!result)
    CAF_FAIL(text_of(result.error()));
  return std::move(*result);
}

profile parse_with(const std::string& lines) {
  CAF_MESSAGE(lines);
  return parse(minimal_profile_with(lines));
}

/// Settings of the only remote.
connection_settings settings_with(const std::string& lines) {
  return parse_with(lines).remotes.at(0).settings;
}

} // namespace

CAF_TEST(the minimal profile has the defaults) {
  auto x = parse(minimal_profile());
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_REQUIRE_EQUAL(x.remotes.size(), 1u);
  CAF_CHECK_EQUAL(x.remotes[0].host, "vpn.example");
  CAF_CHECK_EQUAL(x.remotes[0].port, "1194");
  CAF_CHECK(!x.remotes[0].tcp);
  CAF_CHECK(x.remotes[0].kind == family::unspecified);
  auto& settings = x.remotes[0].settings;
  CAF_CHECK_EQUAL(settings.local_port, 0u);
  CAF_CHECK_EQUAL(x.tls.ca, certificate_text());
  CAF_CHECK_EQUAL(x.tls.cert, certificate_text());
  CAF_CHECK_EQUAL(std::string{x.tls.key.text()}, private_key_text());
  CAF_CHECK(x.tls.usage == peer_usage::server);
  CAF_CHECK(settings.wrap.mode == wrap_mode::none);
  CAF_CHECK(x.credentials.source == credential_source::none);
  CAF_CHECK(x.credentials.retry == auth_retry::none);
  CAF_CHECK((x.pull.ciphers
             == std::vector<data_cipher>{data_cipher::aes_256_gcm,
                                         data_cipher::aes_128_gcm,
                                         data_cipher::chacha20_poly1305}));
  CAF_CHECK(!x.pull.fallback);
  CAF_CHECK(x.pull.ping == seconds{0} && x.pull.ping_exit == seconds{0});
  CAF_CHECK(x.pull.ping_restart == seconds{120});
  CAF_CHECK_EQUAL(x.pull.max_tun_mtu, 1600u);
  CAF_CHECK_EQUAL(x.pull.tunnel.mtu, 1500u);
  CAF_CHECK_EQUAL(x.pull.tunnel.device, "tun");
  CAF_CHECK(settings.mssfix.kind == mssfix_kind::outer_packet);
  CAF_CHECK_EQUAL(settings.mssfix.size, 1492u);
  CAF_CHECK_EQUAL(settings.tun_mtu, 1500u);
  CAF_CHECK_EQUAL(settings.fragment.size, 0u);
  CAF_CHECK_EQUAL(settings.max_packet_size, 1250u);
  CAF_CHECK(settings.connect_timeout == seconds{120});
  CAF_CHECK(settings.proxy.kind == proxy_kind::none);
  CAF_CHECK(!settings.floats && !x.remote_random && !x.single_session);
  CAF_CHECK(x.resolve_retry == duration::max());
  CAF_CHECK(x.pull.framing == compression_framing::none);
  CAF_CHECK(!x.pull.allow_compressed && !x.asks_passphrase);
  CAF_CHECK(x.environment.empty() && x.peer_info.empty());
  CAF_CHECK(x.hand_window == seconds{60} && x.reneg_after == seconds{3600});
}

CAF_TEST(a profile as servers hand it out) {
  auto x = parse(realistic_profile());
  CAF_REQUIRE_EQUAL(x.remotes.size(), 2u);
  CAF_CHECK_EQUAL(x.remotes[1].host, "vpn2.example.com");
  CAF_CHECK_EQUAL(x.remotes[1].port, "443");
  CAF_CHECK(x.remotes[1].tcp && !x.remotes[0].tcp);
  CAF_CHECK(x.remote_random);
  CAF_CHECK(x.resolve_retry == duration::max());
  CAF_CHECK(x.credentials.source == credential_source::given);
  CAF_CHECK(x.credentials.forget);
  CAF_CHECK_EQUAL(x.credentials.username, "alice");
  CAF_CHECK_EQUAL(std::string{x.credentials.password.text()}, "hunter2hunter2");
  for (auto& remote : x.remotes) {
    auto& wrap = remote.settings.wrap;
    CAF_CHECK(wrap.mode == wrap_mode::tls_auth);
    CAF_CHECK(wrap.direction == key_direction::inverse);
    CAF_CHECK_EQUAL(wrap.digest, "SHA256");
  }
  CAF_CHECK_EQUAL(x.auth, "SHA256");
  CAF_CHECK(x.tls.check == name_check::name);
  CAF_CHECK_EQUAL(x.tls.expected_name, "vpn server");
  CAF_CHECK_EQUAL(x.pull.ciphers.size(), 3u);
  CAF_CHECK(x.persist_tun);
  CAF_CHECK_EQUAL(x.verbosity, 3);
  CAF_REQUIRE_EQUAL(x.peer_info.size(), 1u);
  CAF_CHECK_EQUAL(x.peer_info[0].second, "blue green");
  CAF_REQUIRE_EQUAL(x.pull.filters.size(), 1u);
  CAF_CHECK_EQUAL(x.pull.filters[0].prefix, "dhcp-option DNS");
  CAF_REQUIRE_EQUAL(x.pull.tunnel.routes.size(), 1u);
  CAF_CHECK_EQUAL(x.warnings.size(), 1u);
  CAF_CHECK(mentions(x.warnings, "test.ovpn:19: option 'block-outside-dns'"));
}

CAF_TEST(line ends of Windows and a byte order mark change nothing) {
  std::string text = "\xef\xbb\xbf";
  for (auto c : realistic_profile())
    text += c == '\n' ? std::string{"\r\n"} : std::string{c};
  auto x = parse(text);
  CAF_CHECK_EQUAL(x.credentials.username, "alice");
  CAF_CHECK_EQUAL(std::string{x.credentials.password.text()}, "hunter2hunter2");
  CAF_CHECK(x.remotes[0].settings.wrap.mode == wrap_mode::tls_auth);
  CAF_CHECK_EQUAL(x.remotes[0].port, "1194");
}

CAF_TEST(the last line needs no end and dashes are allowed) {
  auto x = parse(minimal_profile() + "--verb 5");
  CAF_CHECK_EQUAL(x.verbosity, 5);
}

CAF_TEST(port and protocol count for remotes that have none) {
  auto x = parse(minimal_profile_without("remote")
                 + "remote a\nremote b 7\nremote c https tcp6\n"
                   "port 1234\nproto tcp4-client\n");
  CAF_REQUIRE_EQUAL(x.remotes.size(), 3u);
  CAF_CHECK_EQUAL(x.remotes[0].port, "1234");
  CAF_CHECK(x.remotes[0].tcp && x.remotes[0].kind == family::v4);
  CAF_CHECK_EQUAL(x.remotes[1].port, "7");
  CAF_CHECK_EQUAL(x.remotes[2].port, "https");
  CAF_CHECK(x.remotes[2].tcp && x.remotes[2].kind == family::v6);
  // Nothing is told from silence on TCP.
  CAF_CHECK(x.pull.ping_restart == seconds{0});
}

CAF_TEST(each protocol name) {
  for (auto& [name, tcp, kind] :
       std::vector<std::tuple<std::string, bool, family>>{
         {"udp", false, family::unspecified},
         {"udp4", false, family::v4},
         {"udp6", false, family::v6},
         {"tcp", true, family::unspecified},
         {"tcp-client", true, family::unspecified},
         {"tcp4", true, family::v4},
         {"tcp4-client", true, family::v4},
         {"tcp6", true, family::v6},
         {"tcp6-client", true, family::v6}}) {
    auto x = parse(minimal_profile_without("remote") + "remote a 1 " + name);
    CAF_CHECK_EQUAL(x.remotes[0].tcp, tcp);
    CAF_CHECK(x.remotes[0].kind == kind);
  }
}

CAF_TEST(connection blocks add remotes with their own port and protocol) {
  auto x
    = parse(minimal_profile_without("remote") + "port 99\n"
            + block("connection", "proto tcp\nremote a\nport 443\n")
            + block("connection", "remote b 5 udp6\nexplicit-exit-notify 2\n")
            + block("connection", "  # only a name\n  remote c\n"));
  CAF_REQUIRE_EQUAL(x.remotes.size(), 3u);
  CAF_CHECK(x.remotes[0].tcp);
  CAF_CHECK_EQUAL(x.remotes[0].port, "443");
  CAF_CHECK(!x.remotes[1].tcp && x.remotes[1].kind == family::v6);
  CAF_CHECK_EQUAL(x.remotes[1].port, "5");
  CAF_CHECK_EQUAL(x.remotes[2].port, "99");
  CAF_CHECK_EQUAL(x.remotes[1].settings.exit_notify, 2u);
  CAF_CHECK_EQUAL(x.remotes[2].settings.exit_notify, 0u);
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(the local end) {
  CAF_CHECK_EQUAL(settings_with("nobind").local_port, 0u);
  CAF_CHECK_EQUAL(settings_with("bind").local_port, 1194u);
  CAF_CHECK_EQUAL(settings_with("lport 5000").local_port, 5000u);
  CAF_CHECK_EQUAL(settings_with("lport 0\nnobind").local_port, 0u);
  CAF_CHECK_EQUAL(settings_with("port 5000").local_port, 0u);
  CAF_CHECK_EQUAL(settings_with("port 5000\nbind").local_port, 5000u);
  CAF_CHECK(settings_with("bind ipv6only").ipv6_only);
  auto x = settings_with("local 192.0.2.1");
  CAF_CHECK_EQUAL(to_string(x.local_address), "192.0.2.1");
  CAF_CHECK_EQUAL(x.local_port, 1194u);
  CAF_CHECK_EQUAL(settings_with("local 192.0.2.1 0").local_port, 0u);
  CAF_CHECK_EQUAL(settings_with("local fd00::1 77 udp").local_port, 77u);
  CAF_CHECK(!settings_with("local *").local_address.defined());
  CAF_CHECK(settings_with("float").floats);
}

CAF_TEST(files are read where they are named) {
  auto x = parse_with("auth-user-pass login\ntls-auth ta.key 0\n"
                      "askpass phrase\nextra-certs ca.pem");
  CAF_CHECK_EQUAL(x.credentials.username, "alice");
  CAF_CHECK_EQUAL(std::string{x.credentials.password.text()}, "hunter2hunter2");
  CAF_CHECK(x.remotes[0].settings.wrap.direction == key_direction::normal);
  CAF_CHECK_EQUAL(std::string{x.tls.key_passphrase.text()}, "hunter2hunter2");
  CAF_CHECK_EQUAL(x.tls.extra_certs, certificate_text());
  auto y = parse_with("tls-crypt ta.key\nauth-user-pass");
  CAF_CHECK(y.remotes[0].settings.wrap.mode == wrap_mode::tls_crypt);
  CAF_CHECK(y.credentials.source == credential_source::prompt);
  auto z = parse_with("auth-user-pass name");
  CAF_CHECK(z.credentials.source == credential_source::given);
  CAF_CHECK(z.credentials.password.empty());
  auto both = settings_with("tls-auth ta.key");
  CAF_CHECK(both.wrap.direction == key_direction::bidirectional);
}

CAF_TEST(the old placeholder for a block is understood) {
  auto x = settings_with("ca [inline]\ntls-auth [inline] 1\n"
                         + block("ca", certificate_text())
                         + block("tls-auth", static_key_text()));
  CAF_CHECK(x.wrap.mode == wrap_mode::tls_auth);
  CAF_CHECK(x.wrap.direction == key_direction::inverse);
}

CAF_TEST(a login without certificate is enough) {
  auto text = minimal_profile_without("cert") + "auth-user-pass\n";
  text.erase(text.find("key client.key\n"), 15);
  CAF_CHECK(parse(text).credentials.source == credential_source::prompt);
}

CAF_TEST(names of ciphers are normalised) {
  auto x = parse_with("data-ciphers chacha20-poly1305:aes-192-gcm:?foo\n"
                      "data-ciphers-fallback aes-128-gcm");
  CAF_CHECK((x.pull.ciphers
             == std::vector<data_cipher>{data_cipher::chacha20_poly1305,
                                         data_cipher::aes_192_gcm}));
  CAF_CHECK(x.pull.fallback == data_cipher::aes_128_gcm);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK_EQUAL(
    parse_with("data-ciphers DEFAULT:AES-192-GCM").pull.ciphers.size(), 4u);
  auto y = parse_with("cipher AES-256-GCM");
  CAF_CHECK(y.pull.fallback == data_cipher::aes_256_gcm);
  CAF_CHECK_EQUAL(y.warnings, strings{});
  auto z = parse_with("cipher AES-256-CBC\ndata-ciphers-fallback BF-CBC");
  CAF_CHECK(!z.pull.fallback);
  CAF_CHECK(mentions(z.warnings, "AES-256-CBC"));
  CAF_CHECK(mentions(z.warnings, "BF-CBC"));
}

CAF_TEST(cipher suites get the spelling of the library) {
  auto x = parse_with(
    "tls-cipher TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384:DHE-RSA-AES128-SHA256\n"
    "tls-ciphersuites TLS-AES-256-GCM-SHA384:TLS_AES_128_GCM_SHA256");
  CAF_CHECK_EQUAL(x.tls.ciphers,
                  "ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-SHA256");
  CAF_CHECK_EQUAL(x.tls.ciphersuites,
                  "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
}

CAF_TEST(versions of TLS) {
  auto x = parse_with("tls-version-min 1.3\ntls-version-max 1.3");
  CAF_CHECK_EQUAL(x.tls.min_version, 0x0304);
  CAF_CHECK_EQUAL(x.tls.max_version, 0x0304);
  auto y = parse_with("tls-version-min 1.0");
  CAF_CHECK_EQUAL(y.tls.min_version, 0x0303);
  CAF_CHECK_EQUAL(y.warnings.size(), 1u);
}

CAF_TEST(sizes of packets and segments) {
  using kind = mssfix_kind;
  auto check = [](const std::string& lines, kind what, uint32_t size) {
    auto mssfix = settings_with(lines).mssfix;
    CAF_CHECK(mssfix.kind == what);
    CAF_CHECK_EQUAL(mssfix.size, size);
  };
  check("mssfix 0", kind::off, 0);
  check("mssfix 1400", kind::udp_payload, 1400);
  check("mssfix 1400 mtu", kind::outer_packet, 1400);
  check("mssfix 1300 fixed", kind::fixed, 1300);
  check("mssfix", kind::outer_packet, 1492);
  check("mssfix 1300\nmssfix", kind::outer_packet, 1492);
  check("tun-mtu 1400", kind::fixed, 1400);
  check("tun-mtu 1400\nmssfix 1300", kind::udp_payload, 1300);
  check("tun-mtu 1400\nmssfix", kind::fixed, 1400);
  check("fragment 1200", kind::outer_packet, 1200);
  check("fragment 1200\nmssfix", kind::outer_packet, 1200);
  check("fragment 1200\ntun-mtu 1400", kind::outer_packet, 1200);
  check("mssfix 1300\nfragment 1200", kind::udp_payload, 1300);
  check("max-packet-size 1000", kind::outer_packet, 1000);
  check("max-packet-size 1000\nmssfix 1300", kind::udp_payload, 1300);
  CAF_CHECK_EQUAL(settings_with("max-packet-size 1000").max_packet_size, 1000u);
  CAF_CHECK_EQUAL(settings_with("tun-mtu 1400 1500").tun_mtu, 1400u);
  auto x = parse_with("tun-mtu 9000");
  CAF_CHECK_EQUAL(x.pull.max_tun_mtu, 9000u);
  CAF_CHECK_EQUAL(x.pull.tunnel.mtu, 9000u);
  CAF_CHECK_EQUAL(parse_with("tun-mtu-max 2000").pull.max_tun_mtu, 2000u);
  auto fragment = settings_with("fragment 68").fragment;
  CAF_CHECK(fragment.size == 68 && !fragment.outer_packet);
  CAF_CHECK(settings_with("fragment 1300 mtu").fragment.outer_packet);
}

CAF_TEST(timers) {
  auto x = parse_with("keepalive 10 60\nhand-window 30\ntls-timeout 1\n"
                      "reneg-sec 0\ntran-window 9\nconnect-retry 2 8\n"
                      "connect-retry-max 5\nserver-poll-timeout 4\n"
                      "explicit-exit-notify");
  CAF_CHECK(x.pull.ping == seconds{10} && x.pull.ping_restart == seconds{60});
  CAF_CHECK(x.hand_window == seconds{30} && x.tls_timeout == seconds{1});
  CAF_CHECK(x.reneg_after == seconds{0} && x.transition_window == seconds{9});
  CAF_CHECK(x.connect_retry == seconds{2});
  CAF_CHECK(x.connect_retry_max_wait == seconds{8});
  CAF_CHECK_EQUAL(x.connect_retry_max, 5u);
  CAF_CHECK(x.remotes[0].settings.connect_timeout == seconds{4});
  CAF_CHECK_EQUAL(x.remotes[0].settings.exit_notify, 1u);
  CAF_CHECK(parse_with("ping-restart 0").pull.ping_restart == seconds{0});
  auto y = parse_with("ping-exit 50");
  CAF_CHECK(y.pull.ping_exit == seconds{50});
  CAF_CHECK(y.pull.ping_restart == seconds{0});
  auto z = parse_with("inactive 600 4000000000\nsession-timeout 7200\n"
                      "reneg-bytes 68719476736\nreneg-pkts 1000000\n"
                      "resolv-retry 60\nreneg-sec 7200 3600");
  CAF_CHECK(z.pull.inactive == seconds{600});
  CAF_CHECK_EQUAL(z.pull.inactive_bytes, 4000000000u);
  CAF_CHECK(z.pull.session_timeout == seconds{7200});
  CAF_CHECK_EQUAL(z.reneg_bytes, 68719476736u);
  CAF_CHECK_EQUAL(z.reneg_packets, 1000000u);
  CAF_CHECK(z.resolve_retry == seconds{60});
  CAF_CHECK(z.reneg_after == seconds{7200});
  CAF_CHECK(z.reneg_min == seconds{3600});
  CAF_CHECK(!y.reneg_min);
  CAF_CHECK(parse_with("reneg-sec 9 0").reneg_min == seconds{0});
  CAF_CHECK(!parse_with("reneg-sec 9 5\nreneg-sec 8").reneg_min);
  CAF_CHECK(mentions(parse_with("reneg-sec 9 10").warnings, "the least time"));
  CAF_CHECK_EQUAL(parse_with("reneg-sec 0 10").warnings, strings{});
  CAF_CHECK_EQUAL(parse_with("inactive 60").pull.inactive_bytes, 0u);
  CAF_CHECK(parse_with("tls-exit").single_session);
  CAF_CHECK(parse_with("single-session").single_session);
}

CAF_TEST(the tunnel of the profile) {
  auto x = parse_with("ifconfig 10.8.0.2 255.255.255.0\ntopology subnet\n"
                      "ifconfig-ipv6 fd00::2/64 fd00::1\n"
                      "route-gateway 10.8.0.1\nroute-metric 5\n"
                      "route-ipv6 2001:db8::/32\nredirect-gateway def1\n"
                      "dev tun7\ntxqueuelen 500\nroute-delay 3\n"
                      "block-ipv6\nroute-noexec\nifconfig-noexec\n"
                      "client-nat snat 10.8.0.0 255.255.255.0 10.9.0.0");
  auto& tunnel = x.pull.tunnel;
  CAF_CHECK_EQUAL(to_string(*tunnel.address4), "10.8.0.2/24");
  CAF_CHECK_EQUAL(to_string(*tunnel.address6), "fd00::2/64");
  CAF_CHECK_EQUAL(to_string(tunnel.gateway4), "10.8.0.1");
  CAF_CHECK_EQUAL(x.pull.route_metric, 5u);
  CAF_CHECK_EQUAL(tunnel.routes.size(), 1u);
  CAF_CHECK(tunnel.redirect.def1 && tunnel.redirect.ipv4);
  CAF_CHECK_EQUAL(tunnel.device, "tun7");
  CAF_CHECK_EQUAL(tunnel.tx_queue_length, 500u);
  CAF_CHECK_EQUAL(tunnel.route_delay, 3u);
  CAF_CHECK(tunnel.block_ipv6 && tunnel.route_noexec && tunnel.ifconfig_noexec);
  CAF_CHECK_EQUAL(x.pull.nat.size(), 1u);
  CAF_CHECK_EQUAL(parse_with("dev null").pull.tunnel.device, "null");
  CAF_CHECK_EQUAL(parse_with("dev vpn0\ndev-type tun").pull.tunnel.device,
                  "vpn0");
  CAF_CHECK(parse_with("route-nopull").pull.route_nopull);
}

CAF_TEST(scripts are cut into words and need permission) {
  auto x = parse_with(R"(up "/etc/up.sh 'a b' c")"
                      "\ndown /etc/down.sh\nscript-security 2");
  CAF_CHECK_EQUAL(x.scripts.up, (strings{"/etc/up.sh", "a b", "c"}));
  CAF_CHECK_EQUAL(x.scripts.down, strings{"/etc/down.sh"});
  CAF_CHECK_EQUAL(x.script_security, 2);
  CAF_CHECK_EQUAL(x.warnings, strings{});
  CAF_CHECK(mentions(parse_with("down x").warnings, "script-security"));
}

CAF_TEST(options for other programs are left alone) {
  auto x = parse_with("setenv opt no-such-thing 1\nsetenv opt verb 7\n"
                      "setenv CLIENT_CERT 0\nsetenv FORWARD_COMPATIBLE 1\n"
                      "no-such-thing-either 1\npersist-key\nmute 20\n"
                      "compress stub-v2\nallow-compression no");
  CAF_CHECK_EQUAL(x.verbosity, 7);
  CAF_CHECK_EQUAL(x.warnings.size(), 1u);
}

CAF_TEST(a server that anybody could play is warned of) {
  auto x = parse(minimal_profile_without("remote-cert-tls"));
  CAF_REQUIRE_EQUAL(x.warnings.size(), 1u);
  CAF_CHECK(mentions(x.warnings, "remote-cert-tls"));
  auto y = parse(minimal_profile_without("remote-cert-tls")
                 + "verify-x509-name vpn name-prefix");
  CAF_CHECK_EQUAL(y.warnings, strings{});
}

CAF_TEST(the command line takes a file or options) {
  auto file = parse_words({"minimal.ovpn"});
  CAF_CHECK_EQUAL(file.remotes[0].host, "vpn.example");
  auto x = parse_words({"--config", "minimal.ovpn", "--verb", "4", "--remote",
                        "other", "443", "tcp", "--auth-user-pass"});
  CAF_CHECK_EQUAL(x.verbosity, 4);
  CAF_CHECK_EQUAL(x.remotes.size(), 2u);
  CAF_CHECK(x.credentials.source == credential_source::prompt);
  auto y
    = parse_words({"--client", "--remote", "h", "--ca", "ca.pem", "--cert",
                   "client.pem", "--key", "client.key", "--up", "a \"b c\"",
                   "--script-security", "2", "--shaper", "1000"});
  CAF_CHECK_EQUAL(y.scripts.up, (strings{"a", "b c"}));
  CAF_CHECK(mentions(y.warnings, "command line: option 'shaper' is ignored"));
}

CAF_TEST(files may include files) {
  fake_files files;
  files["outer"] = "verb 2\nconfig minimal.ovpn\nverb 6\n";
  auto x = parse_command_line({"outer"}, files.reader());
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->verbosity, 6);
}
