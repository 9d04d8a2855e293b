// Rates, times and words of a fault: see the header.
#include "vpn/protocol/fault_values.hpp"

#include "vpn/protocol/nearest_name.hpp"
#include "vpn/protocol/readable_text.hpp"

#include <array>
#include <charconv>

namespace vpn::protocol {

namespace {

using namespace std::chrono_literals;

struct unit {
  std::string_view name;
  duration length;
};
// From the largest, as times are written.
constexpr std::array<unit, 4> units{unit{"h", 1h}, unit{"min", 1min},
                                    unit{"s", 1s}, unit{"ms", 1ms}};

/// Nothing finer is told apart: a nanosecond is a millionth of the ms.
constexpr size_t max_decimals = 6;

constexpr size_t max_quoted = 32;

bool is_digit(char x) {
  return x >= '0' && x <= '9';
}

size_t count_digits(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && is_digit(text[n]))
    ++n;
  return n;
}

/// Digits, perhaps with a point and more digits, from the beginning of a text.
struct decimal {
  std::string_view whole, part;
  size_t size = 0;
};

decimal read_decimal(std::string_view text) {
  decimal result;
  result.whole = text.substr(0, count_digits(text));
  result.size = result.whole.size();
  if (result.size == 0 || result.size == text.size()
      || text[result.size] != '.')
    return result;
  auto rest = text.substr(result.size + 1);
  result.part = rest.substr(0, count_digits(rest));
  if (!result.part.empty())
    result.size += 1 + result.part.size();
  return result;
}

fault_error too_long(std::string_view text) {
  return {0, quoted_fault_text(text) + " is more than 365 days"};
}

fault_error bad_unit(size_t position) {
  return {position, "expected a unit; units: ms, s, min, h"};
}

/// Writes `x` without a sign.
void append_time(std::string& out, uint64_t x) {
  for (auto& u : units) {
    auto length = static_cast<uint64_t>(u.length.count());
    if (x % length == 0) {
      out += std::to_string(x / length);
      out += u.name;
      return;
    }
  }
  constexpr uint64_t ms = 1'000'000;
  // The leading one keeps the zeros behind the point.
  auto part = std::to_string(ms + x % ms).substr(1);
  part.erase(part.find_last_not_of('0') + 1);
  out += std::to_string(x / ms) + '.' + part + "ms";
}

} // namespace

expected<double, fault_error> parse_fault_number(std::string_view text,
                                                 double least, double most) {
  auto range = "a number from " + write_fault_number(least) + " to "
               + write_fault_number(most);
  if (text.empty())
    return fault_error{0, "expected " + range};
  auto digits = read_decimal(text);
  if (digits.size != text.size())
    return fault_error{digits.size,
                       quoted_fault_text(text) + " is not " + range};
  double result = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(),
                                     result, std::chars_format::fixed);
  if (code != std::errc{} || end != text.data() + text.size()
      || !(result >= least && result <= most))
    return fault_error{0, quoted_fault_text(text) + " is not " + range};
  return result;
}

expected<duration, fault_error> parse_fault_time(std::string_view text) {
  if (text.empty())
    return fault_error{0, "expected a time, such as 1.5s"};
  if (text.front() == '-')
    return fault_error{0, "a time is not negative"};
  auto digits = read_decimal(text);
  if (digits.whole.empty())
    return fault_error{0, quoted_fault_text(text)
                            + " is not a time, such as 1.5s"};
  if (digits.part.size() > max_decimals)
    return fault_error{digits.size - digits.part.size() + max_decimals,
                       "a time has at most six digits behind the point"};
  auto name = text.substr(digits.size);
  const unit* found = nullptr;
  for (auto& u : units)
    if (u.name == name)
      found = &u;
  if (found == nullptr)
    return bad_unit(digits.size);
  auto length = found->length.count();
  int64_t whole = 0;
  for (auto x : digits.whole) {
    whole = whole * 10 + (x - '0');
    if (whole > longest_fault_time.count() / length)
      return too_long(text);
  }
  int64_t part = 0, scale = 1;
  for (auto x : digits.part) {
    part = part * 10 + (x - '0');
    scale *= 10;
  }
  // Six digits of an hour fit: 1e6 * 3.6e12 ns.
  auto result = duration{whole * length + part * length / scale};
  if (result > longest_fault_time)
    return too_long(text);
  return result;
}

expected<time_range, fault_error> parse_fault_times(std::string_view text) {
  auto dots = text.find("..");
  if (dots == std::string_view::npos) {
    auto x = parse_fault_time(text);
    if (!x)
      return x.error();
    return time_range{*x, *x};
  }
  auto min = parse_fault_time(text.substr(0, dots));
  if (!min)
    return min.error();
  auto max = parse_fault_time(text.substr(dots + 2));
  if (!max)
    return fault_error{dots + 2 + max.error().position, max.error().text};
  if (*max < *min)
    return fault_error{dots + 2, "a range goes from the shorter time to the "
                                 "longer"};
  return time_range{*min, *max};
}

expected<size_t, fault_error>
parse_fault_word(std::string_view text, std::string_view what,
                 const std::vector<std::string_view>& words) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == text)
      return i;
  auto exist = std::string{what} + "s: " + join_words(words);
  if (text.empty())
    return fault_error{0, "expected a " + std::string{what} + "; " + exist};
  auto result = "unknown " + std::string{what} + ' ' + quoted_fault_text(text);
  if (auto near = nearest_name(text, words); !near.empty())
    result += " (" + std::string{near} + "?)";
  return fault_error{0, result + "; " + exist};
}

std::string write_fault_number(double x) {
  // The smallest double has 323 zeros behind the point, and up to 17 digits.
  std::array<char, 400> out;
  auto [end, code] = std::to_chars(out.data(), out.data() + out.size(), x,
                                   std::chars_format::fixed);
  return code == std::errc{} ? std::string(out.data(), end) : std::string{"0"};
}

std::string write_fault_time(duration x) {
  if (x == duration::zero())
    return "0s";
  std::string result;
  auto size = static_cast<uint64_t>(x.count());
  if (x < duration::zero()) {
    result += '-';
    size = ~size + 1;
  }
  append_time(result, size);
  return result;
}

std::string write_fault_times(time_range x) {
  auto result = write_fault_time(x.min);
  if (x.max != x.min)
    result += ".." + write_fault_time(x.max);
  return result;
}

std::string quoted_fault_text(std::string_view text) {
  auto readable = make_readable(text.substr(0, max_quoted + 4));
  std::string result{cut_readable(readable, max_quoted)};
  if (text.size() > result.size())
    result += "...";
  return '\'' + result + '\'';
}

std::string join_words(const std::vector<std::string_view>& words) {
  std::string result;
  for (auto x : words) {
    if (!result.empty())
      result += ", ";
    result += x;
  }
  return result;
}

} // namespace vpn::protocol
