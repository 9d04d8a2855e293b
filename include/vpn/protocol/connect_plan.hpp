// Which server to try next, and when.
// spec: openvpn-wire 14
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/connection_settings.hpp"
#include "vpn/protocol/control_message.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/random.hpp"

#include <deque>
#include <optional>
#include <vector>

namespace vpn::protocol {

/// One `remote`.
struct remote_entry {
  std::string host;
  /// Number or service name.
  std::string port = "1194";
  bool tcp = false;
  /// `unspecified`: whatever the name resolves to.
  family kind = family::unspecified;
  connection_settings settings;
};

struct connect_plan_config {
  std::vector<remote_entry> remotes;
  /// The remotes are tried in random order, drawn once. Option
  /// `remote-random`.
  bool shuffle = false;
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
  /// `random` draws the order, when that is random, and takes up to a quarter
  /// off each wait: a server that comes back is not met by all its clients in
  /// the same second. Without it waits are exact.
  explicit connect_plan(connect_plan_config cfg, const random_source& random
                                                 = {});

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
  /// The next step takes the same address, or the next one, or the next remote.
  /// An address that never came out of `next_step` is looked up again.
  void go(advance where);
  /// What earlier tries ran into may be over, since this host's addresses have
  /// changed: rounds are counted anew, and with them waits and tries.
  void hurry();

  // -- handlers --
  /// The addresses of the current remote.
  void handle_resolved(std::vector<endpoint> addresses);
  /// The try led to a connection: counting starts anew, and the same remote is
  /// tried first. If it does not answer, the list is walked from its head.
  void handle_connected();

  // -- observers --
  const remote_entry& remote(size_t i) const { return cfg_.remotes[i]; }

private:
  void take_next_remote();
  duration shortened(duration wait) const;

  connect_plan_config cfg_;
  random_source random_;
  size_t current_ = 0;
  uint32_t round_ = 0;
  bool first_ = true;
  /// The same remote comes next; with `repeat_` the same address.
  bool reconnect_ = false;
  bool repeat_ = false;
  /// After that the list is walked from its head, where the server stands that
  /// its owner would rather have.
  bool fail_back_ = false;
  std::optional<endpoint> last_;
  /// Steps back to the same remote; as many as there are remotes count as a
  /// round.
  size_t repeats_ = 0;
  std::deque<endpoint> addresses_;
};

} // namespace vpn::protocol
