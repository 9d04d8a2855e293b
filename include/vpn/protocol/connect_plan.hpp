// Which server to try next, and when.
// spec: openvpn-wire 14
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/profile.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace vpn::protocol {

struct connect_plan_config {
  std::vector<remote_entry> remotes;
  /// Wait between two tries, and the longest one the back-off reaches.
  duration retry = std::chrono::seconds{1};
  duration retry_max = std::chrono::seconds{300};
  /// Tries of each remote, zero: for ever.
  uint32_t max_tries = 0;
};

/// Walks the list of remotes, and each one's addresses, round after round. From
/// the fifth round without success the wait doubles, up to its limit.
class connect_plan {
public:
  explicit connect_plan(connect_plan_config cfg);

  /// What to do next.
  struct step {
    /// Index of the remote.
    size_t remote = 0;
    /// Wait so long first.
    duration delay{};
    /// An address of this remote that is still untried; without one the name
    /// is to be resolved.
    std::optional<endpoint> address;
  };

  // -- commands --
  /// The next try; nothing when every remote has had its tries. `at_least` is a
  /// wait the server asked for.
  std::optional<step> next_step(duration at_least = {});

  // -- handlers --
  /// The addresses of the current remote.
  void handle_resolved(std::vector<endpoint> addresses);
  /// The try led to a connection: counting starts anew, and the same remote is
  /// tried first.
  void handle_connected();

  // -- observers --
  const remote_entry& remote(size_t i) const { return cfg_.remotes[i]; }

private:
  connect_plan_config cfg_;
  size_t current_ = 0;
  uint32_t round_ = 0;
  bool first_ = true;
  bool reconnect_ = false;
  std::deque<endpoint> addresses_;
};

} // namespace vpn::protocol
