// Handlers every actor installs: CAF's own print to standard output.
#pragma once

#include <caf/scheduled_actor.hpp>

namespace vpn::actors {

/// Unexpected messages are dropped and answered with an error; an exception
/// that escapes a handler is a bug of ours and ends the actor with its text, so
/// that SUPERVISOR hears it.
void install_handlers(caf::scheduled_actor* self);

} // namespace vpn::actors
