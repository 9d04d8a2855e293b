// NETWORK: the socket to one peer, UDP or TCP.
#pragma once

#include "vpn/actors/interfaces.hpp"
#include "vpn/protocol/proxy_config.hpp"

#include <memory>

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
  /// `bind ipv6only`.
  bool ipv6_only = false;
  /// `float`, UDP only. Without it the kernel drops what comes from another
  /// address than `remote`. With it packets of any address go up, where they
  /// must authenticate like all others. DATA CHANNEL tells from where an
  /// authentic one has come, and a `configure_socket` with that address then
  /// leads ours there too. Through a SOCKS proxy any address that the proxy
  /// names is heard, and ours still go to `remote`.
  /// spec: openvpn-wire 13.1
  bool floats = false;
  /// `mark`, zero for none; `bind-dev`, empty for none.
  uint32_t mark = 0;
  std::string bind_device;
  bool tcp_nodelay = false;
  /// With a proxy `remote` is the proxy's address. An HTTP proxy and TCP
  /// through SOCKS5 are told the server's name, `target_host` and
  /// `target_port`; datagrams through SOCKS5 need its IPv4 address, `target`.
  std::shared_ptr<const protocol::proxy_config> proxy;
  std::string target_host, target_port;
  endpoint target;
  /// UDP: goes on with this socket, which a NETWORK before this one opened and
  /// connected; absent: opens one.
  std::shared_ptr<const unique_fd> kept;
  /// TCP: how long connecting may take, with the proxy's answer.
  duration connect_timeout = std::chrono::seconds{120};
};

network_actor spawn_network(caf::actor_system& sys, io_loop* home,
                            pool_ptr received, network_config cfg,
                            transport_observer_actor observer);

} // namespace vpn::actors
