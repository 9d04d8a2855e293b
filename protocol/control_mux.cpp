// MUXER's decisions: session ids, key ids and the first soft reset.
// spec: openvpn-wire 2.1, 2.2, 2.9, 2.10, 3.2, 4.3, 4.7, 12.3

#include "vpn/protocol/control_mux.hpp"

#include "vpn/protocol/control_stream.hpp"

#include <algorithm>
#include <utility>

namespace vpn::protocol {

namespace {

constexpr size_t min_payload = 16;
constexpr size_t max_parked = 4;
/// Events that may wait for `poll_event`: more than one drain of a socket
/// yields, and a bound for a reader that has stopped.
constexpr size_t max_events = 256;
/// A source that yields zeros this often is broken.
constexpr int max_draws = 16;

/// 0, 1, 2 ... 7, 1, 2 ...
uint8_t key_id_after(uint8_t x) {
  return x == 7 ? 1 : static_cast<uint8_t>(x + 1);
}

/// False for packets that only our own side sends.
bool may_receive(role self, opcode op) {
  switch (op) {
    case opcode::control_hard_reset_client_v2:
    case opcode::control_hard_reset_client_v3:
    case opcode::control_wkc_v1:
      return self == role::server;
    case opcode::control_hard_reset_server_v2:
      return self == role::client;
    default:
      return true;
  }
}

} // namespace

expected<control_mux> control_mux::make(const mux_config& cfg,
                                        const random_source& random) {
  auto wrap = control_wrap::make(cfg.wrap, cfg.self);
  if (!wrap)
    return wrap.error();
  control_mux result{cfg, std::move(*wrap)};
  result.asks_for_key_ = cfg.wrap.mode == wrap_mode::tls_crypt_v2
                         && cfg.wrap.force_cookie && cfg.self == role::server;
  result.reserves_room_ = result.wrap_.wrapped_key_size() > 0;
  // The wrapping has its own copy of the key; one is enough.
  result.cfg_.wrap = wrap_config{};
  auto& id = result.local_.value;
  for (auto i = 0; i < max_draws && !result.local_.defined(); ++i)
    random(id.data(), id.size());
  if (!result.local_.defined())
    return errc::bad_session_id;
  return result;
}

std::vector<control_packet> control_mux::attach(uint8_t key_id) {
  key_id &= 7;
  attached_.set(key_id);
  if (expected_soft_reset_ != key_id)
    return {};
  expected_soft_reset_.reset();
  return std::exchange(parked_, {});
}

void control_mux::detach(uint8_t key_id) {
  attached_.reset(key_id & 7U);
}

void control_mux::allow_soft_reset(uint8_t next_key_id) {
  next_key_id &= 7;
  if (expected_soft_reset_ == next_key_id)
    return;
  parked_.clear();
  expected_soft_reset_.reset();
  // Key id zero belongs to the first negotiation of a session and to no other.
  if (next_key_id != 0)
    expected_soft_reset_ = next_key_id;
}

expected<done_t> control_mux::install_dynamic_key(const key_block& exported) {
  if (dynamic_)
    return errc::wrong_state;
  auto made = wrap_.make_dynamic(exported);
  if (!made)
    return made.error();
  dynamic_.emplace(std::move(*made));
  return done;
}

void control_mux::skip_ids(uint32_t n) noexcept {
  wrap_.skip_ids(n);
  if (dynamic_)
    dynamic_->skip_ids(n);
}

bytes control_mux::seal(control_packet pkt, instant now) {
  // One that is sent again must not bring an older key id back.
  if (pkt.op == opcode::control_soft_reset_v1
      && pkt.key_id == key_id_after(newest_key_id_)) {
    newest_key_id_ = pkt.key_id;
    newest_heard_ = false;
  }
  if (superseded(pkt.key_id)
      && (pkt.op != opcode::ack_v1 || !cfg_.late_acks || newest_heard_
          || key_id_after(pkt.key_id) != newest_key_id_))
    return {};
  pkt.source = local_;
  pkt.destination = remote_;
  // An ack block names its receiver, so there is none for an unknown peer.
  if (!remote_.defined())
    pkt.acks.clear();
  if (asks_for_key_ && pkt.op == opcode::control_hard_reset_server_v2)
    pkt.payload = write_reset({resend_wrapped_key});
  // The server has kept nothing of our reset: whenever these bytes are sent,
  // the key goes along.
  if (pkt.key_id == 0 && pkt.id == 1 && pkt.op == opcode::control_v1) {
    reserves_room_ = false;
    if (resends_key_)
      pkt.op = opcode::control_wkc_v1;
  }
  return wrap_of(pkt.key_id).seal(pkt, now);
}

expected<done_t> control_mux::handle_datagram(byte_view datagram) {
  if (events_.size() >= max_events)
    return errc::no_buffer;
  // The head is in clear under every wrapping. Judging it first is cheap, and
  // keeps packets of other sessions, which may share our static key, from
  // moving the replay window.
  auto head = read_head(datagram);
  if (!head)
    return head.error();
  if (auto ok = check_head(*head); !ok)
    return ok;
  auto pkt = wrap_of(head->key_id).open(datagram);
  if (!pkt)
    return pkt.error();
  if (auto ok = check_session(*pkt); !ok)
    return ok;
  if (!attached_.test(pkt->key_id))
    return park(std::move(*pkt));
  newest_heard_ = newest_heard_ || pkt->key_id == newest_key_id_;
  if (!remote_.defined()) {
    remote_ = pkt->source;
    note_first_reset(*pkt);
    events_.emplace_back(mux_peer_known{local_, remote_});
  }
  events_.emplace_back(mux_delivery{std::move(*pkt)});
  return done;
}

std::optional<control_mux::event> control_mux::poll_event() {
  std::optional<event> result;
  if (events_.empty())
    return result;
  result.emplace(std::move(events_.front()));
  events_.pop_front();
  return result;
}

size_t control_mux::max_payload(uint8_t key_id) const noexcept {
  constexpr size_t ack_block
    = 1 + sizeof(session_id::value) + 4 * max_acks_sent;
  auto overhead = cfg_.ip_overhead + control_head_size + ack_block + 4
                  + wrap_of(key_id).overhead();
  if (reserves_room_ && (key_id & 7) == 0)
    overhead += wrap_.wrapped_key_size();
  return cfg_.max_packet_size > overhead + min_payload
           ? cfg_.max_packet_size - overhead
           : min_payload;
}

expected<done_t> control_mux::check_head(const control_packet& head) const {
  if (!may_receive(cfg_.self, head.op))
    return errc::bad_opcode;
  // With one key for both directions a reflected packet would be authentic.
  if (head.source == local_)
    return errc::bad_session_id;
  // Only a hard reset of the peer introduces it; later ones of another session
  // do not touch this one.
  if (remote_.defined() ? head.source != remote_ : !is_hard_reset(head.op))
    return errc::bad_session_id;
  if (!attached_.test(head.key_id) && expected_soft_reset_ != head.key_id)
    return errc::bad_key_id;
  return done;
}

expected<done_t> control_mux::check_session(const control_packet& pkt) const {
  if (!pkt.acks.empty() && pkt.destination != local_)
    return errc::bad_session_id;
  // A reset is message zero of its negotiation; any other would take the place
  // of a real message in the receive window.
  auto reset = is_hard_reset(pkt.op) || pkt.op == opcode::control_soft_reset_v1;
  if (reset && pkt.id != 0)
    return errc::bad_packet_id;
  // The server's reset must answer ours. Its ack of our session id is the only
  // thing that tells it from one made for somebody else.
  auto answers
    = std::find(pkt.acks.begin(), pkt.acks.end(), 0U) != pkt.acks.end();
  if (!remote_.defined() && cfg_.self == role::client && !answers)
    return errc::bad_session_id;
  return done;
}

expected<done_t> control_mux::park(control_packet pkt) {
  auto soft_reset = pkt.op == opcode::control_soft_reset_v1;
  // Nothing of a negotiation can come before the reset that opens it.
  if (parked_.empty() && !soft_reset)
    return errc::bad_key_id;
  // Retransmissions of the reset must not fill the few places.
  if (!parked_.empty() && soft_reset)
    return errc::replayed;
  if (parked_.size() >= max_parked)
    return errc::no_buffer;
  if (parked_.empty()) {
    newest_key_id_ = pkt.key_id;
    newest_heard_ = true;
    events_.emplace_back(mux_soft_reset{pkt.key_id});
  }
  parked_.push_back(std::move(pkt));
  return done;
}

/// What the server says in the reset that introduces it. A broken list is left
/// to CONTROL, which refuses it.
void control_mux::note_first_reset(const control_packet& pkt) {
  auto reset = read_reset(pkt.payload);
  auto asked
    = reset && (reset->early_negotiation_flags & resend_wrapped_key) != 0;
  resends_key_ = asked && wrap_.wrapped_key_size() > 0;
  reserves_room_ = resends_key_;
}

const control_wrap& control_mux::wrap_of(uint8_t key_id) const noexcept {
  return dynamic_ && (key_id & 7) != 0 ? *dynamic_ : wrap_;
}

control_wrap& control_mux::wrap_of(uint8_t key_id) noexcept {
  return dynamic_ && (key_id & 7) != 0 ? *dynamic_ : wrap_;
}

} // namespace vpn::protocol
