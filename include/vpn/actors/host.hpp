// HOST: the device, addresses and routes of the tunnel. Blocks in netlink, so
// it has a thread of its own.
#pragma once

#include "vpn/actors/host_network.hpp"
#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

/// `log` gets each change as a command that could be typed; it is called on
/// HOST's thread.
host_actor spawn_host(caf::actor_system& sys, change_log log);

} // namespace vpn::actors
