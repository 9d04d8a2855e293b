// Reliability layer of the control channel: windows, acks, retransmission.
// spec: openvpn-wire 4.1, 4.2, 4.3, 4.4, RFC 6298

#include "vpn/protocol/reliable_link.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// Longest queue of ids that wait for their first ack, and longest list of
/// those repeated. A stock peer has the same two numbers.
constexpr size_t ack_list_size = 8;

/// Stock doubles without an end, but `duration` has an end. No negotiation
/// lives this long.
constexpr duration longest_backoff = std::chrono::hours{24};

/// Copies of a message that any acks may call for, however close together.
constexpr uint32_t early_copies = 4;

/// A wait never becomes shorter, not even where the limit is below it.
duration doubled(duration wait, duration limit) {
  return std::min(2 * wait, std::max(wait, limit));
}

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

reliable_link::reliable_link(reliable_config cfg)
  : cfg_(cfg),
    trip_({cfg.first_guess, cfg.shortest_wait, cfg.retransmit_after}) {
  cfg_.bare_acks = std::min(cfg.bare_acks, max_acks_received);
  owed_.reserve(ack_list_size);
  recent_.reserve(ack_list_size + 1);
}

expected<done_t> reliable_link::send(control_message msg, instant now) {
  if (free_slots() == 0)
    return errc::window_full;
  sent_message entry;
  entry.msg = std::move(msg);
  entry.due = now.steady;
  unacked_.emplace(next_id_++, std::move(entry));
  return done;
}

void reliable_link::send_again(instant now) {
  for (auto& [id, entry] : unacked_) {
    entry.due = now.steady;
    // What was waited for in vain says nothing about the path as it is now.
    if (cfg_.measure)
      entry.wait = trip_.wait();
  }
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
  look_for_gap(now);
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
  auto i = std::find_if(unacked_.begin(), unacked_.end(), is_due);
  if (i != unacked_.end())
    return transmit(i->first, i->second, now);
  if (next_id_ < answers_first_)
    return std::nullopt;
  if (owed_.empty())
    return poll_question(now);
  control_packet pkt;
  pkt.key_id = cfg_.key_id;
  pkt.op = opcode::ack_v1;
  pkt.acks = take_acks(cfg_.bare_acks);
  return pkt;
}

control_packet reliable_link::transmit(uint32_t id, sent_message& x,
                                       instant now) {
  if (x.transmissions == 0) {
    x.wait = cfg_.measure ? trip_.wait() : cfg_.retransmit_after;
  } else if (!cfg_.measure) {
    x.wait = std::min(2 * x.wait, longest_backoff);
  } else if (now.steady >= x.last_sent + x.wait) {
    // Only a wait that was in vain makes the next one longer. What acks pass by
    // or somebody asks for again is sent on a path that works.
    x.late = true;
    x.wait = doubled(x.wait, cfg_.longest_wait);
  }
  x.due = now.steady + x.wait;
  x.last_sent = now.steady;
  x.higher_acks = 0;
  if (x.transmissions++ > 0)
    ++retransmits_;
  control_packet pkt;
  pkt.key_id = cfg_.key_id;
  pkt.op = x.msg.op;
  pkt.id = id;
  pkt.payload = x.msg.payload;
  pkt.acks = take_acks(max_acks_sent);
  return pkt;
}

/// The next bare ack about what is missing, when its time has come.
std::optional<control_packet> reliable_link::poll_question(instant now) {
  if (!question_ || question_->asked >= cfg_.asks
      || now.steady < question_->due)
    return std::nullopt;
  auto& x = *question_;
  ++x.asked;
  x.due = now.steady + x.wait;
  x.wait = doubled(x.wait, cfg_.longest_ask);
  control_packet pkt;
  pkt.key_id = cfg_.key_id;
  pkt.op = opcode::ack_v1;
  // One packet has to be enough, so it fills up with ids that it has already:
  // each of them counts, and all of them are true.
  auto first = received_.upper_bound(x.id);
  for (auto i = first; pkt.acks.size() < cfg_.bare_acks;) {
    pkt.acks.push_back(i->first);
    if (++i == received_.end())
      i = first;
  }
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
  std::optional<time_point> result;
  auto consider = [&result](time_point x) {
    if (!result || x < *result)
      result = x;
  };
  for (auto& kvp : unacked_)
    consider(kvp.second.due);
  if (question_ && question_->asked < cfg_.asks && next_id_ >= answers_first_)
    consider(question_->due);
  return result;
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
  auto found = unacked_.find(id);
  auto erased = found != unacked_.end();
  if (erased) {
    auto entry = std::move(found->second);
    unacked_.erase(found);
    if (cfg_.measure)
      measure(entry, now);
  }
  for (auto& [other, entry] : unacked_) {
    if (other > id)
      break;
    if (passes_by(entry, now))
      ++entry.higher_acks;
  }
  if (id != 0 || !erased || burst_done_)
    return;
  // The path works and the peer is there: what was sent into the void before
  // need not wait for a back-off that has grown meanwhile.
  burst_done_ = true;
  send_again(now);
}

/// Learns from the ack of a message how long acks take.
void reliable_link::measure(const sent_message& x, instant now) {
  if (x.transmissions > 1) {
    if (x.late)
      trip_.handle_late_ack(x.wait);
    return;
  }
  if (x.transmissions == 0)
    return;
  trip_.handle_sample(now.steady - x.last_sent);
  // The path works, and this is how fast: messages that were sent with another
  // idea of it need not wait any longer than those to come.
  auto wait = trip_.wait();
  for (auto& [id, entry] : unacked_) {
    if (entry.transmissions == 0)
      continue;
    entry.wait = std::min(entry.wait, wait);
    entry.due = std::min(entry.due, entry.last_sent + entry.wait);
  }
}

/// True when the ack of a later message, which came just now, tells that `x`
/// may be lost.
bool reliable_link::passes_by(const sent_message& x,
                              instant now) const noexcept {
  // It knows nothing about a copy that was sent less than a round trip ago. The
  // first few may be spent all the same, as stock does; but then acks in any
  // number are answered once.
  return !cfg_.measure || x.transmissions < early_copies
         || now.steady >= x.last_sent + trip_.usual();
}

/// Notes which message is missing before others that are here.
void reliable_link::look_for_gap(instant now) {
  if (!cfg_.measure)
    return;
  auto missing = expected_id_;
  while (received_.count(missing) > 0)
    ++missing;
  if (received_.upper_bound(missing) == received_.end()) {
    question_.reset();
    return;
  }
  if (question_ && question_->id == missing)
    return;
  // Packets that overtake each other are no reason to ask: the one that is
  // missing has the time of a round trip.
  auto wait = trip_.usual();
  question_ = question{missing, now.steady + wait, wait, 0};
}

void reliable_link::owe_ack(uint32_t id) {
  // When the list is full the peer sends again, and then there is room.
  if (owed_.size() < ack_list_size
      && std::find(owed_.begin(), owed_.end(), id) == owed_.end())
    owed_.push_back(id);
}

std::vector<uint32_t> reliable_link::take_acks(size_t most) {
  auto n = static_cast<std::ptrdiff_t>(std::min(owed_.size(), most));
  std::for_each(owed_.begin(), owed_.begin() + n, [this](uint32_t id) {
    recent_.erase(std::remove(recent_.begin(), recent_.end(), id),
                  recent_.end());
    recent_.insert(recent_.begin(), id);
  });
  owed_.erase(owed_.begin(), owed_.begin() + n);
  if (recent_.size() > ack_list_size)
    recent_.resize(ack_list_size);
  // The ids just taken stand in front, older ones fill the spare room.
  auto total = std::min(recent_.size(), most);
  return {recent_.begin(),
          recent_.begin() + static_cast<std::ptrdiff_t>(total)};
}

} // namespace vpn::protocol
