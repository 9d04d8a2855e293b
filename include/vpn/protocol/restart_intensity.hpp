// How often layers may die before the session is given up.
// spec: design 6, anchors 6.2
#pragma once

#include "vpn/protocol/clock.hpp"

#include <array>
#include <cstddef>

namespace vpn::protocol {

class restart_intensity {
public:
  static constexpr size_t limit = 5;
  static constexpr duration window = std::chrono::seconds{10};

  /// Counts one restart. False when it is the fifth within ten seconds: then
  /// the session is to end.
  bool allow(instant now) noexcept;

private:
  /// The latest ones, as a ring.
  std::array<time_point, limit> when_{};
  size_t count_ = 0;
};

} // namespace vpn::protocol
