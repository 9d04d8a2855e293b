// The course of a session: its handshake, its time limits, its end. What the
// peer says is in session_messages.cpp.
// spec: openvpn-wire 7, 11.3, 12
#include "vpn/protocol/session.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// After the key exchange a client waits so long for an unsolicited push, then
/// asks, and asks again.
/// seen: openvpn 2.6 PUSH_REQUEST_INTERVAL
constexpr auto first_push_request = std::chrono::seconds{1};
constexpr auto push_request_interval = std::chrono::seconds{5};

std::string socket_name(const endpoint& x) {
  return (x.address.kind == family::v6 ? "[AF_INET6]" : "[AF_INET]")
         + to_string(x);
}

/// 0, 1, 2 ... 7, 1, 2 ...: key id 0 is the first key of a session only.
uint8_t key_id_after(uint8_t x) noexcept {
  return x == 7 ? 1 : static_cast<uint8_t>(x + 1);
}

} // namespace

session::session(session_config cfg, instant) : cfg_(std::move(cfg)) {
}

// -- commands --

void session::start(instant now) {
  if (!advance(session_event::start))
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
  if (state_ == session_state::connected && options_ && options_->cc_exit
      && options_->exit_notify.value_or(cfg_.exit_notify) > 0 && !cfg_.tcp) {
    note("SIGTERM received, sending exit notification to peer");
    actions_.push_back(send_text{text_key(), "EXIT"});
  }
  enter(phase::exiting, to_string(why));
  advance(session_event::stop);
  actions_.push_back(end_session{{why, {}}, {}, true});
}

// -- handlers --

void session::handle_peer_known(const session_id& local,
                                const session_id& remote) {
  local_ = local;
  remote_ = remote;
}

void session::handle_peer_answered(uint8_t key_id, instant) {
  if (key_id != 0 || !advance(session_event::peer_answered))
    return;
  answer_deadline_.reset();
  note("TLS: Initial packet from " + socket_name(cfg_.remote)
       + ", sid=" + to_hex(remote_.view().first(4)) + " "
       + to_hex(remote_.view().from(4)));
  enter(phase::auth);
}

void session::handle_soft_reset(uint8_t key_id, instant) {
  if (state_ != session_state::connected || renegotiating_
      || key_id != key_id_after(current_key_))
    return;
  note("TLS: soft reset by the peer, key id " + std::to_string(key_id));
  begin_soft_reset(key_id, opening::soft_reset_responder);
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
    handle_failure(std::move(f->what), now);
}

void session::handle_key_installed(uint8_t key_id, instant now) {
  if (state_ == session_state::closed)
    return;
  if (renegotiating_ == key_id) {
    renegotiating_.reset();
    current_key_ = key_id;
    note("Data Channel: new key, key id " + std::to_string(key_id));
  }
  if (key_id != current_key_)
    return;
  key_ready_ = true;
  if (state_ == session_state::connected)
    allow_renegotiation(now);
  else
    become_ready(now);
}

void session::handle_tunnel_applied(const std::string& device, instant now) {
  if (state_ != session_state::assigning)
    return;
  if (!device.empty())
    note("TUN/TAP device " + device + " opened");
  tunnel_ready_ = true;
  become_ready(now);
}

void session::handle_data_event(data_event event, instant now) {
  // Silence is told once, so it counts while a slow host is still at work.
  if (state_ != session_state::connected && state_ != session_state::assigning)
    return;
  if (std::holds_alternative<peer_silent>(event)) {
    if (options_ && options_->ping_exit > duration::zero()) {
      note("Inactivity timeout (--ping-exit), exiting");
      finish({reason::peer_silent, {}}, {}, true);
    } else {
      note("Inactivity timeout (--ping-restart), restarting");
      finish({reason::peer_silent, {}});
    }
  } else if (std::holds_alternative<rekey_needed>(event)) {
    if (state_ == session_state::connected && !renegotiating_)
      begin_soft_reset(key_id_after(current_key_),
                       opening::soft_reset_initiator);
  }
  static_cast<void>(now);
}

void session::handle_failure(failure what, instant) {
  if (state_ == session_state::closed)
    return;
  if (!what.text.empty())
    note(what.text, session_notice::level::warning);
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
    handle_failure({reason::no_answer, "Server poll timeout, no answer from "
                                         + socket_name(cfg_.remote)},
                   now);
    return;
  }
  if (due(push_deadline_)) {
    handle_failure({reason::no_answer, "No reply from server to push requests"},
                   now);
    return;
  }
  if (due(push_request_at_)) {
    push_request_at_ = now.steady + push_request_interval;
    note("SENT CONTROL [" + peer_name_ + "]: 'PUSH_REQUEST' (status=1)");
    actions_.push_back(send_text{text_key(), "PUSH_REQUEST"});
  }
  if (due(renegotiate_at_) && !renegotiating_) {
    note("TLS: soft reset, key id "
         + std::to_string(key_id_after(current_key_)));
    begin_soft_reset(key_id_after(current_key_), opening::soft_reset_initiator);
  }
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
       {answer_deadline_, push_deadline_, push_request_at_, renegotiate_at_})
    if (x && (!result || *x < *result))
      result = x;
  return result;
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
    return;
  }
  // Who was let in once is the only one who may go on.
  // spec: openvpn-wire 12.3
  auto same = std::equal(
    peer_chain_.begin(), peer_chain_.end(), x.peer.begin(), x.peer.end(),
    [](const peer_certificate& a, const peer_certificate& b) {
      return a.depth == b.depth && a.subject == b.subject;
    });
  if (!same)
    handle_failure({reason::certificate_rejected,
                    "the peer came back with another certificate"},
                   now);
}

void session::handle_exchanged(uint8_t key_id, keys_exchanged x, instant now) {
  if (key_id != 0) {
    if (accepts_credentials(x))
      request_key(key_id);
    else
      refuse_credentials(key_id);
    return;
  }
  if (!advance(session_event::keys_exchanged))
    return;
  note("[" + peer_name_ + "] Peer Connection Initiated with "
       + socket_name(cfg_.remote));
  remote_options_ = x.remote_options;
  remote_peer_info_ = x.remote_peer_info;
  if (cfg_.self == role::server) {
    decide_as_server(x);
    return;
  }
  enter(phase::get_config);
  push_deadline_ = now.steady + cfg_.hand_window;
  push_request_at_ = now.steady + first_push_request;
}

void session::configure(negotiated_options opts) {
  if (!advance(session_event::configured))
    return;
  for (const auto& text : opts.warnings)
    note(text, session_notice::level::warning);
  options_ = std::move(opts);
  data_channel_config data;
  data.ping = options_->ping;
  data.ping_restart = options_->ping_exit > duration::zero()
                        ? options_->ping_exit
                        : options_->ping_restart;
  auto mss = compute_mss(cfg_.mssfix, cfg_.tcp, cfg_.remote.address.kind,
                         options_->peer_id ? 24 : 21);
  data.mss4 = mss.v4;
  data.mss6 = mss.v6;
  // spec: openvpn-wire 12.4
  data.new_key_delay = cfg_.reneg_after > duration::zero()
                         ? std::min(cfg_.hand_window, cfg_.reneg_after / 2)
                         : cfg_.hand_window;
  data.transition_window = cfg_.transition_window;
  actions_.push_back(configure_data{data});
  request_key(0);
  auto tunnel = options_->tunnel;
  tunnel.server = cfg_.remote;
  if (tunnel.address4)
    enter(phase::assign_ip, to_string(tunnel.address4->address));
  if (!tunnel.routes.empty() || tunnel.redirect.ipv4 || tunnel.redirect.ipv6)
    enter(phase::add_routes);
  actions_.push_back(apply_tunnel{std::move(tunnel)});
}

void session::request_key(uint8_t key_id) {
  if (!options_ || !options_->cipher)
    return;
  derive_key action;
  action.key_id = key_id;
  action.derivation = options_->derivation;
  action.cipher = *options_->cipher;
  action.peer_id = options_->peer_id;
  action.client = cfg_.self == role::client ? local_ : remote_;
  action.server = cfg_.self == role::client ? remote_ : local_;
  actions_.push_back(action);
  note("Data Channel: cipher '" + to_string(action.cipher) + "'"
       + (action.peer_id ? ", peer-id: " + std::to_string(*action.peer_id)
                         : std::string{}));
}

void session::become_ready(instant now) {
  if (!key_ready_ || !tunnel_ready_ || !advance(session_event::ready))
    return;
  note("Initialization Sequence Completed");
  enter(phase::connected, options_->tunnel.address4
                            ? to_string(options_->tunnel.address4->address)
                            : std::string{});
  allow_renegotiation(now);
  if (cfg_.self == role::server && (peer_bits() & iv_proto::request_push))
    push_as_server();
}

/// Not earlier than connected: a reset that MUXER lets through is never
/// repeated by it, so it must not come when it would be ignored.
void session::allow_renegotiation(instant now) {
  actions_.push_back(allow_soft_reset{key_id_after(current_key_)});
  if (cfg_.reneg_after > duration::zero())
    renegotiate_at_ = now.steady + cfg_.reneg_after;
}

void session::begin_soft_reset(uint8_t key_id, opening how) {
  // Packets of the old key id are refused from here on, so its layers end now;
  // its data key lives on in DATA CHANNEL.
  actions_.push_back(close_negotiation{current_key_});
  renegotiate_at_.reset();
  renegotiating_ = key_id;
  actions_.push_back(open_negotiation{key_id, how});
}

// -- small things --

uint8_t session::text_key() const noexcept {
  return renegotiating_.value_or(current_key_);
}

bool session::advance(session_event e) {
  auto to = next(state_, e);
  if (!to)
    return false;
  state_ = *to;
  return true;
}

void session::finish(failure what, duration backoff, bool final) {
  if (advance(session_event::failed))
    actions_.push_back(end_session{std::move(what), backoff, final});
}

void session::note(std::string text, session_notice::level severity) {
  reports_.push_back(session_notice{severity, std::move(text)});
}

void session::enter(phase what, std::string detail) {
  reports_.push_back(phase_began{what, std::move(detail)});
}

} // namespace vpn::protocol
