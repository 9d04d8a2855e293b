// TUN: reads packets and trains from the device, writes packets joined to
// trains.
#pragma once

#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

class io_loop;

/// `pools.tun` bounds what is read, and reading pauses while `pools.sealed` has
/// no room: what cannot be sent stays in the kernel's queue.
tun_actor spawn_tun(caf::actor_system& sys, io_loop* home, data_pools pools,
                    batch_down_actor below, device_observer_actor observer);

} // namespace vpn::actors
