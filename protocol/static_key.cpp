// Static keys: the text form and the four slots.
// spec: openvpn-wire 2.4

#include "vpn/protocol/static_key.hpp"

namespace vpn::protocol {

namespace {

constexpr std::string_view begin_mark = "-----BEGIN OpenVPN Static key V1-----";
constexpr std::string_view end_mark = "-----END OpenVPN Static key V1-----";
constexpr size_t slot_size = 64;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// The value of a hex digit, -1 for any other character.
int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

expected<key_block> parse_static_key(std::string_view text) {
  auto begin = text.find(begin_mark);
  if (begin == std::string_view::npos)
    return errc::bad_key_material;
  text.remove_prefix(begin + begin_mark.size());
  auto end = text.find(end_mark);
  if (end == std::string_view::npos)
    return errc::bad_key_material;
  key_block result;
  size_t digits = 0;
  for (auto c : text.substr(0, end)) {
    if (is_space(c))
      continue;
    auto value = hex_value(c);
    if (value < 0 || digits == 2 * key_block::size())
      return errc::bad_key_material;
    // Digits are shifted in, so no copy of the key is left anywhere else.
    auto& byte = result.data()[digits / 2];
    byte = static_cast<uint8_t>((byte << 4) | value);
    ++digits;
  }
  if (digits != 2 * key_block::size())
    return errc::bad_key_material;
  return result;
}

directed_keys slots_of(const key_block& block, key_direction direction) {
  auto send = direction == key_direction::inverse ? 2 * slot_size : 0;
  auto receive = direction == key_direction::normal ? 2 * slot_size : 0;
  directed_keys result;
  result.send_cipher = block.slice(send, slot_size);
  result.send_hmac = block.slice(send + slot_size, slot_size);
  result.receive_cipher = block.slice(receive, slot_size);
  result.receive_hmac = block.slice(receive + slot_size, slot_size);
  return result;
}

} // namespace vpn::protocol
