// What a tunnel is to become on this host: the sum of the profile and of what
// the server pushed. HOST applies it.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include "vpn/protocol/data_key.hpp"
#include "vpn/protocol/ip_address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vpn::protocol {

enum class topology : uint8_t { net30, p2p, subnet };

/// Where a route's gateway comes from.
enum class gateway_kind : uint8_t {
  /// The tunnel's own gateway (route-gateway, or the peer of net30 and p2p).
  vpn,
  /// The default gateway the host had before. Keyword `net_gateway`.
  net,
  /// `address` says it.
  address,
};

struct route_config {
  ip_prefix destination;
  gateway_kind via = gateway_kind::vpn;
  ip_address gateway;
  /// Metric, or the default of the host when absent.
  std::optional<uint32_t> metric;
  friend bool operator==(const route_config& x, const route_config& y) {
    return x.destination == y.destination && x.via == y.via
           && x.gateway == y.gateway && x.metric == y.metric;
  }
};

/// Flags of redirect-gateway.
struct redirect_config {
  bool ipv4 = false;
  bool ipv6 = false;
  /// Two halves instead of replacing the default route.
  bool def1 = false;
  /// The server is on-link: no host route to it.
  bool local = false;
  friend bool operator==(const redirect_config& x, const redirect_config& y) {
    return x.ipv4 == y.ipv4 && x.ipv6 == y.ipv6 && x.def1 == y.def1
           && x.local == y.local;
  }
};

struct tunnel_config {
  /// Device name, "tun" for the next free tunN; "null" for none.
  std::string device = "tun";
  topology layout = topology::net30;
  /// Own IPv4 address. Subnet: with the netmask's prefix length. Otherwise /32
  /// with `peer4` as the other end.
  std::optional<ip_prefix> address4;
  ip_address peer4;
  std::optional<ip_prefix> address6;
  ip_address gateway6;
  /// Gateway of IPv4 routes; from route-gateway, else `peer4`.
  ip_address gateway4;
  /// Device MTU in bytes.
  uint32_t mtu = 1500;
  /// Queue length of the device in packets.
  uint32_t tx_queue_length = 1000;
  std::vector<route_config> routes;
  redirect_config redirect;
  /// The server as the transport reached it; its host route goes around the
  /// tunnel.
  endpoint server;
  /// Options that are understood and left to others, as they were pushed:
  /// "dhcp-option DNS 10.8.0.1".
  std::vector<std::string> foreign_options;
};

} // namespace vpn::protocol
