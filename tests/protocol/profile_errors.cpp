// Profiles that are wrong: what is said about them, where, and what is not.
#define CAF_SUITE protocol.profile_errors

#include "vpn/protocol/option_table.hpp"

#include "tests/support/profile_texts.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "protocol/profile_builder.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

using strings = std::vector<std::string>;

std::vector<config_error> errors_of(const std::string& text) {
  fake_files files;
  auto result = parse_profile(text, "test.ovpn", files.reader());
  if (result)
    return {};
  CAF_CHECK(!result.error().empty());
  return result.error();
}

std::vector<config_error> errors_of_words(const strings& words) {
  fake_files files;
  auto result = parse_command_line(words, files.reader());
  if (result)
    return {};
  return result.error();
}

void check_error(const std::string& line, const std::string& text) {
  auto errors = errors_of(minimal_profile() + line + "\n");
  CAF_MESSAGE(line);
  CAF_CHECK_EQUAL(errors.size(), 1u);
  if (errors.empty())
    return;
  CAF_CHECK_EQUAL(errors[0].file, "test.ovpn");
  if (errors[0].text.find(text) == std::string::npos)
    CAF_ERROR("instead of \"" << text << "\": " << to_string(errors[0]));
}

/// The line that every `check_error` line has.
void check_place(const std::string& line) {
  auto errors = errors_of(minimal_profile() + line + "\n");
  CAF_REQUIRE(!errors.empty());
  CAF_CHECK_EQUAL(errors[0].line, 8u);
  CAF_CHECK_EQUAL(to_string(errors[0]).compare(0, 13, "test.ovpn:8: "), 0);
}

/// Pieces of all the secrets in the test profiles.
const strings secret_pieces{"hunter2", "MIGHAgEA", "6acef03f", "c2VjcmV0"};

bool tells_a_secret(const std::string& text) {
  return std::any_of(secret_pieces.begin(), secret_pieces.end(), [&](auto& x) {
    return text.find(x) != std::string::npos;
  });
}

} // namespace

CAF_TEST(every accepted option has a handler and the reverse) {
  std::set<std::string> accepted, handled;
  for (auto& x : all_options())
    if (x.kind == option_class::accepted) {
      accepted.insert(x.name);
      if (find_tunnel_option(x.name) != nullptr)
        handled.insert(x.name);
    }
  for (auto& range : all_profile_options())
    for (auto& x : range) {
      CAF_CHECK(handled.insert(std::string{x.name}).second);
      CAF_CHECK(find_profile_handler(x.name) == x.apply);
    }
  CAF_CHECK_EQUAL(accepted, handled);
}

CAF_TEST(bad lines are named with their place) {
  const std::vector<std::pair<std::string, std::string>> lines{
    {"remot a", "unknown option 'remot'; did you mean 'remote'?"},
    {"--cleint", "did you mean 'client'?"},
    {"no-such-option-at-all", "no known one is like it"},
    {"remote", "'remote' needs at least 1 word"},
    {"remote a 1 udp x", "takes at most 3 words"},
    {"remote a 0", "'0' is not a port"},
    {"remote a 65536", "not a port"},
    {"remote a -1", "not a port"},
    {"remote a 1 sctp", "'sctp' is no protocol"},
    {"remote a 1 tcp-server", "only a server takes"},
    {"remote \"a b\"", "not the name or address"},
    {"remote -x", "not the name or address"},
    {"proto x", "no protocol"},
    {"dev tap", "tap"},
    {"dev tap0", "tap"},
    {"dev-type tap", "tap"},
    {"dev vpn0", "dev-type tun"},
    {"dev a-name-that-is-too-long", "not the name of a device"},
    {"dev ../x", "not the name of a device"},
    {"ca missing.pem", "cannot read 'missing.pem': no such file"},
    {"ca client.key", "'client.key' holds no PEM of a certificate"},
    {"cert nothing", "no PEM"},
    {"key ca.pem", "no PEM of a private key"},
    {"tls-auth ca.pem", "no OpenVPN static key"},
    {"tls-crypt nothing", "no OpenVPN static key"},
    {"tls-auth ta.key 2", "'2' is neither 0 nor 1"},
    {"tls-auth ta.key\ntls-crypt ta.key", "exclude each other"},
    {"auth-user-pass missing", "cannot read"},
    {"auth-user-pass nothing", "user name"},
    {"askpass missing", "cannot read"},
    {"askpass nothing", "empty"},
    {"auth XYZ", "'XYZ' is unknown"},
    {"auth none\ntls-auth ta.key", "needs a digest"},
    {"cipher XYZ", "unknown"},
    {"data-ciphers AES-256-GCM:XYZ", "'XYZ' is unknown"},
    {"data-ciphers BF-CBC", "names no cipher this program has"},
    {"data-ciphers ?XYZ", "names no cipher this program has"},
    {"data-ciphers :", "unknown"},
    {"data-ciphers-fallback XYZ", "unknown"},
    {"tls-cipher TLS-NO-SUCH-SUITE", "unknown"},
    {"tls-version-min 1.4", "not a version of TLS"},
    {"tls-version-min 1.2 or-lowest", "not known"},
    {"tls-version-min 1.3\ntls-version-max 1.2", "is above"},
    {"tls-version-max 1.1", "below TLS 1.2"},
    {"remote-cert-tls anybody", "neither server nor client"},
    {"verify-x509-name x issuer", "neither subject nor name"},
    {"verify-x509-name \"\"", "empty name"},
    {"tun-mtu 99", "not a number from 100"},
    {"tun-mtu 2000\ntun-mtu-max 1500", "above"},
    {"mssfix 100", "not a number from 154"},
    {"mssfix 1400 bytes", "neither mtu nor fixed"},
    {"max-packet-size 100", "not a number from 154 to 2048"},
    {"keepalive 10 15", "twice"},
    {"keepalive 10", "at least 2 words"},
    {"ping x", "not a number"},
    {"hand-window 0", "not a number from 1"},
    {"reneg-sec -1", "not a number"},
    {"reneg-sec 10 -1", "not a number"},
    {"reneg-sec 10 x", "not a number"},
    {"reneg-sec 10 5 1", "at most 2 words"},
    {"connect-retry 0", "not a number"},
    {"verb 12", "not a number from 0 to 11"},
    {"nobind\nlport 1", "contradicts"},
    {"local vpn.example", "not an IP address"},
    {"route example.com", "not an IPv4 address"},
    {"route 10.0.0.0 255.0.255.0", "not a netmask"},
    {"redirect-gateway def2", "no flag 'def2'"},
    {"ifconfig 10.8.0.2 10.8.0.1\ntopology subnet", "not a netmask"},
    {"topology tree", "no topology"},
    {"pull-filter drop x", "neither accept"},
    {"setenv UV_A \"a\tb\"", "control characters"},
    {"setenv A \"a\x1b[2J\"", "control characters"},
    {"setenv UV_A a b", "a name and a value"},
    {"up \"'a b\"", "cannot be read"},
    {"up \"\"", "no command"},
    {"compress lz5", "none of stub"},
    {"compress lzo no", "at most 1 word"},
    {"allow-compression perhaps", "neither"},
    {"config missing.ovpn", "cannot read"},
    {"verb \"3", "unbalanced quote"},
    {"</ca>", "closing tag"},
    {"<ca>\nx", "</ca> is missing"},
    {"<verb>\n3\n</verb>", "cannot be given as a block"},
    {"<connection>\nverb 3\nremote a\n</connection>", "may not stand in"},
    {"<connection>\nport 1\n</connection>", "no `remote`"},
    {"connection x", "must be a block"},
    {std::string("verb 3\0", 7), "NUL"},
  };
  for (auto& [line, text] : lines)
    check_error(line, text);
  for (auto line : {"remot a", "ca missing.pem", "dev tap", "<ca>\nx", "up \"",
                    "tls-crypt-v2 x", "server 10.8.0.0 255.255.255.0",
                    "secret static.key", "plugin /lib/x.so", "capath /certs"})
    check_place(line);
}

CAF_TEST(each accepted option counts its words and looks at them) {
  auto line_with
    = [](const std::string& name, size_t n, const std::string& word) {
        auto result = name;
        for (size_t i = 0; i < n; ++i)
          result += " \"" + word + "\"";
        return result;
      };
  for (auto& x : all_options()) {
    if (x.kind != option_class::accepted)
      continue;
    if (x.min_words > 0)
      check_error(line_with(x.name, size_t{x.min_words} - 1, "1"),
                  "needs at least");
    if (x.max_words < 15)
      check_error(line_with(x.name, size_t{x.max_words} + 1, "1"),
                  "takes at most");
    if (!x.inline_file)
      check_error(block(x.name, "x\n"), "cannot be given as a block");
    if (x.max_words == 0)
      continue;
    auto n = std::max<size_t>(x.min_words, 1);
    check_error(line_with(x.name, n, "a\x1b[2Jb"), "control characters");
    check_error(line_with(x.name, n, "a\x7f"), "control characters");
    // A word as long as can be, and none.
    for (auto& word : {std::string(1024, 'x'), std::string{}}) {
      auto errors = errors_of(minimal_profile() + line_with(x.name, n, word));
      CAF_CHECK_LESS_OR_EQUAL(errors.size(), 2u);
      CAF_CHECK_LESS(text_of(errors).size(), 700u);
    }
  }
}

CAF_TEST(each option that is not for clients says why) {
  for (auto& x : all_options()) {
    if (x.kind == option_class::server_only || x.kind == option_class::refused
        || x.kind == option_class::removed)
      check_error(x.name, x.note);
  }
}

CAF_TEST(silent and ignored options stop nobody) {
  for (auto& x : all_options())
    if (x.kind == option_class::silent || x.kind == option_class::ignored) {
      fake_files files;
      auto text = minimal_profile() + x.name + "\n";
      auto result = parse_profile(text, "test.ovpn", files.reader());
      CAF_REQUIRE(result);
      CAF_CHECK_EQUAL(result->warnings.empty(), x.kind == option_class::silent);
    }
}

CAF_TEST(what is missing is named) {
  const std::vector<std::pair<std::string, std::string>> missing{
    {"client", "no `client`"},
    {"remote", "no `remote`"},
    {"ca", "no `ca`: the server could not be recognised"},
    {"cert", "`key` without `cert`"},
    {"key", "`cert` without `key`"},
  };
  for (auto& [word, text] : missing) {
    auto errors = errors_of(minimal_profile_without(word));
    CAF_MESSAGE(word);
    CAF_REQUIRE_EQUAL(errors.size(), 1u);
    CAF_CHECK_NOT_EQUAL(errors[0].text.find(text), std::string::npos);
    CAF_CHECK_EQUAL(to_string(errors[0]).find("test.ovpn: "), 0u);
  }
  CAF_CHECK_EQUAL(errors_of("").size(), 4u);
  CAF_CHECK_EQUAL(errors_of("client\nremote a\nca ca.pem\n").size(), 1u);
  for (auto line : {"ca [inline]", "tls-auth [inline] 1", "key [inline]",
                    "auth-user-pass [inline]", "crl-verify [inline]"}) {
    auto word = std::string{line}.substr(0, std::string{line}.find(' '));
    auto errors = errors_of(minimal_profile_without(word) + line + "\n");
    CAF_MESSAGE(line);
    CAF_CHECK_EQUAL(errors.size(), 1u);
  }
}

CAF_TEST(all errors of a file are told but not more than twenty) {
  auto errors
    = errors_of(minimal_profile() + "remot a\nverb 99\ndev tap\n\"\nping x\n");
  CAF_REQUIRE_EQUAL(errors.size(), 5u);
  for (size_t i = 0; i < errors.size(); ++i)
    CAF_CHECK_EQUAL(errors[i].line, 8 + i);
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "verb 99\n";
  CAF_CHECK_EQUAL(errors_of(many).size(), 20u);
}

CAF_TEST(lines are counted through blocks) {
  auto errors
    = errors_of(minimal_profile() + block("ca", certificate_text())
                + block("connection", "remote a\nproto x\n") + "verb 99\n");
  CAF_REQUIRE_EQUAL(errors.size(), 2u);
  CAF_CHECK_EQUAL(errors[0].line, 15u);
  CAF_CHECK_EQUAL(errors[1].line, 17u);
}

CAF_TEST(errors of an included file have its name) {
  fake_files files;
  files["inner"] = "\nverb 99\n";
  auto result = parse_profile(minimal_profile() + "config inner\nverb 98\n",
                              "test.ovpn", files.reader());
  CAF_REQUIRE(!result);
  CAF_REQUIRE_EQUAL(result.error().size(), 2u);
  CAF_CHECK_EQUAL(to_string(result.error()[0]).find("inner:2: "), 0u);
  CAF_CHECK_EQUAL(to_string(result.error()[1]).find("test.ovpn:9: "), 0u);
}

CAF_TEST(a file that includes itself ends) {
  fake_files files;
  files["loop"] = "config loop\n";
  files["twice"] = "config twice\nconfig twice\n";
  for (auto name : {"loop", "twice"}) {
    auto result = parse_command_line({name}, files.reader());
    CAF_REQUIRE(!result);
    CAF_CHECK_NOT_EQUAL(text_of(result.error()).find("10 deep"),
                        std::string::npos);
    CAF_CHECK_LESS_OR_EQUAL(result.error().size(), 20u);
  }
}

CAF_TEST(command lines that are wrong) {
  const std::vector<std::pair<strings, std::string>> lines{
    {{}, "no configuration"},
    {{""}, "cannot read"},
    {{"missing.ovpn"}, "cannot read 'missing.ovpn': no such file"},
    {{"a", "b"}, "must begin with --: 'a'"},
    {{"--"}, "must begin with --"},
    {{"--remot", "a"}, "did you mean 'remote'?"},
    {{"--no-such-option"}, "unknown option 'no-such-option'"},
    {{"--config"}, "at least 1 word"},
    {{"--config", "minimal.ovpn", "--verb", "99"}, "'99' is not a number"},
    {{"--config", "minimal.ovpn", "x"}, "at most 1 word"},
    {{"--remote", "a"}, "no `client`"},
  };
  for (auto& [words, text] : lines) {
    auto errors = errors_of_words(words);
    CAF_MESSAGE(text);
    CAF_REQUIRE(!errors.empty());
    CAF_CHECK_NOT_EQUAL(text_of(errors).find(text), std::string::npos);
  }
}

CAF_TEST(a broken tag does not tell what was in the block) {
  for (auto tag : {"auth-user-pass", "key", "tls-auth"})
    for (auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {std::string{"<"} + tag + ">", std::string{"<"} + tag},
           {std::string{"<"} + tag + ">", std::string{tag} + ">"},
           {std::string{"<"} + tag + ">", ""},
           {std::string{"</"} + tag + ">", ""},
           {std::string{"</"} + tag + ">", "</x>"}}) {
      auto text = realistic_profile();
      text.replace(text.find(from), from.size(), to);
      auto errors = errors_of(text);
      CAF_CHECK(!errors.empty());
      CAF_CHECK(!tells_a_secret(text_of(errors)));
    }
}

CAF_TEST(a mutated profile never breaks the parser or tells a secret) {
  fake_files files;
  auto reader = files.reader();
  const auto valid = realistic_profile();
  const auto harmless = valid.substr(0, valid.find("<auth-user-pass>"));
  const strings pieces{"<",
                       ">",
                       "</",
                       "\n",
                       "\"",
                       "'",
                       "\\",
                       " ",
                       "#",
                       "--",
                       "config minimal.ovpn\n",
                       "<connection>\n",
                       "\r\n",
                       "0",
                       "</connection>\n",
                       "[inline]",
                       "\xff",
                       "setenv opt "};
  std::minstd_rand rng{20251121};
  size_t accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    auto text = valid;
    for (auto n = 1 + rng() % 4; n > 0; --n) {
      auto at = rng() % text.size();
      switch (rng() % 4) {
        case 0:
          text.erase(at, 1 + rng() % 8);
          break;
        case 1:
          text.insert(at, pieces[rng() % pieces.size()]);
          break;
        case 2:
          text[at] = static_cast<char>(rng() % 256);
          break;
        default:
          // Words before the secrets, and to there: elsewhere the mutation
          // itself would make a secret a word of an option.
          text.insert(at % harmless.size(),
                      harmless.substr(rng() % harmless.size(), rng() % 64));
      }
    }
    auto result = parse_profile(text, "mutated.ovpn", reader);
    if (i % 50 == 0)
      for (auto& x : explain_command_line({"mutated.ovpn"}, [&](auto&, auto&) {
             return std::optional<std::string>{text};
           }))
        if (tells_a_secret(x.text) || tells_a_secret(x.effect))
          CAF_FAIL(x.text << ": " << x.effect);
    if (result) {
      ++accepted;
      for (auto& warning : result->warnings)
        if (tells_a_secret(warning))
          CAF_FAIL(warning);
    } else {
      if (result.error().empty() || result.error().size() > 20)
        CAF_FAIL("a strange number of errors");
      if (auto errors = text_of(result.error()); tells_a_secret(errors))
        CAF_FAIL(errors);
    }
  }
  CAF_CHECK_GREATER(accepted, 100u);
}
