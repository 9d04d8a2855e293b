// Carries out a change of the host through netlink, and takes it back.
#pragma once

#include "vpn/actors/host_change.hpp"

#include "netlink.hpp"

namespace vpn::actors {

/// The route that a change adds or removes.
kernel_route route_of(const host_change& x);

/// EEXIST means that it was so before.
kernel_result<done_t> perform(netlink& kernel, const host_change& x);

enum class revert_outcome : uint8_t {
  reverted,
  /// Somebody else was faster: the device, the address or the route is not
  /// there any more, or the old one is back already.
  nothing_to_do,
};

kernel_result<revert_outcome> revert(netlink& kernel, const host_change& x);

} // namespace vpn::actors
