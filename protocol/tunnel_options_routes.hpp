// The page of tunnel options about where packets go.
// spec: openvpn-wire 7.2, 7.3
#pragma once

#include "tunnel_options.hpp"

namespace vpn::protocol {

/// Nothing when it is none of this page.
const tunnel_option* find_route_option(std::string_view name);

/// Fills in what routes named by keyword, as far as it is known.
void resolve_routes(tunnel_config& tunnel);

} // namespace vpn::protocol
