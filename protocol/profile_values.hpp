// Values of options, read alike by all handlers of a profile's options.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>

#include "profile_builder.hpp"

namespace vpn::protocol {

/// What the largest number of seconds in OpenVPN is.
constexpr uint32_t max_seconds = 0x7fffffff;

/// The smallest limit of a control packet, and of `mssfix`.
constexpr uint32_t min_control_packet = 154;

constexpr size_t max_remotes = 256;

/// User names and passwords longer than this fit into no record.
constexpr size_t max_credential = 1024;

inline option_outcome bad(std::string text) {
  return {std::move(text), {}};
}

inline option_outcome no_effect(std::string text) {
  return {{}, std::move(text)};
}

/// Whole numbers, signed or not, of any width.
template <class T>
option_outcome read_number(T& out, const std::string& word, int64_t min,
                           int64_t max) {
  int64_t number = 0;
  auto end = word.data() + word.size();
  auto [stop, error] = std::from_chars(word.data(), end, number);
  if (word.empty() || error != std::errc{} || stop != end || number < min
      || number > max)
    return bad(quoted(word) + " is not a number from " + std::to_string(min)
               + " to " + std::to_string(max));
  out = static_cast<T>(number);
  return {};
}

inline option_outcome read_seconds(duration& out, const std::string& word,
                                   uint32_t min, uint32_t max = max_seconds) {
  uint32_t seconds = 0;
  auto result = read_number(seconds, word, min, max);
  if (result.error.empty())
    out = std::chrono::seconds{seconds};
  return result;
}

inline bool is_word(const std::string& text, std::string_view others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || others.find(c) != std::string_view::npos;
  });
}

inline std::string to_upper(std::string text) {
  for (auto& c : text)
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
  return text;
}

/// Takes the next line, without its end.
inline std::string_view take_line(std::string_view& text) {
  auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r')
    line.remove_suffix(1);
  return line;
}

/// The number of a port, or the name of a service.
inline bool is_port(const std::string& word) {
  auto is_number = std::all_of(word.begin(), word.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
  return is_number ? parse_number(word, 1, 65535).has_value()
                   : word.size() <= 32 && is_word(word, "-_") && word[0] != '-';
}

/// The name or address of a host. Nothing that a resolver or a proxy could take
/// for more than that.
inline bool is_host(const std::string& word) {
  return !word.empty() && word.size() <= 255 && word.front() != '-'
         && is_printable(word) && word.find(' ') == std::string::npos;
}

/// A user name and a password, one in each of the first two lines.
struct login {
  std::string username;
  secret password;
};
inline option_outcome read_login(login& out, std::string_view text) {
  auto name = take_line(text);
  auto password = take_line(text);
  if (name.empty())
    return bad("the first line must be the user name, the second the password");
  if (name.size() > max_credential || password.size() > max_credential
      || !is_printable(name) || !is_printable(password))
    return bad("the user name or the password is too long or has control "
               "characters");
  out = {std::string{name}, secret{password}};
  return {};
}

} // namespace vpn::protocol
