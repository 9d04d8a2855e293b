// The client's voice: what a session tells, the phases of connecting with their
// times, and what the service manager hears of them.
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <functional>

namespace vpn::client {

/// A listener that writes what it hears. `on_end` is called, on a thread of
/// CAF, after the last line.
actors::session_listener_actor
spawn_console(caf::actor_system& sys,
              std::function<void(const actors::session_ended&)> on_end);

} // namespace vpn::client
