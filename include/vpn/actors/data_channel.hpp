// DATA CHANNEL: `data_channel` behind messages.
#pragma once

#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/protocol/random.hpp"

namespace vpn::actors {

class io_loop;

/// Sealed packets leave in slabs of `sealed`.
data_channel_actor spawn_data_channel(caf::actor_system& sys, io_loop* home,
                                      pool_ptr sealed,
                                      const clock_source* clock,
                                      batch_down_actor wire,
                                      data_observer_actor observer,
                                      random_source random = openssl_random());

} // namespace vpn::actors
