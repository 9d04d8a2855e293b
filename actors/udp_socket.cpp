#include "udp_socket.hpp"

#include <cerrno>

#include "socket_options.hpp"
#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#  define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#  define UDP_GRO 104
#endif

namespace vpn::actors {

namespace {

/// An option of the socket itself; -1 when it is none.
int option_of(int fd, int name) {
  int result = -1;
  socklen_t size = sizeof(result);
  return getsockopt(fd, SOL_SOCKET, name, &result, &size) == 0 ? result : -1;
}

failure unreachable(const endpoint& remote) {
  return socket_failure("cannot reach " + to_string(remote), errno);
}

/// The socket that was handed on, or none when it cannot be used.
unique_fd take_kept(const network_config& cfg) {
  if (!cfg.kept)
    return {};
  auto domain = cfg.remote.address.kind == family::v6 ? AF_INET6 : AF_INET;
  auto fd = cfg.kept->dup();
  if (!fd || option_of(fd.get(), SO_TYPE) != SOCK_DGRAM
      || option_of(fd.get(), SO_DOMAIN) != domain)
    return {};
  // Reading it ends it: an ICMP that was meant for the one before.
  option_of(fd.get(), SO_ERROR);
  socket_address peer;
  auto connected = getpeername(fd.get(), peer.get(), &peer.size) == 0;
  auto usable = cfg.floats ? !connected
                           // Who has taken the peer from it (`ss --kill`) has
                           // not taken the socket.
                           : (connected && to_endpoint(peer) == cfg.remote)
                               || connect_to(fd.get(), cfg.remote);
  return usable ? std::move(fd) : unique_fd{};
}

/// With `float` the socket hears everybody; who is not the server fails at
/// MUXER or DATA CHANNEL. Of a failure or none.
failure open_to_all(const network_config& cfg, udp_socket& x) {
  // The address that the kernel will send from is only told to who connects.
  auto probe = make_socket(cfg, cfg.remote, false, binding::none);
  if (!probe)
    return probe.error();
  if (connect_to(probe->get(), cfg.remote))
    x.local = local_endpoint(probe->get());
  else if (!x.kept) // which may wait until there is a way again
    return unreachable(cfg.remote);
  if (local_endpoint(x.fd.get()).port == 0) {
    endpoint any;
    any.address.kind = cfg.remote.address.kind;
    auto sa = to_socket_address(any);
    if (bind(x.fd.get(), sa.get(), sa.size) != 0)
      return socket_failure("cannot bind to a free port", errno);
  }
  auto own = local_endpoint(x.fd.get());
  x.local.port = own.port;
  if (cfg.local_address.defined() || !x.local.address.defined())
    x.local.address = own.address;
  return {reason::none, {}};
}

} // namespace

expected<udp_socket, failure> open_udp_socket(const network_config& cfg) {
  udp_socket result;
  result.fd = take_kept(cfg);
  result.kept = result.fd.valid();
  if (!result.kept) {
    auto made = make_socket(cfg, cfg.remote, false, binding::local);
    if (!made)
      return made.error();
    result.fd = std::move(*made);
  }
  auto fd = result.fd.get();
  if (cfg.floats) {
    auto bad = open_to_all(cfg, result);
    if (bad.why != reason::none)
      return bad;
  } else {
    if (!result.kept && !connect_to(fd, cfg.remote))
      return unreachable(cfg.remote);
    result.local = local_endpoint(fd);
  }
  int one = 1, zero = 0;
  result.gro = setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)) == 0;
  result.gso = setsockopt(fd, SOL_UDP, UDP_SEGMENT, &zero, sizeof(zero)) == 0;
  // A forged ICMP must not shrink the path: packets above the MTU are
  // fragmented instead, as the stock client has it.
  ignore_path_mtu(fd, cfg.remote.address.kind);
  return result;
}

bool connect_to(int fd, const endpoint& remote) {
  auto sa = to_socket_address(remote);
  return connect(fd, sa.get(), sa.size) == 0;
}

} // namespace vpn::actors
