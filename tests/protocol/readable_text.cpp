// What reaches a terminal, a log or a script.
#define CAF_SUITE protocol.readable_text
#include "vpn/protocol/readable_text.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

CAF_TEST(text in any language stays as it is) {
  for (auto x : {"", "plain", "K\xc3\xb6ln", "\xe6\x9d\xb1\xe4\xba\xac",
                 "\xf0\x9f\x94\x91"}) {
    CAF_CHECK(is_readable(x));
    CAF_CHECK_EQUAL(make_readable(x), x);
  }
}

CAF_TEST(control characters of every kind are replaced) {
  const std::pair<std::string, std::string> rows[] = {
    {"a\nb", "a_b"},
    {"a\x1b[31mb", "a_[31mb"},
    {"a\x7f", "a_"},
    {std::string{"a\0b", 3}, "a_b"},
    // U+009B is a terminal's CSI.
    {"a\xc2\x9b"
     "31m",
     "a__31m"},
    {"a\xc2\x80", "a__"},
    // Not UTF-8 at all: overlong, surrogate, too far, cut short.
    {"\xc0\x8a", "__"},
    {"\xed\xa0\x80", "___"},
    {"\xf4\x90\x80\x80", "____"},
    {"a\xe6\x9d", "a__"},
    {"\xff", "_"},
  };
  for (auto& [text, shown] : rows) {
    CAF_CHECK(!is_readable(text));
    CAF_CHECK_EQUAL(make_readable(text), shown);
  }
}

CAF_TEST(what was made readable is so) {
  test::seeded random{7};
  for (int i = 0; i < 20000; ++i) {
    std::string x(random.below(12), '\0');
    for (auto& c : x)
      c = static_cast<char>(random.below(256));
    CAF_REQUIRE(is_readable(make_readable(x)));
  }
}

CAF_TEST(a cut never falls inside a character) {
  std::string x = "ab\xe6\x9d\xb1"
                  "c";
  CAF_CHECK_EQUAL(cut_readable(x, 6), x);
  CAF_CHECK_EQUAL(cut_readable(x, 5), "ab\xe6\x9d\xb1");
  CAF_CHECK_EQUAL(cut_readable(x, 4), "ab");
  CAF_CHECK_EQUAL(cut_readable(x, 3), "ab");
  CAF_CHECK_EQUAL(cut_readable(x, 0), "");
}
