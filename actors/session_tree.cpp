#include "session_tree.hpp"

#include "vpn/actors/control.hpp"
#include "vpn/actors/reliable.hpp"
#include "vpn/actors/tls.hpp"

#include <caf/send.hpp>

namespace vpn::actors {

using protocol::layer;

namespace {

void end(negotiation_layers& x) {
  end(x.tls);
  end(x.control);
  end(x.reliable);
  end(x.muxer_up);
  end(x.muxer_down);
  end(x.reliable_up);
  end(x.reliable_down);
  end(x.control_up);
  end(x.control_down);
  x.keys.close();
  x.control_keys.close();
}

} // namespace

session_tree::session_tree(tree_environment env) : env_(std::move(env)) {
  auto& settings = env_.settings;
  auto args = std::make_shared<muxer_arguments>();
  args->mux.self = env_.cfg->session.self;
  args->mux.wrap = settings.wrap;
  args->mux.max_packet_size = settings.max_packet_size;
  args->mux.late_acks = !env_.network.tcp;
  args->mux.ip_overhead
    = env_.network.remote.address.kind == family::v6 ? 48 : 28;
  args->random = env_.cfg->random;
  muxer_arguments_ = args;
  v3_ = settings.wrap.mode == protocol::wrap_mode::tls_crypt_v2;
  kept_mux_ = std::make_shared<checkpoint<mux_block>>();
  kept_data_ = std::make_shared<checkpoint<data_block>>();
  spawn_network();
  spawn_muxer(succession::first);
  spawn_data(succession::first);
  spawn_tun();
  fit_faults();
}

// -- the layers of the tree --

/// What a new incarnation holds is its own: the one before it talks to nobody
/// any more.
template <class Interface>
void session_tree::begin(place<Interface>& x) {
  if (!x.front)
    x.front = seat<Interface>{*env_.sys};
  x.facts = seat<supervisor_actor>{*env_.sys};
  x.facts.sign();
  x.facts.put(env_.supervisor);
  end(x.actor);
}

/// A gate goes on as it is when what it did is struck from the list. One that
/// stalls its layer has done so once the layer is replaced.
template <class Interface>
void session_tree::spend(place<Interface>& x, layer at, succession how) {
  const auto* left = find_gate_fault(around(true), at);
  x.gate_spec = left ? to_string(*left) : std::string{};
  if (how != succession::stuck)
    return;
  end(x.gate_control);
  x.gate = nullptr;
  x.gate_spec.clear();
  gate(x, at, true); // for what comes again and again
}

void session_tree::spawn_network() {
  begin(network_);
  network_up_.at = seat<batch_up_actor>{*env_.sys};
  network_.actor
    = env_.cfg->parts.spawn_network(env_.network, network_.facts.handle());
  caf::anon_send(network_.actor, atom::attach_v, network_up_.at.handle());
}

void session_tree::spawn_muxer(succession how) {
  begin(muxer_);
  network_down_.at = seat<wire_actor>{*env_.sys};
  muxer_up_.at = seat<data_upper_actor>{*env_.sys};
  muxer_.actor = actors::spawn_muxer(
    *env_.sys, env_.cfg->loop, muxer_arguments_, clock_of(layer::muxer),
    network_down_.at.handle(), muxer_.facts.handle(), kept_mux_, how);
  hold_clock(muxer_.actor, layer::muxer);
  caf::anon_send(muxer_.actor, atom::attach_v, muxer_up_.at.handle());
  for (auto& x : negotiations_)
    attach_negotiation(x.first);
}

void session_tree::spawn_data(succession how) {
  begin(data_);
  muxer_down_.at = seat<batch_down_actor>{*env_.sys};
  data_up_.at = seat<batch_up_actor>{*env_.sys};
  data_.actor = spawn_data_channel(
    *env_.sys, env_.cfg->loop, env_.cfg->pools.sealed,
    clock_of(layer::data_channel), muxer_down_.at.handle(),
    data_.facts.handle(), env_.cfg->random, kept_data_, how);
  hold_clock(data_.actor, layer::data_channel);
  caf::anon_send(data_.actor, atom::attach_v, data_up_.at.handle());
}

void session_tree::spawn_tun() {
  begin(tun_);
  data_down_.at = seat<batch_down_actor>{*env_.sys};
  tun_.actor
    = env_.cfg->parts.spawn_tun(data_down_.at.handle(), tun_.facts.handle());
}

void session_tree::respawn(layer what, succession how) {
  switch (what) {
    case layer::network:
      spend(network_, what, how);
      spawn_network();
      break;
    case layer::muxer:
      spend(muxer_, what, how);
      spawn_muxer(how);
      break;
    case layer::data_channel:
      spend(data_, what, how);
      spawn_data(how);
      break;
    case layer::tun:
      spend(tun_, what, how);
      spawn_tun();
      break;
    default:
      return;
  }
  wire();
}

// -- negotiations --

void session_tree::open_negotiation(const protocol::open_negotiation& what,
                                    const protocol::session_config& session) {
  auto& sys = *env_.sys;
  const auto& cfg = *env_.cfg;
  auto& x = negotiations_[what.key_id];
  begin(x.reliable);
  begin(x.control);
  begin(x.tls);
  x.muxer_up.at = seat<control_sink_actor>{sys};
  x.muxer_down.at = seat<control_sink_actor>{sys};
  x.reliable_up.at = seat<control_upper_actor>{sys};
  x.reliable_down.at = seat<message_sink_actor>{sys};
  x.control_up.at = seat<control_top_actor>{sys};
  x.control_down.at = seat<tls_sink_actor>{sys};
  x.keys = seat<key_sink_actor>{sys};
  x.control_keys = seat<control_key_sink_actor>{sys};
  auto link = cfg.reliable;
  link.key_id = what.key_id;
  // TCP sends again itself: nothing is lost, only late.
  link.measure = link.measure && !session.tcp;
  x.reliable.actor = sys.spawn(reliable, link, clock_of(layer::reliable),
                               x.muxer_down.at.handle());
  x.control.actor
    = sys.spawn(control, what.key_id, what.how, v3_ && what.key_id == 0,
                x.reliable_down.at.handle(), x.control.facts.handle());
  auto args = std::make_shared<tls_arguments>();
  args->negotiation.self = session.self;
  args->negotiation.key_id = what.key_id;
  args->negotiation.tls = cfg.tls;
  args->negotiation.options = session.options;
  args->negotiation.username = session.username;
  args->negotiation.password = session.password;
  args->negotiation.peer_info = session.peer_info;
  args->negotiation.hand_window = session.hand_window;
  args->negotiation.confirm_peer = session.asks_about_peer;
  args->random = cfg.random;
  x.tls.actor = sys.spawn(actors::tls, args, clock_of(layer::tls),
                          x.control_down.at.handle(), x.keys.handle(),
                          x.control_keys.handle(), x.tls.facts.handle());
  hold_clock(x.reliable.actor, layer::reliable);
  hold_clock(x.tls.actor, layer::tls);
  fit_negotiation(x);
  wire();
  // Top-down, so that nobody hears a packet before it knows where to pass it.
  caf::anon_send(x.control.actor, atom::attach_v, x.control_up.at.handle());
  caf::anon_send(x.reliable.actor, atom::attach_v, x.reliable_up.at.handle());
  attach_negotiation(what.key_id);
  caf::anon_send(x.control.actor, atom::start_v);
}

void session_tree::attach_negotiation(uint8_t key_id) {
  auto& x = negotiations_[key_id];
  caf::anon_send(muxer_.actor, atom::attach_v, key_id, x.muxer_up.at.handle(),
                 payload_limit_actor{x.control.front.handle()});
}

void session_tree::close_negotiation(uint8_t key_id) {
  auto i = negotiations_.find(key_id);
  if (i == negotiations_.end())
    return;
  if (lingering_ == key_id)
    lingering_.reset();
  if (muxer_.actor)
    caf::anon_send(muxer(), atom::detach_v, key_id);
  end(i->second);
  negotiations_.erase(i);
}

void session_tree::linger(uint8_t key_id) {
  end_lingering();
  auto i = negotiations_.find(key_id);
  if (i == negotiations_.end())
    return;
  i->second.tls.facts.close();
  i->second.control.facts.close();
  i->second.reliable.facts.close();
  lingering_ = key_id;
}

void session_tree::end_lingering() {
  if (lingering_)
    close_negotiation(*lingering_);
}

void session_tree::close_negotiations() {
  while (!negotiations_.empty())
    close_negotiation(negotiations_.begin()->first);
}

// -- wiring --

/// Everybody's way leads to who is at work now. To be called after any change.
void session_tree::wire() {
  settle(network_);
  settle(muxer_);
  settle(data_);
  settle(tun_);
  for (auto& [key_id, x] : negotiations_) {
    settle(x.reliable);
    settle(x.control);
    settle(x.tls);
    join(x.muxer_up, x.reliable);
    join(x.muxer_down, muxer_);
    join(x.reliable_up, x.control);
    join(x.reliable_down, x.reliable);
    join(x.control_up, x.tls);
    join(x.control_down, x.control);
    put(x.keys, data_.entrance());
    put(x.control_keys, muxer_.entrance());
  }
  join(network_up_, muxer_);
  join(network_down_, network_);
  join(muxer_up_, data_);
  join(muxer_down_, muxer_);
  join(data_up_, tun_);
  join(data_down_, data_);
}

void session_tree::kill() {
  for (auto& x : negotiations_)
    end(x.second);
  negotiations_.clear();
  end(tun_);
  end(data_);
  end(muxer_);
  end(network_);
  end(network_up_);
  end(network_down_);
  end(muxer_up_);
  end(muxer_down_);
  end(data_up_);
  end(data_down_);
  *this = session_tree{};
}

void session_tree::fall_silent() {
  close_negotiations();
  network_.facts.close();
  muxer_.facts.close();
  data_.facts.close();
  tun_.facts.close();
}

// -- faults --

fault_surroundings session_tree::around(bool homed) const {
  return {env_.sys, env_.cfg->clock, homed ? env_.cfg->loop : nullptr,
          env_.faults};
}

template <class Interface>
void session_tree::gate(place<Interface>& x, layer at, bool homed) {
  fit_gate(x, at, around(homed));
}

template <class Interface, class Layer>
void session_tree::interpose(link<Interface>& x, layer at, direction way,
                             bool homed, const place<Layer>& to) {
  fit_link(x, at, way, around(homed), Interface{to.front.handle()});
}

void session_tree::fit_negotiation(negotiation_layers& x) {
  gate(x.reliable, layer::reliable, false);
  gate(x.control, layer::control, false);
  gate(x.tls, layer::tls, false);
  interpose(x.muxer_up, layer::muxer, direction::up, false, x.reliable);
  interpose(x.muxer_down, layer::muxer, direction::down, true, muxer_);
  interpose(x.reliable_up, layer::reliable, direction::up, false, x.control);
  interpose(x.reliable_down, layer::reliable, direction::down, false,
            x.reliable);
  interpose(x.control_up, layer::control, direction::up, false, x.tls);
  interpose(x.control_down, layer::control, direction::down, false, x.control);
}

void session_tree::fit_faults() {
  if (!alive())
    return;
  gate(network_, layer::network, true);
  gate(muxer_, layer::muxer, true);
  gate(data_, layer::data_channel, true);
  gate(tun_, layer::tun, true);
  interpose(network_up_, layer::network, direction::up, true, muxer_);
  interpose(network_down_, layer::network, direction::down, true, network_);
  interpose(muxer_up_, layer::muxer, direction::up, true, data_);
  interpose(muxer_down_, layer::muxer, direction::down, true, muxer_);
  interpose(data_up_, layer::data_channel, direction::up, true, tun_);
  interpose(data_down_, layer::data_channel, direction::down, true, data_);
  for (auto& x : negotiations_)
    fit_negotiation(x.second);
  for (auto& x : clocks_) {
    duration by{};
    for (const auto& y : *env_.faults)
      if (y.at == x.first)
        by = y.knobs.skew;
    x.second->skew(by);
  }
  wire();
}

/// The clock lives as long as who reads it.
template <class Interface>
void session_tree::hold_clock(const Interface& hdl, layer at) const {
  auto i = clocks_.find(at);
  if (i != clocks_.end())
    caf::actor_cast<caf::abstract_actor*>(hdl)->attach_functor(
      [clock = i->second] {});
}

/// A layer gets a clock of its own once there are faults: it can be put wrong
/// later on, too.
const clock_source* session_tree::clock_of(layer at) {
  if (env_.faults == nullptr || env_.faults->empty())
    return env_.cfg->clock;
  auto& result = clocks_[at];
  if (!result) {
    result = std::make_shared<skewed_clock>(*env_.cfg->clock);
    for (const auto& x : *env_.faults)
      if (x.at == at)
        result->skew(x.knobs.skew);
  }
  return result.get();
}

// -- observers --

void session_tree::for_each(
  const std::function<void(const layer_seat&)>& f) const {
  if (!alive())
    return;
  for (const auto& [key_id, x] : negotiations_) {
    f({layer::tls, key_id, x.tls.front.handle()});
    f({layer::control, key_id, x.control.front.handle()});
    f({layer::reliable, key_id, x.reliable.front.handle()});
  }
  f({layer::data_channel, 0, data_.front.handle()});
  f({layer::tun, 0, tun_.front.handle()});
  f({layer::muxer, 0, muxer_.front.handle()});
  f({layer::network, 0, network_.front.handle()});
}

void session_tree::for_each_actor(
  const std::function<void(const caf::actor_addr&)>& f) const {
  auto call = [&](const auto& x) {
    if (x.actor)
      f(x.actor.address());
  };
  for (const auto& x : negotiations_) {
    call(x.second.tls);
    call(x.second.control);
    call(x.second.reliable);
  }
  call(data_);
  call(tun_);
  call(muxer_);
  call(network_);
}

void session_tree::for_each_fault(
  const std::function<void(const fault_control_actor&)>& f) const {
  auto call = [&](const fault_control_actor& x) {
    if (x)
      f(x);
  };
  for (const auto* x :
       {&network_up_.control, &network_down_.control, &network_.gate_control,
        &muxer_up_.control, &muxer_down_.control, &muxer_.gate_control,
        &data_up_.control, &data_down_.control, &data_.gate_control,
        &tun_.gate_control})
    call(*x);
  for (const auto& [key_id, n] : negotiations_)
    for (const auto* x :
         {&n.muxer_up.control, &n.muxer_down.control, &n.reliable_up.control,
          &n.reliable_down.control, &n.control_up.control,
          &n.control_down.control, &n.reliable.gate_control,
          &n.control.gate_control, &n.tls.gate_control})
      call(*x);
}

bool session_tree::is_heard(const caf::strong_actor_ptr& facts) const {
  auto result = network_.facts.is(facts) || muxer_.facts.is(facts)
                || data_.facts.is(facts) || tun_.facts.is(facts);
  for (const auto& x : negotiations_)
    result = result || x.second.control.facts.is(facts)
             || x.second.tls.facts.is(facts);
  return result;
}

std::optional<layer_seat> session_tree::find(const caf::actor_addr& who) const {
  std::optional<layer_seat> result;
  auto look = [&](const auto& x, layer what, uint8_t key_id) {
    if (x.actor && x.actor.address() == who)
      result = layer_seat{what, key_id, x.front.handle()};
  };
  for (const auto& [key_id, x] : negotiations_) {
    look(x.tls, layer::tls, key_id);
    look(x.control, layer::control, key_id);
    look(x.reliable, layer::reliable, key_id);
  }
  look(data_, layer::data_channel, 0);
  look(tun_, layer::tun, 0);
  look(muxer_, layer::muxer, 0);
  look(network_, layer::network, 0);
  return result;
}

} // namespace vpn::actors
