// IP addresses, prefixes and endpoints as plain values.
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/error.hpp"

#include <array>
#include <string>
#include <string_view>

namespace vpn {

enum class family : uint8_t { unspecified = 0, v4 = 4, v6 = 6 };

/// An IPv4 or IPv6 address, or none. IPv4 uses the first four bytes.
struct ip_address {
  family kind = family::unspecified;
  std::array<uint8_t, 16> octets{};

  bool defined() const noexcept { return kind != family::unspecified; }
  size_t size() const noexcept { return kind == family::v6 ? 16 : 4; }
  byte_view view() const noexcept { return {octets.data(), size()}; }
  friend bool operator==(const ip_address& x, const ip_address& y) {
    return x.kind == y.kind && x.octets == y.octets;
  }
  friend bool operator!=(const ip_address& x, const ip_address& y) {
    return !(x == y);
  }
};

/// Numeric text only, no names, no zone: "10.8.0.1", "fd00::1".
expected<ip_address> parse_ip(std::string_view text);
/// The same, of one family only; the other one is `bad_value`.
expected<ip_address> parse_ip(std::string_view text, family kind);
std::string to_string(const ip_address& x);

/// A network: address and prefix length (0..32, 0..128).
struct ip_prefix {
  ip_address address;
  uint8_t length = 0;
  friend bool operator==(const ip_prefix& x, const ip_prefix& y) {
    return x.address == y.address && x.length == y.length;
  }
};

/// "fd00::/64"; without a slash the length is that of a host.
expected<ip_prefix> parse_prefix(std::string_view text, family kind);
/// Prefix length of a netmask such as 255.255.255.0; `bad_value` when its ones
/// are not contiguous.
expected<uint8_t> prefix_length(const ip_address& netmask);
/// The netmask of a prefix length, IPv4.
ip_address netmask_v4(uint8_t length);
/// The address with all host bits cleared.
ip_address network_of(const ip_prefix& x);
/// True if `x` lies in `net`.
bool contains(const ip_prefix& net, const ip_address& x);
std::string to_string(const ip_prefix& x);

/// An address with a port.
struct endpoint {
  ip_address address;
  uint16_t port = 0;
  /// Interface index of a link-local IPv6 address, else 0.
  uint32_t scope = 0;
  friend bool operator==(const endpoint& x, const endpoint& y) {
    return x.address == y.address && x.port == y.port && x.scope == y.scope;
  }
};

/// "192.0.2.1:1194", "[2001:db8::1]:1194".
std::string to_string(const endpoint& x);

} // namespace vpn
