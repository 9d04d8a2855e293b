// Layers that die or hang, and a host that changes under the session: one layer
// is replaced, the session lives.
// spec: design 6
#include <algorithm>

#include "supervisor_state.hpp"

namespace vpn::actors {

using protocol::layer;

namespace {

/// Between two tries that a change of this host has brought forward.
constexpr auto hurry_pause = std::chrono::seconds{5};

} // namespace

// -- who is followed --

/// The end of each actor at work is told to us; of no other.
void supervisor_state::follow_layers() {
  std::set<caf::actor_addr> now;
  auto add = [&](const caf::actor_addr& x) {
    now.insert(x);
  };
  tree.for_each_actor(add);
  if (beside)
    beside->tree.for_each_actor(add);
  for (const auto& x : followed)
    if (now.count(x) == 0)
      self->demonitor(x);
  for (const auto& x : now)
    if (followed.count(x) == 0)
      self->monitor(x);
  followed = std::move(now);
}

void supervisor_state::child_down(const caf::down_msg& dm) {
  if (prompter && dm.source == prompter.address()) {
    prompter = nullptr;
    for (auto& x : std::exchange(open_questions, {}))
      x.second({});
    return;
  }
  if (helper_down<host_actor>(host, layer::host, dm, cfg->parts.spawn_host)) {
    host_returned();
    return;
  }
  if (helper_down<resolver_actor>(resolver, layer::resolver, dm,
                                  cfg->parts.spawn_resolver)
      || helper_down<runner_actor>(runner, layer::runner, dm,
                                   cfg->parts.spawn_runner))
    return;
  followed.erase(dm.source);
  if (beside && beside->tree.find(dm.source)) {
    end_beside();
    return;
  }
  if (auto which = tree.find(dm.source))
    layer_lost(*which, succession::dead, self->system().render(dm.reason));
}

// -- layers --

void supervisor_state::layer_lost(const layer_seat& which, succession how,
                                  const std::string& text) {
  // While the tree is closed everybody ends anyway.
  if (doing != activity::running)
    return;
  if (tree.lingers(which)) {
    spend_faults(which.what);
    tree.end_lingering();
    follow_layers();
    return;
  }
  auto what = "layer " + to_string(which.what)
              + (how == succession::dead ? " died: " : " does not answer: ")
              + text;
  spend_faults(which.what);
  if (!may_restart(what))
    return;
  auto now = cfg->clock->now();
  switch (which.what) {
    case layer::reliable:
    case layer::control:
    case layer::tls:
      session->handle_layers_lost(which.key_id,
                                  {reason::internal, std::move(what)}, now);
      break;
    case layer::network:
      if (session_cfg.tcp) {
        // Half a frame may be lost.
        session->handle_failure({reason::transport_failed, std::move(what)},
                                now);
        break;
      }
      [[fallthrough]];
    default:
      warn(what + "; it is replaced");
      replace(which, how);
      break;
  }
  drain();
}

void supervisor_state::replace(const layer_seat& which, succession how) {
  tree.respawn(which.what, how);
  follow_layers();
  switch (which.what) {
    case layer::network:
      self->send(tree.network(), atom::start_v);
      break;
    case layer::muxer:
      if (told.allowed_key && !tree.negotiates(*told.allowed_key))
        self->send(tree.muxer(), atom::allow_v, *told.allowed_key);
      break;
    case layer::data_channel:
      if (told.data)
        self->send(tree.data(), *told.data);
      break;
    case layer::tun:
      if (tunnel_stands)
        self->send(tree.tun(), atom::attach_v, opened);
      break;
    default:
      break;
  }
}

/// Who dies again and again does so for a reason that a restart does not cure.
bool supervisor_state::may_restart(const std::string& what) {
  if (intensity.allow(cfg->clock->now()))
    return true;
  failure why{reason::restart_intensity,
              what + ", the fifth time in ten seconds"};
  if (doing == activity::running)
    session_failed(std::move(why));
  else if (doing != activity::closing)
    finish(std::move(why));
  return false;
}

// -- helpers --

template <class Interface>
void supervisor_state::spawn_helper(helper<Interface>& x, layer what,
                                    Interface hdl) {
  if (!x.at.front)
    x.at.front = seat<Interface>{self->system()};
  x.at.actor = std::move(hdl);
  self->monitor(x.at.actor);
  fit_gate(x.at, what, {&self->system(), cfg->clock, nullptr, &faults});
  settle(x.at);
}

template <class Interface>
bool supervisor_state::helper_down(helper<Interface>& x, layer what,
                                   const caf::down_msg& dm,
                                   const std::function<Interface()>& spawn) {
  if (!x.at.actor || dm.source != x.at.actor.address())
    return false;
  x.at.actor = nullptr;
  settle(x.at);
  auto text
    = "layer " + to_string(what) + " died: " + self->system().render(dm.reason);
  spend_faults(what);
  if (may_restart(text)) {
    warn(text + "; it is replaced");
    spawn_helper(x, what, spawn());
  }
  for (auto& y : std::exchange(x.unanswered, {}))
    y.second();
  return true;
}

/// Its thread hangs in a name look-up; another one may fare better.
void supervisor_state::replace_resolver() {
  auto& x = resolver.at;
  if (!x.actor || !may_restart("layer resolver does not answer"))
    return;
  self->demonitor(x.actor.address());
  caf::anon_send_exit(x.actor, caf::exit_reason::kill);
  resolver.unanswered.clear();
  spawn_helper(resolver, layer::resolver, cfg->parts.spawn_resolver());
}

void supervisor_state::respawn_host() {
  if (!host.at.actor)
    spawn_helper(host, layer::host, cfg->parts.spawn_host());
}

void supervisor_state::spawn_helpers() {
  spawn_helper(host, layer::host, cfg->parts.spawn_host());
  if (cfg->session.self == protocol::role::client)
    spawn_helper(resolver, layer::resolver, cfg->parts.spawn_resolver());
  if (cfg->parts.spawn_loop_beat)
    loop_beat = cfg->parts.spawn_loop_beat();
  if (cfg->parts.spawn_host_watch)
    host_watch = cfg->parts.spawn_host_watch(handle());
  if (cfg->heartbeat > duration::zero())
    self->delayed_send(handle(), cfg->heartbeat, atom::beat_v);
}

/// Most sessions have no script to run.
void supervisor_state::need_runner() {
  if (!runner.at.actor)
    spawn_helper(runner, layer::runner, cfg->parts.spawn_runner());
}

// -- the heartbeat: the loop first, then every layer --

void supervisor_state::beat() {
  if (doing == activity::done)
    return;
  self->delayed_send(handle(), cfg->heartbeat, atom::beat_v);
  if (!loop_beat) {
    beat_layers();
    return;
  }
  self->request(loop_beat, cfg->heartbeat, atom::beat_v)
    .then(
      [this](uint64_t) {
        beat_layers();
      },
      [this](const caf::error& err) {
        if (err == caf::sec::request_timeout)
          loop_silent();
      });
}

void supervisor_state::beat_layers() {
  if (doing != activity::running)
    return;
  tree.for_each_actor([this](const caf::actor_addr& who) {
    auto which = tree.find(who);
    self->request(which->hdl, cfg->heartbeat, atom::status_v)
      .then([](const layer_status&) {},
            [this, who](const caf::error& err) {
              // Unless another one sits there by now.
              auto still = tree.find(who);
              if (still && err == caf::sec::request_timeout)
                layer_lost(*still, succession::stuck, "no heartbeat");
            });
  });
}

/// One event, and not one for each layer. Nothing that lives on the loop can be
/// asked or ended any more, so the process has to go.
void supervisor_state::loop_silent() {
  if (doing == activity::done)
    return;
  doing = activity::done;
  begin_generation();
  self->send(cfg->listener,
             session_ended{reason::internal, "the I/O loop does not turn"});
  tree.kill();
  end_helpers();
  self->quit();
}

// -- what becomes of this host --

/// Another network may be there: nobody waits any longer for the next try, and
/// an address that a socket was bound to takes the socket with it.
void supervisor_state::addresses_gone(const std::vector<ip_address>& gone) {
  auto now = cfg->clock->now().steady;
  if (doing == activity::waiting && !armed.empty() && next && plan) {
    // Not past what the server has asked for, and not with every route that
    // somebody else changes.
    if (wait_is_ordered || now < may_hurry_at)
      return;
    may_hurry_at = now + hurry_pause;
    plan->hurry();
    note("This host's network has changed, trying at once");
    begin_generation();
    go_on();
    return;
  }
  if (doing != activity::running)
    return;
  auto lost
    = std::find(gone.begin(), gone.end(), facts.local.address) != gone.end();
  if (!lost) {
    keep_way_to_server([this] {
      ping();
    });
    return;
  }
  auto what
    = "this host has lost its address " + to_string(facts.local.address);
  if (session_cfg.tcp
      || session->state() != protocol::session_state::connected) {
    session_failed({reason::transport_failed, std::move(what)});
    return;
  }
  note(what + ": going on from another one");
  keep_way_to_server([this] {
    tree.keep_socket(nullptr);
    tree.respawn(layer::network, succession::dead);
    follow_layers();
    self->send(tree.network(), atom::start_v);
  });
}

/// A tunnel that takes everything in must not take the way to its own server.
void supervisor_state::keep_way_to_server(std::function<void()> then) {
  if (!tunnel_stands) {
    then();
    return;
  }
  ask_helper<routes_result>(
    host, host_limit,
    while_running<const routes_result&>([this, then](const routes_result& x) {
      for (const auto& text : x.warnings)
        warn(text);
      then();
    }),
    while_running<bool>([then](bool) {
      then();
    }),
    atom::exempt_v, outer_remote);
}

void supervisor_state::woke(uint64_t slept) {
  note("The machine has slept for " + std::to_string(slept) + " second(s)");
  addresses_gone({});
}

/// Whether the peer still hears us, and from where, is found out at once.
void supervisor_state::ping() {
  if (doing == activity::running
      && session->state() == protocol::session_state::connected)
    self->send(tree.data(), atom::ping_v);
}

// -- a session beside the next one --

void supervisor_state::go_beside(time_point until) {
  end_beside();
  note("The old key carries data until a new session stands");
  beside = std::make_unique<session_beside>();
  beside->number = ++sessions_beside;
  beside->owes_goodbye = session->owes_goodbye();
  beside->tree = std::move(tree);
  beside->tree.fall_silent();
  tree = {};
  follow_layers();
  begin_generation();
  doing = activity::waiting;
  session.reset();
  call_off_questions();
  tunnel_under_way = tunnel_wanted_again = restoring = false;
  self->scheduled_send(handle(), until, atom::detach_v, beside->number);
}

void supervisor_state::end_beside() {
  if (!beside)
    return;
  beside->tree.kill();
  beside = nullptr;
  follow_layers();
}

} // namespace vpn::actors
