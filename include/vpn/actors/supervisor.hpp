// SUPERVISOR: spawns, wires and ends the layers of a session, and decides with
// `session` and `connect_plan` what comes next.
#pragma once

#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/actors/muxer.hpp"
#include "vpn/actors/network.hpp"
#include "vpn/protocol/connect_plan.hpp"

namespace vpn::actors {

class io_loop;

/// The actors that touch the operating system. Tests put their own here.
struct outer_parts {
  std::function<network_actor(const network_config&, transport_observer_actor)>
    spawn_network;
  std::function<tun_actor(batch_down_actor, device_observer_actor)> spawn_tun;
  std::function<host_actor()> spawn_host;
  std::function<resolver_actor()> spawn_resolver;
  /// Asked only when there are scripts to run.
  std::function<runner_actor()> spawn_runner;
};

/// The real ones: sockets, /dev/net/tun, netlink, getaddrinfo. `log` gets each
/// change of the host as a command, on HOST's thread.
outer_parts system_parts(caf::actor_system& sys, io_loop& loop,
                         data_pools pools,
                         std::function<void(const std::string&)> log);

struct supervisor_config {
  /// Template of each session; remote and transport are filled in.
  protocol::session_config session;
  /// A client's way to its servers. A server has one peer: `network.remote`.
  protocol::connect_plan_config plan;
  protocol::wrap_config wrap;
  size_t max_packet_size = 1250;
  std::shared_ptr<const protocol::tls_context> tls;
  /// Template of each socket.
  network_config network;
  protocol::reliable_config reliable;
  /// Options string needs it: digest of `auth`, and whether there is tls-auth.
  std::string auth = "SHA1";
  /// Scripts as words; empty for none.
  std::vector<std::string> up, down;

  random_source random;
  const clock_source* clock = nullptr;
  /// Home of MUXER and DATA CHANNEL; null in tests.
  io_loop* loop = nullptr;
  data_pools pools;
  outer_parts parts;
  session_listener_actor listener;
};

/// Waits for `atom::start`. Ends itself after `session_ended`.
supervisor_actor spawn_supervisor(caf::actor_system& sys,
                                  std::shared_ptr<const supervisor_config> cfg);

} // namespace vpn::actors
