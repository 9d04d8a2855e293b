// The actor system's settings: message names, error texts, scheduler.
#pragma once

#include "vpn/actors/messages.hpp"

#include <caf/actor_system_config.hpp>

namespace vpn::actors {

/// Used by apps and by tests. Never call `parse` on it: CAF would read a file
/// of the working directory.
struct config : caf::actor_system_config {
  config();
};

} // namespace vpn::actors
