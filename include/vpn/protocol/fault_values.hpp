// The values in the text of a fault: rates, times, ranges of times and words.
// Errors name the first byte of the value that does not fit.
#pragma once

#include "vpn/protocol/fault_spec.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

/// Longer times are refused: they would be typing errors.
constexpr duration longest_fault_time = std::chrono::hours{24 * 365};
/// Phases of a link and repetitions are not shorter.
constexpr duration shortest_fault_period = std::chrono::milliseconds{1};

struct time_range {
  duration min{}, max{};
};

/// A decimal number, without a sign and without an exponent.
expected<double, fault_error> parse_fault_number(std::string_view text,
                                                 double least, double most);
/// "1.5s": digits, perhaps a point and up to six more, and ms, s, min or h.
expected<duration, fault_error> parse_fault_time(std::string_view text);
/// "5s" or "5s..10s".
expected<time_range, fault_error> parse_fault_times(std::string_view text);
/// The index of `text` in `words`; `what` is what such a word is called.
expected<size_t, fault_error>
parse_fault_word(std::string_view text, std::string_view what,
                 const std::vector<std::string_view>& words);

/// The shortest text that parses to the same number.
std::string write_fault_number(double x);
/// In the largest unit that needs no point, else in ms.
std::string write_fault_time(duration x);
std::string write_fault_times(time_range x);

/// What somebody wrote, in quotes, cut short and without control characters.
std::string quoted_fault_text(std::string_view text);
/// "a, b, c".
std::string join_words(const std::vector<std::string_view>& words);

} // namespace vpn::protocol
