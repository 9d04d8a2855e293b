// Decides which changes of the host make a tunnel, and in which order.
// spec: openvpn-wire 7.2
#pragma once

#include <string>
#include <vector>

#include "setup_context.hpp"

namespace vpn::actors {

/// Asks `kernel` how the host is, and has `make` change it. Returns warnings;
/// after a failure the caller takes back what was made so far.
expected<std::vector<std::string>, failure>
set_up_tunnel(netlink& kernel, const protocol::tunnel_config& tunnel,
              const link_state& device, const change_maker& make);

} // namespace vpn::actors
