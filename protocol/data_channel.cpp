// The data channel of one session: see the header.
// spec: openvpn-wire 9, 10.1, 11, 12.2, 12.4, 13.3
#include "vpn/protocol/data_channel.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

packet_shape shape_of(const data_channel_config& cfg) {
  return {cfg.framing, cfg.decompress, cfg.fragment_size, cfg.nat};
}

keepalive_config timers_of(const data_channel_config& cfg) {
  return {cfg.ping, cfg.ping_restart, cfg.inactive, cfg.inactive_bytes};
}

/// True if a datagram of `size` bytes at the end of `out` may join the newest
/// run: one UDP_SEGMENT send wants equal datagrams, of which only the last may
/// be shorter.
bool joins(const packet_slab& out, uint32_t size,
           const data_channel_config& cfg) noexcept {
  if (out.count == 0)
    return false;
  auto& run = out.runs[out.count - 1];
  uint32_t stride = run.stride != 0 ? run.stride : run.length;
  if (size > stride || stride > cfg.max_segment_size || stride > UINT16_MAX
      || run.offset + run.length != out.used
      || run.length + size > cfg.max_burst_bytes)
    return false;
  auto packets = run.length / stride;
  return run.length == packets * stride && packets < cfg.max_burst_packets;
}

} // namespace

// -- set-up --

data_channel::data_channel(const data_channel_config& cfg,
                           const random_source& random)
  : shaper_(random) {
  use(cfg);
  keepalive_.configure(timers_of(cfg));
}

void data_channel::configure(const data_channel_config& cfg, instant now) {
  use(cfg);
  keepalive_.configure(timers_of(cfg), now);
}

void data_channel::use(const data_channel_config& cfg) {
  cfg_ = cfg;
  shaper_.configure(shape_of(cfg));
  keys_.configure({cfg.new_key_delay, cfg.transition_window, cfg.reneg_bytes,
                   cfg.reneg_packets});
  if (cfg.block_ipv6 && !answers_)
    answers_.emplace();
  shaped_ = cfg.block_ipv6 || shaper_.shapes_outgoing();
}

expected<done_t> data_channel::install(const data_key_spec& spec, instant now) {
  auto result = keys_.install(spec, now);
  if (result)
    keepalive_.start(now);
  return result;
}

void data_channel::retire(uint8_t key_id) {
  keys_.retire(key_id);
}

void data_channel::resume() {
  forget_rest();
}

void data_channel::resume_with_gap(uint32_t ids, uint32_t received) {
  resume();
  keys_.skip_ids(ids, received);
  keys_.for_each([this](installed_key& x) {
    check_rekey(x);
  });
}

bool data_channel::has_key() const noexcept {
  return !keys_.empty();
}

// -- sealing --

bool data_channel::seal(packet_slab& in, packet_slab& out, instant now) {
  auto* with = keys_.sending(now);
  if (with == nullptr) {
    stats_.drops.count(errc::no_key, in.count - seal_index_);
    forget_rest();
    return true;
  }
  auto packets = with->packets;
  auto bytes = stats_.bytes_sealed;
  bool finished = shaped_ ? seal_runs<true>(*with, in, out)
                          : seal_runs<false>(*with, in, out);
  if (finished)
    seal_index_ = 0;
  if (with->packets != packets) {
    keepalive_.handle_sent(now);
    keepalive_.handle_traffic(stats_.bytes_sealed - bytes, now);
    check_rekey(*with);
  }
  return finished;
}

template <bool Shaped>
bool data_channel::seal_runs(installed_key& with, packet_slab& in,
                             packet_slab& out) {
  for (; seal_index_ < in.count; ++seal_index_) {
    auto& run = in.runs[seal_index_];
    if constexpr (Shaped) {
      if (refused(in.view(run)))
        continue;
    }
    if (!splitter_ && run.train == train_kind::none) {
      // The short way for what is most of all runs: no splitter to set up.
      mutable_byte_view packet{in.at(run), run.length};
      if (auto x = finish_checksum(packet, run); !x) {
        stats_.drops.count(x.error());
        continue;
      }
      // It is finished only once, even if there is no room for it now.
      run.needs_checksum = false;
      clamp_mss(packet, cfg_.mss4, cfg_.mss6);
      if (seal_ip<Shaped>(with, packet, out) == outcome::full)
        return false;
      continue;
    }
    if (!splitter_) {
      auto x = train_splitter::make(in, run);
      if (!x) {
        stats_.drops.count(x.error());
        continue;
      }
      splitter_ = *x;
      pending_segment_ = splitter_->next();
    }
    if (!seal_train<Shaped>(with, out))
      return false;
  }
  return true;
}

void data_channel::drop_rest(packet_slab& in) {
  if (seal_index_ < in.count)
    stats_.drops.count(errc::no_buffer, in.count - seal_index_);
  forget_rest();
}

void data_channel::forget_rest() noexcept {
  seal_index_ = 0;
  splitter_.reset();
  shaper_.drop();
}

template <bool Shaped>
bool data_channel::seal_train(installed_key& with, packet_slab& out) {
  // A segment that waits for room is complete: the splitter must not be asked
  // for the next one before it is sealed, since that one's header overwrites
  // it.
  while (pending_segment_.size != 0) {
    if (seal_ip<Shaped>(with, pending_segment_, out) == outcome::full)
      return false;
    pending_segment_ = splitter_->next();
  }
  splitter_.reset();
  return true;
}

template <bool Shaped>
data_channel::outcome data_channel::seal_ip(installed_key& with,
                                            mutable_byte_view packet,
                                            packet_slab& out) {
  outcome result;
  if constexpr (Shaped)
    result = seal_shaped(with, packet, out);
  else
    result = seal_one(with, packet, out);
  if (result == outcome::sealed) {
    ++stats_.packets_sealed;
    stats_.bytes_sealed += packet.size;
  }
  return result;
}

data_channel::outcome data_channel::seal_shaped(installed_key& with,
                                                mutable_byte_view packet,
                                                packet_slab& out) {
  // Pieces that are left belong to this packet: it had no room last time.
  if (shaper_.piece().empty()) {
    auto ok
      = shaper_.begin(packet, with.key.largest_plaintext(cfg_.fragment_size));
    if (!ok) {
      stats_.drops.count(ok.error());
      return outcome::dropped;
    }
  }
  for (auto x = shaper_.piece(); !x.empty(); x = shaper_.piece()) {
    auto result = seal_one(with, x, out);
    if (result == outcome::full)
      return result;
    if (result == outcome::dropped) {
      shaper_.drop();
      return result;
    }
    shaper_.next_piece();
  }
  return outcome::sealed;
}

data_channel::outcome
data_channel::seal_one(installed_key& with, byte_view plain, packet_slab& out) {
  auto size = static_cast<uint32_t>(with.key.sealed_size(plain.size()));
  bool room
    = with.key.head_room() + plain.size() + with.key.tail_room() <= out.room();
  bool joined = room && joins(out, size, cfg_);
  if (!room || (!joined && out.full())) {
    if (out.count != 0)
      return outcome::full;
    // Not even an empty slab has room: waiting would not help.
    stats_.drops.count(errc::no_buffer);
    return outcome::dropped;
  }
  auto sealed = with.key.seal(plain, out.data + out.used);
  if (!sealed) {
    stats_.drops.count(sealed.error());
    return outcome::dropped;
  }
  auto length = static_cast<uint32_t>(*sealed);
  if (joined) {
    auto& run = out.runs[out.count - 1];
    // The first one to join makes a run of a single datagram.
    if (run.stride == 0)
      run.stride = static_cast<uint16_t>(run.length);
    run.length += length;
  } else {
    out.add(out.used, length);
  }
  out.used += length;
  with.count(plain.size());
  return outcome::sealed;
}

/// True for an IPv6 packet that `block_ipv6` keeps here.
bool data_channel::refused(byte_view packet) {
  if (!cfg_.block_ipv6 || packet.empty() || packet[0] >> 4 != 6)
    return false;
  ++stats_.ipv6_refused;
  answers_->add(packet);
  return true;
}

bool data_channel::poll_answer(packet_slab& up) {
  return answers_ && answers_->take(up);
}

// -- time --

void data_channel::handle_heard(instant now) {
  keepalive_.handle_heard(now);
}

void data_channel::handle_timeout(instant now) {
  keys_.handle_timeout(now);
  if (keepalive_.poll_silent(now))
    tell(peer_silent{});
  if (keepalive_.poll_inactive(now))
    tell(tunnel_inactive{});
}

void data_channel::queue_exit() {
  exit_queued_ = true;
}

bool data_channel::poll_ping(packet_slab& out, instant now) {
  auto* with = keys_.sending(now);
  if (with == nullptr
      || (!exit_queued_ && !ping_queued_ && !keepalive_.ping_due(now)))
    return false;
  auto message = exit_queued_ ? exit_magic() : ping_magic();
  if (shaper_.shapes_outgoing())
    message = shaper_.wrap_message(message);
  auto result = seal_one(*with, message, out);
  if (result == outcome::full)
    return false;
  // A ping that cannot be sealed is not tried again before its next time.
  keepalive_.handle_sent(now);
  bool ping = !exit_queued_;
  exit_queued_ = false;
  ping_queued_ = ping_queued_ && !ping;
  if (result == outcome::dropped)
    return false;
  stats_.pings_sent += ping ? 1 : 0;
  check_rekey(*with);
  return true;
}

std::optional<time_point> data_channel::poll_timeout() const {
  auto result = keepalive_.poll_timeout(has_key());
  auto consider = [&result](time_point x) {
    if (!result || x < *result)
      result = x;
  };
  if (auto at = keys_.poll_timeout())
    consider(*at);
  if (has_key() && (exit_queued_ || ping_queued_))
    consider(keepalive_.last_sent());
  return result;
}

// -- events --

void data_channel::check_rekey(installed_key& x) {
  if (keys_.poll_rekey(x))
    tell(rekey_needed{x.key.key_id()});
}

void data_channel::tell(data_event x) {
  // Nobody polls: the newest events tell more than the oldest.
  if (events_size_ == events_.size()) {
    std::move(events_.begin() + 1, events_.end(), events_.begin());
    --events_size_;
  }
  events_[events_size_++] = x;
}

std::optional<data_event> data_channel::poll_event() {
  if (events_size_ == 0)
    return std::nullopt;
  auto result = events_[0];
  std::move(events_.begin() + 1, events_.begin() + events_size_,
            events_.begin());
  events_[--events_size_].reset();
  return result;
}

} // namespace vpn::protocol
