// HOST WATCH: hears what becomes of the machine: its addresses, its ways, its
// sleep.
// spec: design 6
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <functional>
#include <string>

namespace vpn::actors {

class io_loop;

struct host_watch_config {
  /// CLOCK_BOOTTIME in nanoseconds, unless another clock is given.
  std::function<int64_t()> boottime;
  /// The device whose changes are our own doing; empty for none.
  std::string ignored_device;
  /// What happens within this time is told in one message.
  duration settle = std::chrono::milliseconds{200};
};

/// HOST WATCH: tells what happens to this host. Needs no privileges; where the
/// kernel does not tell, nothing is told.
///
/// A change is an address that came or went, a link that became usable or
/// ceased to be, or a route that came or went, unless this process made it.
using host_watch_actor = caf::typed_actor<
  // Changes of this device are our own doing.
  caf::reacts_to<atom::attach, std::string>,
  // INTERNAL: what has happened is to be told. Looks at the clocks, too.
  caf::reacts_to<atom::timeout>>;

host_watch_actor spawn_host_watch(caf::actor_system& sys, io_loop& home,
                                  host_watch_config cfg,
                                  host_observer_actor observer);

} // namespace vpn::actors
