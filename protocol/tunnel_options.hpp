// Options that shape the tunnel, read alike from a profile and from a push:
// addresses, routes, names.
// spec: openvpn-wire 7.2, 7.3
#pragma once

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

/// A tunnel while its options are read. The order of options does not matter:
/// what depends on several of them is found out by `finish`.
struct tunnel_draft {
  tunnel_config tunnel;
  /// The two addresses of `ifconfig`; the topology says what the second is.
  ip_address local4;
  ip_address second4;
  /// `route-gateway` and `route-ipv6-gateway`, where they were given.
  ip_address route_gateway4;
  ip_address route_gateway6;
  std::optional<uint32_t> route_metric;
};

/// A draft that begins with a finished tunnel.
tunnel_draft draft_of(const tunnel_config& own);

/// Puts everything in its place. The text says why the IPv4 address had to be
/// left out; it is empty when all is well.
struct finished_tunnel {
  tunnel_config tunnel;
  std::string problem;
};
finished_tunnel finish(tunnel_draft draft);

/// What came of one option.
struct option_outcome {
  /// Why it was not applied, empty when it was.
  std::string error;
  /// What of it has no effect.
  std::string warning;
};

/// `words` is the option with its name, and its word count is within the
/// bounds of the option table.
using tunnel_option_handler
  = option_outcome (*)(tunnel_draft&, const std::vector<std::string>& words);

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

} // namespace vpn::protocol
