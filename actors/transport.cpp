#include "transport.hpp"

#include <cerrno>
#include <cstring>

#include "socket_options.hpp"

namespace vpn::actors {

transport::~transport() = default;

failure socket_failure(const std::string& what, int error) {
  return {reason::transport_failed, what + ": " + std::strerror(error)};
}

namespace {

/// Large enough for a burst of super-datagrams at full speed; the default of
/// 208 KiB holds three.
constexpr int default_buffer = 4 * 1024 * 1024;

void set_buffer(int fd, int forced, int plain, uint32_t wanted, bool tcp) {
  // The kernel sizes a TCP socket by itself, and stops to do so when told.
  if (tcp && wanted == 0)
    return;
  int size = wanted > 0 ? static_cast<int>(wanted) : default_buffer;
  // The forced form ignores the system's limit and needs CAP_NET_ADMIN.
  if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) != 0)
    setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

} // namespace

expected<unique_fd, failure> make_socket(const network_config& cfg) {
  auto domain = cfg.remote.address.kind == family::v6 ? AF_INET6 : AF_INET;
  auto type = cfg.tcp ? SOCK_STREAM : SOCK_DGRAM;
  unique_fd fd{socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    return socket_failure("cannot make a socket", errno);
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, cfg.rcvbuf, cfg.tcp);
  set_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, cfg.sndbuf, cfg.tcp);
  if (cfg.local_address.defined() || cfg.local_port != 0) {
    int one = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    endpoint local{cfg.local_address, cfg.local_port, 0};
    if (!local.address.defined())
      local.address.kind = cfg.remote.address.kind;
    auto sa = to_socket_address(local);
    if (bind(fd.get(), sa.get(), sa.size) != 0)
      return socket_failure("cannot bind to " + to_string(local), errno);
  }
  return fd;
}

} // namespace vpn::actors
