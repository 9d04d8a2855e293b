// HOST: device, addresses, routes and names of this host, and how to undo them.
#pragma once

#include "vpn/actors/host_dns.hpp"
#include "vpn/actors/host_journal.hpp"
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
  /// What HOST has changed, and the device it holds: the HOST of the same
  /// session that comes after this one goes on from there. Never null.
  std::shared_ptr<host_journal> journal = std::make_shared<host_journal>();
  dns_places dns;
  /// Absent: a device goes with its tunnel.
  std::shared_ptr<kept_tun> kept;
};

/// Runs on a thread of its own. Undoes everything when it ends in order
/// (`user_shutdown`, `normal`). When it dies of a bug or is killed, everything
/// stays as the journal says: a new one with the same configuration goes on
/// with the same device, and changes what differs as soon as a tunnel is
/// applied.
host_actor spawn_host(caf::actor_system& sys, host_config cfg = {});

/// Takes back what the journal still holds when no HOST lives that could, on
/// the calling thread. False when something could not be taken back.
bool undo_without_host(const host_config& cfg);

} // namespace vpn::actors
