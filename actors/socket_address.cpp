#include "socket_address.hpp"

#include <cstring>

namespace vpn::actors {

socket_address to_socket_address(const endpoint& x) {
  socket_address result;
  if (x.address.kind == family::v6) {
    sockaddr_in6 sa{};
    sa.sin6_family = AF_INET6;
    sa.sin6_port = htons(x.port);
    sa.sin6_scope_id = x.scope;
    std::memcpy(&sa.sin6_addr, x.address.octets.data(), 16);
    std::memcpy(&result.storage, &sa, sizeof(sa));
    result.size = sizeof(sa);
  } else {
    sockaddr_in sa{};
    sa.sin_family = AF_INET;
    sa.sin_port = htons(x.port);
    std::memcpy(&sa.sin_addr, x.address.octets.data(), 4);
    std::memcpy(&result.storage, &sa, sizeof(sa));
    result.size = sizeof(sa);
  }
  return result;
}

endpoint to_endpoint(const socket_address& x) {
  endpoint result;
  if (x.storage.ss_family == AF_INET6) {
    sockaddr_in6 sa{};
    std::memcpy(&sa, &x.storage, sizeof(sa));
    result.address.kind = family::v6;
    std::memcpy(result.address.octets.data(), &sa.sin6_addr, 16);
    result.port = ntohs(sa.sin6_port);
    result.scope = sa.sin6_scope_id;
  } else if (x.storage.ss_family == AF_INET) {
    sockaddr_in sa{};
    std::memcpy(&sa, &x.storage, sizeof(sa));
    result.address.kind = family::v4;
    std::memcpy(result.address.octets.data(), &sa.sin_addr, 4);
    result.port = ntohs(sa.sin_port);
  }
  return result;
}

endpoint local_endpoint(int fd) {
  socket_address sa;
  if (getsockname(fd, sa.get(), &sa.size) != 0)
    return {};
  return to_endpoint(sa);
}

} // namespace vpn::actors
