// Text of a peer that people, terminals, logs and scripts will see.
// spec: openvpn-wire 5.9
#include "vpn/protocol/readable_text.hpp"

#include <array>
#include <cstdint>

namespace vpn::protocol {

namespace {

/// The code point at the start of `text`, and how many bytes it takes; none for
/// anything that is not the shortest form of one.
size_t read_utf8(std::string_view text, uint32_t& point) {
  struct form {
    uint8_t mask, lead;
    uint32_t first, last;
  };
  constexpr std::array<form, 4> forms{{{0x80, 0x00, 0, 0x7f},
                                       {0xe0, 0xc0, 0x80, 0x7ff},
                                       {0xf0, 0xe0, 0x800, 0xffff},
                                       {0xf8, 0xf0, 0x10000, 0x10ffff}}};
  auto lead = static_cast<uint8_t>(text.front());
  for (size_t n = 1; n <= forms.size(); ++n) {
    const auto& x = forms[n - 1];
    if ((lead & x.mask) != x.lead)
      continue;
    if (text.size() < n)
      return 0;
    point = lead & static_cast<uint8_t>(~x.mask);
    for (size_t i = 1; i < n; ++i) {
      auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xc0) != 0x80)
        return 0;
      point = (point << 6) | (byte & 0x3fU);
    }
    auto surrogate = point >= 0xd800 && point <= 0xdfff;
    return point >= x.first && point <= x.last && !surrogate ? n : 0;
  }
  return 0;
}

/// Bytes of the first character, zero when it is not one to be shown.
size_t readable_at(std::string_view text) {
  uint32_t point = 0;
  auto n = read_utf8(text, point);
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) ? 0 : n;
}

} // namespace

bool is_readable(std::string_view text) {
  while (!text.empty()) {
    auto n = readable_at(text);
    if (n == 0)
      return false;
    text.remove_prefix(n);
  }
  return true;
}

std::string make_readable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    auto n = readable_at(text);
    if (n == 0)
      result += '_';
    else
      result += text.substr(0, n);
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return result;
}

std::string_view cut_readable(std::string_view text, size_t limit) {
  if (text.size() <= limit)
    return text;
  while (limit > 0 && (static_cast<uint8_t>(text[limit]) & 0xc0) == 0x80)
    --limit;
  return text.substr(0, limit);
}

} // namespace vpn::protocol
