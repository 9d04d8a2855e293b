// Options that shape the tunnel, read alike from a profile and from a push:
// addresses, routes, names.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include "vpn/protocol/compression_framing.hpp"
#include "vpn/protocol/data_channel.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

/// Bounds on what a server may make us keep.
constexpr size_t max_routes = 4096;
constexpr size_t max_foreign_options = 64;
constexpr size_t max_nat_rules = 64;

/// A tunnel while its options are read. The order of options does not matter:
/// what depends on several of them is found out by `finish`.
struct tunnel_draft {
  /// `tunnel.dns` is what `dns` options of this draft said.
  tunnel_config tunnel;
  /// The two addresses of `ifconfig`; the topology says what the second is.
  ip_address local4;
  ip_address second4;
  /// `route-gateway` and `route-ipv6-gateway`, where they were given.
  ip_address route_gateway4;
  ip_address route_gateway6;
  std::optional<uint32_t> route_metric;
  std::vector<nat_rule> nat;
  /// Name servers of the profile, while those of a push are read: of two with
  /// the same priority the pushed one counts.
  std::vector<dns_server> own_servers;
  /// The options come from a server.
  bool pushed = false;
};

/// A draft that begins with a finished tunnel.
tunnel_draft draft_of(const tunnel_config& own);

/// Puts everything in its place. A text says why something had to be left out,
/// and is empty when all is well.
struct finished_tunnel {
  tunnel_config tunnel;
  std::vector<nat_rule> nat;
  /// The IPv4 address, option `ifconfig`.
  std::string problem;
  /// The name servers, option `dns`.
  std::string dns_problem;
};
finished_tunnel finish(tunnel_draft draft);

/// What came of one option.
struct option_outcome {
  /// Why it was not applied, empty when it was.
  std::string error;
  /// What of it has no effect.
  std::string warning;
};

/// The option was not applied, and why.
inline option_outcome not_applied(std::string why) {
  return {std::move(why), {}};
}

/// `words` is the option with its name, and its word count is within the
/// bounds of the option table.
using option_words = std::vector<std::string>;
using tunnel_option_handler
  = option_outcome (*)(tunnel_draft&, const option_words& words);

struct tunnel_option {
  std::string_view name;
  tunnel_option_handler apply;
  /// `route-nopull` leaves it out when it is pushed.
  bool is_route_or_name;
};

/// Nothing when the option does not shape a tunnel.
const tunnel_option* find_tunnel_option(std::string_view name);

// -- values of options --

/// Decimal digits only.
std::optional<uint32_t> parse_number(std::string_view text, uint32_t min = 0,
                                     uint32_t max
                                     = std::numeric_limits<uint32_t>::max());

/// True when there is no control character in it. Bytes above 0x7f pass.
bool is_printable(std::string_view text);

/// The text in quotes for a message, cut to 64 characters, anything but
/// printable ASCII replaced.
std::string quoted(std::string_view text);

/// The name of an option for a message. However mangled the option is, nothing
/// of an auth-token gets into it.
std::string shown_name(std::string_view option);

/// Standard base64 with padding; nothing when it is malformed or does not hold
/// printable text.
std::optional<std::string> decode_base64_text(std::string_view text);

/// What `comp-lzo` or `compress` asks for; nothing when the word after it is
/// none a client can use. spec: openvpn-wire 10.2
std::optional<compression_framing> parse_compression(const option_words& words);

} // namespace vpn::protocol
