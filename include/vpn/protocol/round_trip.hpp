// The time from a message to its ack, estimated, and how long it is worth
// waiting before the message counts as lost.
// spec: RFC 6298 2, 3, 5.5
#pragma once

#include "vpn/protocol/clock.hpp"

namespace vpn::protocol {

struct round_trip_limits {
  /// The wait while nothing has been measured.
  duration first_guess{};
  /// No wait for a peer is shorter: it may be busy.
  duration shortest{};
  /// Stronger than the other two.
  duration longest{};
};

/// Feed it with acks of messages that were sent once: the ack of a message that
/// was sent again does not tell which copy it is for.
class round_trip {
public:
  explicit round_trip(const round_trip_limits& x) noexcept : limits_(x) {}

  /// A message was acknowledged so long after it was sent, once.
  void handle_sample(duration x) noexcept;
  /// A message was acknowledged that had to be sent again, when the next copy
  /// would have been due so long after the last one. The path may be slower
  /// than it was: whatever is sent before the next sample waits as long.
  void handle_late_ack(duration waited) noexcept;

  /// How long to wait for the ack of a message before it is sent again.
  duration wait() const noexcept;
  /// How long an ack takes usually, on a path without a busy peer at its end;
  /// the first guess before a measurement.
  duration usual() const noexcept;
  bool measured() const noexcept { return measured_; }

private:
  round_trip_limits limits_;
  bool measured_ = false;
  duration smoothed_{};
  duration deviation_{};
  duration at_least_{};
};

} // namespace vpn::protocol
