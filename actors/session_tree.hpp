// The layers of one session: where each of them sits, who hears whom, and how
// one of them is replaced without the others.
// spec: design 3, 6
#pragma once

#include "vpn/actors/checkpoint.hpp"
#include "vpn/actors/data_channel.hpp"
#include "vpn/actors/muxer.hpp"
#include "vpn/actors/supervisor.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_system.hpp>

#include <functional>
#include <map>
#include <optional>

#include "place.hpp"

namespace vpn::actors {

/// RELIABLE, CONTROL and TLS of one key id.
struct negotiation_layers {
  place<reliable_actor> reliable;
  place<control_actor> control;
  place<tls_actor> tls;
  link<control_sink_actor> muxer_up, muxer_down;
  link<control_upper_actor> reliable_up;
  link<message_sink_actor> reliable_down;
  link<control_top_actor> control_up;
  link<tls_sink_actor> control_down;
  /// TLS hands its keys over there.
  seat<key_sink_actor> keys;
  seat<control_key_sink_actor> control_keys;
};

/// One layer, as those see it who go through all of them.
struct layer_seat {
  protocol::layer what = protocol::layer::network;
  /// Of RELIABLE, CONTROL and TLS.
  uint8_t key_id = 0;
  /// Passes the gate, if there is one.
  layer_actor hdl;
};

struct tree_environment {
  caf::actor_system* sys = nullptr;
  std::shared_ptr<const supervisor_config> cfg;
  protocol::connection_settings settings;
  network_config network;
  supervisor_actor supervisor;
  /// Faults that are on; lives longer than the tree.
  const std::vector<protocol::fault_spec>* faults = nullptr;
};

/// Belongs to SUPERVISOR. Handles of layers are here, and nowhere else but in
/// the layers' links, which `kill` closes.
class session_tree {
public:
  session_tree() = default;
  /// NETWORK, MUXER, DATA CHANNEL and TUN, wired; nothing is started yet.
  explicit session_tree(tree_environment env);
  session_tree(session_tree&&) = default;
  session_tree& operator=(session_tree&&) = default;

  // -- commands --
  /// Adds the layers of one key id, wires them and starts the opening.
  void open_negotiation(const protocol::open_negotiation& what,
                        const protocol::session_config& session);
  /// Ends the layers of one key id.
  void close_negotiation(uint8_t key_id);
  /// They only acknowledge from now on, and nobody hears of them.
  void linger(uint8_t key_id);
  void end_lingering();
  bool lingers(const layer_seat& x) const {
    return lingering_ && x.key_id == *lingering_
           && (x.what == protocol::layer::reliable
               || x.what == protocol::layer::control
               || x.what == protocol::layer::tls);
  }
  void close_negotiations();
  /// A new NETWORK, MUXER, DATA CHANNEL or TUN in the place of the old one.
  void respawn(protocol::layer what, succession how);
  /// Fault actors follow the list of the environment.
  void fit_faults();
  /// Ends all layers and forgets them.
  void kill();
  /// The layers go on with each other, and SUPERVISOR hears nothing of them.
  void fall_silent();
  /// What NETWORK goes on with when it is respawned.
  void keep_socket(std::shared_ptr<const unique_fd> x) {
    env_.network.kept = std::move(x);
  }
  void set_remote(const endpoint& x) { env_.network.remote = x; }

  // -- observers --
  bool alive() const noexcept { return env_.sys != nullptr; }
  bool negotiates(uint8_t key_id) const {
    return negotiations_.count(key_id) > 0;
  }
  /// Top-down, in the order in which they are to finish.
  void for_each(const std::function<void(const layer_seat&)>& f) const;
  /// Each actor that is at work, to be monitored.
  void
  for_each_actor(const std::function<void(const caf::actor_addr&)>& f) const;
  void for_each_fault(
    const std::function<void(const fault_control_actor&)>& f) const;
  /// A message from here is of an incarnation at work.
  bool is_heard(const caf::strong_actor_ptr& facts) const;
  /// Whose incarnation at work this is.
  std::optional<layer_seat> find(const caf::actor_addr& who) const;

  // -- handles; they stay the same over all incarnations --
  network_actor network() const { return network_.front.handle(); }
  muxer_actor muxer() const { return muxer_.front.handle(); }
  data_channel_actor data() const { return data_.front.handle(); }
  tun_actor tun() const { return tun_.front.handle(); }
  /// Only for a key id that has layers.
  tls_actor tls(uint8_t key_id) const {
    return negotiations_.at(key_id).tls.front.handle();
  }

private:
  void spawn_network();
  void spawn_muxer(succession how);
  void spawn_data(succession how);
  void spawn_tun();
  void attach_negotiation(uint8_t key_id);
  void wire();
  void fit_negotiation(negotiation_layers& x);
  template <class Interface>
  void begin(place<Interface>& x);
  template <class Interface>
  void hold_clock(const Interface& hdl, protocol::layer at) const;
  template <class Interface>
  void spend(place<Interface>& x, protocol::layer at, succession how);
  template <class Interface>
  void gate(place<Interface>& x, protocol::layer at, bool homed);
  template <class Interface, class Layer>
  void interpose(link<Interface>& x, protocol::layer at, direction way,
                 bool homed, const place<Layer>& to);
  fault_surroundings around(bool homed) const;
  const clock_source* clock_of(protocol::layer at);

  tree_environment env_;
  std::shared_ptr<const muxer_arguments> muxer_arguments_;
  std::shared_ptr<checkpoint<mux_block>> kept_mux_;
  std::shared_ptr<checkpoint<data_block>> kept_data_;
  /// The reset is a HARD_RESET_CLIENT_V3: tls-crypt-v2.
  bool v3_ = false;
  place<network_actor> network_;
  place<muxer_actor> muxer_;
  place<data_channel_actor> data_;
  place<tun_actor> tun_;
  link<batch_up_actor> network_up_;
  link<wire_actor> network_down_;
  link<data_upper_actor> muxer_up_;
  link<batch_down_actor> muxer_down_;
  link<batch_up_actor> data_up_;
  link<batch_down_actor> data_down_;
  std::map<uint8_t, negotiation_layers> negotiations_;
  std::optional<uint8_t> lingering_;
  /// Clocks that faults have put wrong.
  std::map<protocol::layer, std::shared_ptr<skewed_clock>> clocks_;
};

} // namespace vpn::actors
