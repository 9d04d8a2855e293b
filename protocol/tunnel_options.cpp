// One function per option that shapes the tunnel. Each checks all its words
// before it changes anything, since a server's words are not to be trusted.
// spec: openvpn-wire 7.2, 7.3
#include "tunnel_options.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace vpn::protocol {

namespace {

using words_type = std::vector<std::string>;

// The kernel takes signed metrics.
constexpr uint32_t max_metric = 0x7fffffff;

option_outcome bad(std::string text) {
  return {std::move(text), {}};
}

option_outcome not_an_address(const std::string& word, const char* version) {
  return bad(quoted(word) + " is not an " + version + " address");
}

bool looks_like_netmask(const ip_address& x) {
  return x.octets[0] == 0xff;
}

option_outcome set_topology(tunnel_draft& draft, const words_type& words) {
  auto& word = words[1];
  if (word == "subnet")
    draft.tunnel.layout = topology::subnet;
  else if (word == "net30")
    draft.tunnel.layout = topology::net30;
  else if (word == "p2p")
    draft.tunnel.layout = topology::p2p;
  else
    return bad(quoted(word) + " is no topology: net30, p2p or subnet");
  return {};
}

option_outcome set_ifconfig(tunnel_draft& draft, const words_type& words) {
  auto local = parse_ip(words[1], family::v4);
  if (!local)
    return not_an_address(words[1], "IPv4");
  auto second = parse_ip(words[2], family::v4);
  if (!second)
    return not_an_address(words[2], "IPv4");
  draft.local4 = *local;
  draft.second4 = *second;
  return {};
}

option_outcome set_ifconfig_ipv6(tunnel_draft& draft, const words_type& words) {
  auto local = parse_prefix(words[1], family::v6);
  if (!local || local->length < 64)
    return bad(quoted(words[1])
               + " is not an IPv6 address with a length of 64 or more");
  auto remote = parse_ip(words[2], family::v6);
  if (!remote)
    return not_an_address(words[2], "IPv6");
  draft.tunnel.address6 = *local;
  draft.tunnel.gateway6 = *remote;
  return {};
}

/// The gateway and metric of a route, IPv4 or IPv6.
option_outcome set_path(route_config& route, const words_type& words,
                        size_t gateway_at, family kind) {
  if (words.size() > gateway_at) {
    auto& word = words[gateway_at];
    if (word == "vpn_gateway" || word == "default") {
      route.via = gateway_kind::vpn;
    } else if (word == "net_gateway" || word == "net_gateway_ipv6") {
      route.via = gateway_kind::net;
    } else if (auto address = parse_ip(word, kind)) {
      route.via = gateway_kind::address;
      route.gateway = *address;
    } else {
      return not_an_address(word, kind == family::v4 ? "IPv4" : "IPv6");
    }
  }
  if (words.size() > gateway_at + 1 && words[gateway_at + 1] != "default") {
    route.metric = parse_number(words[gateway_at + 1], 0, max_metric);
    if (!route.metric)
      return bad(quoted(words[gateway_at + 1]) + " is not a metric");
  }
  return {};
}

option_outcome append_route(tunnel_draft& draft, route_config route) {
  if (draft.tunnel.routes.size() >= max_routes)
    return bad("more than 4096 routes");
  route.destination.address = network_of(route.destination);
  draft.tunnel.routes.push_back(route);
  return {};
}

option_outcome add_route(tunnel_draft& draft, const words_type& words) {
  if (words[1] == "remote_host" || words[1] == "vpn_gateway"
      || words[1] == "net_gateway")
    return bad("the keyword " + words[1]
               + " is not supported as a destination; the way to the server "
                 "itself is kept in any case");
  auto network = parse_ip(words[1], family::v4);
  if (!network)
    return not_an_address(words[1], "IPv4");
  route_config route;
  route.destination = {*network, 32};
  if (words.size() > 2 && words[2] != "default") {
    auto netmask = parse_ip(words[2], family::v4);
    if (!netmask)
      return bad(quoted(words[2]) + " is not a netmask");
    auto length = prefix_length(*netmask);
    if (!length)
      return bad(quoted(words[2]) + " is not a netmask");
    route.destination.length = *length;
  }
  auto result = set_path(route, words, 3, family::v4);
  return result.error.empty() ? append_route(draft, route) : result;
}

option_outcome add_route_ipv6(tunnel_draft& draft, const words_type& words) {
  auto destination = parse_prefix(words[1], family::v6);
  if (!destination)
    return bad(quoted(words[1]) + " is not an IPv6 network");
  route_config route;
  route.destination = *destination;
  auto result = set_path(route, words, 2, family::v6);
  return result.error.empty() ? append_route(draft, route) : result;
}

option_outcome set_route_gateway(tunnel_draft& draft, const words_type& words) {
  if (words[1] == "dhcp")
    return bad("DHCP works on tap devices only");
  auto address = parse_ip(words[1], family::v4);
  if (!address)
    return not_an_address(words[1], "IPv4");
  draft.route_gateway4 = *address;
  return {};
}

option_outcome set_route_ipv6_gateway(tunnel_draft& draft,
                                      const words_type& words) {
  auto address = parse_ip(words[1], family::v6);
  if (!address)
    return not_an_address(words[1], "IPv6");
  draft.route_gateway6 = *address;
  return {};
}

option_outcome set_route_metric(tunnel_draft& draft, const words_type& words) {
  auto metric = parse_number(words[1], 0, max_metric);
  if (!metric)
    return bad(quoted(words[1]) + " is not a metric");
  draft.route_metric = *metric;
  return {};
}

option_outcome redirect_gateway(tunnel_draft& draft, const words_type& words) {
  auto flags = draft.tunnel.redirect;
  auto has = [&](const char* flag) {
    return std::find(words.begin() + 1, words.end(), flag) != words.end();
  };
  flags.ipv4 = !has("!ipv4");
  flags.ipv6 = flags.ipv6 || has("ipv6");
  flags.def1 = flags.def1 || has("def1");
  flags.local = flags.local || has("local");
  static constexpr std::string_view known[]
    = {"ipv6", "!ipv4", "def1", "local"};
  static constexpr std::string_view unsupported[]
    = {"autolocal", "bypass-dhcp", "bypass-dns", "block-local"};
  auto is_one_of = [](auto& list, const std::string& x) {
    return std::find(std::begin(list), std::end(list), x) != std::end(list);
  };
  std::string without_effect;
  for (auto i = words.begin() + 1; i != words.end(); ++i) {
    if (is_one_of(known, *i))
      continue;
    if (!is_one_of(unsupported, *i))
      return bad("it has no flag " + quoted(*i));
    without_effect += (without_effect.empty() ? "" : " ") + *i;
  }
  draft.tunnel.redirect = flags;
  if (without_effect.empty())
    return {};
  return {{}, "these flags have no effect yet: " + without_effect};
}

// -- names --

/// Nothing that a shell or a resolver's configuration file would take for more
/// than a name or an address.
bool is_harmless_word(const std::string& word) {
  auto harmless = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || std::string_view{".:-_/ "}.find(c) != std::string_view::npos;
  };
  return !word.empty() && word.size() <= 255 && word.front() != '-'
         && std::all_of(word.begin(), word.end(), harmless);
}

option_outcome add_foreign(tunnel_draft& draft, const words_type& words) {
  std::string line;
  for (auto& word : words) {
    // The word is not repeated: a terminal might obey it.
    if (!is_harmless_word(word))
      return bad("a word of it is empty, too long, or has characters other "
                 "than letters, digits and . : - _ /");
    line += (line.empty() ? "" : " ") + word;
  }
  auto& lines = draft.tunnel.foreign_options;
  if (std::find(lines.begin(), lines.end(), line) != lines.end())
    return {};
  if (lines.size() >= max_foreign_options)
    return bad("more than 64 options of this kind");
  lines.push_back(std::move(line));
  return {};
}

option_outcome add_dhcp_option(tunnel_draft& draft, const words_type& words) {
  auto& type = words[1];
  auto is_address = [&](auto... kind) {
    return words.size() == 3 && parse_ip(words[2], kind...);
  };
  if ((type == "DNS" && !is_address())
      || (type == "DNS6" && !is_address(family::v6))
      || ((type == "WINS" || type == "NTP" || type == "NBDD")
          && !is_address(family::v4)))
    return bad("no valid address follows " + type);
  return add_foreign(draft, words);
}

constexpr tunnel_option options[] = {
  {"dhcp-option", add_dhcp_option, true},
  {"dns", add_foreign, true},
  {"ifconfig", set_ifconfig, false},
  {"ifconfig-ipv6", set_ifconfig_ipv6, false},
  {"redirect-gateway", redirect_gateway, true},
  {"route", add_route, true},
  {"route-gateway", set_route_gateway, false},
  {"route-ipv6", add_route_ipv6, true},
  {"route-ipv6-gateway", set_route_ipv6_gateway, true},
  {"route-metric", set_route_metric, true},
  {"topology", set_topology, false},
};

} // namespace

tunnel_draft draft_of(const tunnel_config& own) {
  tunnel_draft result;
  result.tunnel = own;
  if (own.address4) {
    result.local4 = own.address4->address;
    result.second4 = own.layout == topology::subnet
                       ? netmask_v4(own.address4->length)
                       : own.peer4;
  }
  if (own.gateway4 != own.peer4)
    result.route_gateway4 = own.gateway4;
  if (!own.address6)
    result.route_gateway6 = own.gateway6;
  return result;
}

finished_tunnel finish(tunnel_draft draft) {
  finished_tunnel result;
  auto& tunnel = draft.tunnel;
  tunnel.address4 = std::nullopt;
  tunnel.peer4 = {};
  if (draft.local4.defined()) {
    if (tunnel.layout == topology::subnet) {
      auto length = prefix_length(draft.second4);
      if (length && *length > 0)
        tunnel.address4 = ip_prefix{draft.local4, *length};
      else
        result.problem = to_string(draft.second4)
                         + " is not a netmask, as topology subnet wants it";
    } else if (looks_like_netmask(draft.second4)) {
      result.problem = to_string(draft.second4)
                       + " is a netmask, and only topology subnet wants one";
    } else {
      tunnel.address4 = ip_prefix{draft.local4, 32};
      tunnel.peer4 = draft.second4;
    }
  }
  tunnel.gateway4
    = draft.route_gateway4.defined() ? draft.route_gateway4 : tunnel.peer4;
  if (draft.route_gateway6.defined())
    tunnel.gateway6 = draft.route_gateway6;
  result.tunnel = std::move(tunnel);
  return result;
}

const tunnel_option* find_tunnel_option(std::string_view name) {
  auto i = std::find_if(std::begin(options), std::end(options), [&](auto& x) {
    return x.name == name;
  });
  return i == std::end(options) ? nullptr : i;
}

std::optional<uint32_t> parse_number(std::string_view text, uint32_t min,
                                     uint32_t max) {
  uint32_t result = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, result);
  if (text.empty() || error != std::errc{} || stop != end || result < min
      || result > max)
    return std::nullopt;
  return result;
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    auto x = static_cast<unsigned char>(c);
    return x < 0x20 || x == 0x7f;
  });
}

std::string quoted(std::string_view text) {
  auto cut = text.substr(0, 64);
  std::string result = "'";
  for (auto c : cut)
    result += c >= 0x20 && c < 0x7f ? c : '?';
  return result + (cut.size() < text.size() ? "...'" : "'");
}

} // namespace vpn::protocol
