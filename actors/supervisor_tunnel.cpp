// The tunnel on this host: addresses, `up`, routes, `route-up`, in this order.
#include <utility>

#include "supervisor_state.hpp"

namespace vpn::actors {

namespace {

/// A script's time, as RUNNER knows it.
constexpr auto script_seconds = std::chrono::duration<uint32_t>{60};
static_assert(script_seconds < script_limit);

} // namespace

void supervisor_state::perform(protocol::apply_tunnel& x) {
  facts.tunnel = x.config;
  facts.extra = cfg->environment;
  if (const auto& opts = session->options())
    for (const auto& [key, value] : opts->environment)
      facts.extra.emplace_back("OPENVPN_" + key, value);
  if (const auto& opts = session->options();
      opts && opts->verbosity && cfg->parts.set_verbosity)
    cfg->parts.set_verbosity(*opts->verbosity);
  auto digest = protocol::digest_of(session->pushed());
  auto changed = tunnel_stands && digest != tunnel_digest
                 && session->state() != protocol::session_state::connected;
  tunnel_digest = std::move(digest);
  if (changed)
    reopen_device();
  else
    ask_for_tunnel();
}

/// A device that was kept over a reconnect and does not fit what the server
/// pushes now.
void supervisor_state::reopen_device() {
  note("NOTE: Pulled options changed on restart, will need to close and reopen "
       "TUN/TAP device.");
  closing_steps.clear();
  add_undo_steps();
  add_closing_step([this](const std::function<void()>&) {
    ask_for_tunnel();
  });
  close_next();
}

/// One tunnel after the other: what is wanted meanwhile waits for its turn, and
/// only the latest counts.
void supervisor_state::ask_for_tunnel() {
  if (tunnel_under_way) {
    tunnel_wanted_again = true;
    return;
  }
  tunnel_under_way = true;
  ask_helper<tunnel_device>(
    host, host_limit,
    while_running<tunnel_device&>([this](tunnel_device& what) {
      tunnel_applied(what);
    }),
    while_running<bool>([this](bool died) {
      // The next HOST compares, and goes on.
      tunnel_under_way = false;
      if (died)
        ask_for_tunnel();
      else
        session_failed(
          {reason::host_failed, "setting up the tunnel took too long"});
    }),
    atom::apply_v, facts.tunnel);
}

/// HOST was replaced while the tunnel stood: the new one finds in the journal
/// what was there, and changes what differs.
void supervisor_state::host_returned() {
  if (doing != activity::running || !tunnel_stands || tunnel_under_way)
    return;
  restoring = true;
  ask_for_tunnel();
}

void supervisor_state::tunnel_applied(tunnel_device& what) {
  if (what.what.why != reason::none) {
    session_failed(what.what);
    return;
  }
  for (auto& text : what.warnings)
    warn(text);
  opened = what;
  if (host_watch)
    self->send(host_watch, atom::attach_v, what.name);
  end_beside();
  auto stayed = tunnel_stands && what.name == device;
  if (tunnel_stands && !stayed) {
    // Another device: the scripts hear of both.
    if (up_ran)
      run_script("down",
                 with_arguments(cfg->scripts.down, script_arguments(standing)),
                 standing, [](bool) {});
    up_ran = routes_stand = false;
  }
  tunnel_stands = true;
  device = what.name;
  facts.device = device;
  facts.net_gateway4 = what.net_gateway4;
  facts.net_gateway6 = what.net_gateway6;
  facts.restart = stayed;
  standing = facts;
  self->send(tree.tun(), atom::attach_v, what);
  if (restoring || cfg->scripts.up.empty()
      || (up_ran && !cfg->scripts.up_restart)) {
    add_routes();
    return;
  }
  up_ran = true;
  run_script("up", with_arguments(cfg->scripts.up, script_arguments(facts)),
             facts, while_running<bool>([this](bool ok) {
               if (ok)
                 add_routes();
               else
                 session_failed({reason::host_failed, "`up` failed"});
             }));
}

void supervisor_state::add_routes() {
  auto delay = std::chrono::seconds{facts.tunnel.route_delay};
  if (delay == duration::zero() || routes_stand)
    ask_for_routes();
  else
    self->delayed_send(handle(), delay, atom::route_v, generation);
}

void supervisor_state::ask_for_routes() {
  ask_helper<routes_result>(
    host, host_limit,
    while_running<const routes_result&>([this](const routes_result& x) {
      routes_added(x);
    }),
    while_running<bool>([this](bool died) {
      if (!died) {
        session_failed({reason::host_failed, "adding routes took too long"});
        return;
      }
      tunnel_under_way = false;
      restoring = true; // `up` has been there
      ask_for_tunnel();
    }),
    atom::route_v);
}

void supervisor_state::routes_added(const routes_result& result) {
  if (result.what.why != reason::none) {
    session_failed(result.what);
    return;
  }
  for (const auto& text : result.warnings)
    warn(text);
  auto first = !routes_stand;
  routes_stand = true;
  if (!first) {
    tunnel_ready();
    return;
  }
  run_script("dns-up", cfg->scripts.dns_updown, facts, [](bool) {});
  run_script("route-up", cfg->scripts.route_up, facts,
             while_running<bool>([this](bool) {
               tunnel_ready();
             }));
}

void supervisor_state::tunnel_ready() {
  tunnel_under_way = false;
  restoring = false;
  session->handle_tunnel_applied(device, cfg->clock->now());
  was_connected = true;
  if (plan)
    plan->handle_connected();
  if (std::exchange(tunnel_wanted_again, false))
    ask_for_tunnel();
  drain();
}

// -- scripts --

std::vector<std::string>
supervisor_state::with_arguments(std::vector<std::string> words,
                                 const std::vector<std::string>& more) const {
  if (!words.empty())
    words.insert(words.end(), more.begin(), more.end());
  return words;
}

void supervisor_state::run_script(const char* type,
                                  std::vector<std::string> words,
                                  const script_facts& about,
                                  std::function<void(bool)> then) {
  if (words.empty()) {
    then(true);
    return;
  }
  need_runner();
  run_request what;
  what.words = std::move(words);
  what.environment = make_script_environment(about);
  what.environment.push_back(std::string{"script_type="} + type);
  what.limit_seconds = script_seconds.count();
  auto command = what.words.front();
  ask_helper<run_result>(
    runner, script_limit,
    [this, command, then](const run_result& x) {
      if (x.what.why != reason::none)
        warn(x.what.text);
      else if (x.status != 0)
        warn("script " + command + " failed with status "
             + std::to_string(x.status));
      then(x.what.why == reason::none && x.status == 0);
    },
    [this, command, then](bool) {
      warn("script " + command + " did not end");
      then(false);
    },
    what);
}

} // namespace vpn::actors
