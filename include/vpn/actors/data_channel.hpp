// DATA CHANNEL: `data_channel` behind messages.
#pragma once

#include "vpn/actors/checkpoint.hpp"
#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/protocol/data_channel.hpp"
#include "vpn/protocol/random.hpp"

namespace vpn::actors {

class io_loop;

/// Keys, their packet ids and replay windows, counters, timers.
struct data_block {
  protocol::data_channel channel;
  /// Where the last authentic packets came from, with `float` only.
  endpoint heard_from;
  time_point may_float_at{};
};

/// Sealed packets leave in slabs of `sealed`. With `kept` it goes on with what
/// is there.
data_channel_actor
spawn_data_channel(caf::actor_system& sys, io_loop* home, pool_ptr sealed,
                   const clock_source* clock, batch_down_actor wire,
                   data_observer_actor observer,
                   random_source random = openssl_random(),
                   std::shared_ptr<checkpoint<data_block>> kept = nullptr,
                   succession how = succession::first);

} // namespace vpn::actors
