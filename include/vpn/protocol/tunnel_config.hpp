// What a tunnel is to become on this host: the sum of the profile and of what
// the server pushed. HOST applies it.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include "vpn/protocol/dns_config.hpp"
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
  /// The server's own address, while `tunnel_config::server` is not known yet.
  /// Keyword `remote_host`; `address` as soon as it is.
  remote,
};

/// What a route leads to: a network, or the host that a keyword stands for.
enum class route_target : uint8_t {
  network,
  /// Keywords in place of an address, as long as that is not known. Then only
  /// the length of `destination` counts.
  vpn_gateway,
  remote_host,
};

struct route_config {
  ip_prefix destination;
  route_target to = route_target::network;
  gateway_kind via = gateway_kind::vpn;
  ip_address gateway;
  /// Metric, or the default of the host when absent.
  std::optional<uint32_t> metric;
  friend bool operator==(const route_config& x, const route_config& y) {
    return x.destination == y.destination && x.to == y.to && x.via == y.via
           && x.gateway == y.gateway && x.metric == y.metric;
  }
};

/// Flags of redirect-gateway and redirect-private.
struct redirect_config {
  /// Default routes go through the tunnel.
  bool ipv4 = false;
  bool ipv6 = false;
  /// The host route to the server is wanted even without a default route:
  /// redirect-private.
  bool is_private = false;
  /// Two halves instead of replacing the default route.
  bool def1 = false;
  /// The server is on-link: no host route to it.
  bool local = false;
  /// `autolocal`: find out whether it is.
  bool autolocal = false;
  /// Host routes to the DHCP server and to the name servers the host had. As
  /// with openvpn on Linux nothing comes of them.
  bool bypass_dhcp = false;
  bool bypass_dns = false;
  /// The networks the host is in are taken into the tunnel as well.
  bool block_local = false;
  friend bool operator==(const redirect_config& x, const redirect_config& y) {
    return x.ipv4 == y.ipv4 && x.ipv6 == y.ipv6 && x.is_private == y.is_private
           && x.def1 == y.def1 && x.local == y.local
           && x.autolocal == y.autolocal && x.bypass_dhcp == y.bypass_dhcp
           && x.bypass_dns == y.bypass_dns && x.block_local == y.block_local;
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
  dns_config dns;
  /// IPv6 packets are answered with "no route" instead of being sent.
  bool block_ipv6 = false;
  /// Leave addresses, routes or names to the user's scripts.
  /// Options `ifconfig-noexec`, `route-noexec`, `dns-updown disable`.
  bool ifconfig_noexec = false;
  bool route_noexec = false;
  bool dns_noexec = false;
  /// Seconds between addresses and routes. Option `route-delay`.
  uint32_t route_delay = 0;
  /// Options that are understood and left to others, as they were pushed:
  /// "dhcp-option DNS 10.8.0.1".
  std::vector<std::string> foreign_options;
};

} // namespace vpn::protocol
