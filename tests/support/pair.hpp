// A client and a server with all their layers under the deterministic
// scheduler, on one virtual clock, joined by a lossy link.
#pragma once

#include "vpn/actors/config.hpp"
#include "vpn/actors/supervisor.hpp"

#include "tests/support/dummies.hpp"
#include "tests/support/link_model.hpp"
#include "tests/support/virtual_clock.hpp"

#include <caf/actor_system.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>

namespace vpn::test {

struct pair_config {
  /// tls-crypt-v2: a server key and a client key made for it.
  protocol::wrap_mode wrap = protocol::wrap_mode::none;
  /// tls-auth: the client's direction; the server has the other one.
  protocol::key_direction client_direction
    = protocol::key_direction::bidirectional;
  /// tls-auth: its digest.
  std::string wrap_digest = "SHA1";
  /// tls-crypt-v2: the server refuses clients without early negotiation.
  bool force_cookie = false;
  protocol::data_cipher cipher = protocol::data_cipher::aes_256_gcm;
  /// Of data packets without AEAD.
  std::string digest = "SHA1";
  /// Both sides know the key of dynamic tls-crypt, and epoch keys.
  bool dynamic_tls_crypt = true;
  bool epoch = true;
  link_faults faults;
  uint64_t seed = 1;
  /// Actors that can run do so in random order.
  bool shuffle = false;
  /// A server whose session ended begins the next one at once.
  bool restart_server = false;
  /// Seconds; 0 for none.
  uint32_t ping = 10;
  uint32_t ping_restart = 60;
};

class vpn_pair {
public:
  /// One end of the link.
  struct side {
    session_record saw;
    /// Change it before `start`.
    std::shared_ptr<actors::supervisor_config> cfg;
    /// Fate of the datagrams that this side sends.
    link_model link;
    actors::supervisor_actor supervisor;
    /// Of the newest socket; and of those before it, which may still be in use.
    actors::batch_up_actor above_network;
    std::vector<actors::batch_up_actor> above_networks;
    actors::network_actor network;
    actors::tun_actor tun;
    actors::host_actor host;
    /// How many sockets were opened.
    size_t sockets = 0;
    /// What a <connection> block would say.
    protocol::connection_settings& settings() {
      return cfg->plan.remotes.empty() ? cfg->settings
                                       : cfg->plan.remotes[0].settings;
    }
  };

  explicit vpn_pair(const pair_config& cfg = {});
  ~vpn_pair();
  vpn_pair(const vpn_pair&) = delete;
  vpn_pair& operator=(const vpn_pair&) = delete;

  // -- commands --
  /// Spawns and starts both.
  void start();
  void start(side& x);
  void stop(side& x, reason why = reason::terminated);
  /// Ends an actor as a bug would.
  template <class Handle>
  void kill(const Handle& hdl) {
    caf::anon_send_exit(hdl, caf::exit_reason::kill);
  }
  /// Has a layer of this side killed, stalled or put under faults, as `--fault`
  /// has it.
  void fault(side& x, const std::string& spec);
  void clear_faults(side& x) { caf::anon_send(x.supervisor, atom::clear_v); }
  void set_faults(const link_faults& x);
  void set_link_up(bool x);
  /// Hands IP packets to the DATA CHANNEL of `from` as its TUN would, in
  /// batches of at most 64.
  void send(side& from, const std::vector<bytes>& packets);
  /// Sends so many packets of all sizes each way; true when they all arrive,
  /// in order and as they were, within a second.
  bool carries(uint32_t count = 30);
  /// Delivers a datagram to `to` now, as if the network had it.
  void inject(side& to, bytes datagram);

  // -- time --
  /// Lets both run until `done` holds or `limit` of virtual time is over; never
  /// longer. False when `done` still does not hold.
  bool drive(duration limit, const std::function<bool()>& done);
  /// Lets both run for so long.
  void drive(duration limit);
  /// Until both sides are connected.
  bool drive_to_connected(duration limit);
  /// Until both sides have ended, and all their actors with them.
  bool drive_to_end(duration limit);
  duration elapsed() const { return clock_.elapsed(); }

  // -- observers --
  /// The session of this side is connected now.
  static bool connected(const side& x) {
    return !x.saw.phases.empty()
           && x.saw.phases.back() == protocol::phase::connected;
  }
  /// How many keys it has had after the first one.
  static size_t new_keys(const side& x) {
    return x.saw.times("Data Channel: new key");
  }
  /// Actors that run now, and before the first `start`.
  size_t running() { return sys_.registry().running(); }
  size_t running_before() const { return running_before_; }
  /// Messages and time limits that are set for later.
  size_t pending_timers() { return clock().schedule().size(); }
  /// Everything both sides noted, for a test that fails.
  std::string story();
  /// What the layers say about themselves.
  std::vector<actors::layer_status> status(side& of);

  side client, server;
  /// Sees each datagram before the link decides.
  std::function<void(const side& from, byte_view datagram)> tap;

private:
  void prepare_client(const pair_config& cfg);
  void prepare_server(const pair_config& cfg);
  void prepare(side& x, protocol::role self, const pair_config& cfg);
  void transmit(side& from, byte_view datagram);
  void carry(side& to, bytes datagram, duration after);
  void arrive(side& at, byte_view datagram);
  void restart_server_if_needed();
  bool run_one();
  bool run_all();
  side& other(const side& x) { return &x == &client ? server : client; }
  caf::detail::test_actor_clock& clock() { return scheduler_.clock(); }

  using cable_actor
    = caf::typed_actor<caf::reacts_to<actors::control_datagram>>;
  static cable_actor::behavior_type cable(cable_actor::pointer, vpn_pair* host,
                                          side* to);
  static actors::network_actor::behavior_type
  socket(actors::network_actor::pointer self, vpn_pair* host, side* of,
         actors::transport_up up, actors::transport_observer_actor observer);

  actors::config config_;
  caf::actor_system sys_;
  caf::scheduler::test_coordinator& scheduler_;
  virtual_clock clock_;
  seeded random_;
  bool shuffle_;
  bool restart_server_;
  size_t server_ends_ = 0;
  size_t running_before_ = 0;
  bool livelock_ = false;
  /// Datagrams and packets lost because the test's own pools are too small.
  size_t overruns_ = 0;
  actors::data_pools pools_;
  cable_actor to_client_, to_server_;
};

// -- packets --

/// An IPv4 packet of `size` bytes (20 at least) that says its number, as far
/// as it has room, with a filling that depends on it.
bytes numbered_packet(uint32_t number, size_t size);

/// So many packets of random sizes.
std::vector<bytes> numbered_packets(uint32_t first, uint32_t count,
                                    uint64_t seed = 1);

} // namespace vpn::test
