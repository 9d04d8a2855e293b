#include "socket_options.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include <net/if.h>
#include <netinet/tcp.h>

namespace vpn::actors {

failure socket_failure(const std::string& what, int error) {
  return {reason::transport_failed, what + ": " + std::strerror(error)};
}

namespace {

/// Large enough for a burst of super-datagrams at full speed; the default of
/// 208 KiB holds three.
constexpr int default_buffer = 4 * 1024 * 1024;
/// A server may not make us reserve more than stock would.
constexpr uint32_t max_pushed_buffer = 1000000;

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

bool set_buffer(int fd, int forced, int plain, int size) {
  // The forced form ignores the system's limit and needs CAP_NET_ADMIN.
  return set_option(fd, SOL_SOCKET, forced, size)
         || set_option(fd, SOL_SOCKET, plain, size);
}

/// Empty when it worked.
std::string set_start_buffer(int fd, int forced, int plain, uint32_t wanted,
                             bool tcp) {
  // The kernel sizes a TCP socket by itself, and stops to do so when told.
  if (tcp && wanted == 0)
    return {};
  auto size = wanted == 0 ? default_buffer
                          : static_cast<int>(std::min<uint32_t>(
                            wanted, std::numeric_limits<int>::max() / 2));
  if (set_buffer(fd, forced, plain, size))
    return {};
  return std::string{forced == SO_RCVBUFFORCE ? "rcvbuf" : "sndbuf"} + " "
         + std::to_string(size);
}

failure option_failure(const std::string& option, int error,
                       const std::string& advice) {
  auto result = socket_failure("option '" + option + "' cannot be set", error);
  if (!advice.empty())
    result.text += "; " + advice;
  return result;
}

std::string advice_for_binding(int error) {
  switch (error) {
    case EADDRNOTAVAIL:
      return "no device of this host has that address: check 'local'";
    case EADDRINUSE:
      return "another program uses that port: use 'nobind' or another 'lport'";
    case EACCES:
      return "ports below 1024 need CAP_NET_BIND_SERVICE: use 'nobind' or "
             "another 'lport'";
    default:
      return "check 'local' and 'lport'";
  }
}

/// Of a failure or none.
failure bind_to_local(int fd, const network_config& cfg, const endpoint& remote,
                      bool tcp) {
  auto kind = remote.address.kind;
  endpoint local{cfg.local_address, cfg.local_port, 0};
  if (local.address.defined() && local.address.kind != kind)
    return {reason::transport_failed,
            "cannot bind to " + to_string(local.address) + " on the way to "
              + to_string(remote)
              + ": one is IPv4, the other IPv6; check 'local' and 'proto'"};
  local.address.kind = kind;
  if (kind == family::v6 && cfg.local_address.defined())
    local.scope = remote.scope;
  if (kind == family::v6 && cfg.ipv6_only
      && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
    return option_failure("bind ipv6only", errno, {});
  // A port of a connection that has just ended is free for the next one. With
  // UDP it would let two programs share a port.
  if (tcp)
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  auto sa = to_socket_address(local);
  if (bind(fd, sa.get(), sa.size) == 0)
    return {reason::none, {}};
  auto error = errno;
  auto result = socket_failure("cannot bind to " + to_string(local), error);
  result.text += "; " + advice_for_binding(error);
  return result;
}

/// Of a failure or none.
failure set_way_out(int fd, const network_config& cfg) {
  if (cfg.mark != 0
      && !set_option(fd, SOL_SOCKET, SO_MARK, static_cast<int>(cfg.mark)))
    return option_failure("mark " + std::to_string(cfg.mark), errno,
                          "it needs CAP_NET_ADMIN: run as root, or leave the "
                          "option out");
  auto& device = cfg.bind_device;
  if (device.empty())
    return {reason::none, {}};
  // The kernel would cut a longer name and take another device.
  auto error = device.size() >= IFNAMSIZ ? ENODEV : 0;
  if (error == 0
      && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                    static_cast<socklen_t>(device.size()))
           != 0)
    error = errno;
  if (error == 0)
    return {reason::none, {}};
  return option_failure("bind-dev " + device, error,
                        error == EPERM
                          ? "it needs CAP_NET_RAW: run as root, or leave the "
                            "option out"
                          : "'ip link' lists the devices of this host");
}

} // namespace

expected<unique_fd, failure> make_socket(const network_config& cfg,
                                         const endpoint& remote, bool tcp,
                                         binding bound) {
  auto domain = remote.address.kind == family::v6 ? AF_INET6 : AF_INET;
  auto type = tcp ? SOCK_STREAM : SOCK_DGRAM;
  unique_fd fd{socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    return socket_failure("cannot make a socket", errno);
  for (auto& refused :
       {set_start_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, cfg.rcvbuf, tcp),
        set_start_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, cfg.sndbuf, tcp)})
    if (!refused.empty())
      return option_failure(refused, errno, "leave the option out");
  if (tcp && cfg.tcp_nodelay
      && !set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1))
    return option_failure("tcp-nodelay", errno, "leave the option out");
  if (auto bad = set_way_out(fd.get(), cfg); bad.why != reason::none)
    return bad;
  if (bound == binding::local
      && (cfg.local_address.defined() || cfg.local_port != 0)) {
    auto bad = bind_to_local(fd.get(), cfg, remote, tcp);
    if (bad.why != reason::none)
      return bad;
  }
  return fd;
}

void ignore_path_mtu(int fd, family kind) {
  if (kind == family::v6)
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  else
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

void apply(const protocol::configure_socket& x, int fd, bool tcp) {
  auto set = [&](const std::optional<uint32_t>& size, int forced, int plain) {
    // Zero asks for what there is already.
    if (size && *size > 0 && *size <= max_pushed_buffer)
      set_buffer(fd, forced, plain, static_cast<int>(*size));
  };
  set(x.rcvbuf, SO_RCVBUFFORCE, SO_RCVBUF);
  set(x.sndbuf, SO_SNDBUFFORCE, SO_SNDBUF);
  if (tcp && x.tcp_nodelay)
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

bool is_icmp_error(int error) noexcept {
  switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EPROTO:
    case EACCES:
      return true;
    default:
      return false;
  }
}

} // namespace vpn::actors
