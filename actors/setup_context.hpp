// What the steps that set up a tunnel share: the kernel, the wish, the way to
// make a change, and the warnings so far.
#pragma once

#include "vpn/actors/host_change.hpp"
#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "netlink.hpp"

namespace vpn::actors {

using outcome = expected<done_t, failure>;

/// Makes one change and remembers it.
using change_maker = std::function<kernel_result<done_t>(const host_change&)>;

struct setup_context {
  netlink& kernel;
  const protocol::tunnel_config& tunnel;
  const link_state& device;
  const change_maker& make;
  std::vector<std::string> warnings;
  /// No IPv6 here, or the MTU is too small for it: leave it out.
  bool without_v6 = false;

  void warn(std::string text) { warnings.push_back(std::move(text)); }

  bool redirects(family kind) const {
    return kind == family::v6 ? tunnel.redirect.ipv6 : tunnel.redirect.ipv4;
  }

  /// A change of the tunnel's own device.
  host_change device_change(host_change_kind kind) const;

  /// Makes a change; one that was made by others before is a warning.
  outcome change(const host_change& x);

  expected<std::string, failure> name_of(uint32_t device_index);
};

/// The failure that says which change the kernel refused, and why.
failure refused(const host_change& x, const os_error& why);

/// A prefix the kernel can have: an address, and no more bits than it has.
bool is_valid(const ip_prefix& x);
ip_prefix host_prefix(const ip_address& x);
/// fe80::/10: only a neighbour on one device can have it.
bool is_link_local(const ip_address& x);

} // namespace vpn::actors
