// SUPERVISOR: spawns, wires and ends the layers of a session, and decides with
// `session` and `connect_plan` what comes next.
#pragma once

#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/host.hpp"
#include "vpn/actors/host_watch.hpp"
#include "vpn/actors/interfaces.hpp"
#include "vpn/actors/loop_beat.hpp"
#include "vpn/actors/muxer.hpp"
#include "vpn/actors/network.hpp"
#include "vpn/protocol/connect_plan.hpp"
#include "vpn/protocol/fault_spec.hpp"
#include "vpn/protocol/profile.hpp"

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
  /// Asked only when a person is needed; may be absent: then nobody answers.
  std::function<prompter_actor()> spawn_prompter;
  /// Nobody waits any more for the question that is open: the PROMPTER spawned
  /// last ends without an answer. May be absent.
  std::function<void()> call_off_prompter;
  /// Tells whether the loop turns; may be absent: then it is not asked.
  std::function<loop_beat_actor()> spawn_loop_beat;
  /// Watches this host's addresses and its sleep; may be absent.
  std::function<host_watch_actor(host_observer_actor)> spawn_host_watch;
  /// The server wants the log at this level (a pushed `verb`); may be absent.
  std::function<void(int)> set_verbosity;
};

/// The real ones: sockets, /dev/net/tun, netlink, getaddrinfo. There is no
/// PROMPTER among them: only an application knows whom to ask.
outer_parts system_parts(caf::actor_system& sys, io_loop& loop,
                         data_pools pools, host_config host);

struct supervisor_config {
  /// Template of each session; remote and transport are filled in.
  protocol::session_config session;
  /// A client's way to its servers. A server has one peer: `network.remote`.
  /// Each remote carries its own settings.
  protocol::connect_plan_config plan;
  /// The settings of a server's one peer.
  protocol::connection_settings settings;
  std::shared_ptr<const protocol::tls_context> tls;
  protocol::credentials_config credentials;
  /// Template of each socket.
  network_config network;
  protocol::reliable_config reliable;
  /// Scripts as words; empty for none.
  protocol::profile_scripts scripts;
  /// Variables for scripts besides those of the session.
  std::vector<std::pair<std::string, std::string>> environment;
  /// The device and its settings stay over a reconnect.
  bool persist_tun = false;
  /// The session's end is the end: never connect anew.
  bool single_session = false;
  /// Option `resolv-retry`.
  duration resolve_retry = duration::max();

  /// How often each layer has to say that it lives, and how long it may take;
  /// zero: never.
  duration heartbeat{};
  /// Faults that are on from the start.
  std::vector<protocol::fault_spec> faults;

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
