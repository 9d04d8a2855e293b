// The data channel, receiving half: data packets of a batch become the IP
// packets for TUN.
// spec: openvpn-wire 9, 10.1, 11.1, 11.2, 13.3
#include "vpn/protocol/data_channel.hpp"

#include <algorithm>
#include <cstring>

namespace vpn::protocol {

namespace {

bool is_ip(byte_view xs) noexcept {
  return !xs.empty() && (xs[0] >> 4 == 4 || xs[0] >> 4 == 6);
}

} // namespace

void data_channel::open(packet_slab& batch, instant now) {
  auto bytes = stats_.bytes_opened;
  bool valid = shaper_.shapes_incoming() ? open_runs<true>(batch, now)
                                         : open_runs<false>(batch, now);
  if (!valid)
    return;
  keepalive_.handle_heard(now);
  keepalive_.handle_traffic(stats_.bytes_opened - bytes, now);
}

template <bool Shaped>
bool data_channel::open_runs(packet_slab& batch, instant now) {
  auto free = Shaped ? slab_gap{batch} : slab_gap{};
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
      valid
        |= open_one<Shaped>({batch.at(run) + i, std::min(step, run.length - i)},
                            batch, from, free, now);
    if (run.length == 0)
      stats_.drops.count(errc::truncated);
  }
  return valid;
}

/// `limit`: how many descriptors may be written so far. True if the packet came
/// from the peer, whatever is in it.
template <bool Shaped>
bool data_channel::open_one(mutable_byte_view packet, packet_slab& batch,
                            uint32_t limit, [[maybe_unused]] slab_gap& free,
                            [[maybe_unused]] instant now) {
  auto drop = [this](errc why, bool result) {
    stats_.drops.count(why);
    return result;
  };
  auto first = packet.data[0];
  if (!is_data(first))
    return drop(errc::bad_opcode, false);
  auto* with = keys_.find(key_id_of(first));
  if (with == nullptr)
    return drop(errc::no_key, false);
  auto plain = with->key.open(packet);
  if (!plain) {
    // Forgeries, too, may use up a key.
    check_rekey(*with);
    return drop(plain.error(), false);
  }
  if (!with->confirmed) {
    with->confirmed = true;
    tell(key_confirmed{with->key.key_id()});
  }
  with->count(plain->size);
  stats_.bytes_authenticated += plain->size;
  check_rekey(*with);
  auto body = *plain;
  if constexpr (Shaped) {
    auto x = shaper_.open(body, now);
    if (!x)
      return drop(x.error(), true);
    if (x->size == 0)
      return true;
    body = *x;
  }
  if (!is_ip(body)) {
    handle_message(body);
    return true;
  }
  if (batch.count == limit || batch.full())
    return drop(errc::no_buffer, true);
  if constexpr (Shaped) {
    auto* at = free.place(body, packet, batch);
    if (at == nullptr)
      return drop(errc::no_buffer, true);
    body.data = at;
    shaper_.restore_addresses(body);
  }
  clamp_mss(body, cfg_.mss4, cfg_.mss6);
  batch.add(static_cast<uint32_t>(body.data - batch.data),
            static_cast<uint32_t>(body.size));
  ++stats_.packets_opened;
  stats_.bytes_opened += body.size;
  return true;
}

/// Whatever is no IP packet.
void data_channel::handle_message(byte_view plain) {
  switch (classify_message(plain)) {
    case in_tunnel_message::none:
      stats_.drops.count(errc::not_ip);
      break;
    case in_tunnel_message::ping:
      ++stats_.pings_received;
      break;
    case in_tunnel_message::chatter:
      break;
    case in_tunnel_message::exit:
      if (!exit_told_)
        tell(peer_exit{});
      exit_told_ = true;
      break;
  }
}

} // namespace vpn::protocol
