// The layers of one session: spawned bottom-up, wired, and ended together.
#pragma once

#include "vpn/actors/supervisor.hpp"

#include <caf/actor_system.hpp>

#include <map>

namespace vpn::actors {

/// RELIABLE, CONTROL and TLS of one key id.
struct negotiation_layers {
  reliable_actor reliable;
  control_actor control;
  tls_actor tls;
};

/// Handles of one session's layers. Holding them here, and nowhere else but in
/// the layers themselves, is what ends them: see `kill`.
struct session_tree {
  network_actor network;
  muxer_actor muxer;
  data_channel_actor data;
  tun_actor tun;
  /// The reset is a HARD_RESET_CLIENT_V3: tls-crypt-v2.
  bool v3 = false;
  std::map<uint8_t, negotiation_layers> negotiations;

  /// Calls `f` with each layer that exists, as a `layer_actor`, top-down in the
  /// order in which they are to finish.
  void for_each(const std::function<void(const layer_actor&)>& f) const;
  /// Ends all layers and forgets them.
  void kill();
};

/// NETWORK, MUXER, DATA CHANNEL and TUN, wired; nothing is started yet.
session_tree spawn_tree(caf::actor_system& sys, const supervisor_config& cfg,
                        const protocol::connection_settings& settings,
                        const network_config& network,
                        const supervisor_actor& supervisor);

/// Adds the layers of one key id, wires them to `tree` and starts the opening.
void add_negotiation(caf::actor_system& sys, session_tree& tree,
                     const supervisor_config& cfg,
                     const protocol::session_config& session,
                     const protocol::open_negotiation& what,
                     const supervisor_actor& supervisor);

/// Ends the layers of one key id.
void remove_negotiation(session_tree& tree, uint8_t key_id);

} // namespace vpn::actors
