// One key after the other: who may begin, when, and what happens when a
// renegotiation fails.
// spec: openvpn-wire 2.10, 12.2, 12.3, 12.5; design 6
#include "vpn/protocol/session.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// What was sent last is acknowledged within this time, or lost: from the soft
/// reset on the peer refuses packets of the old key id.
constexpr auto quiet_time = std::chrono::seconds{2};

/// 0, 1, 2 ... 7, 1, 2 ...: key id 0 is the first key of a session only.
uint8_t key_id_after(uint8_t x) noexcept {
  return x == 7 ? 1 : static_cast<uint8_t>(x + 1);
}

} // namespace

// -- handlers --

void session::handle_soft_reset(uint8_t key_id, instant now) {
  if (state_ != session_state::connected || renegotiating_ || lame_
      || waits_for_control_key() || key_id != key_id_after(current_key_))
    return;
  note("TLS: soft reset by the peer, key id " + std::to_string(key_id));
  begin_soft_reset(key_id, opening::soft_reset_responder, now);
}

void session::handle_control_key_installed(instant now) {
  if (state_ == session_state::closed || !options_
      || !options_->dynamic_tls_crypt || control_key_ready_)
    return;
  control_key_ready_ = true;
  if (state_ == session_state::connected)
    allow_renegotiation(now);
}

/// Whatever the reason was, the peer has not been let in: who it is, the next
/// session finds out, and the old key is not given up for words in clear that
/// anybody may have sent.
void session::handle_renegotiation_failed(failure what, instant now) {
  if (!renegotiating_) {
    handle_failure(std::move(what), now);
    return;
  }
  if (!is_transient(what.why))
    what.why = reason::tls_failed;
  end_session ending;
  ending.what = std::move(what);
  go_on_with_old_key(std::move(ending), now);
}

void session::handle_layers_lost(uint8_t key_id, failure what, instant now) {
  // Those of any other key id are closed already, or were never opened.
  if (state_ == session_state::idle || state_ == session_state::closed
      || key_id != text_key())
    return;
  end_session ending;
  ending.what = std::move(what);
  // Nothing is wrong with this server.
  ending.where = advance::no;
  if (renegotiating_) {
    go_on_with_old_key(std::move(ending), now);
    return;
  }
  if (!ending.what.text.empty())
    note(ending.what.text, session_notice::level::warning);
  if (may_renew()) {
    // There is nobody left whose messages could still be acknowledged.
    initiate_soft_reset(now);
    return;
  }
  ending.again = true;
  ending.at_once = true;
  finish_with(std::move(ending));
}

// -- the course of a renegotiation --

/// Until then no key id above zero can be wrapped as the peer does it.
bool session::waits_for_control_key() const noexcept {
  return options_ && options_->dynamic_tls_crypt && !control_key_ready_;
}

/// Not earlier than connected: a reset that MUXER lets through is never
/// repeated by it, so it must not come when it would be ignored.
void session::allow_renegotiation(instant now) {
  if (waits_for_control_key())
    return;
  actions_.push_back(allow_soft_reset{key_id_after(current_key_)});
  quiet_until_ = now.steady + quiet_time;
  if (exhausted_)
    renegotiate_at_ = quiet_until_;
  else if (cfg_.reneg_after > duration::zero())
    renegotiate_at_ = now.steady + cfg_.reneg_after;
}

/// Begins on our own, unless messages of ours may still be under way.
void session::begin_when_quiet(instant now) {
  if (now.steady < quiet_until_) {
    renegotiate_at_ = quiet_until_;
    return;
  }
  initiate_soft_reset(now);
}

void session::initiate_soft_reset(instant now) {
  auto id = key_id_after(current_key_);
  note("TLS: soft reset, key id " + std::to_string(id));
  begin_soft_reset(id, opening::soft_reset_initiator, now);
}

void session::begin_soft_reset(uint8_t key_id, opening how, instant now) {
  // Packets of the old key id are refused once the peer knows of the new one,
  // so its layers end; its data key lives on in DATA CHANNEL. On TCP no ack is
  // lost, and one that comes late is a fatal error.
  actions_.push_back(close_negotiation{
    current_key_, how == opening::soft_reset_initiator && !cfg_.tcp});
  renegotiate_at_.reset();
  // The rest of an update that has begun never comes.
  update_.clear();
  renegotiating_ = key_id;
  renegotiation_began_ = now.steady;
  actions_.push_back(open_negotiation{key_id, how});
}

/// True when a soft reset of ours would be answered. A client that waits for
/// its push drops it, and will not get what died with the layers.
bool session::may_renew() const noexcept {
  return state_ == session_state::connected && !waits_for_control_key()
         && (cfg_.self == role::client || push_sent_);
}

/// The old key carries data alone. Control packets of its key id are refused by
/// now, and a stock peer's new negotiation fails as well, so that nothing is
/// left but a new session: beside this one's data, when the peer has given this
/// negotiation up too.
/// spec: openvpn-wire 12.5
void session::go_on_with_old_key(end_session ending, instant now) {
  ending.again = true;
  ending.at_once = true;
  auto& text = ending.what.text;
  if (old_key_until(now) <= now.steady) {
    if (!text.empty())
      note(text, session_notice::level::warning);
    finish_with(std::move(ending));
    return;
  }
  note("TLS Error: TLS handshake failed, the old key goes on: " + text,
       session_notice::level::warning);
  actions_.push_back(close_negotiation{*renegotiating_});
  renegotiating_.reset();
  requested_key_.reset();
  judging_.reset();
  question_open_ = false;
  lame_ = std::move(ending);
  // A server waits for its client: who comes back comes with a hard reset, for
  // another session.
  lame_deadline_ = cfg_.self == role::client
                     ? renegotiation_began_ + cfg_.hand_window
                     : old_key_until(now);
  if (*lame_deadline_ <= now.steady)
    finish_lame(now);
}

void session::finish_lame(instant now) {
  auto ending = *lame_;
  auto until = old_key_until(now);
  if (until > now.steady)
    ending.data_until = until;
  finish_with(std::move(ending));
}

/// When the key before the failed renegotiation is of no use any more.
time_point session::old_key_until(instant now) const noexcept {
  auto forgotten = renegotiation_began_ + cfg_.transition_window;
  // One that has reached its limit soon carries nothing at all.
  return exhausted_ ? std::min(forgotten, now.steady + cfg_.hand_window)
                    : forgotten;
}

/// The age at which this session renews its keys: those of a thousand clients
/// do not come due in the same second.
/// seen: openvpn 2.6, a client with a second word draws as well
duration session::drawn_age(const session_config& cfg) noexcept {
  auto most = cfg.reneg_after;
  auto span = cfg.reneg_min              ? most - *cfg.reneg_min
              : cfg.self == role::server ? most / 10
                                         : duration::zero();
  if (most <= duration::zero() || span <= duration::zero())
    return most;
  // Parts of 65536, since the product of both numbers fits nowhere.
  return most - span / 65536 * (cfg.reneg_draw >> 16);
}

/// Who was let in once is the only one who may go on.
/// spec: openvpn-wire 12.3
bool session::is_same_peer(const std::vector<peer_certificate>& chain) const {
  return std::equal(peer_chain_.begin(), peer_chain_.end(), chain.begin(),
                    chain.end(),
                    [](const peer_certificate& a, const peer_certificate& b) {
                      return a.depth == b.depth && a.subject == b.subject
                             && a.sha256 == b.sha256;
                    });
}

/// The key id whose TLS carries text; nothing when there is none any more.
std::optional<uint8_t> session::text_key() const noexcept {
  if (lame_)
    return std::nullopt;
  return renegotiating_.value_or(current_key_);
}

void session::say(std::string text, instant now) {
  auto key = text_key();
  if (!key)
    return;
  actions_.push_back(send_text{*key, std::move(text)});
  quiet_until_ = std::max(quiet_until_, now.steady + quiet_time);
}

} // namespace vpn::protocol
