// Reliability layer of the control channel: windows, acks, retransmission.
// spec: openvpn-wire 4.1, 4.2, 4.3, 4.4

#include "vpn/protocol/reliable_link.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// Longest queue of ids that wait for their first ack, and longest list of
/// those repeated. A stock peer has the same two numbers.
constexpr size_t ack_list_size = 8;

/// Doubling has no cap on the wire, but `duration` has an end. No negotiation
/// lives this long.
constexpr duration longest_backoff = std::chrono::hours{24};

/// Messages that answer the peer's reset, and whatever came before them.
uint32_t answers_to(opcode reset) {
  switch (reset) {
    case opcode::control_hard_reset_server_v2:
      return 2;
    case opcode::control_hard_reset_client_v2:
    case opcode::control_hard_reset_client_v3:
    case opcode::control_soft_reset_v1:
      return 1;
    default:
      return 0;
  }
}

} // namespace

reliable_link::reliable_link(reliable_config cfg) : cfg_(cfg) {
  owed_.reserve(ack_list_size);
  recent_.reserve(ack_list_size + 1);
}

expected<done_t> reliable_link::send(control_message msg, instant now) {
  if (free_slots() == 0)
    return errc::window_full;
  sent_message entry;
  entry.msg = std::move(msg);
  entry.due = now.steady;
  entry.backoff = cfg_.retransmit_after;
  unacked_.emplace(next_id_++, std::move(entry));
  return done;
}

void reliable_link::send_again(instant now) {
  for (auto& kvp : unacked_)
    kvp.second.due = now.steady;
}

expected<done_t> reliable_link::handle_packet(control_packet pkt, instant now) {
  for (auto id : pkt.acks)
    handle_ack(id, now);
  if (pkt.op == opcode::ack_v1)
    return done;
  if (pkt.id >= expected_id_ && pkt.id - expected_id_ >= cfg_.receive_window)
    return errc::outside_window;
  owe_ack(pkt.id);
  if (pkt.id < expected_id_ || received_.count(pkt.id) > 0)
    return errc::replayed;
  answers_first_ = std::max(answers_first_, answers_to(pkt.op));
  received_.emplace(pkt.id, control_message{pkt.op, std::move(pkt.payload)});
  return done;
}

void reliable_link::handle_timeout(instant) { // NOLINT
  // Whether a message is due follows from the time that `poll_transmit` gets.
}

std::optional<control_packet> reliable_link::poll_transmit(instant now) {
  auto is_due = [this, now](const auto& kvp) {
    return kvp.second.due <= now.steady
           || kvp.second.higher_acks >= cfg_.early_retransmit_acks;
  };
  control_packet pkt;
  pkt.key_id = cfg_.key_id;
  auto i = std::find_if(unacked_.begin(), unacked_.end(), is_due);
  if (i == unacked_.end()) {
    if (owed_.empty() || next_id_ < answers_first_)
      return std::nullopt;
    pkt.op = opcode::ack_v1;
    pkt.acks = take_acks();
    return pkt;
  }
  auto& entry = i->second;
  entry.due = now.steady + entry.backoff;
  entry.backoff = std::min(2 * entry.backoff, longest_backoff);
  entry.higher_acks = 0;
  if (entry.transmissions++ > 0)
    ++retransmits_;
  pkt.op = entry.msg.op;
  pkt.id = i->first;
  pkt.payload = entry.msg.payload;
  pkt.acks = take_acks();
  return pkt;
}

std::optional<control_message> reliable_link::poll_deliver() {
  auto i = received_.find(expected_id_);
  if (i == received_.end())
    return std::nullopt;
  auto result = std::move(i->second);
  received_.erase(i);
  ++expected_id_;
  return result;
}

std::optional<time_point> reliable_link::poll_timeout() const {
  if (unacked_.empty())
    return std::nullopt;
  auto earlier = [](const auto& x, const auto& y) {
    return x.second.due < y.second.due;
  };
  return std::min_element(unacked_.begin(), unacked_.end(), earlier)
    ->second.due;
}

size_t reliable_link::free_slots() const noexcept {
  // The window is a range of ids: an unacked message holds back everything
  // behind it, even if all the later ones have been acknowledged.
  auto used = unacked_.empty() ? 0 : next_id_ - unacked_.begin()->first;
  return used < cfg_.send_window ? cfg_.send_window - used : 0;
}

void reliable_link::handle_ack(uint32_t id, instant now) {
  // An id that was never sent proves nothing, not even a loss.
  if (id >= next_id_)
    return;
  auto erased = unacked_.erase(id) > 0;
  for (auto& [other, entry] : unacked_) {
    if (other > id)
      break;
    ++entry.higher_acks;
  }
  if (id != 0 || !erased || burst_done_)
    return;
  // The path works and the peer is there: what was sent into the void before
  // need not wait for a back-off that has grown meanwhile.
  burst_done_ = true;
  send_again(now);
}

void reliable_link::owe_ack(uint32_t id) {
  // When the list is full the peer sends again, and then there is room.
  if (owed_.size() < ack_list_size
      && std::find(owed_.begin(), owed_.end(), id) == owed_.end())
    owed_.push_back(id);
}

std::vector<uint32_t> reliable_link::take_acks() {
  auto n = static_cast<std::ptrdiff_t>(std::min(owed_.size(), max_acks_sent));
  std::for_each(owed_.begin(), owed_.begin() + n, [this](uint32_t id) {
    recent_.erase(std::remove(recent_.begin(), recent_.end(), id),
                  recent_.end());
    recent_.insert(recent_.begin(), id);
  });
  owed_.erase(owed_.begin(), owed_.begin() + n);
  if (recent_.size() > ack_list_size)
    recent_.resize(ack_list_size);
  // The ids just taken stand in front, older ones fill the spare room.
  auto total = std::min(recent_.size(), max_acks_sent);
  return {recent_.begin(),
          recent_.begin() + static_cast<std::ptrdiff_t>(total)};
}

} // namespace vpn::protocol
