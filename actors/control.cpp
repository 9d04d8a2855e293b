#include "vpn/actors/control.hpp"

#include "vpn/actors/handlers.hpp"

namespace vpn::actors {

void control_state::drain() { // every handler ends here; nothing else sends
  if (!above)
    return;
  while (slots > 0) {
    auto msg = stream->poll_message();
    if (!msg)
      break;
    --slots;
    self->send(below, std::move(*msg));
  }
  if (auto reset = stream->poll_reset()) {
    self->send(observer, peer_answered{key_id});
    self->send(above, reset_arrived{reset->early_negotiation_flags});
  }
  while (auto data = stream->poll_tls())
    self->send(above, tls_bytes{std::move(*data)});
  if (closing.pending() && stream->queued() == 0)
    closing.deliver(status());
}

layer_status control_state::status() const {
  return {name,
          "queued " + std::to_string(stream->queued()) + " bytes, dropped ["
            + drops.text() + "]",
          {}};
}

control_actor::behavior_type
control(control_actor::stateful_pointer<control_state> self, uint8_t key_id,
        protocol::opening how, bool v3, message_sink_actor below,
        negotiation_observer_actor observer) {
  install_handlers(self);
  auto& st = self->state;
  st.self = self;
  st.key_id = key_id;
  st.stream.emplace(how, v3);
  st.below = std::move(below);
  st.observer = std::move(observer);
  return {
    [&st](atom::attach, const control_top_actor& above) {
      st.above = above;
      st.drain();
    },
    [&st](atom::start) {
      st.stream->start();
      st.drain();
    },
    [&st](const payload_limit& x) {
      st.stream->set_max_payload(x.size);
      st.drain();
    },
    [&st](const window_open& x) {
      st.slots += x.slots;
      st.drain();
    },
    [&st](protocol::control_message& msg) {
      auto ok = st.stream->handle_message(std::move(msg));
      if (!ok)
        st.drops.count(ok.error());
      st.drain();
    },
    [&st](const tls_bytes& x) {
      st.stream->send(x.data);
      st.drain();
    },
    [&st](atom::shutdown) -> caf::result<layer_status> {
      st.closing = st.self->make_response_promise<layer_status>();
      auto answer = st.closing;
      st.drain();
      return answer;
    },
    [&st](atom::status) {
      return st.status();
    },
  };
}

} // namespace vpn::actors
