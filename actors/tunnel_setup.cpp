// Decides which changes of the host make a tunnel, and in which order.
// spec: openvpn-wire 7.2
#include "tunnel_setup.hpp"

#include <cerrno>
#include <utility>

#include "route_setup.hpp"

namespace vpn::actors {

namespace {

using protocol::topology;
using protocol::tunnel_config;

/// IPv6 does not exist on a device with a smaller MTU.
constexpr uint32_t min_mtu_v6 = 1280;

/// The kernel has no IPv6 here, or it was switched off.
bool is_without_v6(int code) {
  return code == EACCES || code == EOPNOTSUPP || code == EAFNOSUPPORT;
}

outcome set_value(setup_context& context, host_change_kind kind,
                  uint32_t before, uint32_t after) {
  if (before == after)
    return done;
  auto x = context.device_change(kind);
  x.before = before;
  x.after = after;
  return context.change(x);
}

outcome check_mtu(setup_context& context) {
  auto& tunnel = context.tunnel;
  auto redirects = context.redirects(family::v6);
  if (tunnel.mtu >= min_mtu_v6 || (!tunnel.address6 && !redirects))
    return done;
  auto text = "IPv6 needs an MTU of 1280 or more, the tunnel has "
              + std::to_string(tunnel.mtu);
  // What is to go through the tunnel must not leak out beside it.
  if (redirects)
    return failure{reason::host_failed, std::move(text)};
  context.warn("no IPv6 in the tunnel: " + text);
  context.without_v6 = true;
  return done;
}

outcome set_link(setup_context& context) {
  using kind = host_change_kind;
  auto& device = context.device;
  auto& tunnel = context.tunnel;
  if (auto result = set_value(context, kind::mtu_set, device.mtu, tunnel.mtu);
      !result)
    return result;
  // A queue of none is no queue discipline at all; nobody means that.
  if (tunnel.tx_queue_length > 0)
    if (auto result = set_value(context, kind::tx_queue_set,
                                device.tx_queue_length, tunnel.tx_queue_length);
        !result)
      return result;
  if (device.up)
    return done;
  return context.change(context.device_change(kind::link_up));
}

outcome add_address_v4(setup_context& context) {
  auto& tunnel = context.tunnel;
  if (!tunnel.address4)
    return done;
  auto x = context.device_change(host_change_kind::address_added);
  x.prefix = *tunnel.address4;
  if (tunnel.layout != topology::subnet) {
    x.prefix.length = 32;
    x.gateway = tunnel.peer4;
  }
  if (!is_valid(x.prefix) || x.prefix.address.kind != family::v4)
    return failure{reason::host_failed,
                   "the IPv4 address of the tunnel is not one"};
  return context.change(x);
}

outcome add_address_v6(setup_context& context, bool has_v6_elsewhere) {
  auto& tunnel = context.tunnel;
  if (!tunnel.address6 || context.without_v6)
    return done;
  auto x = context.device_change(host_change_kind::address_added);
  x.prefix = *tunnel.address6;
  if (!is_valid(x.prefix) || x.prefix.address.kind != family::v6)
    return failure{reason::host_failed,
                   "the IPv6 address of the tunnel is not one"};
  auto result = context.make(x);
  if (result)
    return done;
  auto& why = result.error();
  if (why.code == EEXIST) {
    context.warn("was so before, and stays as it is: " + to_command(x));
    return done;
  }
  // A host without IPv6 must still get its IPv4 tunnel. One that has IPv6
  // elsewhere would leak what its user wants in the tunnel.
  if (!is_without_v6(why.code)
      || (context.redirects(family::v6) && has_v6_elsewhere))
    return refused(x, why);
  context.warn("no IPv6 in the tunnel: " + why.text);
  context.without_v6 = true;
  return done;
}

outcome set_all_addresses(setup_context& context, const host_survey& before,
                          std::vector<host_change>& made) {
  // The server's route comes before the addresses, since the tunnel's own
  // network may be one that the server is in.
  // With ifconfig-noexec the link is the script's business too.
  if (!context.tunnel.ifconfig_noexec)
    if (auto result = set_link(context); !result)
      return result;
  if (!context.tunnel.route_noexec)
    if (auto result = route_setup{context, before, made}.exempt_server();
        !result)
      return result;
  if (context.tunnel.ifconfig_noexec)
    return done;
  if (auto result = add_address_v4(context); !result)
    return result;
  return add_address_v6(context, before.default6.has_value());
}

outcome add_all_routes(setup_context& context, const host_survey& before,
                       std::vector<host_change>& made) {
  if (context.tunnel.route_noexec)
    return done;
  route_setup routes{context, before, made};
  if (auto result = routes.add_pushed_routes(); !result)
    return result;
  if (auto result = routes.block_local(); !result)
    return result;
  if (auto result = routes.redirect_v4(); !result)
    return result;
  return routes.redirect_v6();
}

} // namespace

tunnel_setup::warnings_or_failure tunnel_setup::set_addresses(
  netlink& kernel, const tunnel_config& tunnel, const link_state& device,
  const std::optional<host_survey>& earlier, const change_maker& make) {
  setup_context context{kernel, tunnel, device, make, {}, false};
  if (auto result = check_mtu(context); !result)
    return result.error();
  auto before = survey_host(context, earlier);
  if (!before)
    return before.error();
  before_ = std::move(*before);
  auto result = set_all_addresses(context, *before_, made_);
  without_v6_ = context.without_v6;
  if (!result)
    return result.error();
  return std::move(context.warnings);
}

tunnel_setup::warnings_or_failure
tunnel_setup::add_routes(netlink& kernel, const tunnel_config& tunnel,
                         const link_state& device, const change_maker& make) {
  setup_context context{kernel, tunnel, device, make, {}, without_v6_};
  if (auto result = add_all_routes(context, *before_, made_); !result)
    return result.error();
  return std::move(context.warnings);
}

outcome tunnel_setup::exempt_server(netlink& kernel,
                                    const tunnel_config& tunnel,
                                    const link_state& device,
                                    const std::vector<host_change>& made,
                                    const change_maker& make) {
  if (tunnel.route_noexec)
    return done;
  setup_context context{kernel, tunnel, device, make, {}, false};
  auto around = survey_around(context, made);
  if (!around)
    return around.error();
  if (!around->to_server)
    return done;
  std::vector<host_change> fresh;
  if (auto result = route_setup{context, *around, fresh}.exempt_server();
      !result)
    return result;
  // A route that somebody else has put there is as good, if it leads around.
  auto now = kernel.route_to(tunnel.server.address);
  if (now && now->unicast && now->device == device.index)
    return failure{reason::host_failed, "a route of others leads into it"};
  return done;
}

} // namespace vpn::actors
