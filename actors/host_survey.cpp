// How packets leave this host before the tunnel changes it.
// spec: openvpn-wire 7.3
#include "host_survey.hpp"

#include <algorithm>
#include <utility>

#include "host_executor.hpp"

namespace vpn::actors {

namespace {

using protocol::gateway_kind;
using protocol::route_config;
using protocol::tunnel_config;

/// What the kernel prefers among routes that lead to the same address.
bool is_better(const kernel_route& x, const kernel_route& y) {
  if (x.destination.length != y.destination.length)
    return x.destination.length > y.destination.length;
  return x.metric.value_or(0) < y.metric.value_or(0);
}

/// The best default route that is not the tunnel's.
kernel_result<std::optional<kernel_route>> find_default(setup_context& context,
                                                        family kind) {
  auto all = context.kernel.routes(kind);
  if (!all)
    return all.error();
  std::optional<kernel_route> result;
  for (auto& x : *all)
    if (x.destination.length == 0 && x.device != context.device.index
        && (!result || is_better(x, *result)))
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

/// The route is one of those a tunnel has made.
bool is_one_of(const std::vector<host_change>& made, const kernel_route& x) {
  return std::any_of(made.begin(), made.end(), [&](const host_change& y) {
    return y.kind == host_change_kind::route_added && y.prefix == x.destination
           && y.device_index == x.device && y.gateway == x.gateway;
  });
}

/// Unless somebody has given this host another one, the default route that a
/// tunnel has taken away is the one to take; but only as long as its gateway is
/// still a neighbour, or it belongs to a network that was left.
std::optional<kernel_route>
removed_default(setup_context& context, const std::vector<host_change>& made,
                family kind) {
  auto i = std::find_if(made.begin(), made.end(), [&](const host_change& x) {
    return x.kind == host_change_kind::route_removed && x.prefix.length == 0
           && x.prefix.address.kind == kind;
  });
  if (i == made.end())
    return std::nullopt;
  auto result = route_of(*i);
  if (!result.gateway.defined() || result.on_link)
    return result;
  auto hop = context.kernel.route_to(result.gateway);
  if (!hop || !hop->unicast || hop->device != result.device
      || (hop->gateway.defined() && hop->gateway != result.gateway))
    return std::nullopt;
  return result;
}

failure unknown(const std::string& why) {
  return {reason::host_failed, why};
}

outcome find_way_around(setup_context& context,
                        const std::vector<host_change>& made,
                        host_survey& out) {
  auto& server = context.tunnel.server.address;
  auto all = context.kernel.routes(server.kind);
  if (!all)
    return unknown(all.error().text);
  auto& by_default = server.kind == family::v6 ? out.default6 : out.default4;
  std::optional<kernel_route> best;
  auto is_exempt = false;
  for (auto& x : *all) {
    if (x.device == context.device.index || !contains(x.destination, server))
      continue;
    if (is_one_of(made, x)) {
      is_exempt |= x.destination == host_prefix(server);
      continue;
    }
    if (!best || is_better(x, *best))
      best = x;
    if (x.destination.length == 0 && (!by_default || is_better(x, *by_default)))
      by_default = x;
  }
  if (!by_default)
    by_default = removed_default(context, made, server.kind);
  // The kernel knows more than the main table, but while a route of ours stands
  // it repeats no more than that.
  auto now = context.kernel.route_to(server);
  if (now && !now->unicast)
    return done;
  if (now && !is_exempt && now->device != context.device.index)
    best = *now;
  if (!best)
    best = by_default;
  if (!best && is_exempt)
    return done;
  if (!best)
    return unknown("all routes lead into the tunnel");
  if (best->foreign_gateway)
    return unknown("its gateway is of another family");
  out.to_server = std::move(best);
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

expected<host_survey, failure>
survey_around(setup_context& context, const std::vector<host_change>& made) {
  host_survey result;
  auto& server = context.tunnel.server.address;
  if (!server.defined() || is_link_local(server) || !takes_server_in(context))
    return result;
  if (is_end_of_tunnel(context.tunnel, server))
    return unknown("the tunnel has the same address");
  if (auto found = find_way_around(context, made, result); !found)
    return found.error();
  return result;
}

} // namespace vpn::actors
