#include "vpn/actors/fault_actor.hpp"

#include "vpn/actors/handlers.hpp"
#include "vpn/actors/homed.hpp"

#include <caf/delegated.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/result.hpp>
#include <caf/sec.hpp>

#include <optional>
#include <utility>

#include "actors/fault_batch.hpp"
#include "actors/fault_plan.hpp"
#include "actors/held_messages.hpp"

namespace vpn::actors {

namespace {

using protocol::packet_kind;

/// What a message without packets takes while it is held, roughly.
constexpr size_t message_size = 256;

/// Batches that are out come back soon, or the actor behind is stuck.
constexpr auto batch_wait = std::chrono::milliseconds{1};

/// Who was told to send past this one does so by then.
constexpr auto farewell = std::chrono::milliseconds{100};

packet_kind kind_of(protocol::opcode op) noexcept {
  if (protocol::is_hard_reset(op))
    return packet_kind::hard_reset;
  if (op == protocol::opcode::control_soft_reset_v1)
    return packet_kind::soft_reset;
  return op == protocol::opcode::ack_v1 ? packet_kind::ack
                                        : packet_kind::control;
}

packet_kind kind_of(const protocol::control_packet& x) {
  return kind_of(x.op);
}
packet_kind kind_of(const protocol::control_message& x) {
  return kind_of(x.op);
}
packet_kind kind_of(const control_datagram& x) {
  return protocol::kind_of_datagram(x.data);
}
packet_kind kind_of(const tls_bytes&) {
  return packet_kind::control;
}

bytes& body_of(protocol::control_packet& x) {
  return x.payload;
}
bytes& body_of(protocol::control_message& x) {
  return x.payload;
}
bytes& body_of(control_datagram& x) {
  return x.data;
}
bytes& body_of(tls_bytes& x) {
  return x.data;
}

/// What is told of `protocol::fault_statistics`.
struct counted_member {
  const char* words;
  const char* name;
  uint64_t protocol::fault_statistics::*member;
};
constexpr counted_member counted[]{
  {"seen", "fault_seen", &protocol::fault_statistics::seen},
  {"dropped", "fault_dropped", &protocol::fault_statistics::dropped},
  {"cut", "fault_cut", &protocol::fault_statistics::cut},
  {"duplicated", "fault_duplicated", &protocol::fault_statistics::duplicated},
  {"delayed", "fault_delayed", &protocol::fault_statistics::delayed},
  {"reordered", "fault_reordered", &protocol::fault_statistics::reordered},
  {"corrupted", "fault_corrupted", &protocol::fault_statistics::corrupted},
  {"truncated", "fault_truncated", &protocol::fault_statistics::truncated},
  {"extended", "fault_extended", &protocol::fault_statistics::extended},
  {"replayed", "fault_replayed", &protocol::fault_statistics::replayed},
};

/// Wears no interface, and so fits all of them: what it does not look at goes
/// on as it came. `spawn_fault` says what it is to the outside.
class fault final : public homed<caf::event_based_actor> {
public:
  fault(caf::actor_config& cfg, fault_config x, caf::strong_actor_ptr target)
    : homed(cfg, x.home),
      cfg_(std::move(x)),
      target_(std::move(target)) {}

  const char* name() const override { return "fault"; }

  caf::behavior make_behavior() override {
    install_handlers(this);
    set_default_handler(
      [this](caf::scheduled_actor*,
             caf::message_view&) -> caf::result<caf::message> {
        pass(message_size);
        // Whoever gets it answers.
        return caf::delegated<caf::message>{};
      });
    // Here, and not in the constructor: the clock of a loop is read at home.
    auto now = cfg_.clock->now();
    seed_models(now);
    begin(now);
    proceed();
    return {
      [this](atom::up, batch_ptr& x) {
        handle_batch(x, true);
      },
      [this](atom::down, batch_ptr& x) {
        handle_batch(x, false);
      },
      [this](control_datagram& x) {
        handle_control(x, false);
      },
      [this](protocol::control_packet& x) {
        handle_control(x, cfg_.goes_up);
      },
      [this](protocol::control_message& x) {
        handle_control(x, cfg_.goes_up);
      },
      [this](tls_bytes& x) {
        handle_control(x, cfg_.goes_up);
      },
      [this](atom::fault, protocol::fault_spec& x) {
        set_spec(std::move(x));
      },
      [this](atom::pause, bool x) {
        paused_ = x;
        for (auto& model : models_)
          model.pause(x);
        proceed();
      },
      [this](atom::fault, atom::clear) {
        leave();
      },
      [this](atom::fault, atom::status) {
        return status();
      },
      [this](atom::fault, atom::timeout) {
        if (!armed_.empty())
          armed_.pop_back();
        proceed();
      },
    };
  }

  void on_exit() override {
    held_.clear();
    // The actor behind may own the way to this one.
    target_ = nullptr;
  }

private:
  // -- what passes --

  /// Whether packets that go this way are looked at.
  bool means(bool up) const {
    return !cfg_.gate && !paused_ && cfg_.spec.knobs.changes_packets()
           && (up ? cfg_.spec.up : cfg_.spec.down);
  }

  /// Each direction has its own fates, or packets of one would change those of
  /// the other.
  protocol::fault_model& model(bool up) { return models_[up ? 0 : 1]; }

  /// Lets the current message go on, unless this is a stall.
  void pass(size_t size) {
    auto x = taken_message::take(*current_mailbox_element());
    if (plan_.stalled())
      held_.hold(never, std::move(x), size);
    else
      x.pass_on(target_, context());
  }

  template <class T>
  void handle_control(T& x, bool up) {
    if (!means(up))
      return pass(message_size + body_of(x).size());
    proceed(); // what was due before this one goes first
    auto now = cfg_.clock->now();
    auto fate = model(up).decide(kind_of(x), now);
    if (fate.passes())
      return pass(message_size);
    auto original = std::move(x);
    auto taken = taken_message::take(*current_mailbox_element());
    auto id = taken.id.is_async() ? taken.id : caf::make_message_id();
    auto stays = copy_in_place(fate, true);
    for (uint8_t i = 0; i < fate.count; ++i)
      if (auto& copy = fate.copies[i]; &copy != stays) {
        auto y = original;
        apply_to(copy.change, body_of(y));
        auto size = message_size + body_of(y).size();
        held_.hold(now.steady + copy.after,
                   {taken.sender, id, {}, caf::make_message(std::move(y))},
                   size);
      }
    if (stays != nullptr) {
      apply_to(stays->change, body_of(original));
      taken.content = caf::make_message(std::move(original));
      taken.pass_on(target_, context());
    }
    proceed();
  }

  void handle_batch(batch_ptr& x, bool up) {
    if (!means(up) || !x || x->count == 0)
      return pass(message_size);
    proceed();
    bool ip = cfg_.spec.at == protocol::layer::data_channel
              || cfg_.spec.at == protocol::layer::tun;
    batches_.treat(*x, up, ip, model(up), held_, cfg_.clock->now());
    if (x->count > 0) {
      pass(message_size);
    } else {
      taken_message::take(*current_mailbox_element());
      x = nullptr;
    }
    proceed();
  }

  // -- what time brings --

  void set_spec(protocol::fault_spec x) {
    auto now = cfg_.clock->now();
    // A seed that was asked for begins its sequence; to clear a fault, or to
    // change a rate, does not.
    bool other = x.seed != cfg_.spec.seed && x.knobs.changes_packets();
    if (!other)
      x.seed = cfg_.spec.seed;
    cfg_.spec = std::move(x);
    if (other)
      seed_models(now);
    else
      for (auto& model : models_)
        model.set_knobs(cfg_.spec.knobs, now);
    begin(now);
    proceed();
  }

  void seed_models(instant now) {
    for (auto& x : counted)
      past_.*x.member = total(x.member);
    models_.clear();
    for (uint32_t stream = 0; stream < 2; ++stream) {
      models_.emplace_back(cfg_.spec.knobs, cfg_.spec.seed, now, stream);
      models_.back().pause(paused_);
    }
  }

  void begin(instant now) {
    if (cfg_.gate)
      plan_.start(cfg_.spec.knobs, now.steady);
  }

  /// Does what is due.
  void proceed() {
    auto now = cfg_.clock->now().steady;
    for (auto what : plan_.due(now))
      if (!paused_)
        act(what);
    if (paused_)
      plan_.end_stall();
    bool all = true;
    if (!plan_.stalled())
      all = held_.release(cfg_.gate || leaving_ ? never : now, target_,
                          context());
    auto due = plan_.next();
    if (auto x = cfg_.gate ? std::nullopt : held_.next_due())
      due = all ? *x : now + batch_wait;
    arm(due);
  }

  void act(fault_plan::kind what) {
    switch (what) {
      case fault_plan::kind::kill:
        ++kills_;
        send_exit(target_, caf::exit_reason::kill);
        break;
      case fault_plan::kind::crash:
        ++crashes_;
        send_exit(target_,
                  caf::make_error(caf::sec::runtime_error, "fault: crash"));
        break;
      case fault_plan::kind::stall:
        ++stalls_;
        break;
    }
  }

  /// As `actor_timer` does, but `atom::timeout` alone is the target's.
  void arm(const std::optional<time_point>& due) {
    if (!due || (!armed_.empty() && armed_.back() <= *due))
      return;
    armed_.push_back(*due);
    scheduled_send(caf::actor{this}, *due, atom::fault_v, atom::timeout_v);
  }

  /// Ends the second time it is called, when others had time to turn away from
  /// it: what still stands in the mailbox then would be lost.
  void leave() {
    auto again = std::exchange(leaving_, true);
    cfg_.spec.knobs = {};
    set_spec(cfg_.spec);
    if (again && held_.count() == 0)
      quit(caf::exit_reason::user_shutdown);
    else
      delayed_send(caf::actor{this}, farewell, atom::fault_v, atom::clear_v);
  }

  // -- what people ask --

  layer_status status() const {
    layer_status result{"fault " + cfg_.name, text_of_spec(), {}};
    auto separator = "; ";
    auto add = [&](const char* words, const char* name, uint64_t count) {
      result.counters.push_back({name, count});
      if (count == 0)
        return;
      result.text += separator;
      result.text += words;
      result.text += ' ' + std::to_string(count);
      separator = ", ";
    };
    for (auto& x : counted)
      add(x.words, x.name, total(x.member));
    add("kills", "fault_kills", kills_);
    add("crashes", "fault_crashes", crashes_);
    add("stalls", "fault_stalls", stalls_);
    add("held", "fault_held", held_.count());
    add("no room", "fault_no_room", batches_.lost() + held_.lost());
    return result;
  }

  uint64_t total(uint64_t protocol::fault_statistics::*member) const {
    auto result = past_.*member;
    for (auto& x : models_)
      result += x.statistics().*member;
    return result;
  }

  std::string text_of_spec() const {
    auto& knobs = cfg_.spec.knobs;
    bool off = !knobs.changes_packets() && knobs.actor.empty()
               && knobs.skew == duration::zero();
    return (off ? "off" : to_string(cfg_.spec)) + (paused_ ? ", paused" : "");
  }

  /// Until a stall is over.
  static constexpr auto never = time_point::max();

  fault_config cfg_;
  caf::strong_actor_ptr target_;
  /// Up and down; there since the first turn of this actor.
  std::vector<protocol::fault_model> models_;
  /// What models with other seeds have counted.
  protocol::fault_statistics past_;
  bool paused_ = false;
  /// It lets everything pass until it ends.
  bool leaving_ = false;
  /// Empty unless this is a gate.
  fault_plan plan_;
  held_messages held_;
  batch_treatment batches_;
  /// Messages of the timer under way, the earliest last.
  std::vector<time_point> armed_;
  uint64_t kills_ = 0, crashes_ = 0, stalls_ = 0;
};

} // namespace

caf::strong_actor_ptr spawn_untyped_fault(caf::actor_system& sys,
                                          fault_config cfg,
                                          caf::strong_actor_ptr target) {
  static const system_clock_source real;
  if (cfg.clock == nullptr)
    cfg.clock = &real;
  return caf::actor_cast<caf::strong_actor_ptr>(
    sys.spawn<fault>(std::move(cfg), std::move(target)));
}

instant skewed_clock::now() const {
  duration by{by_.load()};
  auto result = real_.now();
  result.unix_seconds
    += std::chrono::duration_cast<std::chrono::seconds>(by).count();
  return result;
}

} // namespace vpn::actors
