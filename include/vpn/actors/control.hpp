// CONTROL: `control_stream` behind messages. One per key id.
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace vpn::actors {

struct control_state {
  static inline const char* name = "control";
  control_state() = default;
  void drain();
  layer_status status() const;

  control_actor::stateful_pointer<control_state> self = nullptr;
  uint8_t key_id = 0;
  std::optional<protocol::control_stream> stream;
  message_sink_actor below;
  control_top_actor above;
  negotiation_observer_actor observer;
  /// Messages RELIABLE still takes.
  uint32_t slots = 0;
  error_counters drops;
  caf::typed_response_promise<layer_status> closing;
};

/// `v3`: a client opens as tls-crypt-v2 wants.
control_actor::behavior_type
control(control_actor::stateful_pointer<control_state> self, uint8_t key_id,
        protocol::opening how, bool v3, message_sink_actor below,
        negotiation_observer_actor observer);

} // namespace vpn::actors
