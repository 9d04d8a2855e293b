#include <algorithm>

#include "supervisor_state.hpp"

namespace vpn::actors {

using protocol::phase;

void supervisor_state::drain() {
  if (doing != activity::running)
    return;
  while (doing == activity::running) {
    tell();
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

/// Reports go before each action: they tell what led to it, and the last
/// action takes the session away.
void supervisor_state::tell() {
  while (auto report = session->poll_report())
    std::visit(
      [this](auto& x) {
        if constexpr (std::is_same_v<std::decay_t<decltype(x)>,
                                     protocol::phase_began>)
          hear(x);
        self->send(cfg->listener, std::move(x));
      },
      *report);
}

/// What a report says besides what the listener makes of it.
void supervisor_state::hear(const protocol::phase_began& x) {
  if (x.what == phase::get_config)
    run_script("ipchange",
               // seen: openvpn 2.6, one word: "[AF_INET]192.0.2.1 1194"
               with_arguments(cfg->scripts.ipchange,
                              {socket_family(facts.remote)
                               + to_string(facts.remote.address) + ' '
                               + std::to_string(facts.remote.port)}),
               facts, [](bool) {});
}

void supervisor_state::session_failed(failure what) {
  session->handle_failure(std::move(what), cfg->clock->now());
  drain();
}

// -- negotiations --

void supervisor_state::perform(protocol::open_negotiation& x) {
  remember_token();
  // Only a forgotten password must be asked for here: the first negotiation
  // of a try has its answer already.
  with_credentials(while_running<>([this, x] {
    use_credentials();
    if (x.key_id != 0)
      self->send(tree.data(), atom::allow_v, x.key_id);
    tree.open_negotiation(x, session_cfg);
    // TLS has it now, and nobody else needs it.
    session_cfg.password.clear();
    creds.handle_used();
    follow_layers();
  }));
}

void supervisor_state::remember_token() {
  if (session && session->options() && !session->options()->auth_token.empty())
    creds.handle_token(session->options()->auth_token,
                       session->options()->auth_token_user);
}

void supervisor_state::use_credentials() {
  if (session_cfg.self != protocol::role::client)
    return;
  session_cfg.username = creds.username();
  session_cfg.password = creds.password();
  facts.username = session_cfg.username;
}

void supervisor_state::perform(protocol::close_negotiation& x) {
  if (x.lingers)
    tree.linger(x.key_id);
  else
    tree.close_negotiation(x.key_id);
  self->send(tree.data(), atom::detach_v, x.key_id);
  follow_layers();
}

void supervisor_state::perform(protocol::derive_key& x) {
  if (tree.negotiates(x.key_id))
    self->send(tree.tls(x.key_id), x);
}

void supervisor_state::perform(protocol::derive_control_key& x) {
  if (tree.negotiates(0))
    self->send(tree.tls(0), x);
}

void supervisor_state::perform(protocol::send_text& x) {
  if (tree.negotiates(x.key_id))
    self->send(tree.tls(x.key_id), text_command{std::move(x.text)});
}

void supervisor_state::perform(protocol::accept_peer& x) {
  if (tree.negotiates(x.key_id))
    self->send(tree.tls(x.key_id), atom::accept_v);
}

/// The command is asked about each certificate, the authority's first.
void supervisor_state::perform(protocol::judge_peer& x) {
  judge(std::move(x.chain));
}

/// Scripts are told who the peer is.
void supervisor_state::remember_peer(const protocol::negotiation_event& x) {
  auto established = std::get_if<protocol::tls_established>(&x);
  if (!established || established->peer.empty())
    return;
  facts.chain = established->peer;
  facts.common_name = established->peer.front().common_name;
}

void supervisor_state::judge(std::vector<protocol::peer_certificate> rest) {
  if (rest.empty() || cfg->scripts.tls_verify.empty()) {
    session->handle_peer_judged(true, cfg->clock->now());
    drain();
    return;
  }
  auto one = std::move(rest.back());
  rest.pop_back();
  auto words = with_arguments(cfg->scripts.tls_verify,
                              {std::to_string(one.depth), one.subject});
  // As far as the chain has been asked about.
  auto known = facts;
  auto& chain = known.chain;
  chain.erase(std::remove_if(chain.begin(), chain.end(),
                             [&](const protocol::peer_certificate& x) {
                               return x.depth < one.depth;
                             }),
              chain.end());
  run_script("tls-verify", std::move(words), known,
             while_running<bool>([this, rest](bool ok) {
               if (ok) {
                 judge(rest);
                 return;
               }
               session->handle_peer_judged(false, cfg->clock->now());
               drain();
             }));
}

void supervisor_state::perform(protocol::ask_person& x) {
  ask(x.what, while_running<protocol::answer>([this](protocol::answer y) {
        session->handle_answer(std::move(y), cfg->clock->now());
        drain();
      }));
}

// -- the layers --

void supervisor_state::perform(protocol::allow_soft_reset& x) {
  told.allowed_key = x.key_id;
  self->send(tree.muxer(), atom::allow_v, x.key_id);
}

void supervisor_state::perform(protocol::configure_data& x) {
  told.data = x.config;
  self->send(tree.data(), x.config);
}

void supervisor_state::perform(protocol::configure_socket& x) {
  if (x.remote) {
    facts.remote = *x.remote;
    outer_remote = *x.remote;
    tree.set_remote(*x.remote);
  } else {
    told.socket = x;
  }
  self->send(tree.network(), x);
}

void supervisor_state::perform(protocol::send_data_exit&) {
  self->send(tree.data(), atom::leave_v);
}

// -- the end --

void supervisor_state::perform(protocol::end_session& x) {
  last_reason = x.what.why;
  ending = last_reason == reason::none ? x.what.text
           : last_reason == reason::peer_silent && x.final
             ? "ping-exit"
             : restart_word(last_reason);
  remember_token();
  auto again = x.again || is_transient(x.what.why);
  if (x.refused)
    again
      = creds.handle_auth_failed(*x.refused) == protocol::auth_verdict::again;
  restart_note = x.refused && x.refused->temporary
                   ? "auth-temp-failure (server temporary reject)"
                   : restart_word(last_reason);
  if (x.stopped)
    creds.handle_stop(*x.stopped);
  if (plan && x.where)
    plan->go(*x.where);
  auto final = x.final || stopping || !plan || cfg->single_session || !again;
  comes_back = !final;
  // A second socket cannot have the same port.
  if (x.data_until && !x.final && !stopping && !port_is_fixed) {
    go_beside(*x.data_until);
    if (plan)
      next_try(x.backoff, x.at_once);
    else
      connect(cfg->network.remote);
    return;
  }
  close([this, what = x.what, backoff = x.backoff, at_once = x.at_once, final] {
    if (final || stopping) {
      finish(what);
      return;
    }
    next_try(backoff, at_once);
  });
}

} // namespace vpn::actors
