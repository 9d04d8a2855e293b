#include "vpn/protocol/ip_address.hpp"

#include <charconv>

#include <arpa/inet.h>

namespace vpn {

namespace {

constexpr size_t width(family kind) noexcept {
  return kind == family::v6 ? 128 : 32;
}

void clear_host_bits(ip_address& x, size_t length) noexcept {
  for (size_t i = 0; i < x.size(); ++i) {
    auto bit = i * 8;
    if (bit >= length)
      x.octets[i] = 0;
    else if (bit + 8 > length)
      x.octets[i] &= static_cast<uint8_t>(0xff00u >> (length - bit));
  }
}

} // namespace

expected<ip_address> parse_ip(std::string_view text, family kind) {
  // inet_pton wants a terminated string; the longest address has 45 characters.
  if (text.empty() || text.size() > INET6_ADDRSTRLEN)
    return errc::bad_value;
  std::string copy{text};
  if (copy.find('\0') != std::string::npos)
    return errc::bad_value;
  ip_address result;
  result.kind = kind;
  auto af = kind == family::v6 ? AF_INET6 : AF_INET;
  if (inet_pton(af, copy.c_str(), result.octets.data()) != 1)
    return errc::bad_value;
  return result;
}

expected<ip_address> parse_ip(std::string_view text) {
  return parse_ip(text, text.find(':') == std::string_view::npos ? family::v4
                                                                 : family::v6);
}

std::string to_string(const ip_address& x) {
  if (!x.defined())
    return "-";
  char buf[INET6_ADDRSTRLEN] = {};
  inet_ntop(x.kind == family::v6 ? AF_INET6 : AF_INET, x.octets.data(), buf,
            sizeof(buf));
  return buf;
}

expected<ip_prefix> parse_prefix(std::string_view text, family kind) {
  auto slash = text.find('/');
  auto address = parse_ip(text.substr(0, slash), kind);
  if (!address)
    return address.error();
  ip_prefix result{*address, static_cast<uint8_t>(width(kind))};
  if (slash != std::string_view::npos) {
    auto digits = text.substr(slash + 1);
    unsigned length = 0;
    auto [end, ec]
      = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (ec != std::errc{} || end != digits.data() + digits.size()
        || length > width(kind))
      return errc::bad_value;
    result.length = static_cast<uint8_t>(length);
  }
  return result;
}

expected<uint8_t> prefix_length(const ip_address& netmask) {
  if (!netmask.defined())
    return errc::bad_value;
  uint8_t ones = 0;
  bool ended = false;
  for (auto octet : netmask.view())
    for (int bit = 7; bit >= 0; --bit) {
      if ((octet >> bit) & 1) {
        if (ended)
          return errc::bad_value;
        ++ones;
      } else {
        ended = true;
      }
    }
  return ones;
}

ip_address netmask_v4(uint8_t length) {
  ip_address result;
  result.kind = family::v4;
  result.octets[0] = result.octets[1] = result.octets[2] = result.octets[3]
    = 0xff;
  clear_host_bits(result, length);
  return result;
}

ip_address network_of(const ip_prefix& x) {
  auto result = x.address;
  clear_host_bits(result, x.length);
  return result;
}

bool contains(const ip_prefix& net, const ip_address& x) {
  return net.address.kind == x.kind && x.defined()
         && network_of({x, net.length}) == network_of(net);
}

std::string to_string(const ip_prefix& x) {
  return to_string(x.address) + '/' + std::to_string(x.length);
}

std::string to_string(const endpoint& x) {
  auto text = to_string(x.address);
  if (x.address.kind == family::v6)
    text = '[' + text + ']';
  return text + ':' + std::to_string(x.port);
}

} // namespace vpn
