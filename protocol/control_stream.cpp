// CONTROL's half of a negotiation: resets, and TLS bytes in and out of
// messages. spec: openvpn-wire 2.9, 4.3, 4.7, 12.3

#include "vpn/protocol/control_stream.hpp"

#include <algorithm>
#include <utility>

namespace vpn::protocol {

namespace {

constexpr size_t min_payload = 16;
/// TLS chunks that may wait for `poll_tls`. Readers take them one by one, so
/// this only bounds the memory of a reader that has stopped.
constexpr size_t max_unread = 64;
constexpr uint16_t tlv_early_negotiation = 1;

bool is_reset(opcode op) {
  return is_hard_reset(op) || op == opcode::control_soft_reset_v1;
}

} // namespace

expected<peer_reset> read_reset(byte_view payload) {
  peer_reset result;
  byte_reader reader{payload};
  while (reader.remaining() > 0) {
    auto type = reader.u16();
    auto length = size_t{reader.u16()};
    auto value = reader.take(length);
    if (!reader.ok())
      return errc::bad_tlv;
    if (type != tlv_early_negotiation)
      continue;
    if (length != 2)
      return errc::bad_tlv;
    result.early_negotiation_flags = load_u16(value.data());
  }
  return result;
}

bytes write_reset(const peer_reset& x) {
  bytes result;
  byte_writer writer{result};
  writer.u16(tlv_early_negotiation);
  writer.u16(2);
  writer.u16(x.early_negotiation_flags);
  return result;
}

void control_stream::start() {
  auto first = how_ == opening::hard_reset_client
               || how_ == opening::soft_reset_initiator;
  if (first && !started_)
    resets_.push_back({own_reset(), {}});
  started_ = true;
}

void control_stream::send(byte_view tls_bytes) {
  // What has been sent is dropped before it outweighs what is left.
  if (out_used_ > out_.size() / 2) {
    out_.erase(out_.begin(),
               out_.begin() + static_cast<std::ptrdiff_t>(out_used_));
    out_used_ = 0;
  }
  out_.insert(out_.end(), tls_bytes.begin(), tls_bytes.end());
}

void control_stream::set_max_payload(size_t n) {
  max_payload_ = std::max(n, min_payload);
}

expected<done_t> control_stream::handle_message(control_message msg) {
  if (is_reset(msg.op))
    return handle_reset(msg);
  if (msg.op != opcode::control_v1 && msg.op != opcode::control_wkc_v1)
    return errc::bad_opcode;
  if (!reset_seen_)
    return errc::wrong_state;
  // A client may send an empty message just to be acknowledged.
  if (msg.payload.empty())
    return done;
  if (in_.size() >= max_unread)
    return errc::no_buffer;
  in_.push_back(std::move(msg.payload));
  return done;
}

std::optional<control_message> control_stream::poll_message() {
  if (!resets_.empty()) {
    auto result = std::move(resets_.front());
    resets_.pop_front();
    return result;
  }
  // Nothing may overtake the resets: message 0 is the peer's proof that this
  // is a new negotiation.
  if (!reset_seen_ || queued() == 0)
    return std::nullopt;
  auto chunk = byte_view{out_}.from(out_used_).first(max_payload_);
  control_message result{opcode::control_v1, chunk.copy()};
  out_used_ += chunk.size();
  if (queued() == 0) {
    out_.clear();
    out_used_ = 0;
  }
  return result;
}

std::optional<bytes> control_stream::poll_tls() {
  if (in_.empty())
    return std::nullopt;
  auto result = std::move(in_.front());
  in_.pop_front();
  return result;
}

std::optional<peer_reset> control_stream::poll_reset() {
  return std::exchange(reset_event_, std::nullopt);
}

expected<done_t> control_stream::handle_reset(const control_message& msg) {
  if (reset_seen_ || !is_peer_reset(msg.op))
    return errc::wrong_state;
  peer_reset event;
  // A soft reset carries no TLVs, and whatever it carries is not TLS either.
  if (is_hard_reset(msg.op)) {
    auto parsed = read_reset(msg.payload);
    if (!parsed)
      return parsed.error();
    event = *parsed;
  }
  reset_seen_ = true;
  reset_event_ = event;
  if (how_ == opening::hard_reset_server
      || how_ == opening::soft_reset_responder)
    resets_.push_back({own_reset(), {}});
  return done;
}

opcode control_stream::own_reset() const noexcept {
  switch (how_) {
    case opening::hard_reset_client:
      return v3_ ? opcode::control_hard_reset_client_v3
                 : opcode::control_hard_reset_client_v2;
    case opening::hard_reset_server:
      return opcode::control_hard_reset_server_v2;
    default:
      return opcode::control_soft_reset_v1;
  }
}

bool control_stream::is_peer_reset(opcode op) const noexcept {
  switch (how_) {
    case opening::hard_reset_client:
      return op == opcode::control_hard_reset_server_v2;
    case opening::hard_reset_server:
      return op == opcode::control_hard_reset_client_v2
             || op == opcode::control_hard_reset_client_v3;
    default:
      return op == opcode::control_soft_reset_v1;
  }
}

} // namespace vpn::protocol
