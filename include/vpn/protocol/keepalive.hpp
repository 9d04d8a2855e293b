// When to ping, when a peer is silent, when a tunnel is idle.
// spec: openvpn-wire 7.2 (inactive), 11.1
#pragma once

#include "vpn/protocol/clock.hpp"

#include <optional>

namespace vpn::protocol {

struct keepalive_config {
  /// Zero: never, for each of them.
  duration ping{};
  duration ping_restart{};
  duration inactive{};
  /// Less than this in `inactive` is idle; zero: nothing at all.
  uint64_t inactive_bytes = 0;
};

/// The three clocks of a tunnel. They run from `configure` or `start` on,
/// whichever is first.
class keepalive {
public:
  // -- commands --
  /// All clocks start anew.
  void configure(const keepalive_config& cfg, instant now) noexcept;
  /// The same without starting anything.
  void configure(const keepalive_config& cfg) noexcept { cfg_ = cfg; }
  void start(instant now) noexcept;

  // -- handlers --
  /// Something was sent, whatever it was.
  void handle_sent(instant now) noexcept { last_sent_ = now.steady; }
  /// Something valid came.
  void handle_heard(instant now) noexcept;
  /// So many bytes of IP packets went through, in either direction.
  void handle_traffic(uint64_t bytes, instant now) noexcept;

  // -- polls --
  bool ping_due(instant now) const noexcept;
  /// True once, when the peer has been silent for too long; again when it was
  /// heard in between.
  bool poll_silent(instant now) noexcept;
  /// True once, when there was too little traffic for too long.
  bool poll_inactive(instant now) noexcept;
  /// `sends`: a ping could be sent.
  std::optional<time_point> poll_timeout(bool sends) const noexcept;

  // -- observers --
  time_point last_sent() const noexcept { return last_sent_; }

private:
  keepalive_config cfg_;
  bool started_ = false;
  bool silent_told_ = false;
  bool inactive_told_ = false;
  time_point last_sent_{};
  time_point last_heard_{};
  /// When enough bytes had come together, and how many came since.
  time_point last_active_{};
  uint64_t bytes_ = 0;
};

} // namespace vpn::protocol
