// Codes, the result type and the counters.

#define CAF_SUITE protocol.error

#include "vpn/protocol/error.hpp"

#include "caf/test/unit_test.hpp"

#include <memory>
#include <set>

using namespace vpn;

namespace {

template <class F>
void for_each_code(F f) {
  for (auto i = 1; i < static_cast<int>(errc::count_); ++i)
    f(static_cast<errc>(i));
}

} // namespace

CAF_TEST(every code has a word of its own) {
  std::set<std::string> words;
  for_each_code([&](errc x) {
    auto word = to_string(x);
    CAF_CHECK(word != "unknown");
    CAF_CHECK_EQUAL(word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"),
                    std::string::npos);
    CAF_CHECK(words.insert(word).second);
  });
  CAF_CHECK_EQUAL(words.size(), static_cast<size_t>(errc::count_) - 1);
}

CAF_TEST(no code is zero because zero means no error) {
  CAF_CHECK_EQUAL(static_cast<int>(errc::truncated), 1);
  CAF_CHECK_EQUAL(to_string(static_cast<errc>(0)), "unknown");
  CAF_CHECK_EQUAL(to_string(errc::count_), "unknown");
  CAF_CHECK_EQUAL(to_string(static_cast<errc>(255)), "unknown");
}

CAF_TEST(a result holds a value or a code) {
  expected<std::string> good{"fine"};
  CAF_REQUIRE(good);
  CAF_CHECK_EQUAL(*good, "fine");
  CAF_CHECK_EQUAL(good->size(), 4u);
  *good += "!";
  CAF_CHECK_EQUAL(*good, "fine!");
  expected<std::string> bad{errc::bad_tag};
  CAF_REQUIRE(!bad);
  CAF_CHECK(bad.error() == errc::bad_tag);
  const auto copy = bad;
  CAF_CHECK(!copy);
  CAF_CHECK(copy.error() == errc::bad_tag);
}

CAF_TEST(a result carries what can only be moved) {
  expected<std::unique_ptr<int>> x{std::make_unique<int>(7)};
  CAF_REQUIRE(x);
  auto taken = std::move(*x);
  CAF_CHECK_EQUAL(*taken, 7);
}

CAF_TEST(a result with nothing to carry says done) {
  auto f = [](bool ok) -> expected<done_t> {
    if (ok)
      return done;
    return errc::wrong_state;
  };
  CAF_CHECK(f(true));
  CAF_CHECK(f(false).error() == errc::wrong_state);
}

CAF_TEST(counters start at zero and have no text then) {
  error_counters x;
  CAF_CHECK_EQUAL(x.total(), 0u);
  CAF_CHECK_EQUAL(x.text(), "");
  for_each_code([&](errc e) {
    CAF_CHECK_EQUAL(x.of(e), 0u);
  });
}

CAF_TEST(counters count each code apart) {
  error_counters x;
  for_each_code([&](errc e) {
    x.count(e, static_cast<uint64_t>(e));
    x.count(e);
  });
  uint64_t sum = 0;
  for_each_code([&](errc e) {
    CAF_CHECK_EQUAL(x.of(e), static_cast<uint64_t>(e) + 1);
    sum += static_cast<uint64_t>(e) + 1;
  });
  CAF_CHECK_EQUAL(x.total(), sum);
}

CAF_TEST(the text of counters names what happened in the order of codes) {
  error_counters x;
  x.count(errc::replayed);
  x.count(errc::bad_tag, 3);
  CAF_CHECK_EQUAL(x.text(), "bad_tag 3, replayed 1");
}
