// What happens to each datagram of one direction of a link: lost, doubled,
// delayed, reordered or corrupted, by seed. `protocol::fault_model` decides.
#pragma once

#include "vpn/protocol/fault_model.hpp"

#include "tests/support/seeded.hpp"

#include <vector>

namespace vpn::test {

/// Rates are datagrams of a thousand.
struct link_faults {
  uint32_t lose = 0;
  uint32_t duplicate = 0;
  /// One bit of the datagram flips.
  uint32_t corrupt = 0;
  /// Held back for `reorder_by` more.
  uint32_t reorder = 0;
  std::chrono::milliseconds reorder_by{20};
  /// Each copy takes `delay` and up to `jitter` more: jitter reorders, too.
  std::chrono::milliseconds delay{10};
  std::chrono::milliseconds jitter{0};
};

class link_model {
public:
  /// One copy of a datagram, and how long it is under way.
  struct delivery {
    duration after{};
    bytes data;
  };

  explicit link_model(link_faults faults = {}, uint64_t seed = 1);

  // -- commands --
  void set_faults(const link_faults& x);
  /// While it is down, everything is lost.
  void set_up(bool x) { up_ = x; }
  /// What becomes of a datagram: nothing, one delivery or two.
  std::vector<delivery> decide(byte_view datagram);

  // -- observers --
  const link_faults& faults() const noexcept { return faults_; }
  uint64_t sent() const noexcept { return sent_; }
  uint64_t lost() const noexcept { return lost_; }
  uint64_t duplicated() const noexcept { return duplicated_; }
  uint64_t corrupted() const noexcept { return corrupted_; }

private:
  link_faults faults_;
  protocol::fault_model model_;
  bool up_ = true;
  uint64_t sent_ = 0, lost_ = 0, duplicated_ = 0, corrupted_ = 0;
};

} // namespace vpn::test
