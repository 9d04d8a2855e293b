// The round trip, estimated: see the header.
// spec: RFC 6298 2, 3, 5.5
#include "vpn/protocol/round_trip.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

/// Packets of one burst are so far from each other at most.
constexpr duration granularity = std::chrono::milliseconds{20};

} // namespace

void round_trip::handle_sample(duration x) noexcept {
  // A clock that went back must not make time negative.
  x = std::max(x, duration{});
  at_least_ = duration{};
  if (!measured_) {
    measured_ = true;
    smoothed_ = x;
    deviation_ = x / 2;
    return;
  }
  auto error = x > smoothed_ ? x - smoothed_ : smoothed_ - x;
  deviation_ += (error - deviation_) / 4;
  smoothed_ += (x - smoothed_) / 8;
}

void round_trip::handle_late_ack(duration waited) noexcept {
  at_least_ = std::max(at_least_, waited);
}

duration round_trip::wait() const noexcept {
  auto estimate = measured_ ? smoothed_ + 4 * deviation_ : limits_.first_guess;
  return std::min(std::max({estimate, at_least_, limits_.shortest}),
                  limits_.longest);
}

duration round_trip::usual() const noexcept {
  auto result = measured_ ? smoothed_ : limits_.first_guess;
  return std::min(std::max(result, granularity), limits_.longest);
}

} // namespace vpn::protocol
