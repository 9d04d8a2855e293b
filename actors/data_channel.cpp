#include "vpn/actors/data_channel.hpp"

#include "vpn/actors/actor_timer.hpp"
#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace vpn::actors {

namespace {

/// At most one move of the peer in so long.
constexpr auto float_pause = std::chrono::seconds{10};
constexpr auto slab_wait = std::chrono::milliseconds{100};

struct data_channel_state {
  static inline const char* name = "data_channel";
  data_channel_state() = default;
  const clock_source* clock = nullptr;
  /// Outlives this actor, in `kept`.
  std::shared_ptr<data_block> block;
  std::shared_ptr<checkpoint<data_block>> kept;
  pool_ptr sealed;
  batch_down_actor wire;
  batch_up_actor tun;
  data_observer_actor observer;
  /// Sealed packets on their way: one slab collects across batches until the
  /// round ends.
  batch_ptr open;
  /// The first packets of a peer may overtake the key they need: one batch
  /// waits for it.
  batch_ptr parked;
  /// The key that is on its way beside another one.
  std::optional<uint8_t> announced;
  std::unique_ptr<io_loop::hook> at_end_of_round;
  actor_timer timer;
};

class data_channel_impl final
  : public homed<data_channel_actor::stateful_base<data_channel_state>> {
public:
  data_channel_impl(caf::actor_config& cfg, io_loop* home, pool_ptr sealed,
                    const clock_source* clock, batch_down_actor wire,
                    data_observer_actor observer, random_source random,
                    std::shared_ptr<checkpoint<data_block>> kept,
                    succession how)
    : homed(cfg, home),
      random_(std::move(random)),
      how_(how) {
    state.kept = std::move(kept);
    state.sealed = std::move(sealed);
    state.clock = clock;
    state.wire = std::move(wire);
    state.observer = std::move(observer);
  }

  behavior_type make_behavior() override {
    install_handlers(this);
    take_block();
    if (home() != nullptr)
      state.at_end_of_round = home()->at_end_of_round(
        flush_stage::data_channel,
        [this] {
          flush();
        },
        address());
    return {
      [this](atom::attach, const batch_up_actor& tun) {
        state.tun = tun;
      },
      [this](const protocol::data_channel_config& cfg) {
        channel().configure(cfg, state.clock->now());
        drain();
      },
      [this](atom::allow, uint8_t key_id) {
        if (!channel().has_key(key_id))
          state.announced = key_id;
      },
      [this](atom::detach, uint8_t key_id) {
        if (state.announced != key_id)
          return;
        state.announced.reset();
        state.parked = nullptr;
      },
      [this](atom::leave) {
        leave();
      },
      [this](atom::ping) {
        channel().queue_ping();
        drain();
        flush();
      },
      [this](atom::timeout) {
        state.timer.fired();
        channel().handle_timeout(state.clock->now());
        drain();
      },
      // path: inbound 3/4
      [this](atom::up, batch_ptr& batch) {
        receive(std::move(batch));
      },
      // path: outbound 2/4
      [this](atom::down, batch_ptr& batch) {
        transmit(std::move(batch));
      },
      [this](atom::install, const data_key_box& box) -> caf::result<uint8_t> {
        return install(*box.spec);
      },
      [this](atom::heard) {
        channel().handle_heard(state.clock->now());
      },
      [this](atom::shutdown) {
        flush();
        return status();
      },
      [this](atom::status) {
        return status();
      },
    };
  }

private:
  protocol::data_channel& channel() { return state.block->channel; }
  const protocol::data_channel& channel() const { return state.block->channel; }

  /// Here, and not in the constructor: only the home may touch the block.
  void take_block() {
    if (!state.kept)
      state.kept = std::make_shared<checkpoint<data_block>>();
    state.block = state.kept->take(how_);
    if (how_ == succession::first) {
      channel() = protocol::data_channel{{}, random_};
      return;
    }
    if (how_ == succession::dead) {
      channel().resume();
    } else {
      // All it had is here by now, so what it has received is known.
      channel().resume_with_gap(succession_gap, 0);
      // What the one before may still do ends with its keys.
      if (auto key_id = channel().newest_key())
        send(state.observer, data_fact{protocol::rekey_needed{*key_id}});
    }
    timer_arm();
  }

  void receive(batch_ptr batch) {
    if (!channel().has_key()) {
      if (state.parked)
        channel().statistics().drops.count(errc::no_key, batch->count);
      else
        state.parked = std::move(batch);
      return;
    }
    if (state.announced)
      park_early(*batch);
    auto authentic = channel().statistics().bytes_authenticated;
    channel().open(*batch, state.clock->now());
    if (batch->from.remote.address.defined()
        && channel().statistics().bytes_authenticated != authentic)
      follow(batch->from.remote);
    if (batch->count > 0 && state.tun)
      send(state.tun, atom::up_v, std::move(batch));
    drain();
  }

  /// Copies out what is for a key that is not there yet; runs while a key is
  /// negotiated, and never else.
  void park_early(packet_batch& batch) {
    auto is_early = [&](const uint8_t* packet) {
      return protocol::is_data(*packet)
             && protocol::key_id_of(*packet) == *state.announced;
    };
    auto runs = batch.count;
    batch.count = 0;
    for (uint32_t i = 0; i < runs; ++i) {
      auto run = batch.runs[i];
      // GRO joins packets of both keys.
      auto step = run.stride != 0 ? uint32_t{run.stride} : run.length;
      // Those of the old key that stand in front stay together.
      uint32_t front = 0;
      while (front < run.length && !is_early(batch.at(run) + front))
        front += step;
      if (front > 0) {
        auto kept = run;
        kept.length = std::min(front, run.length);
        batch.runs[batch.count++] = kept;
      }
      for (uint32_t at = front; at < run.length; at += step) {
        auto one = run;
        one.offset = run.offset + at;
        one.length = std::min(step, run.length - at);
        one.stride = 0;
        if (is_early(batch.at(one)))
          park({batch.at(one), one.length});
        else if (batch.count <= i) // a place that was read already
          batch.runs[batch.count++] = one;
        else
          channel().statistics().drops.count(errc::no_buffer);
      }
    }
  }

  void park(byte_view packet) {
    if (!state.parked)
      state.parked = state.sealed->get();
    auto* to = state.parked.get();
    if (to == nullptr || to->full() || to->room() < packet.size()) {
      channel().statistics().drops.count(errc::no_key);
      return;
    }
    std::copy(packet.begin(), packet.end(), to->data + to->used);
    to->add(to->used, static_cast<uint32_t>(packet.size()));
    to->used += static_cast<uint32_t>(packet.size());
  }

  /// Whoever rewrites senders on the way shall not set us running about.
  void follow(const endpoint& from) {
    auto now = state.clock->now().steady;
    if (state.block->heard_from == from
        || (state.block->heard_from.address.defined()
            && now < state.block->may_float_at))
      return;
    state.block->heard_from = from;
    state.block->may_float_at = now + float_pause;
    send(state.observer, data_fact{protocol::peer_floated{from}});
  }

  void transmit(batch_ptr batch) {
    auto now = state.clock->now();
    while (true) {
      if (!state.open && !(state.open = state.sealed->get())) {
        // Back-pressure failed to hold TUN: what is left is lost here.
        channel().drop_rest(*batch);
        break;
      }
      if (channel().seal(*batch, *state.open, now))
        break;
      flush();
    }
    if (home() == nullptr)
      flush();
    answer(std::move(batch));
    drain();
  }

  /// What stays here is answered in the batch that brought it: no more answers
  /// wait for TUN than it has given us packets.
  void answer(batch_ptr batch) {
    batch->clear();
    if (state.tun && channel().poll_answer(*batch))
      send(state.tun, atom::up_v, std::move(batch));
  }

  /// Nobody knows how long this session goes on: the goodbye waits neither for
  /// other packets nor for the end of the round.
  void leave() {
    flush();
    channel().queue_exit();
    drain();
    flush();
  }

  void flush() {
    if (state.open && state.open->count > 0)
      send(state.wire, atom::down_v, std::move(state.open));
  }

  caf::result<uint8_t> install(const protocol::data_key_spec& spec) {
    auto ok = channel().install(spec, state.clock->now());
    if (!ok)
      return caf::make_error(caf::sec::runtime_error, to_string(ok.error()));
    if (state.announced == spec.key_id)
      state.announced.reset();
    if (state.parked)
      receive(std::move(state.parked));
    drain();
    return spec.key_id;
  }

  void drain() {
    while (auto event = channel().poll_event())
      send(state.observer, data_fact{*event});
    auto now = state.clock->now();
    if (state.open || (state.open = state.sealed->get())) {
      if (channel().poll_ping(*state.open, now) && home() == nullptr)
        flush();
    }
    timer_arm();
  }

  void timer_arm() {
    auto due = channel().poll_timeout();
    // A ping that finds no slab is due still: without a pause it would be asked
    // for again at once.
    if (due && !state.open)
      due = std::max(*due, state.clock->now().steady + slab_wait);
    state.timer.arm<data_channel_actor>(this, due);
  }

  layer_status status() const {
    const auto& x = channel().statistics();
    return {data_channel_state::name,
            "packets in " + std::to_string(x.packets_opened) + ", out "
              + std::to_string(x.packets_sealed) + ", bytes in "
              + std::to_string(x.bytes_opened) + ", out "
              + std::to_string(x.bytes_sealed) + ", pings in "
              + std::to_string(x.pings_received) + ", out "
              + std::to_string(x.pings_sent) + ", dropped [" + x.drops.text()
              + "]",
            {{"tun_read_bytes", x.bytes_sealed},
             {"tun_write_bytes", x.bytes_opened},
             {"auth_read_bytes", x.bytes_authenticated},
             {"tun_read_packets", x.packets_sealed},
             {"tun_write_packets", x.packets_opened},
             {"ipv6_refused", x.ipv6_refused},
             {"dropped_packets", x.drops.total()}}};
  }

  random_source random_;
  succession how_;
};

} // namespace

data_channel_actor
spawn_data_channel(caf::actor_system& sys, io_loop* home, pool_ptr sealed,
                   const clock_source* clock, batch_down_actor wire,
                   data_observer_actor observer, random_source random,
                   std::shared_ptr<checkpoint<data_block>> kept,
                   succession how) {
  return sys.spawn<data_channel_impl>(home, std::move(sealed), clock,
                                      std::move(wire), std::move(observer),
                                      std::move(random), std::move(kept), how);
}

} // namespace vpn::actors
