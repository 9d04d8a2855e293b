// Endpoints to the kernel's socket addresses and back.
#pragma once

#include "vpn/protocol/ip_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace vpn::actors {

struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

socket_address to_socket_address(const endpoint& x);
endpoint to_endpoint(const socket_address& x);
/// The local address of a socket; undefined when the kernel does not tell.
endpoint local_endpoint(int fd);

} // namespace vpn::actors
