// TLS: `negotiation` behind messages. One per key id.
#pragma once

#include "vpn/actors/actor_timer.hpp"
#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <vector>

namespace vpn::actors {

struct tls_state {
  static inline const char* name = "tls";
  tls_state() = default;
  void drain();
  void derive(const protocol::derive_key& what);
  void derive_control();
  void install(const data_key_box& box, int tries);
  void install_control(const control_key_box& box, int tries);
  layer_status status() const;
  void report(protocol::negotiation_event event);
  void retry(const caf::error& why, std::function<void()> f);

  tls_actor::stateful_pointer<tls_state> self = nullptr;
  const clock_source* clock = nullptr;
  protocol::role own_role = protocol::role::client;
  uint8_t key_id = 0;
  std::optional<protocol::negotiation> negotiation;
  tls_sink_actor below;
  key_sink_actor keys;
  control_key_sink_actor control_keys;
  negotiation_observer_actor observer;
  actor_timer timer;
  /// Keys that are to be offered again.
  std::vector<std::function<void()>> retries;
};

/// The configuration holds secrets, so it comes by pointer.
struct tls_arguments {
  protocol::negotiation_config negotiation;
  random_source random;
};

tls_actor::behavior_type tls(tls_actor::stateful_pointer<tls_state> self,
                             std::shared_ptr<const tls_arguments> args,
                             const clock_source* clock, tls_sink_actor below,
                             key_sink_actor keys,
                             control_key_sink_actor control_keys,
                             negotiation_observer_actor observer);

} // namespace vpn::actors
