// What each line of a profile comes to, told without secrets and without an end
// at the first error.
#define CAF_SUITE protocol.profile_explain

#include "tests/support/profile_texts.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

std::vector<explained_line> explain(const std::string& text) {
  fake_files files;
  files["test.ovpn"] = text;
  return explain_command_line({"test.ovpn"}, files.reader());
}

/// The line that begins with `word`.
explained_line line_of(const std::vector<explained_line>& xs,
                       const std::string& word) {
  auto i = std::find_if(xs.begin(), xs.end(), [&](auto& x) {
    return x.text.compare(0, word.size(), word) == 0;
  });
  if (i == xs.end())
    CAF_FAIL("no line begins with " << word);
  return *i;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string everything(const std::vector<explained_line>& xs) {
  std::string result;
  for (auto& x : xs)
    result += x.text + "|" + x.effect + "\n";
  return result;
}

} // namespace

CAF_TEST(each line is told with its place and class) {
  auto xs = explain(realistic_profile());
  CAF_REQUIRE_EQUAL(xs.size(), 29u);
  CAF_CHECK_EQUAL(xs[0].text, "client");
  CAF_CHECK_EQUAL(xs[0].file, "test.ovpn");
  CAF_CHECK_EQUAL(xs[0].line, 2u);
  CAF_CHECK(xs[0].kind == option_class::accepted);
  CAF_CHECK_EQUAL(xs[0].effect, find_option("client")->note);
  auto remote = line_of(xs, "remote vpn2");
  CAF_CHECK_EQUAL(remote.text, "remote vpn2.example.com 443 tcp-client");
  CAF_CHECK_EQUAL(remote.line, 6u);
  CAF_CHECK(line_of(xs, "persist-key").kind == option_class::silent);
  auto outside = line_of(xs, "setenv opt");
  CAF_CHECK(outside.kind == option_class::ignored);
  CAF_CHECK_EQUAL(outside.text, "setenv opt block-outside-dns");
  CAF_CHECK(line_of(xs, "<tls-auth>").line == 45);
  CAF_CHECK_EQUAL(line_of(xs, "verify-x509-name").text,
                  "verify-x509-name \"vpn server\" name");
}

CAF_TEST(secrets stay where they are) {
  auto text = realistic_profile()
              + "setenv PIN hunter2\nauth-user-pass alice hunter2\n"
                "http-proxy-option CUSTOM-HEADER Authorization hunter2\n"
                "auth-token hunter2\nhunter2hunter2\nsetenv opt hunter2\n"
                "askpass phrase hunter2\nstatic-challenge a 1 scrv1 hunter2\n";
  auto all = everything(explain(text));
  for (auto secret : {"hunter2", "MIGHAgEA", "6acef03f", "MIIBsz"})
    CAF_CHECK(!has(all, secret));
  CAF_CHECK(has(all, "setenv PIN ...|"));
  CAF_CHECK(has(all, "http-proxy-option CUSTOM-HEADER ...|"));
}

CAF_TEST(errors are told line by line) {
  auto xs = explain(minimal_profile()
                    + "remot x\nverb 99\n\"\nplugin x\nserver 10.8.0.0 "
                      "255.255.255.0\nns-cert-type server\nno-such-thing-here\n"
                      "ca missing\nverb 3\n");
  // Of an unknown option only the name is told.
  const std::vector<std::tuple<size_t, std::string, option_class, std::string>>
    expected{
      {8, "remot ...", option_class::refused, "did you mean 'remote'?"},
      {9, "verb 99", option_class::refused, "'99' is not a number"},
      {10, "", option_class::refused, "unbalanced quote"},
      {11, "plugin x", option_class::refused, "plugins are not loaded"},
      {12, "server 10.8.0.0 255.255.255.0", option_class::server_only,
       "only a server"},
      {13, "ns-cert-type server", option_class::removed, "remote-cert-tls"},
      {14, "", option_class::refused, "no known one is like it"},
      {15, "ca missing", option_class::refused, "cannot read 'missing'"},
      {16, "verb 3", option_class::accepted, "how much is told"},
    };
  CAF_REQUIRE_EQUAL(xs.size(), 7 + expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    auto& [line, text, kind, effect] = expected[i];
    auto& x = xs[7 + i];
    CAF_CHECK_EQUAL(x.line, line);
    CAF_CHECK_EQUAL(x.text, text);
    CAF_CHECK_EQUAL(to_string(x.kind), to_string(kind));
    CAF_CHECK(has(x.effect, effect));
  }
}

CAF_TEST(what is missing is told at the end) {
  auto xs = explain("verb 3\n");
  CAF_REQUIRE_EQUAL(xs.size(), 5u);
  for (size_t i = 1; i < xs.size(); ++i) {
    CAF_CHECK_EQUAL(xs[i].line, 0u);
    CAF_CHECK_EQUAL(xs[i].text, "");
    CAF_CHECK(xs[i].kind == option_class::refused);
  }
  CAF_CHECK(has(everything(xs), "no `remote`"));
}

CAF_TEST(blocks and included files are gone through) {
  fake_files files;
  files["outer"]
    = "config minimal.ovpn\n" + block("connection", "remote b\nport 0\n");
  auto xs = explain_command_line({"--config", "outer", "--verb", "3"},
                                 files.reader());
  CAF_CHECK_EQUAL(line_of(xs, "dev tun").file, "minimal.ovpn");
  CAF_CHECK(line_of(xs, "<connection>").kind == option_class::accepted);
  auto port = line_of(xs, "port 0");
  CAF_CHECK_EQUAL(port.file, "outer");
  CAF_CHECK_EQUAL(port.line, 4u);
  CAF_CHECK(port.kind == option_class::refused);
  CAF_CHECK_EQUAL(port.effect, "'0' is not a port");
  auto verb = line_of(xs, "verb 3");
  CAF_CHECK_EQUAL(verb.file, "command line");
  CAF_CHECK_EQUAL(verb.line, 0u);
}

CAF_TEST(unknown options that are allowed are told as ignored) {
  auto xs = explain(
    minimal_profile()
    + "ignore-unknown-option remotee brand-new\nremotee 1\nbrand-new 1\n"
      "setenv opt no-such-option-here 1\n");
  CAF_CHECK(line_of(xs, "remotee").kind == option_class::ignored);
  CAF_CHECK_EQUAL(line_of(xs, "brand-new").text, "brand-new ...");
  auto optional = line_of(xs, "setenv opt");
  CAF_CHECK_EQUAL(optional.text, "setenv opt ...");
  CAF_CHECK(optional.kind == option_class::ignored);
}

CAF_TEST(warnings are part of the effect) {
  auto xs = explain(minimal_profile() + "comp-lzo\nshaper 1000\n");
  CAF_CHECK(has(line_of(xs, "comp-lzo").effect, "; packets that come"));
  CAF_CHECK(has(line_of(xs, "shaper").effect, "not limited"));
}

CAF_TEST(many errors do not stop it and its length has a limit) {
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += "verb 99\n";
  CAF_CHECK_EQUAL(explain(minimal_profile() + many).size(), 107u);
  for (int i = 0; i < 10; ++i)
    many += many;
  CAF_CHECK_LESS_OR_EQUAL(explain(many).size(), 20000u);
  CAF_CHECK_EQUAL(explain(std::string(3, '\0')).size(), 1u);
  fake_files files;
  CAF_CHECK_EQUAL(explain_command_line({}, files.reader()).size(), 1u);
  CAF_CHECK_EQUAL(explain_command_line({"missing"}, files.reader()).size(), 1u);
}

CAF_TEST(what openvpn does not know is told) {
  auto xs = explain(realistic_profile() + "allow-faults\ncleanup\n"
                    + "fault network.up:drop=0.05\nfault network.up:dorp=1\n");
  auto faults = line_of(xs, "fault network.up:drop");
  CAF_CHECK(faults.kind == option_class::accepted);
  CAF_CHECK(has(faults.effect, "openvpn does not know it"));
  CAF_CHECK(has(line_of(xs, "allow-faults").effect, "openvpn does not know"));
  CAF_CHECK(!has(line_of(xs, "verb").effect, "openvpn does not know"));
  auto bad = line_of(xs, "fault network.up:dorp");
  CAF_CHECK(bad.kind == option_class::refused);
  CAF_CHECK(has(bad.effect, "at byte 12"));
  auto command = line_of(xs, "cleanup");
  CAF_CHECK(command.kind == option_class::refused);
  CAF_CHECK(has(command.effect, "a command of this program"));
}
