// RUNNER: user scripts, on a thread of its own.
#pragma once

#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

runner_actor spawn_runner(caf::actor_system& sys);

} // namespace vpn::actors
