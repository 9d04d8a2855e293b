// What user scripts are told about the tunnel, in OpenVPN's words.
#pragma once

#include "vpn/protocol/tunnel_config.hpp"

#include <string>
#include <vector>

namespace vpn::actors {

/// NAME=value pairs: ifconfig_local, ifconfig_netmask, route_vpn_gateway, ...
std::vector<std::string>
make_script_environment(const protocol::tunnel_config& tunnel, bool tcp);

/// Words appended to `up` and `down`: device, MTU, 0, local, netmask or peer,
/// "init".
std::vector<std::string> script_arguments(const protocol::tunnel_config& tunnel,
                                          const std::string& device);

} // namespace vpn::actors
