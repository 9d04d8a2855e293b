#include "vpn/actors/supervisor.hpp"

#include "vpn/actors/handlers.hpp"

#include "supervisor_state.hpp"

namespace vpn::actors {

using protocol::phase;
using protocol::session_notice;

supervisor_actor supervisor_state::handle() {
  return supervisor_actor{self};
}

// -- one try after the other --

void supervisor_state::start() {
  if (doing != activity::idle)
    return;
  faults = cfg->faults;
  spawn_helpers();
  if (cfg->session.self == protocol::role::server) {
    connect(cfg->network.remote);
    return;
  }
  plan.emplace(cfg->plan, cfg->random);
  creds = protocol::credentials{cfg->credentials};
  next_try({});
}

void supervisor_state::stop(reason why) {
  if (stopping) {
    if (doing == activity::closing)
      give_up_layers();
    return;
  }
  stopping = true;
  stop_reason = why;
  if (beside && beside->owes_goodbye)
    self->send(beside->tree.data(), atom::leave_v);
  switch (doing) {
    case activity::idle:
    case activity::waiting:
      finish({why, {}});
      break;
    case activity::running:
      session->stop(why, cfg->clock->now());
      drain();
      break;
    case activity::closing:
      break; // which ends as it would have, and nothing comes after it
    case activity::done:
      break;
  }
}

void supervisor_state::restart() {
  // People who do not want to wait for the next try say it with this signal.
  if (doing == activity::waiting && !armed.empty() && next) {
    begin_generation();
    go_on();
    return;
  }
  if (doing != activity::running || !plan || stopping)
    return;
  restarting = true;
  last_reason = reason::none;
  ending = "sigusr1";
  comes_back = true;
  plan->handle_connected(); // nothing is wrong with this server
  close([this] {
    next_try({});
  });
}

/// SIGHUP: what the next try works by. HOST compares, so what is equal stays.
void supervisor_state::reconfigure(config_ptr x) {
  if (stopping || !plan)
    return;
  next_cfg = std::move(x);
  restarting = true;
  last_reason = reason::none;
  ending = "sighup";
  switch (doing) {
    case activity::waiting:
      call_off_questions();
      begin_generation();
      next_try({}, true);
      break;
    case activity::running:
      comes_back = true;
      close([this] {
        next_try({}, true);
      });
      break;
    default:
      break; // the closing under way ends with the next try, or with the end
  }
}

void supervisor_state::take_configuration() {
  if (!next_cfg)
    return;
  cfg = std::exchange(next_cfg, nullptr);
  plan.emplace(cfg->plan, cfg->random);
  creds = protocol::credentials{cfg->credentials};
  faults = cfg->faults;
  fit_faults();
}

// -- small things --

void supervisor_state::note(std::string text, session_notice::level severity) {
  self->send(cfg->listener, session_notice{severity, std::move(text)});
}

std::string socket_family(const endpoint& x) {
  return x.address.kind == family::v6 ? "[AF_INET6]" : "[AF_INET]";
}

std::string socket_name(const endpoint& x) {
  return socket_family(x) + to_string(x);
}

void supervisor_state::enter(phase what, std::string detail) {
  self->send(cfg->listener, protocol::phase_began{what, std::move(detail)});
}

void supervisor_state::begin_generation() {
  ++generation;
  armed.clear();
}

void supervisor_state::go_on() {
  auto f = std::move(next);
  next = nullptr;
  if (f)
    f();
}

void supervisor_state::wake_at(time_point due) {
  if (!armed.empty() && armed.back() <= due)
    return;
  armed.push_back(due);
  self->scheduled_send(handle(), due, atom::timeout_v, generation);
}

/// Asks all layers and answers when the last one has; a layer that does not
/// answer says so.
caf::result<std::vector<layer_status>> supervisor_state::collect_status() {
  struct collection {
    caf::typed_response_promise<std::vector<layer_status>> promise;
    std::vector<layer_status> got;
    size_t pending = 0;
  };
  auto all = std::make_shared<collection>();
  all->promise = self->make_response_promise<std::vector<layer_status>>();
  auto take = [all](layer_status x) {
    all->got.push_back(std::move(x));
    if (--all->pending == 0)
      all->promise.deliver(std::move(all->got));
  };
  tree.for_each([&](const layer_seat& layer) {
    ++all->pending;
    self->request(layer.hdl, layer_limit, atom::status_v)
      .then(
        [take](layer_status& x) {
          take(std::move(x));
        },
        [take, name = to_string(layer.what)](const caf::error&) {
          take({name, "does not answer", {}});
        });
  });
  auto ask_fault = [&](const fault_control_actor& fault) {
    ++all->pending;
    self->request(fault, layer_limit, atom::fault_v, atom::status_v)
      .then(
        [take](layer_status& x) {
          take(std::move(x));
        },
        [take](const caf::error&) {
          take({"fault", "does not answer", {}});
        });
  };
  tree.for_each_fault(ask_fault);
  for (const auto& x :
       {host.at.gate_control, resolver.at.gate_control, runner.at.gate_control})
    if (x)
      ask_fault(x);
  if (all->pending == 0)
    all->promise.deliver(std::move(all->got));
  return all->promise;
}

namespace {

supervisor_actor::behavior_type
supervisor(supervisor_actor::stateful_pointer<supervisor_state> self,
           std::shared_ptr<const supervisor_config> cfg) {
  install_handlers(self);
  auto& st = self->state;
  st.self = self;
  st.cfg = std::move(cfg);
  self->set_down_handler([&st](caf::scheduled_actor*, caf::down_msg& dm) {
    st.child_down(dm);
  });
  auto with_session = [&st](auto f) {
    // What a session that is over had still to say is not about this one.
    const auto& from = st.self->current_sender();
    if (st.doing == activity::running && (!from || st.tree.is_heard(from))) {
      f(*st.session, st.cfg->clock->now());
      st.drain();
    }
  };
  return {
    [&st](atom::start) {
      st.start();
    },
    [&st](atom::stop, reason why) {
      st.stop(why);
    },
    [&st](atom::restart) {
      st.restart();
    },
    [&st](atom::apply, config_ptr& x) {
      st.reconfigure(std::move(x));
    },
    [&st](atom::status) {
      return st.collect_status();
    },
    [&st](atom::fault, const std::string& text) {
      return st.set_fault(text);
    },
    [&st](atom::pause, bool x) {
      st.pause_faults(x);
    },
    [&st](atom::clear) {
      st.clear_faults();
    },
    [&st](atom::beat) {
      st.beat();
    },
    [&st](atom::detach, uint64_t number) {
      if (st.beside && st.beside->number == number)
        st.end_beside();
    },
    [&st](atom::timeout, uint64_t generation) {
      if (generation != st.generation)
        return;
      if (!st.armed.empty())
        st.armed.pop_back();
      switch (st.doing) {
        case activity::waiting:
          st.go_on();
          break;
        case activity::running:
          st.session->handle_timeout(st.cfg->clock->now());
          st.drain();
          break;
        case activity::closing:
          st.closing_timed_out();
          break;
        default:
          break;
      }
    },
    [&st](atom::route, uint64_t generation) {
      if (generation == st.generation && st.doing == activity::running)
        st.ask_for_routes();
    },
    [=, &st](const transport_up& x) {
      with_session([&](protocol::session& s, instant now) {
        st.facts.local = x.local;
        st.tree.keep_socket(x.socket);
        if (s.state() != protocol::session_state::idle) {
          // A NETWORK that came back, or moved.
          if (st.told.socket)
            st.self->send(st.tree.network(), *st.told.socket);
          st.ping();
          return;
        }
        st.note(std::string{st.session_cfg.tcp ? "TCPv" : "UDPv"}
                + (x.remote.address.kind == family::v6 ? "6" : "4")
                + " link remote: " + socket_name(x.remote));
        s.start(now);
      });
    },
    [=](layer_failed& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_failure(std::move(x.what), now);
      });
    },
    [=](const peer_known& x) {
      with_session([&](protocol::session& s, instant) {
        s.handle_peer_known(x.local, x.remote);
      });
    },
    [=](const soft_reset_seen& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_soft_reset(x.key_id, now);
      });
    },
    [=, &st](const peer_answered& x) {
      with_session([&](protocol::session& s, instant now) {
        if (x.key_id != 0) {
          st.tree.end_lingering();
          st.follow_layers();
        }
        s.handle_peer_answered(x.key_id, now);
      });
    },
    [=, &st](negotiation_fact& x) {
      with_session([&](protocol::session& s, instant now) {
        st.remember_peer(x.event);
        s.handle_negotiation(x.key_id, std::move(x.event), now);
      });
    },
    [=](const key_installed& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_key_installed(x.key_id, now);
      });
    },
    [=](const control_key_installed& x) {
      with_session([&](protocol::session& s, instant now) {
        if (x.ok)
          s.handle_control_key_installed(now);
        else
          s.handle_failure({reason::internal, "no key for dynamic tls-crypt"},
                           now);
      });
    },
    [=](data_fact& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_data_event(x.event, now);
      });
    },
    [&st](const addresses_changed& x) {
      st.addresses_gone(x.gone);
    },
    [&st](const host_woke& x) {
      st.woke(x.slept);
    },
  };
}

} // namespace

supervisor_actor
spawn_supervisor(caf::actor_system& sys,
                 std::shared_ptr<const supervisor_config> cfg) {
  return sys.spawn(supervisor, std::move(cfg));
}

} // namespace vpn::actors
