// Remotes: what stands in a block, what comes from above it, proxies, sizes,
// and what does not go together.
#define CAF_SUITE protocol.profile_connections

#include "tests/support/profile_texts.hpp"
#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using std::chrono::seconds;

namespace {

profile parse(const std::string& text) {
  CAF_MESSAGE(text);
  auto result = try_profile(text);
  if (!result)
    CAF_FAIL(text_of(result.error()));
  return std::move(*result);
}

connection_settings settings_with(const std::string& lines) {
  return parse(minimal_profile_with(lines)).remotes.at(0).settings;
}

/// Without a remote of its own.
std::string profile_of(const std::string& lines) {
  return minimal_profile_without("remote") + lines;
}

std::string tcp(const std::string& lines) {
  return profile_of("remote a 1 tcp\n" + lines + "\n");
}

void check_error(const std::string& text, const std::string& expected) {
  CAF_MESSAGE(text);
  auto result = try_profile(text);
  CAF_REQUIRE(!result);
  CAF_CHECK_EQUAL(result.error().size(), 1u);
  if (text_of(result.error()).find(expected) == std::string::npos)
    CAF_ERROR("instead of \"" << expected << "\": " << text_of(result.error()));
}

} // namespace

CAF_TEST(a block begins with what stands above it) {
  auto x = parse(profile_of(
    "server-poll-timeout 10\ntun-mtu 1400\nfloat\nsocks-proxy s\n"
    + block("connection", "remote a\n")
    + block("connection", "remote b\nserver-poll-timeout 20\ntun-mtu 1300\n"
                          "mssfix 1000\nlport 7\nexplicit-exit-notify\n")
    + "server-poll-timeout 30\n" + block("connection", "remote c\n")));
  CAF_REQUIRE_EQUAL(x.remotes.size(), 3u);
  auto& a = x.remotes[0].settings;
  auto& b = x.remotes[1].settings;
  auto& c = x.remotes[2].settings;
  CAF_CHECK(a.connect_timeout == seconds{10});
  CAF_CHECK(b.connect_timeout == seconds{20});
  CAF_CHECK(c.connect_timeout == seconds{30});
  CAF_CHECK_EQUAL(a.tun_mtu, 1400u);
  CAF_CHECK_EQUAL(b.tun_mtu, 1300u);
  CAF_CHECK(a.floats && b.floats && c.floats);
  CAF_CHECK(b.proxy.kind == proxy_kind::socks5);
  CAF_CHECK(a.mssfix.kind == mssfix_kind::fixed && a.mssfix.size == 1400);
  CAF_CHECK(b.mssfix.kind == mssfix_kind::udp_payload);
  CAF_CHECK_EQUAL(b.local_port, 7u);
  CAF_CHECK_EQUAL(c.local_port, 0u);
  CAF_CHECK_EQUAL(b.exit_notify, 1u);
  CAF_CHECK_EQUAL(c.exit_notify, 0u);
  CAF_CHECK_EQUAL(x.pull.max_tun_mtu, 1600u);
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(plain remotes take what stands below them) {
  auto x = parse(profile_of("remote a\nremote b\nserver-poll-timeout 9\n"));
  CAF_REQUIRE_EQUAL(x.remotes.size(), 2u);
  for (auto& remote : x.remotes)
    CAF_CHECK(remote.settings.connect_timeout == seconds{9});
}

CAF_TEST(beside blocks a plain remote is not used) {
  auto x = parse(minimal_profile_with(block("connection", "remote b\n")));
  CAF_REQUIRE_EQUAL(x.remotes.size(), 1u);
  CAF_CHECK_EQUAL(x.remotes[0].host, "b");
  CAF_CHECK(mentions(x.warnings, "outside of the <connection> blocks"));
}

CAF_TEST(the last remote of a block is the one) {
  auto x = parse(
    profile_of(block("connection", "remote a 5 tcp6\nport 6\nremote b\n")));
  CAF_REQUIRE_EQUAL(x.remotes.size(), 1u);
  CAF_CHECK_EQUAL(x.remotes[0].host, "b");
  CAF_CHECK_EQUAL(x.remotes[0].port, "6");
  CAF_CHECK(x.remotes[0].tcp && x.remotes[0].kind == family::v6);
  CAF_CHECK(mentions(x.warnings, "one remote"));
}

CAF_TEST(the version of IP of proto stays with a remote that names none) {
  auto x = parse(profile_of("proto udp6\nremote a 1 tcp\nremote b 1 udp4\n"));
  CAF_CHECK(x.remotes[0].tcp && x.remotes[0].kind == family::v6);
  CAF_CHECK(!x.remotes[1].tcp && x.remotes[1].kind == family::v4);
}

CAF_TEST(a block has keys of its own or those of the profile) {
  auto auth = block("tls-auth", static_key_text());
  auto x = parse(profile_of(
    "key-direction 1\nauth SHA512\n" + block("connection", "remote a\n")
    + block("connection", "remote b\n" + block("tls-crypt", static_key_text()))
    + block("connection",
            "remote c\n" + block("tls-crypt-v2", crypt_v2_key_text()))
    + block("connection", "remote d\nkey-direction 0\n" + auth)
    + block("connection", "remote e\n" + auth)
    + block("connection", "remote f\ntls-auth ta.key 0\n") + auth));
  CAF_REQUIRE_EQUAL(x.remotes.size(), 6u);
  auto wrap_of = [&](size_t i) -> wrap_config& {
    return x.remotes[i].settings.wrap;
  };
  CAF_CHECK(wrap_of(0).mode == wrap_mode::tls_auth);
  CAF_CHECK(wrap_of(0).direction == key_direction::inverse);
  CAF_CHECK_EQUAL(wrap_of(0).digest, "SHA512");
  CAF_CHECK(wrap_of(1).mode == wrap_mode::tls_crypt);
  CAF_CHECK(wrap_of(2).mode == wrap_mode::tls_crypt_v2);
  CAF_CHECK_EQUAL(wrap_of(2).wrapped_key.size(), 290u);
  CAF_CHECK(wrap_of(3).direction == key_direction::normal);
  CAF_CHECK(wrap_of(4).direction == key_direction::bidirectional);
  CAF_CHECK(wrap_of(5).direction == key_direction::normal);
}

CAF_TEST(a key of tls crypt v2 comes from a file too) {
  auto x = settings_with("tls-crypt-v2 v2.key");
  CAF_CHECK(x.wrap.mode == wrap_mode::tls_crypt_v2);
  CAF_CHECK_EQUAL(x.wrap.wrapped_key[289], 0x22);
  auto y = parse(minimal_profile_with("tls-crypt-v2 v2.key force-cookie\n"));
  CAF_CHECK(mentions(y.warnings, "for servers"));
}

CAF_TEST(an HTTP proxy) {
  auto x
    = parse(tcp("http-proxy proxy.example 3128")).remotes[0].settings.proxy;
  CAF_CHECK(x.kind == proxy_kind::http && x.auth == proxy_auth::none);
  CAF_CHECK_EQUAL(x.host, "proxy.example");
  CAF_CHECK_EQUAL(x.port, "3128");
  CAF_CHECK_EQUAL(x.http_version, "1.0");
  auto y = parse(tcp("http-proxy p 1 login\nhttp-proxy-option VERSION 1.1\n"
                     "http-proxy-option AGENT \"my browser\"\n"
                     "http-proxy-option CUSTOM-HEADER X-One \"a b\"\n"
                     "http-proxy-option EXT1 \"Host: vpn.example\""))
             .remotes[0]
             .settings.proxy;
  CAF_CHECK(y.auth == proxy_auth::basic);
  CAF_CHECK_EQUAL(y.username, "alice");
  CAF_CHECK_EQUAL(std::string{y.password.text()}, "hunter2hunter2");
  CAF_CHECK_EQUAL(y.http_version, "1.1");
  CAF_CHECK_EQUAL(y.user_agent, "my browser");
  using header = std::pair<std::string, std::string>;
  CAF_REQUIRE_EQUAL(y.headers.size(), 2u);
  CAF_CHECK(y.headers[0] == header("X-One", "a b"));
  CAF_CHECK(y.headers[1] == header("Host", "vpn.example"));
}

CAF_TEST(each way to log in to an HTTP proxy) {
  for (auto& [words, auth] : std::vector<std::pair<std::string, proxy_auth>>{
         {"login", proxy_auth::basic},
         {"login none", proxy_auth::none},
         {"login basic", proxy_auth::basic},
         {"login digest", proxy_auth::digest},
         {"login auto", proxy_auth::automatic},
         {"auto", proxy_auth::automatic},
         {"auto-nct", proxy_auth::no_clear_text}}) {
    auto x = parse(tcp("http-proxy p 1 " + words));
    CAF_CHECK(x.remotes[0].settings.proxy.auth == auth);
    CAF_CHECK_EQUAL(mentions(x.warnings, "nobody is asked"),
                    words.compare(0, 5, "login") != 0);
  }
  auto x = parse(tcp("http-proxy p 1 auto\n"
                     + block("http-proxy-user-pass", "bob\nhunter2\n")));
  CAF_CHECK_EQUAL(x.remotes[0].settings.proxy.username, "bob");
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(a SOCKS proxy) {
  auto x = settings_with("socks-proxy 192.0.2.1").proxy;
  CAF_CHECK(x.kind == proxy_kind::socks5 && x.auth == proxy_auth::none);
  CAF_CHECK_EQUAL(x.port, "1080");
  auto y = settings_with("socks-proxy s 99 login").proxy;
  CAF_CHECK_EQUAL(y.port, "99");
  CAF_CHECK(y.auth == proxy_auth::basic);
  CAF_CHECK_EQUAL(y.username, "alice");
  // Relayed datagrams go to IPv4 addresses only.
  auto z = parse(profile_of("socks-proxy s\nremote a 1 udp6\nremote b 1 udp\n"
                            "remote c 1 tcp6\n"));
  CAF_CHECK(z.remotes[0].kind == family::v4);
  CAF_CHECK(z.remotes[1].kind == family::v4);
  CAF_CHECK(z.remotes[2].kind == family::v6);
  CAF_CHECK_EQUAL(z.warnings.size(), 1u);
}

CAF_TEST(one protocol may be forced) {
  auto both = profile_of("remote a 1 udp\nremote b 2 tcp\n");
  auto x = parse(both + "proto-force tcp\n");
  CAF_REQUIRE_EQUAL(x.remotes.size(), 1u);
  CAF_CHECK_EQUAL(x.remotes[0].host, "b");
  check_error(profile_of("remote a\nproto-force tcp\n"), "leaves no `remote`");
}

CAF_TEST(leaving needs no words over TCP) {
  auto x = parse(profile_of("remote a 1 udp\nremote b 2 tcp\nremote c 3 tcp\n"
                            "explicit-exit-notify 3\n"));
  CAF_CHECK_EQUAL(x.remotes[0].settings.exit_notify, 3u);
  CAF_CHECK_EQUAL(x.remotes[1].settings.exit_notify, 0u);
  CAF_CHECK_EQUAL(x.warnings.size(), 1u);
}

CAF_TEST(what counts for all remotes says so in a block) {
  auto x
    = parse(profile_of(block("connection", "remote a\nconnect-retry 3 9\n")));
  CAF_CHECK(x.connect_retry == seconds{3});
  CAF_CHECK(mentions(x.warnings, "counts for all remotes"));
}

CAF_TEST(the socket) {
  auto x = parse(minimal_profile_with(
    "mark 4294967295\nbind-dev vrf-blue\nsocket-flags TCP_NODELAY\n"
    "sndbuf 65536\nrcvbuf 131072"));
  CAF_CHECK_EQUAL(x.mark, 0xffffffffu);
  CAF_CHECK_EQUAL(x.bind_device, "vrf-blue");
  CAF_CHECK(x.tcp_nodelay);
  CAF_CHECK(parse(minimal_profile_with("tcp-nodelay")).tcp_nodelay);
  CAF_CHECK_EQUAL(x.sndbuf, 65536u);
  CAF_CHECK_EQUAL(x.rcvbuf, 131072u);
}

CAF_TEST(what does not go together) {
  check_error(minimal_profile_with("http-proxy p 1"), "carries TCP only");
  check_error(tcp("http-proxy p 1\nsocks-proxy s"), "exclude each other");
  check_error(tcp("http-proxy-option AGENT x"), "without `http-proxy`");
  check_error(tcp("http-proxy-user-pass login"), "without `http-proxy`");
  check_error(tcp("fragment 1000"), "UDP only");
  check_error(minimal_profile_with("tls-auth ta.key\ntls-crypt-v2 v2.key"),
              "exclude each other");
  check_error(minimal_profile_with("nobind\nlocal 192.0.2.1"), "contradicts");
  check_error(minimal_profile_with("nobind\nbind"), "contradicts");
  check_error(profile_of(block("connection", "remote a\nbind\nnobind\n")
                         + block("connection", "remote b\nbind\nnobind\n")),
              "contradicts");
  check_error(minimal_profile_with("tls-crypt-v2 [inline]"), "without its key");
}

CAF_TEST(bad words of these options) {
  const std::vector<std::pair<std::string, std::string>> lines{
    {"http-proxy p", "needs at least 2 words"},
    {"http-proxy p 0", "not a port"},
    {"http-proxy \"a b\" 1", "not the name or address"},
    {"http-proxy p 1 missing", "cannot read 'missing'"},
    {"http-proxy p 1 nothing", "first line must be the user name"},
    {"http-proxy p 1 stdin", "nobody is asked"},
    {"http-proxy p 1 login ntlm2", "NTLM is not supported; use basic"},
    {"http-proxy p 1 login kerberos", "no way to log in"},
    {"http-proxy p 1 login basic x", "at most 4 words"},
    {"http-proxy-option VERSION 2", "not a version of HTTP"},
    {"http-proxy-option VERSION 1.1 x", "takes one word"},
    {"http-proxy-option AGENT \"\"", "is empty"},
    {"http-proxy-option COLOUR red", "'COLOUR' is not known here"},
    {"http-proxy-option CUSTOM-HEADER X", "a name and a value"},
    {"http-proxy-option CUSTOM-HEADER \"X Y\" z", "bad name"},
    {"http-proxy-option CUSTOM-HEADER X \"a\rb\"", "control characters"},
    {"http-proxy-user-pass stdin", "nobody is asked"},
    {"socks-proxy s 0", "not a port"},
    {"socks-proxy s 1 missing", "cannot read"},
    {"socks-proxy s 1 stdin", "nobody is asked"},
    {"socks-proxy -s", "not the name or address"},
    {"fragment 67", "not a number from 68"},
    {"fragment 1000 bytes", "'bytes' is not known here"},
    {"tun-mtu 1400 1", "not a number from 100"},
    {"mark -1", "not a number from 0"},
    {"mark 4294967296", "not a number"},
    {"bind-dev a-name-that-is-too-long", "not the name of a device"},
    {"socket-flags TCP_CORK", "no flag 'TCP_CORK'"},
    {"resolv-retry -1", "not a number"},
    {"resolv-retry never", "not a number"},
    {"proto-force sctp", "no protocol"},
    {"local 192.0.2.1 99999", "not a number"},
    {"local 192.0.2.1 1 sctp", "no protocol"},
    {"bind ipv4only", "not known here"},
    {"tls-crypt-v2 ta.key", "no tls-crypt-v2 client key"},
    {"tls-crypt-v2 v2.key always", "'always' is not known here"},
  };
  for (auto& [line, text] : lines)
    check_error(minimal_profile_with(line), text);
}

CAF_TEST(a block holds nothing but settings of a remote) {
  for (auto line : {"ca ca.pem", "client", "route 10.0.0.0", "up x",
                    "remote-random", "proto-force udp", "auth SHA256"})
    check_error(
      profile_of(block("connection", "remote a\n" + std::string{line} + "\n")),
      "may not stand in a <connection> block");
}

CAF_TEST(more than 256 remotes are refused) {
  std::string plain, blocks;
  for (int i = 0; i < 257; ++i) {
    plain += "remote a\n";
    blocks += block("connection", "remote a\n");
  }
  check_error(profile_of(plain), "more than 256 remotes");
  check_error(profile_of(blocks), "more than 256 remotes");
}
