// RELIABLE: `reliable_link` behind messages. One per key id.
#pragma once

#include "vpn/actors/actor_timer.hpp"
#include "vpn/actors/clock_source.hpp"
#include "vpn/actors/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace vpn::actors {

struct reliable_state {
  static inline const char* name = "reliable";
  reliable_state() = default;
  void drain();
  void send_again();
  layer_status status() const;

  reliable_actor::stateful_pointer<reliable_state> self = nullptr;
  const clock_source* clock = nullptr;
  protocol::reliable_link link;
  control_sink_actor wire;
  control_upper_actor upper;
  /// Messages that CONTROL may still send without asking.
  size_t granted = 0;
  error_counters drops;
  actor_timer timer;
  /// Set while a shutdown waits for the last acks.
  caf::typed_response_promise<layer_status> closing;
  time_point closing_deadline;
  time_point send_again_at;
};

reliable_actor::behavior_type
reliable(reliable_actor::stateful_pointer<reliable_state> self,
         protocol::reliable_config cfg, const clock_source* clock,
         control_sink_actor wire);

} // namespace vpn::actors
