// Values of options, read alike by all handlers of a profile's options.
#pragma once

#include <algorithm>
#include <chrono>

#include "profile_builder.hpp"

namespace vpn::protocol {

/// What the largest number of seconds in OpenVPN is.
constexpr uint32_t max_seconds = 0x7fffffff;

/// The smallest limit of a control packet.
constexpr uint32_t min_control_packet = 154;

inline option_outcome bad(std::string text) {
  return {std::move(text), {}};
}

inline option_outcome no_effect(std::string text) {
  return {{}, std::move(text)};
}

template <class T>
option_outcome read_number(T& out, const std::string& word, uint32_t min,
                           uint32_t max) {
  auto number = parse_number(word, min, max);
  if (!number)
    return bad(quoted(word) + " is not a number from " + std::to_string(min)
               + " to " + std::to_string(max));
  out = static_cast<T>(*number);
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

} // namespace vpn::protocol
