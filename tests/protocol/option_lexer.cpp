// The words of a line: what OpenVPN's own reader makes of the same text.
#define CAF_SUITE protocol.option_lexer

#include "vpn/protocol/option_lexer.hpp"

#include "caf/test/unit_test.hpp"

#include <random>

using namespace vpn::protocol;

namespace {

using words = std::vector<std::string>;

struct good_line {
  const char* text;
  words result;
};

const std::vector<good_line> good_lines{
  {"", {}},
  {"   \t ", {}},
  {"client", {"client"}},
  {"  remote\t vpn.example  1194 ", {"remote", "vpn.example", "1194"}},
  {"client\r", {"client"}},
  {"# client", {}},
  {"; client", {}},
  {"dev tun # the device", {"dev", "tun"}},
  {"dev tun ;x", {"dev", "tun"}},
  {"dev tun#0", {"dev", "tun#0"}},
  {"dev tun;0", {"dev", "tun;0"}},
  {R"(up "a b c")", {"up", "a b c"}},
  {R"(up 'a "b" \n c')", {"up", R"(a "b" \n c)"}},
  {R"(up "a \"b\" c")", {"up", R"(a "b" c)"}},
  {R"(up "a \\ c")", {"up", R"(a \ c)"}},
  {R"(up a\ b)", {"up", "a b"}},
  {R"(up c:\\keys\\x)", {"up", R"(c:\keys\x)"}},
  {R"(up \"x)", {"up", R"("x)"}},
  {R"(up it's)", {"up", "it's"}},
  {R"(up a"b"c)", {"up", R"(a"b"c)"}},
  {R"("a"b)", {"a", "b"}},
  {R"('a''b')", {"a", "b"}},
  {R"(up "")", {"up", ""}},
  {R"(up '' x)", {"up", "", "x"}},
  {R"(up "#x" ';y')", {"up", "#x", ";y"}},
  {R"(up "it's")", {"up", "it's"}},
  {R"(up \ x)", {"up", "x"}},
  {"a b c d e f g h i j k l m n o p # q",
   {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o",
    "p"}},
};

} // namespace

CAF_TEST(good lines are cut into their words) {
  for (auto& x : good_lines) {
    auto result = lex_option_line(x.text);
    CAF_MESSAGE(x.text);
    CAF_CHECK_EQUAL(result.error, "");
    CAF_CHECK_EQUAL(result.words, x.result);
  }
}

CAF_TEST(bad lines give an error and no words) {
  const std::vector<std::pair<std::string, std::string>> bad_lines{
    {"up \"a b", "unbalanced quote"},
    {"up 'a b", "unbalanced quote"},
    {"up \"a\\\"", "unbalanced quote"},
    {"up a\\", "backslash at the end"},
    {"up c:\\keys", "backslash before"},
    {"up \\'x", "backslash before"},
    {"a b c d e f g h i j k l m n o p q", "more than 16 words"},
    {"up " + std::string(1025, 'x'), "more than 1024 characters"},
    {std::string(8193, ' '), "more than 8192 characters"},
    {std::string("up a\0b", 6), "NUL"},
  };
  for (auto& [text, error] : bad_lines) {
    auto result = lex_option_line(text);
    CAF_MESSAGE(text);
    CAF_CHECK_NOT_EQUAL(result.error.find(error), std::string::npos);
    CAF_CHECK_EQUAL(result.words, words{});
  }
}

CAF_TEST(the longest legal word is kept) {
  auto result = lex_option_line("up " + std::string(1024, 'x'));
  CAF_REQUIRE_EQUAL(result.words.size(), 2u);
  CAF_CHECK_EQUAL(result.words[1].size(), 1024u);
}

CAF_TEST(an error repeats nothing of the line) {
  for (auto text : {"hunter2 \"x", "hunter2\\", "hunter2 \\z"})
    CAF_CHECK_EQUAL(lex_option_line(text).error.find("hunter2"),
                    std::string::npos);
}

CAF_TEST(random bytes give bounded words or an error) {
  std::minstd_rand rng{20240607};
  const std::string alphabet = "ab \t\\\"'#;\r\n\x01\xff";
  for (int i = 0; i < 100000; ++i) {
    std::string line;
    for (auto n = rng() % 64; n > 0; --n)
      line.push_back(alphabet[rng() % alphabet.size()]);
    auto result = lex_option_line(line);
    if (!result.error.empty() && !result.words.empty())
      CAF_FAIL("words beside an error");
    if (result.words.size() > max_option_words)
      CAF_FAIL("too many words");
  }
}
