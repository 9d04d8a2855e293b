// HOST: device, addresses, routes and names of this host, and how to undo them.
#pragma once

#include "vpn/actors/host_dns.hpp"
#include "vpn/actors/host_network.hpp"
#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

struct host_config {
  /// Gets each change as a command a person can type, on HOST's thread.
  change_log log;
  journal_log journal;
  dns_places dns;
};

/// Runs on a thread of its own. Undoes everything when it ends.
host_actor spawn_host(caf::actor_system& sys, host_config cfg = {});

} // namespace vpn::actors
