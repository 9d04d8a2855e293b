// The course of a session: its handshake, its time limits, its end. What the
// peer says is in session_messages.cpp.
// spec: openvpn-wire 7, 11.3, 12
#include "vpn/protocol/session.hpp"

#include "vpn/protocol/readable_text.hpp"

#include <utility>

#include "session_options.hpp"

namespace vpn::protocol {

namespace {

/// After the key exchange a client waits so long for an unsolicited push, then
/// asks, and asks again.
/// seen: openvpn 2.6 PUSH_REQUEST_INTERVAL
constexpr auto first_push_request = std::chrono::seconds{1};
constexpr auto push_request_interval = std::chrono::seconds{5};

} // namespace

std::string socket_name(const endpoint& x) {
  return (x.address.kind == family::v6 ? "[AF_INET6]" : "[AF_INET]")
         + to_string(x);
}

session::session(session_config cfg, instant) : cfg_(std::move(cfg)) {
  cfg_.reneg_after = drawn_age(cfg_);
}

// -- commands --

void session::start(instant now) {
  if (!step(session_event::start))
    return;
  if (cfg_.self == role::client) {
    answer_deadline_ = now.steady + cfg_.connect_timeout;
    enter(phase::wait, socket_name(cfg_.remote));
  }
  actions_.push_back(open_negotiation{0, cfg_.self == role::client
                                           ? opening::hard_reset_client
                                           : opening::hard_reset_server});
}

void session::stop(reason why, instant) {
  if (state_ == session_state::closed)
    return;
  if (tell_goodbye())
    note((why == reason::terminated ? "SIGTERM received, " : "")
         + std::string{"sending exit notification to peer"});
  leave({why, {}});
}

// -- handlers --

void session::handle_peer_known(const session_id& local,
                                const session_id& remote) {
  // Keys are made of both, so nobody changes them later.
  if (remote_.defined())
    return;
  local_ = local;
  remote_ = remote;
}

void session::handle_peer_answered(uint8_t key_id, instant) {
  if (key_id != 0 || !step(session_event::peer_answered))
    return;
  answer_deadline_.reset();
  note("TLS: Initial packet from " + socket_name(cfg_.remote)
       + ", sid=" + to_hex(remote_.view().first(4)) + " "
       + to_hex(remote_.view().from(4)));
  enter(phase::auth);
}

void session::handle_negotiation(uint8_t key_id, negotiation_event event,
                                 instant now) {
  // A negotiation that was closed may still have messages under way.
  if (state_ == session_state::closed || key_id != text_key())
    return;
  if (auto* x = std::get_if<tls_established>(&event))
    handle_established(key_id, *x, now);
  else if (auto* y = std::get_if<keys_exchanged>(&event))
    handle_exchanged(key_id, std::move(*y), now);
  else if (auto* z = std::get_if<text_received>(&event))
    handle_text(z->text, now);
  else if (auto* f = std::get_if<negotiation_failed>(&event))
    handle_renegotiation_failed(std::move(f->what), now);
}

void session::handle_key_installed(uint8_t key_id, instant now) {
  if (state_ == session_state::closed || requested_key_ != key_id)
    return;
  requested_key_.reset();
  if (renegotiating_ == key_id) {
    renegotiating_.reset();
    current_key_ = key_id;
    exhausted_ = std::exchange(worn_early_, false);
    note("Data Channel: new key, key id " + std::to_string(key_id));
    allow_renegotiation(now);
    return;
  }
  key_ready_ = true;
  become_ready(now);
}

void session::handle_tunnel_applied(const std::string& device, instant now) {
  if (state_ == session_state::connected && tunnel_updates_ > 0) {
    --tunnel_updates_;
    note("The tunnel follows the server's update");
    return;
  }
  if (state_ != session_state::assigning)
    return;
  if (!device.empty())
    note("TUN/TAP device " + device + " opened");
  tunnel_ready_ = true;
  become_ready(now);
}

void session::handle_data_event(data_event event, instant now) {
  // Each is told once, so it counts while a slow host is still at work.
  if (state_ != session_state::connected && state_ != session_state::assigning)
    return;
  auto name = peer_name_.empty() ? "" : "[" + peer_name_ + "] ";
  if (std::holds_alternative<peer_silent>(event)) {
    end_session ending;
    ending.what.why = reason::peer_silent;
    ending.final = options_ && options_->ping_exit > duration::zero();
    note(name
         + (ending.final ? "Inactivity timeout (--ping-exit), exiting"
                         : "Inactivity timeout (--ping-restart), restarting"));
    finish_with(std::move(ending));
  } else if (auto* x = std::get_if<rekey_needed>(&event)) {
    if (x->key_id == requested_key_ && x->key_id != current_key_)
      worn_early_ = true; // before anybody has told that it is there
    if (x->key_id != current_key_)
      return;
    exhausted_ = true;
    if (lame_)
      finish_lame(now);
    else if (state_ == session_state::connected && !renegotiating_
             && !waits_for_control_key())
      begin_when_quiet(now);
  } else if (std::holds_alternative<tunnel_inactive>(event)) {
    note(name + "Inactivity timeout (--inactive), exiting");
    tell_goodbye();
    leave({reason::none, "inactive"});
  } else if (std::holds_alternative<peer_exit>(event)) {
    handle_peer_left();
  } else if (auto* moved = std::get_if<peer_floated>(&event)) {
    follow_peer(moved->remote);
  }
}

void session::handle_peer_judged(bool accepted, instant now) {
  if (state_ == session_state::closed || !judging_)
    return;
  auto id = *judging_;
  judging_.reset();
  if (accepted) {
    note("VERIFY SCRIPT OK");
    actions_.push_back(accept_peer{id});
    return;
  }
  handle_failure({reason::certificate_rejected,
                  "VERIFY SCRIPT ERROR: tls-verify refuses the peer"},
                 now);
}

void session::handle_failure(failure what, instant) {
  if (state_ == session_state::closed)
    return;
  if (!what.text.empty())
    note(what.text, session_notice::level::warning);
  if (what.why == reason::transport_failed && cfg_.tcp
      && state_ != session_state::idle)
    note("Connection reset, restarting [0]");
  finish(std::move(what));
}

void session::handle_timeout(instant now) {
  if (state_ == session_state::closed)
    return;
  auto due = [&](std::optional<time_point>& x) {
    if (!x || *x > now.steady)
      return false;
    x.reset();
    return true;
  };
  if (due(answer_deadline_)) {
    end_session ending;
    ending.what = {reason::no_answer, "Server poll timeout, no answer from "
                                        + socket_name(cfg_.remote)};
    ending.at_once = true;
    note(ending.what.text, session_notice::level::warning);
    finish_with(std::move(ending));
  } else if (due(push_deadline_)) {
    if (waits_for_person_)
      handle_failure({reason::auth_pending, "nobody logged in in time"}, now);
    else
      handle_failure(
        {reason::no_answer, "No reply from server to push requests"}, now);
  } else if (due(lame_deadline_)) {
    finish_lame(now);
  } else if (due(session_deadline_)) {
    note("Session timeout, exiting");
    tell_goodbye();
    leave({reason::none, "session-timeout"});
  }
  if (state_ == session_state::closed)
    return;
  if (due(push_request_at_)) {
    push_request_at_ = now.steady + push_request_interval;
    note("SENT CONTROL [" + peer_name_ + "]: 'PUSH_REQUEST' (status=1)");
    say("PUSH_REQUEST", now);
  }
  if (due(renegotiate_at_) && !renegotiating_)
    begin_when_quiet(now);
  if (due(update_at_))
    update_as_server(now);
}

// -- polls --

std::optional<session_action> session::poll_action() {
  if (actions_.empty())
    return std::nullopt;
  auto result = std::move(actions_.front());
  actions_.pop_front();
  return result;
}

std::optional<session_report> session::poll_report() {
  if (reports_.empty())
    return std::nullopt;
  auto result = std::move(reports_.front());
  reports_.pop_front();
  return result;
}

std::optional<time_point> session::poll_timeout() const {
  if (state_ == session_state::closed)
    return std::nullopt;
  std::optional<time_point> result;
  for (const auto& x :
       {answer_deadline_, push_deadline_, push_request_at_, renegotiate_at_,
        lame_deadline_, session_deadline_, update_at_})
    if (x && (!result || *x < *result))
      result = x;
  return result;
}

// -- observers --

bool session::owes_goodbye() const noexcept {
  return options_ && !cfg_.tcp
         && options_->exit_notify.value_or(cfg_.exit_notify) != 0;
}

// -- the handshake, step by step --

void session::handle_established(uint8_t key_id, const tls_established& x,
                                 instant now) {
  for (auto i = x.peer.rbegin(); i != x.peer.rend(); ++i)
    note("VERIFY OK: depth=" + std::to_string(i->depth) + ", " + i->subject);
  note("Control Channel: " + x.description);
  if (key_id == 0) {
    peer_chain_ = x.peer;
    if (!x.peer.empty())
      peer_name_ = x.peer.front().common_name;
  } else if (!is_same_peer(x.peer)) {
    handle_failure({reason::certificate_rejected,
                    "the peer came back with another certificate"},
                   now);
    return;
  }
  if (!cfg_.asks_about_peer)
    return;
  judging_ = key_id;
  actions_.push_back(judge_peer{x.peer});
}

void session::handle_exchanged(uint8_t key_id, keys_exchanged x, instant now) {
  if (judging_) {
    handle_failure({reason::internal, "keys came before tls-verify's answer"},
                   now);
    return;
  }
  if (key_id != 0) {
    if (accepts_credentials(x))
      request_key(key_id);
    else
      refuse_credentials(now);
    return;
  }
  if (!step(session_event::keys_exchanged))
    return;
  note("[" + peer_name_ + "] Peer Connection Initiated with "
       + socket_name(cfg_.remote));
  for (auto& text : options_differences(cfg_.options, x.remote_options))
    note(std::move(text), session_notice::level::warning);
  remote_options_ = x.remote_options;
  remote_peer_info_ = x.remote_peer_info;
  exchanged_at_ = now.steady;
  if (cfg_.self == role::server) {
    decide_as_server(x, now);
    return;
  }
  enter(phase::get_config);
  push_deadline_ = now.steady + cfg_.hand_window;
  push_request_at_ = now.steady + first_push_request;
}

void session::become_ready(instant now) {
  if (!key_ready_ || !tunnel_ready_ || !step(session_event::ready))
    return;
  note("Initialization Sequence Completed");
  enter(phase::connected, options_->tunnel.address4
                            ? to_string(options_->tunnel.address4->address)
                            : std::string{});
  allow_renegotiation(now);
  if (cfg_.self == role::server && (peer_bits() & iv_proto::request_push))
    push_as_server(now);
}

// -- the end --

/// Says that we leave, if that was agreed: in the control channel when the peer
/// understands it there and there is one, else inside the tunnel. On TCP the
/// end of the connection says it.
/// spec: openvpn-wire 11.3
bool session::tell_goodbye() {
  if (!owes_goodbye())
    return false;
  // The text of a renegotiation under way would have to wait for its end.
  if (options_->cc_exit && text_key() && !renegotiating_)
    actions_.push_back(send_text{*text_key(), "EXIT"});
  else if (key_ready_)
    actions_.push_back(send_data_exit{});
  else
    return false;
  return true;
}

void session::leave(failure what) {
  enter(phase::exiting, what.text.empty() ? to_string(what.why) : what.text);
  step(session_event::stop);
  end_session ending;
  ending.what = std::move(what);
  ending.final = true;
  actions_.push_back(std::move(ending));
}

void session::finish(failure what) {
  end_session ending;
  ending.what = std::move(what);
  finish_with(std::move(ending));
}

void session::finish_with(end_session x) {
  if (step(session_event::failed))
    actions_.push_back(std::move(x));
}

// -- small things --

bool session::step(session_event e) {
  auto to = next(state_, e);
  if (!to)
    return false;
  state_ = *to;
  return true;
}

/// Names of certificates and words of the peer are in many of them.
void session::note(std::string text, session_notice::level severity) {
  if (!is_readable(text))
    text = make_readable(text);
  reports_.push_back(session_notice{severity, std::move(text)});
}

void session::enter(phase what, std::string detail) {
  reports_.push_back(phase_began{what, std::move(detail)});
}

} // namespace vpn::protocol
