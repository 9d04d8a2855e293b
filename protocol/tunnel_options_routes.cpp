// Routes with their gateways and metrics, the redirection of everything, and
// address translation.
// spec: openvpn-wire 7.2, 7.3
#include "tunnel_options_routes.hpp"

#include <algorithm>
#include <iterator>

namespace vpn::protocol {

namespace {

// The kernel takes signed metrics.
constexpr uint32_t max_metric = 0x7fffffff;
/// Who waits longer than an hour for routes has none.
constexpr uint32_t max_route_delay = 3600;

option_outcome not_an_address(const std::string& word, const char* version) {
  return not_applied(quoted(word) + " is not an " + version + " address");
}

bool is_given(const option_words& words, size_t at) {
  return words.size() > at && words[at] != "default";
}

/// A contiguous IPv4 netmask.
std::optional<uint8_t> parse_netmask(const std::string& word) {
  auto netmask = parse_ip(word, family::v4);
  if (!netmask)
    return std::nullopt;
  auto length = prefix_length(*netmask);
  return length ? std::optional{*length} : std::nullopt;
}

// -- routes --

/// The gateway and metric of a route, IPv4 or IPv6.
option_outcome set_path(route_config& route, const option_words& words,
                        size_t gateway_at, family kind) {
  if (is_given(words, gateway_at)) {
    auto& word = words[gateway_at];
    auto is_v6 = kind == family::v6;
    if (word == "vpn_gateway") {
      route.via = gateway_kind::vpn;
    } else if (word == "net_gateway" || (is_v6 && word == "net_gateway_ipv6")) {
      route.via = gateway_kind::net;
    } else if (word == "remote_host") {
      route.via = gateway_kind::remote;
    } else if (auto address = parse_ip(word, kind)) {
      route.via = gateway_kind::address;
      route.gateway = *address;
    } else {
      return not_an_address(word, is_v6 ? "IPv6" : "IPv4");
    }
  }
  if (is_given(words, gateway_at + 1)) {
    route.metric = parse_number(words[gateway_at + 1], 0, max_metric);
    if (!route.metric)
      return not_applied(quoted(words[gateway_at + 1]) + " is not a metric");
  }
  return {};
}

option_outcome append_route(tunnel_draft& draft, route_config route) {
  if (draft.tunnel.routes.size() >= max_routes)
    return not_applied("more than 4096 routes");
  route.destination.address = network_of(route.destination);
  draft.tunnel.routes.push_back(route);
  return {};
}

option_outcome add_route(tunnel_draft& draft, const option_words& words) {
  route_config route;
  route.destination.length = 32;
  if (words[1] == "remote_host") {
    route.to = route_target::remote_host;
  } else if (words[1] == "vpn_gateway") {
    route.to = route_target::vpn_gateway;
  } else if (words[1] == "net_gateway") {
    return not_applied("net_gateway is not supported as a destination; the "
                       "host reaches its gateway in any case");
  } else if (auto network = parse_ip(words[1], family::v4)) {
    route.destination.address = *network;
  } else {
    return not_an_address(words[1], "IPv4");
  }
  if (is_given(words, 2)) {
    auto length = parse_netmask(words[2]);
    if (!length)
      return not_applied(quoted(words[2]) + " is not a netmask");
    route.destination.length = *length;
  }
  auto result = set_path(route, words, 3, family::v4);
  return result.error.empty() ? append_route(draft, route) : result;
}

option_outcome add_route_ipv6(tunnel_draft& draft, const option_words& words) {
  auto destination = parse_prefix(words[1], family::v6);
  if (!destination)
    return not_applied(quoted(words[1]) + " is not an IPv6 network");
  route_config route;
  route.destination = *destination;
  auto result = set_path(route, words, 2, family::v6);
  return result.error.empty() ? append_route(draft, route) : result;
}

option_outcome set_route_gateway(tunnel_draft& draft,
                                 const option_words& words) {
  if (words[1] == "dhcp")
    return not_applied("DHCP works on tap devices only");
  auto address = parse_ip(words[1], family::v4);
  if (!address)
    return not_an_address(words[1], "IPv4");
  draft.route_gateway4 = *address;
  return {};
}

option_outcome set_route_ipv6_gateway(tunnel_draft& draft,
                                      const option_words& words) {
  auto address = parse_ip(words[1], family::v6);
  if (!address)
    return not_an_address(words[1], "IPv6");
  draft.route_gateway6 = *address;
  return {};
}

option_outcome set_route_metric(tunnel_draft& draft,
                                const option_words& words) {
  auto metric = parse_number(words[1], 0, max_metric);
  if (!metric)
    return not_applied(quoted(words[1]) + " is not a metric");
  draft.route_metric = *metric;
  return {};
}

option_outcome set_route_delay(tunnel_draft& draft, const option_words& words) {
  uint32_t delay = 0;
  // The second number, how long to retry, has no use: routes are set once.
  for (size_t i = 1; i < words.size(); ++i) {
    auto seconds = parse_number(words[i], 0, max_route_delay);
    if (!seconds)
      return not_applied(quoted(words[i])
                         + " is not a number of seconds up to one hour");
    if (i == 1)
      delay = *seconds;
  }
  draft.tunnel.route_delay = delay;
  return {};
}

option_outcome leave_routes(tunnel_draft& draft, const option_words&) {
  if (draft.pushed)
    return not_applied("only the profile may leave that to scripts");
  draft.tunnel.route_noexec = true;
  return {};
}

// -- redirection --

struct redirect_flag {
  std::string_view name;
  bool redirect_config::*set;
};

constexpr redirect_flag redirect_flags[] = {
  {"autolocal", &redirect_config::autolocal},
  {"block-local", &redirect_config::block_local},
  {"bypass-dhcp", &redirect_config::bypass_dhcp},
  {"bypass-dns", &redirect_config::bypass_dns},
  {"def1", &redirect_config::def1},
  {"ipv6", &redirect_config::ipv6},
  {"local", &redirect_config::local},
};

/// `redirect-gateway` and `redirect-private`: flags of several add up.
option_outcome redirect(tunnel_draft& draft, const option_words& words) {
  auto flags = draft.tunnel.redirect;
  auto& enabled
    = words[0] == "redirect-private" ? flags.is_private : flags.ipv4;
  enabled = true;
  for (auto i = words.begin() + 1; i != words.end(); ++i) {
    if (*i == "!ipv4") {
      flags.ipv4 = false;
      flags.is_private = false;
      continue;
    }
    auto flag = std::find_if(std::begin(redirect_flags),
                             std::end(redirect_flags), [&](auto& x) {
                               return x.name == *i;
                             });
    if (flag == std::end(redirect_flags))
      return not_applied("it has no flag " + quoted(*i));
    flags.*flag->set = true;
  }
  draft.tunnel.redirect = flags;
  return {};
}

// -- address translation --

option_outcome add_nat(tunnel_draft& draft, const option_words& words) {
  nat_rule rule;
  if (words[1] != "snat" && words[1] != "dnat")
    return not_applied(quoted(words[1]) + " is neither snat nor dnat");
  rule.source = words[1] == "snat";
  auto network = parse_ip(words[2], family::v4);
  if (!network)
    return not_an_address(words[2], "IPv4");
  auto length = parse_netmask(words[3]);
  if (!length)
    return not_applied(quoted(words[3]) + " is not a netmask");
  auto foreign = parse_ip(words[4], family::v4);
  if (!foreign)
    return not_an_address(words[4], "IPv4");
  rule.network = {*network, *length};
  rule.network.address = network_of(rule.network);
  rule.foreign = network_of({*foreign, *length});
  if (draft.nat.size() >= max_nat_rules)
    return not_applied("more than 64 rules");
  draft.nat.push_back(rule);
  return {};
}

constexpr tunnel_option options[] = {
  {"client-nat", add_nat, true},
  {"redirect-gateway", redirect, true},
  {"redirect-private", redirect, true},
  {"route", add_route, true},
  {"route-delay", set_route_delay, false},
  {"route-gateway", set_route_gateway, false},
  {"route-ipv6", add_route_ipv6, true},
  {"route-ipv6-gateway", set_route_ipv6_gateway, false},
  {"route-metric", set_route_metric, true},
  {"route-noexec", leave_routes, false},
};

} // namespace

const tunnel_option* find_route_option(std::string_view name) {
  auto i = std::find_if(std::begin(options), std::end(options), [&](auto& x) {
    return x.name == name;
  });
  return i == std::end(options) ? nullptr : i;
}

void resolve_routes(tunnel_config& tunnel) {
  auto& server = tunnel.server.address;
  for (auto& route : tunnel.routes) {
    if (route.to != route_target::network) {
      auto& host
        = route.to == route_target::remote_host ? server : tunnel.gateway4;
      // The keywords stand in `route`, which is for IPv4 alone.
      if (host.kind == family::v4) {
        route.destination.address
          = network_of({host, route.destination.length});
        route.to = route_target::network;
      }
    }
    if (route.via == gateway_kind::remote && server.defined()) {
      route.via = gateway_kind::address;
      route.gateway = server;
    }
  }
}

} // namespace vpn::protocol
