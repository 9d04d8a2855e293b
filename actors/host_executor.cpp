// Carries out a change of the host through netlink, and takes it back.
#include "host_executor.hpp"

#include <algorithm>
#include <cerrno>

namespace vpn::actors {

namespace {

link_address address_of(const host_change& x) {
  return {x.device_index, x.prefix, x.gateway};
}

link_change value_of(host_change_kind kind, uint32_t value) {
  link_change result;
  switch (kind) {
    case host_change_kind::mtu_set:
      result.mtu = value;
      break;
    case host_change_kind::tx_queue_set:
      result.tx_queue_length = value;
      break;
    default:
      result.up = value != 0;
      break;
  }
  return result;
}

kernel_result<done_t> take_back(netlink& kernel, const host_change& x) {
  switch (x.kind) {
    case host_change_kind::address_added:
      return kernel.remove_address(address_of(x));
    case host_change_kind::route_added:
      return kernel.remove_route(route_of(x));
    case host_change_kind::route_removed:
      return kernel.add_route(route_of(x));
    case host_change_kind::link_up:
      return kernel.set_link(x.device_index, value_of(x.kind, 0));
    default:
      return kernel.set_link(x.device_index, value_of(x.kind, x.before));
  }
}

bool was_gone(const host_change& x, int code) {
  switch (code) {
    case ENODEV:
    case ENXIO:
    case ESRCH:
    case EADDRNOTAVAIL:
      return true;
    case EEXIST:
      return x.kind == host_change_kind::route_removed;
    default:
      return false;
  }
}

/// A default route to a gateway that is no neighbour any more belongs to a
/// network that was left, once this host has another one.
bool is_replaced(netlink& kernel, const host_change& x, int code) {
  if (x.kind != host_change_kind::route_removed || x.prefix.length != 0
      || code != ENETUNREACH)
    return false;
  auto all = kernel.routes(x.prefix.address.kind);
  return all && std::any_of(all->begin(), all->end(), [](const auto& y) {
           return y.destination.length == 0;
         });
}

} // namespace

kernel_route route_of(const host_change& x) {
  kernel_route result;
  result.destination = x.prefix;
  result.gateway = x.gateway;
  result.source = x.source;
  result.device = x.device_index;
  result.metric = x.metric;
  result.protocol = x.protocol;
  result.scope = x.scope;
  result.on_link = x.on_link;
  return result;
}

kernel_result<done_t> perform(netlink& kernel, const host_change& x) {
  switch (x.kind) {
    case host_change_kind::address_added:
      return kernel.add_address(address_of(x));
    case host_change_kind::route_added:
      return kernel.add_route(route_of(x));
    case host_change_kind::route_removed:
      return kernel.remove_route(route_of(x));
    case host_change_kind::link_up:
      return kernel.set_link(x.device_index, value_of(x.kind, 1));
    default:
      return kernel.set_link(x.device_index, value_of(x.kind, x.after));
  }
}

kernel_result<revert_outcome> revert(netlink& kernel, const host_change& x) {
  // The device may be gone since, and its name may belong to somebody else's
  // tunnel by now: what we had set is gone with ours.
  auto device = kernel.link(x.device);
  if (!device) {
    if (was_gone(x, device.error().code))
      return revert_outcome::nothing_to_do;
    return device.error();
  }
  if (device->index != x.device_index)
    return revert_outcome::nothing_to_do;
  auto result = take_back(kernel, x);
  if (result)
    return revert_outcome::reverted;
  auto code = result.error().code;
  if (was_gone(x, code) || is_replaced(kernel, x, code))
    return revert_outcome::nothing_to_do;
  return result.error();
}

} // namespace vpn::actors
