// The routes of a tunnel: around it to the server, through it to the networks
// the server has named, and redirect-gateway.
// spec: openvpn-wire 7.2, 7.3
#include "route_setup.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace vpn::actors {

namespace {

using protocol::gateway_kind;
using protocol::route_config;

/// What redirect-gateway takes over: all of IPv6 that is in use, in pieces
/// that leave the default route where it is.
constexpr std::array<std::string_view, 4> redirected_v6
  = {"::/3", "2000::/4", "3000::/4", "fc00::/7"};

ip_prefix all_of_v4() {
  ip_prefix result;
  result.address.kind = family::v4;
  return result;
}

/// The kernel dislikes the route itself, not that we make it.
bool is_bad_route(int code) {
  return code == ENETUNREACH || code == EHOSTUNREACH || code == EINVAL;
}

} // namespace

// -- commands --

/// The first of all routes: from here on nothing can draw our own packets into
/// the tunnel.
outcome route_setup::exempt_server() {
  if (!before_.to_server)
    return done;
  auto& way = *before_.to_server;
  auto& server = context_.tunnel.server.address;
  auto& flags = context_.tunnel.redirect;
  if ((flags.local || flags.autolocal) && context_.redirects(server.kind)
      && server_is_neighbour(way))
    return done;
  auto name = context_.name_of(way.device);
  if (!name)
    return name.error();
  host_change x;
  x.prefix = host_prefix(server);
  x.gateway = way.gateway;
  // seen: openvpn 2.6, so that no other route to the same host wins.
  if (server.kind == family::v6)
    x.metric = 1;
  x.device = *name;
  x.device_index = way.device;
  return make(std::move(x), strictness::must_work);
}

outcome route_setup::add_pushed_routes() {
  for (auto& x : context_.tunnel.routes)
    if (auto result = add(x); !result)
      return result;
  return done;
}

/// The networks next to the host go into the tunnel in two halves each, which
/// win against the whole. Its gateway stays a neighbour: the way to the server
/// leads over it.
outcome route_setup::block_local() {
  auto& old = before_.default4;
  if (!context_.tunnel.redirect.block_local || !old)
    return done;
  auto name = context_.name_of(old->device);
  auto all = context_.kernel.addresses();
  if (!name || !all) {
    context_.warn("block-local is skipped: the host's networks are not known");
    return done;
  }
  if (old->gateway.defined()) {
    host_change x;
    x.prefix = host_prefix(old->gateway);
    x.gateway = old->gateway;
    x.device = *name;
    x.device_index = old->device;
    if (auto result = make(std::move(x), strictness::may_be_skipped); !result)
      return result;
  }
  for (auto& y : *all) {
    if (y.device != old->device || y.address.address.kind != family::v4
        || y.address.length == 0 || y.address.length > 30)
      continue;
    auto half = ip_prefix{network_of(y.address),
                          static_cast<uint8_t>(y.address.length + 1)};
    auto bit = y.address.length;
    for (auto high : {false, true}) {
      if (high)
        half.address.octets[bit / 8U]
          |= static_cast<uint8_t>(0x80U >> (bit % 8U));
      if (auto result = make(through_tunnel(half), strictness::may_be_skipped);
          !result)
        return result;
    }
  }
  return done;
}

outcome route_setup::redirect_v4() {
  if (!context_.redirects(family::v4))
    return done;
  if (!tunnel_gateway(family::v4).defined() && !context_.tunnel.address4) {
    context_.warn("redirect-gateway is skipped for IPv4: the tunnel has no "
                  "IPv4");
    return done;
  }
  auto halves = context_.tunnel.redirect.def1;
  if (!halves && before_.default4 && !before_.default4->complete) {
    context_.warn("the default route is more than could be restored: it stays, "
                  "and two halves are put before it as with def1");
    halves = true;
  }
  auto all = all_of_v4();
  if (!halves) {
    if (auto result = remove_default(); !result)
      return result;
    return make(through_tunnel(all), strictness::must_work);
  }
  auto low = all;
  low.length = 1;
  auto high = low;
  high.address.octets[0] = 128;
  if (auto result = make(through_tunnel(low), strictness::must_work); !result)
    return result;
  return make(through_tunnel(high), strictness::must_work);
}

outcome route_setup::redirect_v6() {
  if (!context_.redirects(family::v6) || context_.without_v6)
    return done;
  // Without an address of ours this leads IPv6 nowhere, which is what the
  // user asked for: not outside the tunnel.
  for (auto text : redirected_v6)
    if (auto result = make(through_tunnel(*parse_prefix(text, family::v6)),
                           strictness::must_work);
        !result)
      return result;
  return done;
}

// -- private --

outcome route_setup::add(const route_config& x) {
  if (!is_valid(x.destination)) {
    context_.warn("a route without a valid destination is skipped");
    return done;
  }
  if (x.destination.address.kind == family::v6 && context_.without_v6)
    return done;
  host_change change;
  change.prefix = {network_of(x.destination), x.destination.length};
  change.metric = x.metric;
  auto& server = context_.tunnel.server.address;
  if (x.via != gateway_kind::net && server.defined()
      && change.prefix == host_prefix(server)) {
    context_.warn("the route " + to_string(change.prefix)
                  + " is skipped: it would lead packets for the server into "
                    "the tunnel");
    return done;
  }
  if (!choose_gateway(x, change))
    return done;
  return make(std::move(change), strictness::may_be_skipped);
}

/// False, after a warning, when there is none.
bool route_setup::choose_gateway(const route_config& x, host_change& out) {
  auto kind = out.prefix.address.kind;
  auto skip = [&](const std::string& why) {
    context_.warn("the route " + to_string(out.prefix) + " is skipped: " + why);
    return false;
  };
  switch (x.via) {
    case gateway_kind::vpn: {
      auto change = through_tunnel(out.prefix);
      // An IPv6 tunnel does without; for IPv4 a server that means the tunnel
      // says so.
      if (kind == family::v4 && !change.gateway.defined())
        return skip("its gateway is not known (no route-gateway, no peer)");
      change.metric = out.metric;
      out = std::move(change);
      return true;
    }
    case gateway_kind::net:
      return choose_net_gateway(out)
             || skip("this host had no default gateway before");
    default:
      if (x.gateway.kind != kind)
        return skip("its gateway is not an address of the same family");
      return choose_explicit_gateway(x.gateway, out)
             || skip("its gateway " + to_string(x.gateway)
                     + " is not a neighbour of this host");
  }
}

bool route_setup::choose_net_gateway(host_change& out) {
  auto& old = before_.default_route(out.prefix.address.kind);
  if (!old || old->foreign_gateway)
    return false;
  auto name = context_.name_of(old->device);
  if (!name)
    return false;
  out.gateway = old->gateway;
  out.device = *name;
  out.device_index = old->device;
  return true;
}

/// As the kernel does for "via X" alone, but done here, so that the journal
/// can name the device.
bool route_setup::choose_explicit_gateway(const ip_address& gateway,
                                          host_change& out) {
  out.gateway = gateway;
  out.device = context_.device.name;
  out.device_index = context_.device.index;
  // Inside the tunnel IPv6 needs none, see `through_tunnel`.
  if (gateway.kind == family::v6
      && (is_link_local(gateway) || is_in_tunnel(gateway))) {
    out.gateway = {};
    return true;
  }
  if (gateway == tunnel_gateway(gateway.kind))
    return true;
  auto hop = context_.kernel.route_to(gateway);
  if (!hop || !hop->unicast || hop->gateway.defined() || hop->foreign_gateway)
    return false;
  auto name = context_.name_of(hop->device);
  if (!name)
    return false;
  out.device = *name;
  out.device_index = hop->device;
  return true;
}

bool route_setup::is_in_tunnel(const ip_address& gateway) const {
  auto& own = context_.tunnel.address6;
  return gateway == context_.tunnel.gateway6
         || (own && is_valid(*own) && contains(*own, gateway));
}

bool route_setup::server_is_neighbour(const kernel_route& way) const {
  // A default route without a gateway (PPP) makes everybody look like a
  // neighbour; that one is about to be replaced.
  auto& old = before_.default_route(context_.tunnel.server.address.kind);
  auto by_default = old && !old->gateway.defined() && old->device == way.device;
  return !way.gateway.defined() && !by_default;
}

/// Only the best one: others have a metric and lose against ours.
outcome route_setup::remove_default() {
  if (!before_.default4)
    return done;
  auto& old = *before_.default4;
  auto name = context_.name_of(old.device);
  if (!name)
    return name.error();
  host_change x;
  x.kind = host_change_kind::route_removed;
  x.prefix = all_of_v4();
  x.gateway = old.gateway;
  x.source = old.source;
  x.device = *name;
  x.device_index = old.device;
  x.metric = old.metric;
  x.protocol = old.protocol;
  x.scope = old.scope;
  x.on_link = old.on_link;
  auto same = [&](const host_change& y) {
    return y.kind == x.kind && y.prefix == x.prefix;
  };
  if (std::any_of(made_.begin(), made_.end(), same))
    return done;
  auto result = context_.change(x);
  if (result)
    made_.push_back(std::move(x));
  return result;
}

/// The device has one peer, so a gateway is a matter of taste: for IPv6 it is
/// named only where the kernel takes it as a neighbour.
ip_address route_setup::tunnel_gateway(family kind) const {
  auto& tunnel = context_.tunnel;
  if (kind == family::v4)
    return tunnel.gateway4.defined() ? tunnel.gateway4 : tunnel.peer4;
  if (tunnel.address6 && is_valid(*tunnel.address6)
      && contains(*tunnel.address6, tunnel.gateway6))
    return tunnel.gateway6;
  return {};
}

host_change route_setup::through_tunnel(const ip_prefix& destination) const {
  auto result = context_.device_change(host_change_kind::route_added);
  result.prefix = destination;
  // A tunnel has one other end: IPv6 needs no gateway to find it, and stock
  // sets none. IPv4 names it, as people expect to read it.
  if (destination.address.kind == family::v4)
    result.gateway = tunnel_gateway(family::v4);
  return result;
}

outcome route_setup::make(host_change x, strictness how) {
  // A server may push a route twice, or one that redirect-gateway has too.
  auto same = [&](const host_change& y) {
    return x.kind == y.kind && x.prefix == y.prefix && x.metric == y.metric;
  };
  if (std::any_of(made_.begin(), made_.end(), same))
    return done;
  auto result = context_.make(x);
  if (!result && is_bad_route(result.error().code) && x.gateway.defined()) {
    // The gateway lies outside of what the device's addresses say. On a tunnel
    // that does not matter, and cloud hosts have such default gateways.
    x.on_link = true;
    if (auto again = context_.make(x); again)
      result = again;
    else
      x.on_link = false;
  }
  if (result) {
    made_.push_back(std::move(x));
    return done;
  }
  auto& why = result.error();
  if (why.code == EEXIST) {
    context_.warn("such a route was there before, and stays as it is: "
                  + to_command(x));
    return done;
  }
  if (how == strictness::may_be_skipped && is_bad_route(why.code)) {
    context_.warn("a route is skipped: " + to_command(x) + ": " + why.text);
    return done;
  }
  return refused(x, why);
}

} // namespace vpn::actors
