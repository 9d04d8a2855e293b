// What differs between two readings of a configuration, and how far each
// difference reaches.
#define CAF_SUITE protocol.profile_changes

#include "vpn/protocol/profile_changes.hpp"

#include "vpn/protocol/option_table.hpp"

#include "tests/support/profile_texts.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

#include "protocol/profile_builder.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

using strings = std::vector<std::string>;
using names = std::set<std::string>;

std::vector<given_option> options_of(const std::string& text,
                                     const fake_files& files) {
  auto result = parse_profile(text, "test.ovpn", files.reader());
  if (!result)
    CAF_FAIL(text_of(result.error()));
  return result->options;
}

profile_changes changes(const std::string& before, const std::string& after) {
  fake_files files;
  return compare_options(options_of(before, files), options_of(after, files));
}

/// What changes when lines are added to a profile that has `common` already.
std::string added(const std::string& lines, const std::string& common = "") {
  auto base = minimal_profile_with(common);
  return to_string(changes(base, base + lines + "\n"));
}

/// What changes when a file has another content.
std::string rewritten(const std::string& lines, const std::string& file,
                      const std::string& content) {
  fake_files files;
  auto text = minimal_profile_with(lines);
  auto before = options_of(text, files);
  files[file] = content;
  return to_string(compare_options(before, options_of(text, files)));
}

std::string block_of(const std::string& lines) {
  return block("connection", lines);
}

constexpr const char* nothing = "nothing changed";

} // namespace

// -- how far each option reaches --

CAF_TEST(every option of the table has a reach) {
  names process, start, none;
  for (auto& x : all_options()) {
    auto has_effect = x.kind == option_class::accepted;
    switch (reach_of(x.name)) {
      case change_reach::process:
        CAF_CHECK(has_effect);
        process.insert(x.name);
        break;
      case change_reach::start:
        CAF_CHECK(has_effect);
        start.insert(x.name);
        break;
      case change_reach::nothing:
        if (has_effect)
          none.insert(x.name);
        break;
      case change_reach::session:
        CAF_CHECK(x.kind != option_class::silent
                  && x.kind != option_class::ignored);
        break;
    }
  }
  CAF_CHECK_EQUAL(process,
                  (names{"machine-readable-output", "status", "status-version",
                         "suppress-timestamps", "verb"}));
  CAF_CHECK_EQUAL(start,
                  (names{"cd", "daemon", "group", "log", "log-append", "mlock",
                         "nice", "syslog", "user", "writepid"}));
  CAF_CHECK_EQUAL(none, (names{"config", "ignore-unknown-option"}));
}

CAF_TEST(an option of the process is no business of the session) {
  names exceptions;
  for (auto& x : process_profile_options())
    if (reach_of(x.name) == change_reach::session)
      exceptions.emplace(x.name);
  CAF_CHECK_EQUAL(exceptions, (names{"allow-faults", "fault", "remap-usr1"}));
}

CAF_TEST(an unknown name is taken for the business of the session) {
  for (auto name : {"", "no-such-option", "VERB"})
    CAF_CHECK(reach_of(name) == change_reach::session);
}

// -- what counts as a change --

CAF_TEST(the same profile twice is no change) {
  CAF_CHECK_EQUAL(to_string(changes(minimal_profile(), minimal_profile())),
                  nothing);
  auto text = realistic_profile();
  CAF_CHECK_EQUAL(to_string(changes(text, text)), nothing);
  CAF_CHECK(changes(text, text).empty());
}

CAF_TEST(what has no effect is no change) {
  for (auto line :
       {"# a comment", "", "persist-key", "mute 3", "passtos",
        "management localhost 7505", "ignore-unknown-option colour\ncolour red",
        "setenv opt colour red", "setenv opt block-outside-dns"})
    CAF_CHECK_EQUAL(added(line), nothing);
  // Other blanks and quotes for the same words.
  CAF_CHECK_EQUAL(
    to_string(changes(minimal_profile_with("route 10.0.0.0"),
                      minimal_profile_with("  --route\t\"10.0.0.0\" # here"))),
    nothing);
}

CAF_TEST(each option is named when it changes) {
  CAF_CHECK_EQUAL(added("verb 4"), "verb changed");
  CAF_CHECK_EQUAL(added("user nobody\nverb 4\nstatus s"),
                  "status, verb, user changed");
  CAF_CHECK_EQUAL(added("route 10.0.0.0 255.0.0.0"),
                  "route changed, connecting anew");
  CAF_CHECK_EQUAL(added("route 10.0.0.0\nremote other\nverb 2"),
                  "remote, route, verb changed, connecting anew");
  CAF_CHECK_EQUAL(added("remap-usr1 SIGHUP"),
                  "remap-usr1 changed, connecting anew");
  // Removed, and other words.
  CAF_CHECK_EQUAL(to_string(changes(minimal_profile_with("verb 3\nping 5"),
                                    minimal_profile_with("verb 4"))),
                  "ping, verb changed, connecting anew");
  // Once more, which may be one remote more.
  CAF_CHECK_EQUAL(added("remote vpn.example 1194 udp"),
                  "remote changed, connecting anew");
  // By another way of writing it.
  CAF_CHECK_EQUAL(added("setenv opt verb 4", "verb 3"), "verb changed");
}

CAF_TEST(words are not run together) {
  CAF_CHECK_EQUAL(to_string(changes(minimal_profile_with("setenv A \"b c\""),
                                    minimal_profile_with("setenv \"A\" bc"))),
                  "setenv changed, connecting anew");
  auto x = record_option({"a", "bc", "d"}, {}, false, {});
  auto differs = [&](const given_option& y) {
    return x.digest != y.digest;
  };
  CAF_CHECK(differs(record_option({"a", "b", "cd"}, {}, false, {})));
  CAF_CHECK(differs(record_option({"a", "bc"}, "d", false, {})));
  CAF_CHECK(differs(record_option({"a", "bc", "d", ""}, {}, false, {})));
  CAF_CHECK(differs(record_option({"a", "bc", "d"}, {}, true, {})));
  bytes file{0};
  CAF_CHECK(differs(record_option({"a", "bc", "d"}, {}, false, file)));
  CAF_CHECK(!differs(record_option({"a", "bc", "d"}, {}, false, {})));
  CAF_CHECK_EQUAL(record_option({}, {}, false, {}).name, "");
}

CAF_TEST(the order of what a session is made of may matter) {
  auto text = [](const std::string& lines) {
    return minimal_profile_with(lines);
  };
  CAF_CHECK_EQUAL(to_string(changes(text("ping-exit 9\nping-restart 9"),
                                    text("ping-restart 9\nping-exit 9"))),
                  "order of options changed, connecting anew");
  CAF_CHECK_EQUAL(
    to_string(changes(text("remote a\nremote b"), text("remote b\nremote a"))),
    "remote changed, connecting anew");
  // Where the others stand does not.
  CAF_CHECK_EQUAL(
    to_string(changes(text("verb 3\nmute 5\nping 9"), text("ping 9\nverb 3"))),
    nothing);
}

CAF_TEST(the content of files counts) {
  const std::vector<std::pair<std::string, std::string>> files{
    {"ca ca.pem", "ca.pem"},
    {"crl-verify crl.pem", "crl.pem"},
    {"extra-certs ca.pem", "ca.pem"},
    {"auth-user-pass login", "login"},
    {"askpass phrase", "phrase"},
    {"tls-auth ta.key 1", "ta.key"},
    {"tls-crypt ta.key", "ta.key"},
    {"tls-crypt-v2 v2.key", "v2.key"},
    {"socks-proxy p 1 login", "login"},
  };
  for (auto& [line, file] : files) {
    fake_files all;
    auto content = all[file];
    auto said = rewritten(line, file, content + "\n# more\n");
    CAF_MESSAGE(line << ": " << said);
    CAF_CHECK(said.find(line.substr(0, line.find(' '))) != said.npos);
    CAF_CHECK(said.find("connecting anew") != said.npos);
    CAF_CHECK_EQUAL(rewritten(line, file, content), nothing);
  }
  // One that is not named.
  CAF_CHECK_EQUAL(rewritten("", "login", "bob\nx\n"), nothing);
}

CAF_TEST(a block counts as the text it has) {
  auto text = [](const std::string& login) {
    return minimal_profile_with(block("auth-user-pass", login));
  };
  CAF_CHECK_EQUAL(to_string(changes(text("ann\nx\n"), text("ann\nx\n"))),
                  nothing);
  CAF_CHECK_EQUAL(to_string(changes(text("ann\nx\n"), text("ann\ny\n"))),
                  "auth-user-pass changed, connecting anew");
  CAF_CHECK_EQUAL(
    to_string(changes(text("alice\nhunter2hunter2\n"),
                      minimal_profile_with("auth-user-pass login"))),
    "auth-user-pass changed, connecting anew");
}

CAF_TEST(an included file counts as the options in it) {
  fake_files files;
  files["a"] = "ping 5\nroute 10.0.0.0\n";
  files["b"] = "# the same\nping 5\nroute 10.0.0.0\n";
  files["c"] = "ping 5\nverb 5\n";
  auto with = [&](const std::string& file) {
    return options_of(minimal_profile_with("config " + file), files);
  };
  CAF_CHECK_EQUAL(to_string(compare_options(with("a"), with("b"))), nothing);
  CAF_CHECK_EQUAL(to_string(compare_options(with("a"), with("c"))),
                  "route, verb changed, connecting anew");
  auto same = options_of(minimal_profile_with("ping 5\nroute 10.0.0.0"), files);
  CAF_CHECK_EQUAL(to_string(compare_options(with("a"), same)), nothing);
}

CAF_TEST(a connection counts as the options in it) {
  auto text = [](const std::string& lines) {
    return minimal_profile_without("remote") + lines;
  };
  auto one = block_of("remote a 1\nfragment 1200\n");
  CAF_CHECK_EQUAL(to_string(changes(text(one), text(one))), nothing);
  CAF_CHECK_EQUAL(
    to_string(changes(text(one), text(block_of("# here\nremote a 1\n"
                                               "fragment 1200\n")))),
    nothing);
  CAF_CHECK_EQUAL(
    to_string(changes(text(one), text(block_of("remote a 1\n"
                                               "fragment 1300\n")))),
    "fragment changed, connecting anew");
  // One more of the same, and the same outside of it.
  CAF_CHECK(changes(text(one), text(one + one)).concern_session());
  CAF_CHECK(
    changes(text(one), text("fragment 1200\n" + block_of("remote a 1\n")))
      .concern_session());
  // From one block into another.
  auto two = block_of("remote a 1\nmssfix 1300\n") + block_of("remote b 1\n");
  auto moved = block_of("remote a 1\n") + block_of("remote b 1\nmssfix 1300\n");
  CAF_CHECK_EQUAL(to_string(changes(text(two), text(moved))),
                  "order of options changed, connecting anew");
}

CAF_TEST(a command line counts like a file) {
  fake_files files;
  auto options = [&](const strings& words) {
    auto x = parse_command_line(words, files.reader());
    if (!x)
      CAF_FAIL(text_of(x.error()));
    return x->options;
  };
  auto before = options({"--config", "minimal.ovpn", "--verb", "3"});
  CAF_CHECK(compare_options(
              before, options({"--config", "minimal.ovpn", "--verb", "3"}))
              .empty());
  files["minimal.ovpn"] += "verb 5\nping 4\n";
  auto after = options({"--config", "minimal.ovpn", "--verb", "3"});
  CAF_CHECK_EQUAL(to_string(compare_options(before, after)),
                  "ping, verb changed, connecting anew");
}

// -- what is kept --

CAF_TEST(nothing is kept that could be told) {
  fake_files files;
  auto text = realistic_profile();
  for (auto& x : options_of(text, files)) {
    CAF_CHECK(find_option(x.name) != nullptr);
    CAF_CHECK(x.digest != content_digest{});
  }
  CAF_CHECK_EQUAL(
    to_hex({digest_of(byte_view{std::string_view{"abc"}}).data(), 32}),
    // The example of FIPS 180-2, appendix B.1.
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

CAF_TEST(what counts at the start only stays as it was) {
  fake_files files;
  auto before
    = options_of(minimal_profile_with("user a\nverb 3\nping 5"), files);
  auto after
    = options_of(minimal_profile_with("user b\nverb 4\nping 6"), files);
  auto now = options_in_use(before, after);
  CAF_CHECK_EQUAL(to_string(compare_options(now, after)), "user changed");
  CAF_CHECK_EQUAL(to_string(compare_options(before, now)),
                  "ping, verb changed, connecting anew");
  // Back to what it was at the start.
  auto back = options_of(minimal_profile_with("user a\nverb 4\nping 6"), files);
  CAF_CHECK_EQUAL(to_string(compare_options(now, back)), nothing);
}
