// MUXER's decisions: session ids, key ids and the first soft reset.
// spec: openvpn-wire 2.1, 2.2, 3.2, 4.3, 4.7, 12.3

#include "vpn/protocol/control_mux.hpp"

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

bytes control_mux::seal(control_packet pkt, instant now) {
  pkt.source = local_;
  pkt.destination = remote_;
  // An ack block names its receiver, so there is none for an unknown peer.
  if (!remote_.defined())
    pkt.acks.clear();
  return wrap_.seal(pkt, now);
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
  auto pkt = wrap_.open(datagram);
  if (!pkt)
    return pkt.error();
  if (auto ok = check_session(*pkt); !ok)
    return ok;
  if (!attached_.test(pkt->key_id))
    return park(std::move(*pkt));
  if (!remote_.defined()) {
    remote_ = pkt->source;
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

size_t control_mux::max_payload() const noexcept {
  constexpr size_t ack_block
    = 1 + sizeof(session_id::value) + 4 * max_acks_sent;
  auto overhead
    = cfg_.ip_overhead + control_head_size + ack_block + 4 + wrap_.overhead();
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
  if (parked_.empty())
    events_.emplace_back(mux_soft_reset{pkt.key_id});
  parked_.push_back(std::move(pkt));
  return done;
}

} // namespace vpn::protocol
