// The socket of NETWORK over UDP: a new one, or the one that a NETWORK before
// it has left behind.
#pragma once

#include "vpn/actors/network.hpp"

namespace vpn::actors {

/// Ready for packets.
struct udp_socket {
  unique_fd fd;
  /// Our end, as the kernel says.
  endpoint local;
  /// The kernel cuts what is sent, and joins what is received.
  bool gso = false;
  bool gro = false;
  /// It is the one that `network_config::kept` holds.
  bool kept = false;
};

/// Goes on with the kept socket when there is one that can be used.
expected<udp_socket, failure> open_udp_socket(const network_config& cfg);

/// A connected socket takes packets of this peer only, and needs no route
/// look-up per packet. False, and `errno` says why.
bool connect_to(int fd, const endpoint& remote);

} // namespace vpn::actors
