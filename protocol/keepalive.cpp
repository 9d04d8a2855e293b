// The clocks of a tunnel: see the header.
// spec: openvpn-wire 7.2 (inactive), 11.1
#include "vpn/protocol/keepalive.hpp"

#include <algorithm>

namespace vpn::protocol {

void keepalive::configure(const keepalive_config& cfg, instant now) noexcept {
  cfg_ = cfg;
  started_ = false;
  start(now);
}

void keepalive::start(instant now) noexcept {
  if (started_)
    return;
  started_ = true;
  silent_told_ = false;
  inactive_told_ = false;
  last_sent_ = now.steady;
  last_heard_ = now.steady;
  last_active_ = now.steady;
  bytes_ = 0;
}

void keepalive::handle_heard(instant now) noexcept {
  start(now);
  last_heard_ = now.steady;
  silent_told_ = false;
}

void keepalive::handle_traffic(uint64_t bytes, instant now) noexcept {
  if (bytes == 0)
    return;
  // Not bytes of a sliding window: what came since the last time that it was
  // enough, as peers and their administrators know it.
  bytes_ += bytes;
  if (bytes_ < cfg_.inactive_bytes)
    return;
  bytes_ = 0;
  last_active_ = now.steady;
}

bool keepalive::ping_due(instant now) const noexcept {
  return started_ && cfg_.ping > duration{}
         && now.steady >= last_sent_ + cfg_.ping;
}

bool keepalive::poll_silent(instant now) noexcept {
  if (!started_ || silent_told_ || cfg_.ping_restart <= duration{}
      || now.steady < last_heard_ + cfg_.ping_restart)
    return false;
  silent_told_ = true;
  return true;
}

bool keepalive::poll_inactive(instant now) noexcept {
  if (!started_ || inactive_told_ || cfg_.inactive <= duration{}
      || now.steady < last_active_ + cfg_.inactive)
    return false;
  inactive_told_ = true;
  return true;
}

std::optional<time_point> keepalive::poll_timeout(bool sends) const noexcept {
  std::optional<time_point> result;
  auto consider = [&](bool runs, time_point from, duration after) {
    if (runs && after > duration{})
      result = result ? std::min(*result, from + after) : from + after;
  };
  if (!started_)
    return result;
  consider(sends, last_sent_, cfg_.ping);
  consider(!silent_told_, last_heard_, cfg_.ping_restart);
  consider(!inactive_told_, last_active_, cfg_.inactive);
  return result;
}

} // namespace vpn::protocol
