// RESOLVER: names to addresses, on a thread of its own.
#pragma once

#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

resolver_actor spawn_resolver(caf::actor_system& sys);

} // namespace vpn::actors
