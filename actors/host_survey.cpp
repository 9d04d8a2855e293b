// How packets leave this host before the tunnel changes it.
// spec: openvpn-wire 7.3
#include "host_survey.hpp"

#include <algorithm>
#include <utility>

namespace vpn::actors {

namespace {

using protocol::gateway_kind;
using protocol::route_config;
using protocol::tunnel_config;

/// The best default route that is not the tunnel's.
kernel_result<std::optional<kernel_route>> find_default(setup_context& context,
                                                        family kind) {
  auto all = context.kernel.routes(kind);
  if (!all)
    return all.error();
  std::optional<kernel_route> result;
  for (auto& x : *all)
    if (x.destination.length == 0 && x.device != context.device.index
        && (!result || x.metric.value_or(0) < result->metric.value_or(0)))
      result = x;
  return result;
}

/// True if packets to the server would enter the tunnel without a route of
/// their own.
bool takes_server_in(const setup_context& context) {
  auto& tunnel = context.tunnel;
  auto& server = tunnel.server.address;
  auto holds = [&](const ip_prefix& x) {
    return is_valid(x) && contains(x, server);
  };
  if (context.redirects(server.kind)
      || (tunnel.redirect.is_private && server.kind == family::v4))
    return true;
  if ((tunnel.address4 && holds(*tunnel.address4))
      || (tunnel.address6 && holds(*tunnel.address6)))
    return true;
  return std::any_of(
    tunnel.routes.begin(), tunnel.routes.end(), [&](const route_config& x) {
      return x.via != gateway_kind::net && holds(x.destination);
    });
}

bool is_end_of_tunnel(const tunnel_config& tunnel, const ip_address& x) {
  return (tunnel.address4 && tunnel.address4->address == x)
         || (tunnel.address6 && tunnel.address6->address == x)
         || tunnel.peer4 == x;
}

failure no_way(const ip_address& server, const std::string& why) {
  return {reason::host_failed, "no way around the tunnel to the server "
                                 + to_string(server) + ": " + why};
}

outcome find_server(setup_context& context, host_survey& out) {
  auto& tunnel = context.tunnel;
  auto& server = tunnel.server.address;
  if (!server.defined()) {
    if (tunnel.redirect.ipv4 || tunnel.redirect.ipv6)
      context.warn("the address of the server is not known: there is no route "
                   "to it around the tunnel");
    return done;
  }
  if (is_end_of_tunnel(tunnel, server))
    return no_way(server, "the tunnel has the same address");
  // A link-local server is a neighbour named with its device; no route
  // matters to it.
  if (is_link_local(server) || !takes_server_in(context))
    return done;
  auto now = context.kernel.route_to(server);
  if (!now)
    return no_way(server, now.error().text);
  // An address of this host: the kernel never sends it anywhere.
  if (!now->unicast)
    return done;
  auto found = *now;
  if (found.device == context.device.index) {
    // Routes of an earlier tunnel are still there.
    auto& fallback = out.default_route(server.kind);
    if (!fallback)
      return no_way(server, "all routes lead into the tunnel");
    found = *fallback;
  }
  if (found.foreign_gateway)
    return no_way(server, "its gateway is of another family");
  out.to_server = std::move(found);
  return done;
}

} // namespace

expected<host_survey, failure>
survey_host(setup_context& context, const std::optional<host_survey>& earlier) {
  host_survey result;
  auto default4 = find_default(context, family::v4);
  if (!default4)
    return failure{reason::host_failed,
                   "cannot list the routes: " + default4.error().text};
  result.default4 = std::move(*default4);
  // A kernel without IPv6 cannot list its routes, and has none.
  if (auto default6 = find_default(context, family::v6); default6)
    result.default6 = std::move(*default6);
  if (earlier) {
    if (!result.default4)
      result.default4 = earlier->default4;
    if (!result.default6)
      result.default6 = earlier->default6;
  }
  if (auto found = find_server(context, result); !found)
    return found.error();
  return result;
}

} // namespace vpn::actors
