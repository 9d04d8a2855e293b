// Commands of the user and their variables, the process, and how files of a
// profile find each other.
#define CAF_SUITE protocol.profile_host

#include "tests/support/profile_texts.hpp"
#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

using variables = std::vector<std::pair<std::string, std::string>>;

profile parse_with(const std::string& lines) {
  CAF_MESSAGE(lines);
  auto result = try_profile(minimal_profile_with(lines));
  if (!result)
    CAF_FAIL(text_of(result.error()));
  return std::move(*result);
}

void check_error(const std::string& lines, const std::string& expected) {
  CAF_MESSAGE(lines);
  auto result = try_profile(minimal_profile_with(lines));
  CAF_REQUIRE(!result);
  CAF_CHECK_EQUAL(result.error().size(), 1u);
  if (text_of(result.error()).find(expected) == std::string::npos)
    CAF_ERROR("instead of \"" << expected << "\": " << text_of(result.error()));
}

} // namespace

// -- commands --

CAF_TEST(each command is cut into words) {
  auto x
    = parse_with("script-security 2\nup \"u 1\"\ndown d\nroute-up \"r 2\"\n"
                 "route-pre-down p\nipchange \"i,a b,c\"\n"
                 "tls-verify \"/v,-x y\"\ndns-updown \"n 'a b'\"\n"
                 "up-restart\ndown-pre");
  auto& scripts = x.scripts;
  CAF_CHECK_EQUAL(scripts.up, (strings{"u", "1"}));
  CAF_CHECK_EQUAL(scripts.down, strings{"d"});
  CAF_CHECK_EQUAL(scripts.route_up, (strings{"r", "2"}));
  CAF_CHECK_EQUAL(scripts.route_pre_down, strings{"p"});
  CAF_CHECK_EQUAL(scripts.ipchange, (strings{"i", "a", "b", "c"}));
  CAF_CHECK_EQUAL(scripts.tls_verify, (strings{"/v", "-x", "y"}));
  CAF_CHECK_EQUAL(scripts.dns_updown, (strings{"n", "a b"}));
  CAF_CHECK(scripts.up_restart && scripts.down_pre);
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(without permission no command is run) {
  for (auto level : {"", "script-security 0\n", "script-security 1\n"}) {
    auto x = parse_with(std::string{level} + "down d\nroute-up r\nipchange i");
    CAF_REQUIRE_EQUAL(x.warnings.size(), 1u);
    CAF_CHECK(mentions(x.warnings, "`down`, `route-up`, `ipchange`"));
  }
  CAF_CHECK_EQUAL(parse_with("script-security 3\nup u").script_security, 3);
  // To judge nobody would be worse than to run nothing.
  check_error("tls-verify v", "`tls-verify` is not run without");
  // And openvpn would end when the device is there.
  check_error("up u", "`up` is not run without");
  check_error("script-security 4", "not a number from 0 to 3");
  check_error("route-up \"\"", "no command");
  check_error("ipchange \"a 'b\"", "cannot be read");
}

CAF_TEST(who sets the name servers) {
  auto is_left_out = [](const std::string& lines) {
    return parse_with("script-security 2\n" + lines).pull.tunnel.dns_noexec;
  };
  CAF_CHECK(!is_left_out("verb 3"));
  CAF_CHECK(is_left_out("dns-updown disable"));
  CAF_CHECK(is_left_out("dns-updown /sbin/names"));
  CAF_CHECK(!is_left_out("dns-updown force"));
  CAF_CHECK(!is_left_out("dns-updown disable\ndns-updown force"));
  // An `up` command is trusted to do it.
  CAF_CHECK(is_left_out("up u"));
  CAF_CHECK(!is_left_out("up u\ndns-updown force"));
  CAF_CHECK(
    parse_with("dns-updown x\ndns-updown disable").scripts.dns_updown.empty());
}

// -- variables --

CAF_TEST(variables for scripts and for the server) {
  auto x = parse_with("setenv A \"1 2\"\nsetenv B\nsetenv UV_X y\nsetenv A 3\n"
                      "setenv-safe C d\nsetenv IV_GUI_VER \"gui 1\"\n"
                      "setenv IV_SSO webauth,crtext\nsetenv CLIENT_CERT 0\n"
                      "push-peer-info");
  CAF_CHECK((x.environment
             == variables{{"A", "3"},
                          {"B", ""},
                          {"UV_X", "y"},
                          {"OPENVPN_C", "d"},
                          {"IV_GUI_VER", "gui 1"},
                          {"IV_SSO", "webauth,crtext"},
                          {"CLIENT_CERT", "0"}}));
  CAF_CHECK((x.peer_info
             == variables{{"UV_X", "y"},
                          {"IV_GUI_VER", "gui 1"},
                          {"IV_SSO", "webauth,crtext"}}));
  CAF_CHECK(x.push_peer_info);
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(variables that are settings) {
  auto x = parse_with("setenv PUSH_PEER_INFO\nsetenv SERVER_POLL_TIMEOUT 7");
  CAF_CHECK(x.push_peer_info);
  CAF_CHECK(x.remotes[0].settings.connect_timeout == std::chrono::seconds{7});
  check_error("setenv GENERIC_CONFIG 1", "template");
  check_error("setenv SERVER_POLL_TIMEOUT x", "not a number");
  check_error("setenv opt", "an option must follow");
  CAF_CHECK(mentions(parse_with("setenv REMOTE_RANDOM_HOSTNAME").warnings,
                     "used as it is"));
}

CAF_TEST(bad variables are refused) {
  for (auto line :
       {"setenv A=B c", "setenv \"A B\" c", "setenv \"\" c", "setenv 1A c",
        "setenv A\xc3\xa4 c", "setenv-safe A;B c", "setenv A$(x) c"})
    check_error(line, "bad name");
  check_error("setenv UV_" + std::string(62, 'x') + " c", "bad name");
  check_error("setenv A \"x\x01\"", "control characters");
  check_error("setenv UV_A " + std::string(257, 'x'), "too long");
  check_error("setenv A " + std::string(1025, 'x'), "cannot be read");
  std::string many;
  for (int i = 0; i < 65; ++i)
    many += "setenv V" + std::to_string(i) + " x\n";
  check_error(many, "more than 64 variables");
}

CAF_TEST(unknown options may be allowed by name) {
  auto x = parse_with("ignore-unknown-option new-a --new-b\nnew-a 1\nnew-b\n"
                      "setenv opt new-c 1 2\nsetenv opt --verb 7\n"
                      "setenv FORWARD_COMPATIBLE 1\nnew-d");
  CAF_CHECK_EQUAL(x.verbosity, 7);
  CAF_CHECK_EQUAL(x.warnings.size(), 1u);
  check_error("setenv FORWARD_COMPATIBLE 0\nnew-d-is-unlike-all", "unknown");
  auto y = parse_with("setenv opt verb\nignore-unknown-option mssfix\n"
                      "mssfix 1 2 3");
  CAF_CHECK(mentions(y.warnings, "'verb' is ignored: it has 0 words"));
  CAF_CHECK(mentions(y.warnings, "'mssfix' is ignored: it has 3 words"));
  // What is known is refused as ever.
  check_error("setenv opt plugin x", "'plugin' is refused");
  check_error("setenv opt verb 99", "not a number");
}

// -- process --

CAF_TEST(the process) {
  auto x = parse_with("daemon office\nwritepid p\nstatus s 10\n"
                      "status-version 3\nuser nobody\ngroup nogroup\nnice -5\n"
                      "mlock\nremap-usr1 SIGHUP\nsuppress-timestamps\n"
                      "machine-readable-output")
             .process;
  CAF_CHECK(x.daemon && x.syslog);
  CAF_CHECK_EQUAL(x.log_name, "office");
  CAF_CHECK_EQUAL(x.pid_file, "p");
  CAF_CHECK_EQUAL(x.status_file, "s");
  CAF_CHECK_EQUAL(x.status_seconds, 10u);
  CAF_CHECK_EQUAL(x.status_version, 3);
  CAF_CHECK_EQUAL(x.user, "nobody");
  CAF_CHECK_EQUAL(x.group, "nogroup");
  CAF_CHECK_EQUAL(x.niceness, -5);
  CAF_CHECK(x.lock_memory && x.suppress_timestamps && x.machine_readable);
  CAF_CHECK_EQUAL(x.remap_usr1, 1);
  CAF_CHECK_EQUAL(parse_with("remap-usr1 SIGTERM").process.remap_usr1, 15);
}

CAF_TEST(where messages go) {
  auto x = parse_with("daemon\nlog-append l").process;
  CAF_CHECK(x.daemon && !x.syslog && x.log_append);
  CAF_CHECK_EQUAL(x.log_file, "l");
  CAF_CHECK_EQUAL(x.log_name, "vpn-actor-client");
  auto y = parse_with("syslog office").process;
  CAF_CHECK(y.syslog && !y.daemon);
  CAF_CHECK(!parse_with("log-append l\nlog m").process.log_append);
  // Whoever starts a service adds an option of the same kind.
  auto z = parse_with("daemon a\ndaemon b");
  CAF_CHECK_EQUAL(z.process.log_name, "a");
  CAF_CHECK_EQUAL(z.warnings.size(), 1u);
}

CAF_TEST(bad words about the process) {
  const std::vector<std::pair<std::string, std::string>> lines{
    {"daemon a b", "at most 1 word"},
    {"daemon \"a b\"", "not a name for the log"},
    {"syslog \"%s%n\"", "not a name for the log"},
    {"log", "at least 1 word"},
    {"log \"\"", "empty name"},
    {"status s -1", "not a number"},
    {"status s 1 2", "at most 2 words"},
    {"status-version 4", "not a number from 1 to 3"},
    {"user \"a b\"", "not the name of an account"},
    {"user -x", "not the name of an account"},
    {"group \"\"", "not the name of an account"},
    {"nice 20", "not a number from -20 to 19"},
    {"nice -21", "not a number from -20 to 19"},
    {"nice low", "not a number"},
    {"remap-usr1 SIGKILL", "neither SIGHUP nor SIGTERM"},
    {"cd \"\"", "empty name"},
    {"writepid \"a\x1b[2J\"", "control characters"},
    {"inactive x", "not a number"},
    {"inactive 1 -1", "not a number"},
    {"session-timeout -1", "not a number"},
    {"reneg-bytes 9223372036854775808", "not a number"},
    {"reneg-pkts x", "not a number"},
    {"mode server", "'mode' is refused: only a server"},
  };
  for (auto& [line, text] : lines)
    check_error(line, text);
  CAF_CHECK_EQUAL(parse_with("mode p2p").warnings, strings{});
}

// -- faults --

CAF_TEST(faults are read when they are allowed) {
  CAF_CHECK(parse_with("verb 3").faults.empty());
  CAF_CHECK(!parse_with("verb 3").allow_faults);
  // They may also come later, by message.
  CAF_CHECK(parse_with("allow-faults").allow_faults);
  auto x = parse_with("fault network.up:drop=0.05,seed=7\nallow-faults\n"
                      "fault tls:kill=5s");
  CAF_REQUIRE_EQUAL(x.faults.size(), 2u);
  CAF_CHECK(x.faults[0].at == layer::network);
  CAF_CHECK(x.faults[0].up && !x.faults[0].down);
  CAF_CHECK_EQUAL(x.faults[0].knobs.drop, 0.05);
  CAF_CHECK_EQUAL(x.faults[0].seed, 7u);
  CAF_CHECK(x.faults[1].at == layer::tls);
  CAF_CHECK_EQUAL(x.faults[1].seed, 1u);
  CAF_CHECK_EQUAL(x.warnings, strings{});
}

CAF_TEST(faults that nobody allowed are refused) {
  check_error("fault network.up:drop=0.05",
              "`fault` is refused without `allow-faults`: add --allow-faults");
}

CAF_TEST(a bad fault names the position and what exists) {
  check_error("allow-faults\nfault network.up:dorp=0.05",
              "option 'fault': at byte 12 of 'network.up:dorp=0.05': ");
  check_error("allow-faults\nfault network.up:dorp=0.05", "drop");
  check_error("allow-faults\nfault netwrk:drop=0.05", "at byte 1 of");
  check_error("allow-faults\nfault netwrk:drop=0.05", "data_channel");
  // It is said even where faults are not allowed.
  check_error("fault network:drop=2", "option 'fault': at byte");
  std::string many = "allow-faults\n";
  for (int i = 0; i < 65; ++i)
    many += "fault muxer:drop=0.1\n";
  check_error(many, "more than 64 faults");
}

// -- files --

CAF_TEST(names of files are seen from the directory) {
  fake_files files;
  files["/etc/vpn/sub/login"] = "bob\nx\n";
  files["/etc/vpn/inner"] = "cd sub\nauth-user-pass login\n";
  auto text = minimal_profile_with("cd /etc/vpn\nconfig inner\nlog x\n"
                                   "auth-user-pass /etc/vpn/sub/login\nverb 2");
  auto x = parse_profile(text, "test.ovpn", files.reader());
  if (!x)
    CAF_FAIL(text_of(x.error()));
  CAF_CHECK_EQUAL(x->credentials.username, "bob");
  CAF_CHECK_EQUAL(x->process.directory, "/etc/vpn/sub");
  // What is written is opened there anyway.
  CAF_CHECK_EQUAL(x->process.log_file, "x");
  check_error("cd keys/\ncrl-verify crl.pem", "cannot read 'keys/crl.pem'");
}

CAF_TEST(everything may stand in the profile itself) {
  auto text = "client\nremote vpn.example\nremote-cert-tls server\n"
              + block("ca", certificate_text())
              + block("cert", certificate_text())
              + block("extra-certs", certificate_text())
              + block("key", private_key_text())
              + block("crl-verify", revocation_text())
              + block("tls-crypt-v2", crypt_v2_key_text())
              + block("auth-user-pass", "alice\nhunter2hunter2\n")
              + block("peer-fingerprint", fingerprint_text(32, "ab") + "\n");
  std::string windows = "\xef\xbb\xbf";
  for (auto c : text)
    windows += c == '\n' ? std::string{"\r\n"} : std::string{c};
  for (auto& form : {text, windows}) {
    auto x = try_profile(form);
    if (!x)
      CAF_FAIL(text_of(x.error()));
    CAF_CHECK_EQUAL(x->warnings, strings{});
    CAF_CHECK_EQUAL(x->credentials.username, "alice");
    CAF_CHECK_EQUAL(x->tls.fingerprints.size(), 1u);
    CAF_CHECK(!x->tls.crl.empty() && !x->tls.extra_certs.empty());
    CAF_CHECK(x->remotes[0].settings.wrap.mode == wrap_mode::tls_crypt_v2);
  }
}

CAF_TEST(a later option wins on the command line as in a file) {
  fake_files files;
  auto x = parse_command_line({"--verb", "9", "--config", "minimal.ovpn",
                               "--verb", "4", "--cd", "x", "--nice", "-3"},
                              files.reader());
  if (!x)
    CAF_FAIL(text_of(x.error()));
  CAF_CHECK_EQUAL(x->verbosity, 4);
  CAF_CHECK_EQUAL(x->process.niceness, -3);
  auto y = parse_command_line(
    {"--config", "minimal.ovpn", "--setenv", "A", std::string(1025, 'x')},
    files.reader());
  CAF_REQUIRE(!y);
  CAF_CHECK(mentions({text_of(y.error())}, "more than 1024 characters"));
}
