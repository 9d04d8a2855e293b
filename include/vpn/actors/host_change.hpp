// One change of this host's network settings, with all that is needed to make
// it, to show it and to take it back.
// spec: anchors 5.3
#pragma once

#include "vpn/protocol/ip_address.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace vpn::actors {

enum class host_change_kind : uint8_t {
  /// `after` and `before` are numbers of bytes.
  mtu_set,
  /// `after` and `before` are numbers of packets.
  tx_queue_set,
  link_up,
  /// `prefix` with the own address, `gateway` is the other end if any.
  address_added,
  route_added,
  route_removed,
};

/// Plain data, so that a journal of them can be written and read back by the
/// next process.
struct host_change {
  host_change_kind kind = host_change_kind::route_added;
  std::string device;
  /// Guards against another device that has got the same name since.
  uint32_t device_index = 0;
  ip_prefix prefix;
  ip_address gateway;
  /// Preferred source of a route, or undefined.
  ip_address source;
  std::optional<uint32_t> metric;
  /// RTPROT_* of a route, zero for our own.
  uint8_t protocol = 0;
  /// RT_SCOPE_* of a route, absent for the usual one.
  std::optional<uint8_t> scope;
  /// The gateway counts as reachable on the device.
  bool on_link = false;
  uint32_t before = 0;
  uint32_t after = 0;

  friend bool operator==(const host_change& x, const host_change& y) {
    return x.kind == y.kind && x.device == y.device
           && x.device_index == y.device_index && x.prefix == y.prefix
           && x.gateway == y.gateway && x.source == y.source
           && x.metric == y.metric && x.protocol == y.protocol
           && x.scope == y.scope && x.on_link == y.on_link
           && x.before == y.before && x.after == y.after;
  }
};

/// The change as a command a person can type:
/// "ip route add 10.0.0.0/8 via 10.8.0.1 dev tun0".
std::string to_command(const host_change& x);

/// The command that takes it back.
std::string to_undo_command(const host_change& x);

} // namespace vpn::actors
