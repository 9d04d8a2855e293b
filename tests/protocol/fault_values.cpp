// Rates, times and words in the text of a fault.
#define CAF_SUITE protocol.fault_values

#include "vpn/protocol/fault_values.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <cmath>
#include <limits>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

/// Where a time is wrong, or -1 if it is right.
int bad_time(std::string_view text) {
  auto x = parse_fault_time(text);
  if (x)
    return -1;
  CAF_CHECK(!x.error().text.empty());
  return static_cast<int>(x.error().position);
}

int bad_rate(std::string_view text) {
  auto x = parse_fault_number(text, 0, 1);
  if (x)
    return -1;
  CAF_CHECK(!x.error().text.empty());
  return static_cast<int>(x.error().position);
}

int bad_times(std::string_view text) {
  auto x = parse_fault_times(text);
  return x ? -1 : static_cast<int>(x.error().position);
}

bool is_time(std::string_view text, duration wanted) {
  auto x = parse_fault_time(text);
  return x && *x == wanted;
}

} // namespace

CAF_TEST(times have a unit and perhaps a point) {
  CAF_CHECK(is_time("0s", 0s));
  CAF_CHECK(is_time("5ms", 5ms));
  CAF_CHECK(is_time("5s", 5s));
  CAF_CHECK(is_time("5min", 5min));
  CAF_CHECK(is_time("5h", 5h));
  CAF_CHECK(is_time("1.5s", 1500ms));
  CAF_CHECK(is_time("0.1min", 6s));
  CAF_CHECK(is_time("0.25h", 15min));
  CAF_CHECK(is_time("0.000001ms", 1ns));
  CAF_CHECK(is_time("0007s", 7s));
  CAF_CHECK(is_time("1.000001h", 1h + 3600us));
  CAF_CHECK(is_time("8760h", longest_fault_time));
  CAF_CHECK(is_time("31536000.000000s", longest_fault_time));
}

CAF_TEST(times that are none name the byte) {
  CAF_CHECK_EQUAL(bad_time(""), 0);
  CAF_CHECK_EQUAL(bad_time("s"), 0);
  CAF_CHECK_EQUAL(bad_time(".5s"), 0);
  CAF_CHECK_EQUAL(bad_time("-5s"), 0);
  CAF_CHECK_EQUAL(bad_time("+5s"), 0);
  CAF_CHECK_EQUAL(bad_time(" 5s"), 0);
  CAF_CHECK_EQUAL(bad_time("nans"), 0);
  CAF_CHECK_EQUAL(bad_time("infs"), 0);
  CAF_CHECK_EQUAL(bad_time("5"), 1);
  CAF_CHECK_EQUAL(bad_time("5x"), 1);
  CAF_CHECK_EQUAL(bad_time("5S"), 1);
  CAF_CHECK_EQUAL(bad_time("5m"), 1);
  CAF_CHECK_EQUAL(bad_time("5 s"), 1);
  CAF_CHECK_EQUAL(bad_time("5ss"), 1);
  CAF_CHECK_EQUAL(bad_time("5.s"), 1);
  CAF_CHECK_EQUAL(bad_time("5e3s"), 1);
  CAF_CHECK_EQUAL(bad_time("5.5.5s"), 3);
  CAF_CHECK_EQUAL(bad_time("0x5s"), 1);
  CAF_CHECK_EQUAL(bad_time("1.0000001s"), 8);
  CAF_CHECK_EQUAL(bad_time("8760.000001h"), 0);
  CAF_CHECK_EQUAL(bad_time("8761h"), 0);
  CAF_CHECK_EQUAL(bad_time("31536000001ms"), 0);
  CAF_CHECK_EQUAL(bad_time("99999999999999999999999999s"), 0);
}

CAF_TEST(rates are decimal numbers from zero to one) {
  for (auto text : {"0", "1", "0.5", "1.0", "0.0625", "00.5",
                    "0.00000000000000000000000000000000000000000000001"})
    CAF_CHECK_EQUAL(bad_rate(text), -1);
  CAF_CHECK(*parse_fault_number("0.1", 0, 1) == 0.1);
  for (auto text : {"1.1", "2", "1.0000000000000002", "99999999999999999999"})
    CAF_CHECK_EQUAL(bad_rate(text), 0);
  for (auto text :
       {"", "nan", "NaN", "inf", "-0.5", "-0", "+1", ".5", " 1", "infinity"})
    CAF_CHECK_EQUAL(bad_rate(text), 0);
  CAF_CHECK_EQUAL(bad_rate("0."), 1);
  CAF_CHECK_EQUAL(bad_rate("1/16"), 1);
  CAF_CHECK_EQUAL(bad_rate("1e-3"), 1);
  CAF_CHECK_EQUAL(bad_rate("0x1"), 1);
  CAF_CHECK_EQUAL(bad_rate("0,5"), 1);
  CAF_CHECK_EQUAL(bad_rate("0.5%"), 3);
  CAF_CHECK_EQUAL(bad_rate("0.5 "), 3);
  // Below the smallest double: not zero by accident.
  CAF_CHECK_EQUAL(bad_rate("0." + std::string(400, '0') + "1"), 0);
}

CAF_TEST(a range goes from the shorter time to the longer) {
  auto x = parse_fault_times("5s..2min");
  CAF_REQUIRE(x);
  CAF_CHECK(x->min == 5s);
  CAF_CHECK(x->max == 2min);
  x = parse_fault_times("1.5s..1.75s");
  CAF_REQUIRE(x);
  CAF_CHECK(x->max == 1750ms);
  x = parse_fault_times("7s");
  CAF_REQUIRE(x);
  CAF_CHECK(x->min == 7s && x->max == 7s);
  CAF_CHECK_EQUAL(bad_times("5s..5s"), -1);
  CAF_CHECK_EQUAL(bad_times("5s..4s"), 4);
  CAF_CHECK_EQUAL(bad_times(""), 0);
  CAF_CHECK_EQUAL(bad_times("..5s"), 0);
  CAF_CHECK_EQUAL(bad_times("5s.."), 4);
  CAF_CHECK_EQUAL(bad_times("5..10s"), 1);
  CAF_CHECK_EQUAL(bad_times("5s...10s"), 4);
  CAF_CHECK_EQUAL(bad_times("5s..10"), 6);
  CAF_CHECK_EQUAL(bad_times("5s..6s..7s"), 5);
  CAF_CHECK_EQUAL(bad_times("5s-10s"), 1);
}

CAF_TEST(words are found by their exact name) {
  std::vector<std::string_view> words{"up", "down"};
  CAF_CHECK(*parse_fault_word("up", "direction", words) == 0);
  CAF_CHECK(*parse_fault_word("down", "direction", words) == 1);
  auto error = [&](std::string_view text) {
    return parse_fault_word(text, "direction", words).error();
  };
  auto typo = error("dwon"), other = error("left"), none = error("");
  CAF_CHECK_EQUAL(typo.text,
                  "unknown direction 'dwon' (down?); directions: up, down");
  CAF_CHECK_EQUAL(other.text, "unknown direction 'left'; directions: up, down");
  CAF_CHECK_EQUAL(none.text, "expected a direction; directions: up, down");
}

CAF_TEST(times are written in the largest unit that fits) {
  CAF_CHECK_EQUAL(write_fault_time(0s), "0s");
  CAF_CHECK_EQUAL(write_fault_time(1h), "1h");
  CAF_CHECK_EQUAL(write_fault_time(90min), "90min");
  CAF_CHECK_EQUAL(write_fault_time(90s), "90s");
  CAF_CHECK_EQUAL(write_fault_time(1500ms), "1500ms");
  CAF_CHECK_EQUAL(write_fault_time(1500us), "1.5ms");
  CAF_CHECK_EQUAL(write_fault_time(1ns), "0.000001ms");
  CAF_CHECK_EQUAL(write_fault_time(-5s), "-5s");
  CAF_CHECK(!write_fault_time(duration::min()).empty());
  CAF_CHECK_EQUAL(write_fault_times({5s, 5s}), "5s");
  CAF_CHECK_EQUAL(write_fault_times({5s, 2min}), "5s..2min");
}

CAF_TEST(numbers are written without an exponent) {
  CAF_CHECK_EQUAL(write_fault_number(0), "0");
  CAF_CHECK_EQUAL(write_fault_number(1), "1");
  CAF_CHECK_EQUAL(write_fault_number(0.1), "0.1");
  CAF_CHECK_EQUAL(write_fault_number(1e-7), "0.0000001");
  CAF_CHECK_EQUAL(write_fault_number(1'000'000), "1000000");
  auto tiny = write_fault_number(std::numeric_limits<double>::denorm_min());
  CAF_CHECK_EQUAL(bad_rate(tiny), -1);
  // What fits no buffer is no rate either, and must not write beyond it.
  CAF_CHECK(!write_fault_number(std::numeric_limits<double>::max()).empty());
}

CAF_TEST(what is written parses to the same value) {
  test::seeded random{4};
  for (int i = 0; i < 2'000; ++i) {
    auto wide
      = (uint64_t{random.below(UINT32_MAX)} << 23) ^ random.below(UINT32_MAX);
    auto time = duration{static_cast<duration::rep>(
      (wide >> random.below(50)) % (longest_fault_time.count() + 1))};
    CAF_CHECK(is_time(write_fault_time(time), time));
    auto rate = std::ldexp(random.below(UINT32_MAX),
                           -32 - static_cast<int>(random.below(900)));
    auto back = parse_fault_number(write_fault_number(rate), 0, 1);
    CAF_REQUIRE(back);
    CAF_CHECK(*back == rate);
  }
}

CAF_TEST(what somebody wrote is quoted short and readable) {
  CAF_CHECK_EQUAL(quoted_fault_text("dorp"), "'dorp'");
  CAF_CHECK_EQUAL(quoted_fault_text("a\nb\x1b"), "'a_b_'");
  CAF_CHECK_EQUAL(quoted_fault_text(std::string(32, 'x')),
                  '\'' + std::string(32, 'x') + '\'');
  CAF_CHECK_EQUAL(quoted_fault_text(std::string(33, 'x')),
                  '\'' + std::string(32, 'x') + "...'");
}
