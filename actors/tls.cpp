#include "vpn/actors/tls.hpp"

#include "vpn/actors/handlers.hpp"

namespace vpn::actors {

namespace {

/// DATA CHANNEL and MUXER answer within microseconds; this is for those that
/// are stuck.
constexpr auto install_limit = std::chrono::seconds{5};
constexpr int install_tries = 4;
constexpr auto retry_pause = std::chrono::milliseconds{100};

/// Nobody has answered, neither yes nor no.
bool is_lost(const caf::error& x) {
  return x == caf::sec::request_receiver_down || x == caf::sec::request_timeout;
}

} // namespace

void tls_state::drain() { // every handler ends here; nothing else sends
  while (auto data = negotiation->poll_tls())
    self->send(below, tls_bytes{std::move(*data)});
  while (auto event = negotiation->poll_event())
    report(std::move(*event));
  timer.arm<tls_actor>(self, negotiation->poll_timeout());
}

void tls_state::report(protocol::negotiation_event event) {
  self->send(observer, negotiation_fact{key_id, std::move(event)});
}

void tls_state::derive(const protocol::derive_key& what) {
  auto block = negotiation->derive(what.derivation, what.client, what.server);
  if (!block) {
    report(protocol::negotiation_failed{
      {reason::tls_failed,
       "cannot derive the data key: " + to_string(block.error())}});
    return;
  }
  auto spec = std::make_shared<protocol::data_key_spec>();
  spec->key_id = key_id;
  spec->cipher = what.cipher;
  spec->self = own_role;
  spec->peer_id = what.peer_id;
  spec->digest = what.digest;
  spec->epoch = what.epoch;
  spec->keys = *block;
  install(data_key_box{spec}, install_tries);
}

/// A request, since the order of messages is known per sender only: the key
/// must be there before SUPERVISOR says so to the peer. DATA CHANNEL may be
/// replaced over it; then the next one is asked, for which the same key is not
/// a second one.
void tls_state::install(const data_key_box& box, int tries) {
  self->request(keys, install_limit, atom::install_v, box)
    .then(
      [this](uint8_t installed) {
        self->send(observer, key_installed{installed});
      },
      [this, box, tries](const caf::error& err) {
        if (tries > 1 && is_lost(err)) {
          retry(err, [this, box, tries] {
            install(box, tries - 1);
          });
          return;
        }
        report(protocol::negotiation_failed{
          {reason::internal,
           "cannot install the data key: " + self->system().render(err)}});
      });
}

void tls_state::derive_control() {
  auto refuse = [this](const std::string& why) {
    report(protocol::negotiation_failed{
      {reason::internal, "cannot install the control channel's key: " + why}});
  };
  auto block = negotiation->export_control_key();
  if (!block) {
    refuse(to_string(block.error()));
    return;
  }
  install_control({std::make_shared<const key_block>(*block)}, install_tries);
}

/// A request for the same reason: the first soft reset uses this key.
void tls_state::install_control(const control_key_box& box, int tries) {
  auto refuse = [this](const std::string& why) {
    report(protocol::negotiation_failed{
      {reason::internal, "cannot install the control channel's key: " + why}});
  };
  self->request(control_keys, install_limit, atom::install_v, box)
    .then(
      [this, refuse](const control_key_installed& x) {
        if (x.ok)
          self->send(observer, x);
        else
          refuse("MUXER does not take it");
      },
      [this, refuse, box, tries](const caf::error& err) {
        if (tries > 1 && is_lost(err))
          retry(err, [this, box, tries] {
            install_control(box, tries - 1);
          });
        else
          refuse(self->system().render(err));
      });
}

/// Who has died answers at once, and the next one takes a moment to come; who
/// did not answer has had its time.
void tls_state::retry(const caf::error& why, std::function<void()> f) {
  if (why == caf::sec::request_timeout) {
    f();
    return;
  }
  retries.push_back(std::move(f));
  self->delayed_send(tls_actor{self}, retry_pause, atom::install_v);
}

layer_status tls_state::status() const {
  auto bad = negotiation->bad_texts();
  std::string text
    = negotiation->exchanged() ? "keys exchanged" : "not established";
  if (bad > 0)
    text += ", bad texts " + std::to_string(bad);
  return {name, std::move(text), {{"bad_texts", bad}}};
}

tls_actor::behavior_type tls(tls_actor::stateful_pointer<tls_state> self,
                             std::shared_ptr<const tls_arguments> args,
                             const clock_source* clock, tls_sink_actor below,
                             key_sink_actor keys,
                             control_key_sink_actor control_keys,
                             negotiation_observer_actor observer) {
  install_handlers(self);
  auto& st = self->state;
  st.self = self;
  st.clock = clock;
  st.own_role = args->negotiation.self;
  st.key_id = args->negotiation.key_id;
  st.negotiation.emplace(args->negotiation, args->random, clock->now());
  st.below = std::move(below);
  st.keys = std::move(keys);
  st.control_keys = std::move(control_keys);
  st.observer = std::move(observer);
  st.drain(); // the hand window runs from here
  return {
    [&st](const protocol::derive_key& x) {
      st.derive(x);
      st.drain();
    },
    [&st](const protocol::derive_control_key&) {
      st.derive_control();
      st.drain();
    },
    [&st](atom::accept) {
      st.negotiation->accept_peer();
      st.drain();
    },
    [&st](text_command& x) {
      st.negotiation->send_text(std::move(x.text));
      st.drain();
    },
    [&st](atom::install) {
      for (auto& f : std::exchange(st.retries, {}))
        f();
    },
    [&st](atom::timeout) {
      st.timer.fired();
      st.negotiation->handle_timeout(st.clock->now());
      st.drain();
    },
    [&st](const reset_arrived&) {
      st.negotiation->start(st.clock->now());
      st.drain();
    },
    [&st](const tls_bytes& x) {
      st.negotiation->handle_tls(x.data, st.clock->now());
      st.drain();
    },
    [&st](atom::shutdown) {
      return st.status();
    },
    [&st](atom::status) {
      return st.status();
    },
  };
}

} // namespace vpn::actors
