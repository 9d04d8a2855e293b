#include "vpn/actors/reliable.hpp"

#include "vpn/actors/handlers.hpp"

#include <algorithm>

namespace vpn::actors {

namespace {

/// How long a shutdown waits for the peer to acknowledge what was sent.
constexpr auto last_acks = std::chrono::seconds{1};
/// How often it is sent again meanwhile: the usual two seconds would never
/// come.
constexpr auto last_interval = std::chrono::milliseconds{200};

} // namespace

void reliable_state::drain() { // every handler ends here; nothing else sends
  auto now = clock->now();
  while (auto pkt = link.poll_transmit(now))
    self->send(wire, std::move(*pkt));
  while (auto msg = link.poll_deliver())
    if (upper)
      self->send(upper, std::move(*msg));
  if (auto slots = link.free_slots(); upper && slots > granted) {
    self->send(upper, window_open{static_cast<uint32_t>(slots - granted)});
    granted = slots;
  }
  auto due = link.poll_timeout();
  if (closing.pending()) {
    if (link.in_flight() == 0 || now.steady >= closing_deadline)
      closing.deliver(status());
    else
      due = std::min({due.value_or(closing_deadline), closing_deadline,
                      link.answered() ? send_again_at : closing_deadline});
  }
  timer.arm<reliable_actor>(self, due);
}

/// The last words of a session have no time for a back-off. But a reset that
/// nobody has answered is not among them: it would open a session.
void reliable_state::send_again() {
  auto now = clock->now();
  if (!closing.pending() || !link.answered() || now.steady < send_again_at)
    return;
  send_again_at = now.steady + last_interval;
  link.send_again(now);
}

layer_status reliable_state::status() const {
  return {name,
          "in flight " + std::to_string(link.in_flight()) + ", retransmitted "
            + std::to_string(link.retransmits()) + ", dropped [" + drops.text()
            + "]",
          {{"control_retransmitted", link.retransmits()}}};
}

reliable_actor::behavior_type
reliable(reliable_actor::stateful_pointer<reliable_state> self,
         protocol::reliable_config cfg, const clock_source* clock,
         control_sink_actor wire) {
  install_handlers(self);
  auto& st = self->state;
  st.self = self;
  st.clock = clock;
  st.link = protocol::reliable_link{cfg};
  st.wire = std::move(wire);
  return {
    [&st](atom::attach, const control_upper_actor& upper) {
      st.upper = upper;
      st.drain();
    },
    [&st](atom::timeout) {
      st.timer.fired();
      st.link.handle_timeout(st.clock->now());
      st.send_again();
      st.drain();
    },
    [&st](protocol::control_packet& pkt) {
      auto ok = st.link.handle_packet(std::move(pkt), st.clock->now());
      if (!ok)
        st.drops.count(ok.error());
      st.drain();
    },
    [&st](protocol::control_message& msg) {
      if (st.granted > 0)
        --st.granted;
      auto ok = st.link.send(std::move(msg), st.clock->now());
      if (!ok)
        st.drops.count(ok.error());
      st.drain();
    },
    [&st](atom::shutdown) -> caf::result<layer_status> {
      st.closing = st.self->make_response_promise<layer_status>();
      st.closing_deadline = st.clock->now().steady + last_acks;
      st.send_again_at = st.clock->now().steady + last_interval;
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
