// What may differ from one server to the next: everything that can stand in a
// <connection> block.
// spec: openvpn-wire 14
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/control_wrap.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/mssfix.hpp"
#include "vpn/protocol/proxy_config.hpp"

#include <string>

namespace vpn::protocol {

/// `fragment n` and `fragment n mtu`. Both ends must have it.
struct fragment_config {
  /// Largest datagram in bytes (68..); zero: off.
  uint32_t size = 0;
  /// `mtu`: the size counts the IP and UDP headers too.
  bool outer_packet = false;
};

struct connection_settings {
  wrap_config wrap;
  /// Target size of a control packet with IP and UDP headers (154..2048).
  size_t max_packet_size = 1250;

  /// Address and port to bind; undefined and zero leave it to the host.
  ip_address local_address;
  uint16_t local_port = 0;
  /// `bind ipv6only`.
  bool ipv6_only = false;
  /// Packets of the server may come from another address: `float`.
  bool floats = false;
  proxy_config proxy;

  /// Until the connection stands and the server has answered, in all.
  duration connect_timeout = std::chrono::seconds{120};
  /// Zero: leave without telling.
  uint32_t exit_notify = 0;
  mssfix_config mssfix;
  fragment_config fragment;
  /// MTU of the tunnel, unless the server pushes another.
  uint32_t tun_mtu = 1500;
};

} // namespace vpn::protocol
