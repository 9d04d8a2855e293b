// The tunnel's own addresses, and what depends on several options. Each option
// checks all its words before it changes anything, since a server's words are
// not to be trusted.
// spec: openvpn-wire 7.2
#include "tunnel_options.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "tunnel_options_dns.hpp"
#include "tunnel_options_routes.hpp"

namespace vpn::protocol {

namespace {

option_outcome not_an_address(const std::string& word, const char* version) {
  return not_applied(quoted(word) + " is not an " + version + " address");
}

bool looks_like_netmask(const ip_address& x) {
  return x.octets[0] == 0xff;
}

option_outcome set_topology(tunnel_draft& draft, const option_words& words) {
  auto& word = words[1];
  if (word == "subnet")
    draft.tunnel.layout = topology::subnet;
  else if (word == "net30")
    draft.tunnel.layout = topology::net30;
  else if (word == "p2p")
    draft.tunnel.layout = topology::p2p;
  else
    return not_applied(quoted(word) + " is no topology: net30, p2p or subnet");
  return {};
}

option_outcome set_ifconfig(tunnel_draft& draft, const option_words& words) {
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

option_outcome set_ifconfig_ipv6(tunnel_draft& draft,
                                 const option_words& words) {
  auto local = parse_prefix(words[1], family::v6);
  if (!local || local->length < 64)
    return not_applied(quoted(words[1])
                       + " is not an IPv6 address with a length of 64 or more");
  auto remote = parse_ip(words[2], family::v6);
  if (!remote)
    return not_an_address(words[2], "IPv6");
  draft.tunnel.address6 = *local;
  draft.tunnel.gateway6 = *remote;
  return {};
}

option_outcome leave_address(tunnel_draft& draft, const option_words&) {
  if (draft.pushed)
    return not_applied("only the profile may leave that to scripts");
  draft.tunnel.ifconfig_noexec = true;
  return {};
}

option_outcome block_ipv6(tunnel_draft& draft, const option_words&) {
  draft.tunnel.block_ipv6 = true;
  return {};
}

constexpr tunnel_option options[] = {
  {"block-ipv6", block_ipv6, true},
  {"ifconfig", set_ifconfig, false},
  {"ifconfig-ipv6", set_ifconfig_ipv6, false},
  {"ifconfig-noexec", leave_address, false},
  {"topology", set_topology, false},
};

/// The text says why there is no IPv4 address.
std::string finish_address(tunnel_draft& draft) {
  auto& tunnel = draft.tunnel;
  tunnel.address4 = std::nullopt;
  tunnel.peer4 = {};
  if (!draft.local4.defined())
    return {};
  if (tunnel.layout == topology::subnet) {
    auto length = prefix_length(draft.second4);
    if (!length || *length == 0)
      return to_string(draft.second4)
             + " is not a netmask, as topology subnet wants it";
    tunnel.address4 = ip_prefix{draft.local4, *length};
    return {};
  }
  if (looks_like_netmask(draft.second4))
    return to_string(draft.second4)
           + " is a netmask, and only topology subnet wants one";
  tunnel.address4 = ip_prefix{draft.local4, 32};
  tunnel.peer4 = draft.second4;
  return {};
}

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
  reopen_dns(result);
  return result;
}

finished_tunnel finish(tunnel_draft draft) {
  finished_tunnel result;
  result.problem = finish_address(draft);
  result.dns_problem = finish_dns(draft);
  auto& tunnel = draft.tunnel;
  tunnel.gateway4
    = draft.route_gateway4.defined() ? draft.route_gateway4 : tunnel.peer4;
  if (draft.route_gateway6.defined())
    tunnel.gateway6 = draft.route_gateway6;
  resolve_routes(tunnel);
  result.tunnel = std::move(tunnel);
  result.nat = std::move(draft.nat);
  return result;
}

const tunnel_option* find_tunnel_option(std::string_view name) {
  auto i = std::find_if(std::begin(options), std::end(options), [&](auto& x) {
    return x.name == name;
  });
  if (i != std::end(options))
    return i;
  if (auto x = find_route_option(name))
    return x;
  return find_dns_option(name);
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

std::string shown_name(std::string_view option) {
  constexpr std::string_view letters
    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  constexpr std::string_view token = "auth-token";
  constexpr std::string_view token_user = "auth-token-user";
  // A quote or a backslash may stand before the name.
  option.remove_prefix(std::min(option.find_first_of(letters), option.size()));
  auto name = option.substr(0, option.find_first_not_of(letters));
  if (name == token_user)
    return quoted(token_user);
  // The blank may be missing behind it, or its first half lost.
  if (name.substr(0, token.size()) == token)
    return quoted(token);
  constexpr std::string_view token_head = "SESS_ID";
  if (name.find(token_head) != std::string_view::npos)
    return "'...'";
  return quoted(name);
}

std::optional<std::string> decode_base64_text(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 8192)
    return std::nullopt;
  auto padding = text.size() - (text.find_last_not_of('=') + 1);
  if (padding > 2)
    return std::nullopt;
  std::string result(text.size() / 4 * 3, '\0');
  auto n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                           reinterpret_cast<const unsigned char*>(text.data()),
                           static_cast<int>(text.size()));
  if (n < 0 || static_cast<size_t>(n) != result.size())
    return std::nullopt;
  result.resize(result.size() - padding);
  if (result.empty() || !is_printable(result))
    return std::nullopt;
  return result;
}

std::optional<compression_framing>
parse_compression(const option_words& words) {
  using framing = compression_framing;
  struct row {
    std::string_view name;
    std::string_view algorithm;
    framing means;
  };
  static constexpr row rows[] = {
    {"comp-lzo", "", framing::lzo},
    {"comp-lzo", "adaptive", framing::lzo},
    {"comp-lzo", "no", framing::lzo_stub},
    {"comp-lzo", "yes", framing::lzo},
    {"compress", "", framing::stub},
    {"compress", "lz4", framing::lz4},
    {"compress", "lz4-v2", framing::lz4_v2},
    {"compress", "lzo", framing::lzo},
    {"compress", "stub", framing::stub},
    {"compress", "stub-v2", framing::stub_v2},
  };
  if (words.empty() || words.size() > 2
      || (words.size() == 2 && words[1].empty()))
    return std::nullopt;
  for (auto& x : rows)
    if (x.name == words[0]
        && x.algorithm == (words.size() == 2 ? words[1] : ""))
      return x.means;
  return std::nullopt;
}

} // namespace vpn::protocol
