#include "script_environment.hpp"
#include "supervisor_state.hpp"

namespace vpn::actors {

using protocol::phase;
using protocol::session_notice;

namespace {

/// A change of the host, a script.
constexpr auto host_limit = std::chrono::seconds{30};
constexpr uint32_t script_seconds = 60;

} // namespace

void supervisor_state::drain() {
  if (doing != activity::running)
    return;
  // Reports first: they tell what led to the actions.
  while (auto report = session->poll_report())
    std::visit(
      [this](auto& x) {
        self->send(cfg->listener, std::move(x));
      },
      *report);
  while (doing == activity::running) {
    auto action = session->poll_action();
    if (!action)
      break;
    std::visit(
      [this](auto& x) {
        perform(x);
      },
      *action);
  }
  if (doing == activity::running)
    if (auto due = session->poll_timeout())
      wake_at(*due);
}

void supervisor_state::perform(protocol::open_negotiation& x) {
  remember_token();
  use_token();
  add_negotiation(self->system(), tree, *cfg, session_cfg, x, handle());
  auto& layers = tree.negotiations[x.key_id];
  self->monitor(layers.reliable);
  self->monitor(layers.control);
  self->monitor(layers.tls);
}

void supervisor_state::remember_token() {
  if (!session || !session->options() || session->options()->auth_token.empty())
    return;
  auth_token = session->options()->auth_token;
  auth_token_user = session->options()->auth_token_user;
}

/// A token stands for the password until the server refuses it, in later
/// sessions too. spec: openvpn-wire 5.7
void supervisor_state::use_token() {
  if (auth_token.empty())
    return;
  session_cfg.password = auth_token;
  if (!auth_token_user.empty())
    session_cfg.username = auth_token_user;
}

void supervisor_state::perform(protocol::close_negotiation& x) {
  auto i = tree.negotiations.find(x.key_id);
  if (i == tree.negotiations.end())
    return;
  self->demonitor(i->second.reliable.address());
  self->demonitor(i->second.control.address());
  self->demonitor(i->second.tls.address());
  remove_negotiation(tree, x.key_id);
}

void supervisor_state::perform(protocol::derive_key& x) {
  auto i = tree.negotiations.find(x.key_id);
  if (i != tree.negotiations.end())
    self->send(i->second.tls, x);
}

void supervisor_state::perform(protocol::send_text& x) {
  auto i = tree.negotiations.find(x.key_id);
  if (i != tree.negotiations.end())
    self->send(i->second.tls, text_command{std::move(x.text)});
}

void supervisor_state::perform(protocol::allow_soft_reset& x) {
  self->send(tree.muxer, atom::allow_v, x.key_id);
}

void supervisor_state::perform(protocol::configure_data& x) {
  self->send(tree.data, x.config);
}

void supervisor_state::perform(protocol::apply_tunnel& x) {
  script_environment = make_script_environment(x.config, session_cfg.tcp);
  self->request(host, host_limit, atom::apply_v, x.config)
    .then(
      [this, g = generation](tunnel_device& device) {
        if (g == generation && doing == activity::running)
          tunnel_applied(device);
      },
      [this, g = generation](const caf::error& err) {
        if (g != generation || doing != activity::running)
          return;
        session->handle_failure(
          {reason::host_failed,
           "setting up the tunnel failed: " + self->system().render(err)},
          cfg->clock->now());
        drain();
      });
}

void supervisor_state::tunnel_applied(tunnel_device& device) {
  if (device.what.why != reason::none) {
    session->handle_failure(device.what, cfg->clock->now());
    drain();
    return;
  }
  for (auto& text : device.warnings)
    note(text, session_notice::level::warning);
  auto device_name = device.name;
  self->send(tree.tun, atom::attach_v, device);
  script_environment.push_back("dev=" + device_name);
  script_words = script_arguments(session->options()->tunnel, device_name);
  run_script(cfg->up, "up", [this, device_name, g = generation] {
    if (g != generation || doing != activity::running)
      return;
    session->handle_tunnel_applied(device_name, cfg->clock->now());
    was_connected = true;
    if (plan)
      plan->handle_connected();
    drain();
  });
}

void supervisor_state::run_script(const std::vector<std::string>& words,
                                  const char* type,
                                  std::function<void()> then) {
  if (words.empty()) {
    then();
    return;
  }
  if (!runner)
    runner = cfg->parts.spawn_runner();
  run_request what;
  what.words = words;
  what.words.insert(what.words.end(), script_words.begin(), script_words.end());
  what.environment = script_environment;
  what.environment.push_back(std::string{"script_type="} + type);
  what.limit_seconds = script_seconds;
  script_ran = true;
  auto command = words.front();
  self->request(runner, std::chrono::seconds{script_seconds + 5}, what)
    .then(
      [this, command, then](const run_result& x) {
        if (x.what.why != reason::none)
          note(x.what.text, session_notice::level::warning);
        else if (x.status != 0)
          note("script " + command + " failed with status "
                 + std::to_string(x.status),
               session_notice::level::warning);
        then();
      },
      [this, command, then](const caf::error&) {
        note("script " + command + " did not end",
             session_notice::level::warning);
        then();
      });
}

void supervisor_state::perform(protocol::end_session& x) {
  last_reason = x.what.why;
  auto what = x.what;
  auto backoff = x.backoff;
  remember_token();
  // The password may be as good as ever when a token is not.
  auto expired = what.why == reason::auth_failed && !auth_token.empty();
  if (expired)
    auth_token.clear();
  auto final
    = x.final || stopping || !plan || !(is_transient(what.why) || expired);
  close([this, what, backoff, final] {
    if (final || stopping) {
      finish(what);
      return;
    }
    next_try(backoff);
  });
}

} // namespace vpn::actors
