// One try: what a person must say, names, the socket and its layers.
#include "supervisor_state.hpp"

namespace vpn::actors {

using protocol::phase;

namespace {

/// A name look-up.
constexpr auto resolve_limit = std::chrono::seconds{30};

} // namespace

void supervisor_state::next_try(duration at_least, bool at_once) {
  if (stopping) {
    finish({stop_reason, {}});
    return;
  }
  take_configuration();
  auto step = plan->next_step(at_least);
  if (step && at_once)
    step->delay = {};
  if (!step) {
    // What went wrong was told when it happened; its reason ends the session.
    finish({last_reason, {}});
    return;
  }
  if (last_reason != reason::none || restarting) {
    if (ending != "sighup")
      note("SIGUSR1["
           + (restarting ? "hard"
                         : "soft,"
                             + (restart_note.empty() ? restart_word(last_reason)
                                                     : restart_note))
           + "] received, process restarting");
    enter(phase::reconnecting,
          restarting ? std::string{} : to_string(last_reason));
    restarting = false;
    restart_note.clear();
  }
  begin_generation();
  doing = activity::waiting;
  wait_is_ordered = at_least > duration::zero();
  if (step->delay > duration::zero())
    note("Restart pause, "
         + std::to_string(
           std::chrono::ceil<std::chrono::seconds>(step->delay).count())
         + " second(s)");
  auto go = [this, at = *step] {
    with_credentials([this, at] {
      begin_try(at);
    });
  };
  if (step->delay > duration::zero()) {
    next = go;
    wake_at(cfg->clock->now().steady + step->delay);
  } else {
    go();
  }
}

void supervisor_state::begin_try(const protocol::connect_plan::step& at) {
  if (at.address)
    connect(*at.address, &plan->remote(at.remote));
  else
    resolve(at.remote);
}

void supervisor_state::with_credentials(std::function<void()> then) {
  auto question = creds.poll_question();
  if (!question) {
    then();
    return;
  }
  auto nobody = [this] {
    failure what{reason::auth_pending, "user name and password are needed and "
                                       "nobody could be asked for them"};
    if (doing == activity::running)
      session_failed(std::move(what));
    else
      finish(std::move(what));
  };
  ask(*question, [this, then, nobody, g = generation](protocol::answer x) {
    if (g != generation)
      return;
    if (!x.given) {
      nobody();
      return;
    }
    creds.handle_answer(std::move(x));
    with_credentials(then);
  });
}

/// A person takes as long as a person takes, so there is no time limit; but who
/// dies over a question has left it unanswered.
void supervisor_state::ask(const protocol::question& what,
                           std::function<void(protocol::answer)> then) {
  if (!prompter && cfg->parts.spawn_prompter) {
    prompter = cfg->parts.spawn_prompter();
    self->monitor(prompter);
  }
  if (!prompter) {
    then({});
    return;
  }
  auto id = ++questions_asked;
  open_questions[id] = std::move(then);
  self->request(prompter, caf::infinite, atom::ask_v, what)
    .then(
      [this, id](protocol::answer& x) {
        answered(id, std::move(x));
      },
      [this, id](const caf::error&) {
        answered(id, {});
      });
}

void supervisor_state::answered(uint64_t id, protocol::answer x) {
  auto i = open_questions.find(id);
  if (i == open_questions.end())
    return;
  auto then = std::move(i->second);
  open_questions.erase(i);
  then(std::move(x));
}

// -- names --

/// A proxy is told the server's name and looks it up itself; only datagrams
/// through SOCKS need the server's address here.
void supervisor_state::resolve(size_t index) {
  const auto& remote = plan->remote(index);
  const auto& proxy = remote.settings.proxy;
  if (proxy.kind == protocol::proxy_kind::none || !remote.tcp) {
    auto kind
      = proxy.kind == protocol::proxy_kind::none ? remote.kind : family::v4;
    enter(phase::resolve, remote.host);
    ask_resolver(
      {remote.host, remote.port, kind, remote.tcp},
      [this, index, is_direct = proxy.kind == protocol::proxy_kind::none](
        const resolve_result& x) {
        if (is_direct || x.endpoints.empty())
          resolved(index, x, {});
        else
          resolve_proxy(index, x.endpoints.front());
      });
    return;
  }
  resolve_proxy(index, {});
}

void supervisor_state::resolve_proxy(size_t index, const endpoint& target) {
  const auto& proxy = plan->remote(index).settings.proxy;
  enter(phase::resolve, proxy.host);
  ask_resolver({proxy.host, proxy.port, family::unspecified, true},
               [this, index, target](const resolve_result& x) {
                 resolved(index, x, target);
               });
}

void supervisor_state::ask_resolver(
  resolve_request what, std::function<void(const resolve_result&)> then) {
  ask_helper<resolve_result>(
    resolver, resolve_limit,
    [this, then, g = generation](const resolve_result& x) {
      if (g == generation && doing == activity::waiting)
        then(x);
    },
    [this, then, g = generation](bool died) {
      if (!died)
        replace_resolver();
      if (g == generation && doing == activity::waiting)
        then({{},
              {reason::resolve_failed,
               died ? "the name look-up broke off"
                    : "looking up the server's name took too long"}});
    },
    std::move(what));
}

void supervisor_state::resolved(size_t index, const resolve_result& result,
                                const endpoint& target) {
  if (result.endpoints.empty()) {
    resolve_failed(result.what);
    return;
  }
  unresolved_since.reset();
  proxy_target = target;
  auto first = result.endpoints.front();
  plan->handle_resolved({result.endpoints.begin() + 1, result.endpoints.end()});
  connect(first, &plan->remote(index));
}

void supervisor_state::resolve_failed(const failure& what) {
  warn("RESOLVE: " + what.text);
  last_reason = reason::resolve_failed;
  auto now = cfg->clock->now().steady;
  if (!unresolved_since)
    unresolved_since = now;
  if (cfg->resolve_retry != duration::max()
      && now - *unresolved_since >= cfg->resolve_retry) {
    finish(what);
    return;
  }
  next_try({});
}

// -- one connection --

namespace {

std::string options_string(const protocol::session_config& session,
                           const protocol::wrap_config& wrap) {
  protocol::options_string_config opts;
  opts.self = session.self;
  opts.tcp = session.tcp;
  opts.ipv6 = session.remote.address.kind == family::v6;
  opts.auth = session.digest;
  opts.tun_mtu = session.pull.tunnel.mtu;
  opts.compression
    = session.pull.framing != protocol::compression_framing::none;
  opts.fragment = session.fragment.size > 0;
  opts.tls_auth = wrap.mode == protocol::wrap_mode::tls_auth;
  if (opts.tls_auth && wrap.direction != protocol::key_direction::bidirectional)
    opts.key_direction
      = wrap.direction == protocol::key_direction::inverse ? 1 : 0;
  return protocol::make_options_string(opts);
}

} // namespace

void supervisor_state::connect(const endpoint& remote,
                               const protocol::remote_entry* entry) {
  begin_generation();
  doing = activity::running;
  const auto& settings = entry ? entry->settings : cfg->settings;
  session_cfg = cfg->session;
  session_cfg.remote = remote;
  if (cfg->random) {
    std::array<uint8_t, 4> draw{};
    cfg->random(draw.data(), draw.size());
    session_cfg.reneg_draw = load_u32(draw.data());
  }
  session_cfg.tcp = entry ? entry->tcp : cfg->network.tcp;
  session_cfg.connect_timeout = settings.connect_timeout;
  session_cfg.exit_notify = settings.exit_notify;
  session_cfg.mssfix = settings.mssfix;
  session_cfg.fragment = settings.fragment;
  session_cfg.pull.tunnel.mtu = settings.tun_mtu;
  session_cfg.pull.tunnel.server = remote;
  auto network = cfg->network;
  network.remote = remote;
  network.tcp = session_cfg.tcp;
  network.connect_timeout = settings.connect_timeout;
  network.local_address = settings.local_address;
  network.local_port = settings.local_port;
  port_is_fixed = settings.local_port != 0;
  network.ipv6_only = settings.ipv6_only;
  network.floats = settings.floats;
  if (settings.proxy.kind != protocol::proxy_kind::none) {
    network.proxy
      = std::make_shared<const protocol::proxy_config>(settings.proxy);
    network.target_host = entry->host;
    network.target_port = entry->port;
    network.target = proxy_target;
    session_cfg.socks = !session_cfg.tcp;
  }
  session_cfg.options = options_string(session_cfg, settings.wrap);
  facts = {};
  facts.extra = cfg->environment;
  facts.host = entry ? entry->host : std::string{};
  facts.port = entry ? entry->port : std::string{};
  facts.tcp = session_cfg.tcp;
  facts.remote = remote;
  enter(session_cfg.tcp ? phase::tcp_connect : phase::connecting,
        to_string(remote));
  note("TCP/UDP: Preserving recently used remote address: "
       + socket_name(remote));
  if (network.proxy)
    note("Attempting to reach " + facts.host + ":" + facts.port
         + " through the proxy " + settings.proxy.host);
  session.emplace(session_cfg, cfg->clock->now());
  told = {};
  tree = session_tree{
    {&self->system(), cfg, settings, std::move(network), handle(), &faults}};
  follow_layers();
  outer_remote = remote;
  keep_way_to_server([this] {
    self->send(tree.network(), atom::start_v);
  });
}

} // namespace vpn::actors
