// The heartbeat of a loop: who gets no answer from it need not ask the actors
// that live there.
// spec: design 6
#pragma once

#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

class io_loop;

/// LOOP BEAT: at home on a loop, and as alive as that.
using loop_beat_actor = caf::typed_actor<
  // How often the loop has gone round.
  caf::replies_to<atom::beat>::with<uint64_t>>;

loop_beat_actor spawn_loop_beat(caf::actor_system& sys, io_loop& home);

} // namespace vpn::actors
