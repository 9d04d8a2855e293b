// MUXER: `control_mux` behind messages, and the one question the data path asks
// it: control or data?
#pragma once

#include "vpn/actors/checkpoint.hpp"
#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/protocol/control_mux.hpp"

namespace vpn::actors {

class io_loop;

/// The configuration holds the static key, so it comes by pointer.
struct muxer_arguments {
  protocol::mux_config mux;
  random_source random;
};

/// Session ids, wrapping keys and their packet ids.
struct mux_block {
  std::optional<protocol::control_mux> mux;
};

/// Fails with a null handle when the wrapping cannot be made; the profile
/// parser has checked its parts. With `kept` it goes on with what is there.
muxer_actor spawn_muxer(caf::actor_system& sys, io_loop* home,
                        std::shared_ptr<const muxer_arguments> args,
                        const clock_source* clock, wire_actor wire,
                        mux_observer_actor observer,
                        std::shared_ptr<checkpoint<mux_block>> kept = nullptr,
                        succession how = succession::first);

} // namespace vpn::actors
