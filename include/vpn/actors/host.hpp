// HOST: device, addresses, routes and names of this host, and how to undo them.
#pragma once

#include "vpn/actors/host_dns.hpp"
#include "vpn/actors/host_network.hpp"
#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

/// /dev/net/tun, not yet anybody's device; errno says why it cannot be had.
unique_fd open_tun_file();

/// The device of a process that gave up its privileges, and with them the right
/// to open another: it outlives its tunnels and every HOST.
struct kept_tun {
  /// From `open_tun_file`, until the first tunnel takes it.
  unique_fd file;
  /// `dev` as it was asked for.
  std::string wanted;
  tunnel_device device;
};

struct host_config {
  /// Gets each change as a command a person can type, on HOST's thread.
  change_log log;
  journal_log journal;
  dns_places dns;
  /// Absent: a device goes with its tunnel.
  std::shared_ptr<kept_tun> kept;
};

/// Runs on a thread of its own. Undoes everything when it ends.
host_actor spawn_host(caf::actor_system& sys, host_config cfg = {});

} // namespace vpn::actors
