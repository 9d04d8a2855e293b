#include "vpn/actors/muxer.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <array>

namespace vpn::actors {

namespace {

struct muxer_state {
  static inline const char* name = "muxer";
  muxer_state() = default;
  const clock_source* clock = nullptr;
  std::shared_ptr<const muxer_arguments> args;
  /// Outlives this actor, in `kept`.
  std::shared_ptr<mux_block> block;
  std::shared_ptr<checkpoint<mux_block>> kept;
  wire_actor wire;
  mux_observer_actor observer;
  data_upper_actor data;
  std::array<control_sink_actor, 8> negotiations;
  /// CONTROL of key id 0, and the payload size it was told.
  payload_limit_actor first_control;
  size_t first_limit = 0;
  error_counters drops;
  uint64_t control_in = 0, control_out = 0;
};

class muxer final : public homed<muxer_actor::stateful_base<muxer_state>> {
public:
  muxer(caf::actor_config& cfg, io_loop* home,
        std::shared_ptr<const muxer_arguments> args, const clock_source* clock,
        wire_actor wire, mux_observer_actor observer,
        std::shared_ptr<checkpoint<mux_block>> kept, succession how)
    : homed(cfg, home),
      how_(how) {
    state.args = std::move(args);
    state.kept = std::move(kept);
    state.clock = clock;
    state.wire = std::move(wire);
    state.observer = std::move(observer);
  }

  behavior_type make_behavior() override {
    install_handlers(this);
    if (take_block())
      drain(); // what the one before has not told any more
    else
      quit(caf::make_error(caf::sec::runtime_error, "bad wrapping key"));
    return {
      [this](atom::attach, const data_upper_actor& data) {
        state.data = data;
      },
      [this](atom::attach, uint8_t key_id, const control_sink_actor& reliable,
             const payload_limit_actor& control) {
        add_negotiation(key_id, reliable, control);
      },
      [this](atom::detach, uint8_t key_id) {
        if (is_replaced())
          return;
        mux().detach(key_id);
        state.negotiations[key_id & 7] = nullptr;
        if ((key_id & 7) == 0)
          state.first_control = nullptr;
      },
      [this](atom::allow, uint8_t key_id) {
        if (!is_replaced())
          mux().allow_soft_reset(key_id);
      },
      [this](atom::install, const control_key_box& x) {
        return install(x);
      },
      // path: inbound 2/4
      [this](atom::up, batch_ptr& batch) {
        receive(std::move(batch));
      },
      // path: outbound 3/4
      [this](atom::down, batch_ptr& batch) {
        send(state.wire, atom::down_v, std::move(batch));
      },
      [this](protocol::control_packet& pkt) {
        transmit(std::move(pkt));
      },
      [this](atom::shutdown) {
        return status();
      },
      [this](atom::status) {
        return status();
      },
    };
  }

private:
  protocol::control_mux& mux() { return *state.block->mux; }
  const protocol::control_mux& mux() const { return *state.block->mux; }

  /// It was stuck, and another one has taken over all there was.
  bool is_replaced() const noexcept { return !state.block->mux; }

  /// Here, and not in the constructor: only the home may touch the block.
  bool take_block() {
    if (!state.kept)
      state.kept = std::make_shared<checkpoint<mux_block>>();
    state.block = state.kept->take(how_);
    if (state.block->mux) {
      if (how_ == succession::stuck)
        mux().skip_ids(succession_gap);
      return true;
    }
    auto made
      = protocol::control_mux::make(state.args->mux, state.args->random);
    state.args = nullptr; // it holds a key
    if (made)
      state.block->mux.emplace(std::move(*made));
    return state.block->mux.has_value();
  }

  void add_negotiation(uint8_t key_id, const control_sink_actor& reliable,
                       const payload_limit_actor& control) {
    if (is_replaced())
      return;
    state.negotiations[key_id & 7] = reliable;
    auto limit = mux().max_payload(key_id);
    send(control, payload_limit{static_cast<uint32_t>(limit)});
    if ((key_id & 7) == 0) {
      state.first_control = control;
      state.first_limit = limit;
    }
    for (auto& pkt : mux().attach(key_id))
      deliver(std::move(pkt));
  }

  /// A wrapped client key takes room in the first TLS bytes and in no others;
  /// CONTROL hears of it before it cuts the next ones.
  void update_limit() {
    auto limit = mux().max_payload(0);
    if (!state.first_control || limit == state.first_limit)
      return;
    state.first_limit = limit;
    send(state.first_control, payload_limit{static_cast<uint32_t>(limit)});
  }

  control_key_installed install(const control_key_box& x) {
    if (!x.exported || is_replaced())
      return {false};
    auto ok = mux().install_dynamic_key(*x.exported);
    if (!ok)
      state.drops.count(ok.error());
    return {static_cast<bool>(ok)};
  }

  void transmit(protocol::control_packet pkt) {
    if (is_replaced())
      return;
    auto key_id = pkt.key_id;
    control_datagram wrapped;
    wrapped.data = mux().seal(std::move(pkt), state.clock->now());
    update_limit();
    if (wrapped.data.empty()) {
      state.drops.count(mux().superseded(key_id) ? errc::bad_key_id
                                                 : errc::tls_failed);
      return;
    }
    ++state.control_out;
    send<caf::message_priority::high>(state.wire, std::move(wrapped));
  }

  /// Takes the control packets out of a batch; the rest goes on as it is.
  void receive(batch_ptr batch) {
    if (is_replaced())
      return;
    uint32_t kept = 0;
    for (const auto& run : *batch) {
      if (run.length > 0 && protocol::is_data(*batch->at(run))) {
        batch->runs[kept++] = run;
        continue;
      }
      ++state.control_in;
      auto ok = mux().handle_datagram(batch->view(run));
      if (!ok)
        state.drops.count(ok.error());
      drain();
    }
    batch->count = kept;
    if (kept > 0 && state.data)
      send(state.data, atom::up_v, std::move(batch));
  }

  void drain() {
    while (auto event = mux().poll_event()) {
      if (auto* x = std::get_if<protocol::mux_delivery>(&*event)) {
        if (state.data)
          send<caf::message_priority::high>(state.data, atom::heard_v);
        update_limit();
        deliver(std::move(x->packet));
      } else if (auto* y = std::get_if<protocol::mux_soft_reset>(&*event)) {
        send(state.observer, soft_reset_seen{y->key_id});
      } else if (auto* z = std::get_if<protocol::mux_peer_known>(&*event)) {
        send(state.observer, peer_known{z->local, z->remote});
      }
    }
  }

  void deliver(protocol::control_packet pkt) {
    const auto& to = state.negotiations[pkt.key_id & 7];
    if (to)
      send(to, std::move(pkt));
  }

  layer_status status() const {
    return {muxer_state::name,
            "control in " + std::to_string(state.control_in) + ", out "
              + std::to_string(state.control_out) + ", dropped ["
              + state.drops.text() + "]",
            {{"control_in", state.control_in},
             {"control_out", state.control_out},
             {"control_dropped", state.drops.total()}}};
  }

  succession how_;
};

} // namespace

muxer_actor spawn_muxer(caf::actor_system& sys, io_loop* home,
                        std::shared_ptr<const muxer_arguments> args,
                        const clock_source* clock, wire_actor wire,
                        mux_observer_actor observer,
                        std::shared_ptr<checkpoint<mux_block>> kept,
                        succession how) {
  return sys.spawn<muxer>(home, std::move(args), clock, std::move(wire),
                          std::move(observer), std::move(kept), how);
}

} // namespace vpn::actors
