#include <caf/send.hpp>

#include "supervisor_state.hpp"

namespace vpn::actors {

void supervisor_state::close(std::function<void()> then) {
  auto keeps_device = comes_back && !stopping && tunnel_stands
                      && (cfg->persist_tun || next_cfg || beside
                          || (session && session->options()
                              && session->options()->persist_tun));
  comes_back = false;
  // Nobody has answered yet, so nobody will acknowledge a last word.
  if (session && !session->heard_peer())
    tree.close_negotiations();
  begin_generation();
  doing = activity::closing;
  session.reset();
  call_off_questions();
  tunnel_under_way = tunnel_wanted_again = restoring = false;
  next = std::move(then);
  closing_steps.clear();
  // Top-down: what a layer still has goes to the one below before that one is
  // asked. The device lives until the tree is killed, after HOST has undone
  // what hangs on it.
  tree.for_each([this](const layer_seat& layer) {
    add_closing_step(
      [this, hdl = layer.hdl](const std::function<void()>& done) {
        self->request(hdl, layer_limit, atom::shutdown_v)
          .then(
            [done](const layer_status&) {
              done();
            },
            [done](const caf::error&) {
              done();
            });
      });
  });
  closing_step = 0;
  layers_to_close = closing_steps.size();
  if (keeps_device)
    close_keeping_device();
  else
    add_undo_steps();
  closing_until = cfg->clock->now().steady + closing_limit;
  wake_at(closing_until);
  close_next();
}

/// `persist-tun`: only `up-restart` scripts hear of a reconnect.
void supervisor_state::close_keeping_device() {
  standing.restart = true;
  standing.signal = signal_word();
  if (cfg->scripts.up_restart)
    add_script_step("down", cfg->scripts.down, script_arguments(standing));
}

/// Takes the tunnel away, and tells the scripts about it as it stood.
void supervisor_state::add_undo_steps() {
  const auto& scripts = cfg->scripts;
  standing.restart = false;
  standing.signal = signal_word();
  if (routes_stand)
    add_script_step("route-pre-down", scripts.route_pre_down,
                    script_arguments(standing));
  if (tunnel_stands && scripts.down_pre)
    add_script_step("down", scripts.down, script_arguments(standing));
  add_closing_step([this](const std::function<void()>& done) {
    undo_tunnel(done);
  });
  if (routes_stand)
    add_script_step("dns-down", scripts.dns_updown, {});
  if (tunnel_stands && !scripts.down_pre)
    add_script_step("down", scripts.down, script_arguments(standing));
  tunnel_stands = up_ran = routes_stand = false;
}

/// The journal outlives HOST: the next one undoes what is in it.
void supervisor_state::undo_tunnel(const std::function<void()>& done) {
  respawn_host(); // one that died too often is needed once more
  ask_helper<layer_status>(
    host, host_limit,
    [done](const layer_status&) {
      done();
    },
    [this, done](bool died) {
      if (died)
        undo_tunnel(done);
      else
        done();
    },
    atom::undo_v);
}

/// Variable `signal`: why the tunnel goes down.
std::string supervisor_state::signal_word() const {
  if (!stopping)
    return ending;
  return stop_reason == reason::interrupted ? "sigint" : "sigterm";
}

void supervisor_state::add_closing_step(
  std::function<void(const std::function<void()>&)> step) {
  closing_steps.emplace_back([this, step, g = generation] {
    step([this, g, n = closing_step] {
      if (g == generation && n == closing_step)
        close_next();
    });
  });
}

void supervisor_state::add_script_step(const char* type,
                                       const std::vector<std::string>& words,
                                       std::vector<std::string> more) {
  if (words.empty())
    return;
  add_closing_step([this, type, all = with_arguments(words, more)](
                     const std::function<void()>& done) {
    // Its time does not count.
    auto begin = cfg->clock->now().steady;
    auto until = closing_until;
    closing_until += script_limit;
    run_script(type, all, standing,
               [this, done, begin, until, g = generation](bool) {
                 if (g == generation) {
                   closing_until = until + (cfg->clock->now().steady - begin);
                   wake_at(closing_until);
                 }
                 done();
               });
  });
}

void supervisor_state::close_next() {
  if (closing_steps.empty()) {
    closed();
    return;
  }
  auto step = std::move(closing_steps.front());
  closing_steps.pop_front();
  ++closing_step;
  if (closing_step > 1 && layers_to_close > 0)
    --layers_to_close;
  step();
}

/// Layers that do not answer are given up; what undoes the tunnel and tells the
/// user's scripts still has its turn.
void supervisor_state::closing_timed_out() {
  auto now = cfg->clock->now().steady;
  if (closing_until > now) {
    wake_at(closing_until);
    return;
  }
  if (layers_to_close == 0)
    closed();
  else
    give_up_layers();
}

void supervisor_state::give_up_layers() {
  if (layers_to_close == 0)
    return;
  closing_steps.erase(closing_steps.begin(),
                      closing_steps.begin()
                        + static_cast<std::ptrdiff_t>(layers_to_close - 1));
  layers_to_close = 0;
  ++closing_step; // whoever answers now is too late
  closing_until = cfg->clock->now().steady + closing_limit;
  wake_at(closing_until);
  close_next();
}

void supervisor_state::closed() {
  begin_generation(); // answers still under way belong to the past
  closing_steps.clear();
  tree.kill();
  follow_layers();
  doing = activity::waiting;
  go_on();
}

void supervisor_state::finish(failure what) {
  if (doing == activity::done)
    return;
  if (tunnel_stands) {
    // A device that was kept for the next try goes too.
    close([this, what] {
      finish(what);
    });
    return;
  }
  doing = activity::done;
  begin_generation();
  end_helpers();
  if (stopping)
    what.why = stop_reason;
  self->send(cfg->listener, session_ended{what.why, what.text});
  self->quit();
}

/// A question of a session that is over would take the answer to the next one,
/// and a server that asks and restarts would queue one after the other.
void supervisor_state::call_off_questions() {
  if (open_questions.empty())
    return;
  open_questions.clear();
  self->demonitor(prompter.address());
  caf::anon_send_exit(prompter, caf::exit_reason::user_shutdown);
  prompter = nullptr;
  if (cfg->parts.call_off_prompter)
    cfg->parts.call_off_prompter();
}

void supervisor_state::end_helpers() {
  end_beside();
  for (auto* x : {&host.unanswered, &resolver.unanswered, &runner.unanswered})
    x->clear();
  end(host.at);
  end(resolver.at);
  end(runner.at);
  end(prompter);
  end(loop_beat);
  end(host_watch);
}

supervisor_state::~supervisor_state() {
  if (doing == activity::done || doing == activity::idle)
    return;
  tree.kill();
  end_helpers();
  caf::anon_send(cfg->listener,
                 session_ended{reason::internal, "the supervisor died"});
}

} // namespace vpn::actors
