// The data channel of one session: see the header.
// spec: openvpn-wire 9, 11.1, 12.4, 13.3
#include "vpn/protocol/data_channel.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace vpn::protocol {

namespace {

constexpr std::array<uint8_t, 16> ping_bytes{
  0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
  0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48,
};

constexpr size_t max_keys = 2;

bool is_ip(byte_view xs) noexcept {
  return xs[0] >> 4 == 4 || xs[0] >> 4 == 6;
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

byte_view ping_magic() noexcept {
  return {ping_bytes.data(), ping_bytes.size()};
}

data_channel::data_channel(data_channel_config cfg) : cfg_(cfg) {
}

// -- keys --

void data_channel::configure(const data_channel_config& cfg, instant now) {
  cfg_ = cfg;
  last_sent_ = now.steady;
  last_heard_ = now.steady;
  timers_started_ = true;
  silent_told_ = false;
}

expected<done_t> data_channel::install(const data_key_spec& spec, instant now) {
  // The same key under any id would use its nonces a second time.
  for (auto& x : slots_)
    if (x && equal_in_constant_time(x->material.view(), spec.keys.view()))
      return errc::wrong_state;
  auto key = data_key::make(spec);
  if (!key)
    return key.error();
  retire(spec.key_id);
  if (order_size_ == max_keys)
    retire(order_[0]);
  if (auto* before = at_age(0))
    before->retire_at = now.steady + cfg_.transition_window;
  slots_[spec.key_id].emplace(
    slot{std::move(*key), spec.keys, now.steady, std::nullopt, false, false});
  order_[order_size_++] = spec.key_id;
  if (!timers_started_) {
    last_sent_ = now.steady;
    last_heard_ = now.steady;
    timers_started_ = true;
  }
  return done;
}

void data_channel::retire(uint8_t key_id) {
  if (key_id >= slots_.size())
    return;
  slots_[key_id].reset();
  size_t kept = 0;
  for (size_t i = 0; i < order_size_; ++i)
    if (order_[i] != key_id)
      order_[kept++] = order_[i];
  order_size_ = kept;
  // The newest key that is left goes on until it is replaced.
  if (auto* newest = at_age(0))
    newest->retire_at.reset();
}

/// The key installed as the newest one, the one before it, and so on.
data_channel::slot* data_channel::at_age(size_t age) noexcept {
  return age < order_size_ ? &*slots_[order_[order_size_ - 1 - age]] : nullptr;
}

data_channel::slot* data_channel::sending(instant now) noexcept {
  auto* newest = at_age(0);
  auto* older = at_age(1);
  // The peer may not be ready for the newest key. But once it used it, or the
  // grace time is over, or the older one is used up, there is no way back.
  if (newest == nullptr || older == nullptr || newest->confirmed
      || now.steady >= newest->installed + cfg_.new_key_delay
      || older->key.last_packet_id() == std::numeric_limits<uint32_t>::max())
    return newest;
  return older;
}

bool data_channel::has_key() const noexcept {
  return order_size_ != 0;
}

// -- sealing --

bool data_channel::seal(packet_slab& in, packet_slab& out, instant now) {
  auto* with = sending(now);
  auto before = stats_.packets_sealed;
  bool finished = true;
  for (; seal_index_ < in.count; ++seal_index_) {
    auto& run = in.runs[seal_index_];
    if (with == nullptr) {
      splitter_.reset();
      stats_.drops.count(errc::no_key);
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
      if (seal_ip(*with, packet, out) == outcome::full) {
        finished = false;
        break;
      }
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
    if (!seal_train(*with, out)) {
      finished = false;
      break;
    }
  }
  if (finished)
    seal_index_ = 0;
  if (stats_.packets_sealed != before) {
    last_sent_ = now.steady;
    check_rekey(*with);
  }
  return finished;
}

void data_channel::drop_rest(packet_slab& in) {
  if (seal_index_ < in.count)
    stats_.drops.count(errc::no_buffer, in.count - seal_index_);
  seal_index_ = 0;
  splitter_.reset();
}

bool data_channel::seal_train(slot& with, packet_slab& out) {
  // A segment that waits for room is complete: the splitter must not be asked
  // for the next one before it is sealed, since that one's header overwrites
  // it.
  while (pending_segment_.size != 0) {
    if (seal_ip(with, pending_segment_, out) == outcome::full)
      return false;
    pending_segment_ = splitter_->next();
  }
  splitter_.reset();
  return true;
}

data_channel::outcome data_channel::seal_one(slot& with, byte_view plain,
                                             packet_slab& out) {
  auto size = with.key.head_room() + plain.size() + with.key.tail_room();
  bool room = size <= out.room();
  bool joined = room && joins(out, static_cast<uint32_t>(size), cfg_);
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
  return outcome::sealed;
}

data_channel::outcome data_channel::seal_ip(slot& with, byte_view plain,
                                            packet_slab& out) {
  auto result = seal_one(with, plain, out);
  if (result == outcome::sealed) {
    ++stats_.packets_sealed;
    stats_.bytes_sealed += plain.size();
  }
  return result;
}

// -- opening --

void data_channel::open(packet_slab& batch, instant now) {
  bool valid = false;
  uint32_t from = 0;
  uint32_t end = batch.count;
  batch.count = 0;
  while (from < end) {
    auto run = batch.runs[from++];
    if (run.stride != 0 && run.stride < run.length) {
      // Several packets come of one run: the runs not yet read move out of
      // their way, to the end of the array.
      auto by = batch.max_runs - end;
      std::memmove(batch.runs + from + by, batch.runs + from,
                   (end - from) * sizeof(packet_run));
      from += by;
      end += by;
    }
    auto step = run.stride != 0 ? run.stride : run.length;
    for (uint32_t i = 0; i < run.length; i += step)
      valid |= open_one({batch.at(run) + i, std::min(step, run.length - i)},
                        batch, from);
    if (run.length == 0)
      stats_.drops.count(errc::truncated);
  }
  if (valid)
    heard(now);
}

/// `limit`: how many descriptors may be written so far. True if the packet came
/// from the peer, whatever is in it.
bool data_channel::open_one(mutable_byte_view packet, packet_slab& batch,
                            uint32_t limit) {
  auto drop = [this](errc why) {
    stats_.drops.count(why);
    return false;
  };
  auto first = packet.data[0];
  if (!is_data(first))
    return drop(errc::bad_opcode);
  auto& with = slots_[key_id_of(first)];
  if (!with)
    return drop(errc::no_key);
  auto plain = with->key.open(packet);
  if (!plain)
    return drop(plain.error());
  if (!with->confirmed) {
    with->confirmed = true;
    tell(key_confirmed{with->key.key_id()});
  }
  check_rekey(*with);
  if (plain->size == ping_bytes.size() && byte_view{*plain} == ping_magic()) {
    ++stats_.pings_received;
    return true;
  }
  if (!is_ip(*plain)) {
    stats_.drops.count(errc::not_ip);
    return true;
  }
  clamp_mss(*plain, cfg_.mss4, cfg_.mss6);
  if (batch.count == limit
      || !batch.add(static_cast<uint32_t>(plain->data - batch.data),
                    static_cast<uint32_t>(plain->size))) {
    stats_.drops.count(errc::no_buffer);
    return true;
  }
  ++stats_.packets_opened;
  stats_.bytes_opened += plain->size;
  return true;
}

// -- time --

void data_channel::heard(instant now) noexcept {
  last_heard_ = now.steady;
  timers_started_ = true;
  silent_told_ = false;
}

void data_channel::handle_heard(instant now) {
  heard(now);
}

void data_channel::handle_timeout(instant now) {
  for (auto i = order_size_; i-- > 0;)
    if (auto& at = slots_[order_[i]]->retire_at; at && now.steady >= *at)
      retire(order_[i]);
  if (cfg_.ping_restart > duration{} && timers_started_ && !silent_told_
      && now.steady >= last_heard_ + cfg_.ping_restart) {
    silent_told_ = true;
    tell(peer_silent{});
  }
}

bool data_channel::poll_ping(packet_slab& out, instant now) {
  auto* with = sending(now);
  if (with == nullptr || cfg_.ping == duration{}
      || now.steady < last_sent_ + cfg_.ping)
    return false;
  auto result = seal_one(*with, ping_magic(), out);
  if (result == outcome::full)
    return false;
  // A ping that cannot be sealed is not tried again before its next time.
  last_sent_ = now.steady;
  if (result == outcome::dropped)
    return false;
  ++stats_.pings_sent;
  check_rekey(*with);
  return true;
}

std::optional<time_point> data_channel::poll_timeout() const {
  std::optional<time_point> result;
  auto consider = [&result](time_point x) {
    if (!result || x < *result)
      result = x;
  };
  for (size_t i = 0; i < order_size_; ++i)
    if (auto& at = slots_[order_[i]]->retire_at)
      consider(*at);
  if (has_key() && cfg_.ping > duration{})
    consider(last_sent_ + cfg_.ping);
  if (timers_started_ && !silent_told_ && cfg_.ping_restart > duration{})
    consider(last_heard_ + cfg_.ping_restart);
  return result;
}

// -- events --

void data_channel::check_rekey(slot& x) {
  if (x.rekey_told || !x.key.wants_rekey())
    return;
  x.rekey_told = true;
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
