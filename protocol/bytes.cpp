#include "vpn/protocol/bytes.hpp"

namespace vpn {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

std::string to_hex(byte_view xs) {
  std::string result;
  result.reserve(xs.size() * 2);
  for (auto x : xs) {
    result += hex_digits[x >> 4];
    result += hex_digits[x & 15];
  }
  return result;
}

bytes from_hex(std::string_view text) {
  bytes result;
  int high = -1;
  for (auto c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
      continue;
    auto value = hex_value(c);
    if (value < 0)
      return {};
    if (high < 0) {
      high = value;
    } else {
      result.push_back(static_cast<uint8_t>((high << 4) | value));
      high = -1;
    }
  }
  return high < 0 ? result : bytes{};
}

} // namespace vpn
