// NETWORK: the socket to one peer, UDP or TCP.
#pragma once

#include "vpn/actors/interfaces.hpp"

namespace vpn::actors {

class io_loop;

struct network_config {
  endpoint remote;
  bool tcp = false;
  /// Address and port to bind; undefined and 0 leave both to the kernel.
  ip_address local_address;
  uint16_t local_port = 0;
  /// Bytes. 0 for the default: UDP 4 MiB as far as the kernel lets us, TCP
  /// whatever the kernel finds right.
  uint32_t sndbuf = 0;
  uint32_t rcvbuf = 0;
  /// TCP: how long connecting may take.
  duration connect_timeout = std::chrono::seconds{120};
};

network_actor spawn_network(caf::actor_system& sys, io_loop* home,
                            pool_ptr received, network_config cfg,
                            transport_observer_actor observer);

} // namespace vpn::actors
