#include "vpn/actors/supervisor.hpp"

#include "vpn/actors/handlers.hpp"

#include "supervisor_state.hpp"

namespace vpn::actors {

using protocol::phase;
using protocol::session_notice;

namespace {

/// A name look-up.
constexpr auto resolve_limit = std::chrono::seconds{30};

} // namespace

supervisor_actor supervisor_state::handle() {
  return supervisor_actor{self};
}

// -- one try after the other --

void supervisor_state::start() {
  if (doing != activity::idle)
    return;
  host = cfg->parts.spawn_host();
  if (cfg->session.self == protocol::role::server) {
    connect(cfg->network.remote, cfg->network.tcp);
    return;
  }
  resolver = cfg->parts.spawn_resolver();
  plan.emplace(cfg->plan);
  next_try({});
}

void supervisor_state::next_try(duration at_least) {
  auto step = plan->next_step(at_least);
  if (!step) {
    // What went wrong was told when it happened; its reason ends the session.
    finish({last_reason, {}});
    return;
  }
  if (last_reason != reason::none || restarting) {
    note("SIGUSR1[" + (restarting ? "hard" : "soft," + to_string(last_reason))
         + "] received, process restarting");
    enter(phase::reconnecting, to_string(last_reason));
    restarting = false;
  }
  begin_generation();
  doing = activity::waiting;
  if (step->delay > duration::zero())
    note(
      "Restart pause, "
      + std::to_string(
        std::chrono::duration_cast<std::chrono::seconds>(step->delay).count())
      + " second(s)");
  auto go = [this, at = *step] {
    const auto& remote = plan->remote(at.remote);
    if (at.address)
      connect(*at.address, remote.tcp);
    else
      resolve(at.remote);
  };
  if (step->delay > duration::zero()) {
    next = go;
    wake_at(cfg->clock->now().steady + step->delay);
  } else {
    go();
  }
}

void supervisor_state::resolve(size_t index) {
  const auto& remote = plan->remote(index);
  enter(phase::resolve, remote.host);
  self
    ->request(
      resolver, resolve_limit,
      resolve_request{remote.host, remote.port, remote.kind, remote.tcp})
    .then(
      [this, index, g = generation](const resolve_result& x) {
        if (g == generation && doing == activity::waiting)
          resolved(index, x);
      },
      [this, index, g = generation](const caf::error&) {
        if (g == generation && doing == activity::waiting)
          resolved(index, {{},
                           {reason::resolve_failed,
                            "looking up the server's name took too long"}});
      });
}

void supervisor_state::resolved(size_t index, const resolve_result& result) {
  if (result.endpoints.empty()) {
    note("RESOLVE: " + result.what.text, session_notice::level::warning);
    last_reason = reason::resolve_failed;
    next_try({});
    return;
  }
  auto first = result.endpoints.front();
  plan->handle_resolved({result.endpoints.begin() + 1, result.endpoints.end()});
  connect(first, plan->remote(index).tcp);
}

void supervisor_state::connect(const endpoint& remote, bool tcp) {
  begin_generation();
  doing = activity::running;
  session_cfg = cfg->session;
  session_cfg.remote = remote;
  session_cfg.tcp = tcp;
  use_token();
  protocol::options_string_config opts;
  opts.self = session_cfg.self;
  opts.tcp = tcp;
  opts.ipv6 = remote.address.kind == family::v6;
  opts.auth = cfg->auth;
  opts.tun_mtu = session_cfg.pull.tunnel.mtu;
  opts.tls_auth = cfg->wrap.mode == protocol::wrap_mode::tls_auth;
  if (opts.tls_auth
      && cfg->wrap.direction != protocol::key_direction::bidirectional)
    opts.key_direction
      = cfg->wrap.direction == protocol::key_direction::inverse ? 1 : 0;
  session_cfg.options = protocol::make_options_string(opts);
  auto network = cfg->network;
  network.remote = remote;
  network.tcp = tcp;
  network.connect_timeout = session_cfg.connect_timeout;
  if (tcp)
    enter(phase::tcp_connect, to_string(remote));
  else
    enter(phase::connecting, to_string(remote));
  note(std::string{"TCP/UDP: Preserving recently used remote address: "}
       + (remote.address.kind == family::v6 ? "[AF_INET6]" : "[AF_INET]")
       + to_string(remote));
  session.emplace(session_cfg, cfg->clock->now());
  tree = spawn_tree(self->system(), *cfg, network, handle());
  monitor_layers();
  self->send(tree.network, atom::start_v);
}

void supervisor_state::restart() {
  if (doing != activity::running || !plan || stopping)
    return;
  restarting = true;
  last_reason = reason::none;
  plan->handle_connected(); // nothing is wrong with this server
  close([this] {
    next_try({});
  });
}

void supervisor_state::stop(reason why) {
  if (stopping)
    return;
  stopping = true;
  stop_reason = why;
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
    case activity::done:
      break;
  }
}

// -- small things --

void supervisor_state::note(std::string text, session_notice::level severity) {
  self->send(cfg->listener, session_notice{severity, std::move(text)});
}

void supervisor_state::enter(phase what, std::string detail) {
  self->send(cfg->listener, protocol::phase_began{what, std::move(detail)});
}

void supervisor_state::begin_generation() {
  ++generation;
  armed.reset();
}

void supervisor_state::go_on() {
  auto f = std::move(next);
  next = nullptr;
  if (f)
    f();
}

void supervisor_state::wake_at(time_point due) {
  if (armed && *armed <= due)
    return;
  armed = due;
  self->scheduled_send(handle(), due, atom::timeout_v, generation);
}

void supervisor_state::monitor_layers() {
  tree.for_each([this](const layer_actor& layer) {
    self->monitor(layer);
  });
}

void supervisor_state::child_down(const caf::down_msg& dm) {
  if (doing != activity::running)
    return;
  session->handle_failure(
    {reason::internal, "a layer died: " + self->system().render(dm.reason)},
    cfg->clock->now());
  drain();
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
  tree.for_each([&](const layer_actor& layer) {
    ++all->pending;
    self->request(layer, layer_limit, atom::status_v)
      .then(
        [take](layer_status& x) {
          take(std::move(x));
        },
        [take](const caf::error&) {
          take({"?", "does not answer"});
        });
  });
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
    if (st.doing == activity::running) {
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
    [&st](atom::status) {
      return st.collect_status();
    },
    [&st](atom::timeout, uint64_t generation) {
      if (generation != st.generation)
        return;
      st.armed.reset();
      switch (st.doing) {
        case activity::waiting:
          st.go_on();
          break;
        case activity::running:
          st.session->handle_timeout(st.cfg->clock->now());
          st.drain();
          break;
        case activity::closing:
          st.closed();
          break;
        default:
          break;
      }
    },
    [=, &st](const transport_up& x) {
      with_session([&](protocol::session& s, instant now) {
        st.note(
          std::string{st.session_cfg.tcp ? "TCPv" : "UDPv"}
          + (x.remote.address.kind == family::v6 ? "6" : "4") + " link remote: "
          + (x.remote.address.kind == family::v6 ? "[AF_INET6]" : "[AF_INET]")
          + to_string(x.remote));
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
    [=](const peer_answered& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_peer_answered(x.key_id, now);
      });
    },
    [=](negotiation_fact& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_negotiation(x.key_id, std::move(x.event), now);
      });
    },
    [=](const key_installed& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_key_installed(x.key_id, now);
      });
    },
    [=](data_fact& x) {
      with_session([&](protocol::session& s, instant now) {
        s.handle_data_event(x.event, now);
      });
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
