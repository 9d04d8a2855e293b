// How often layers may die: see the header.
// spec: design 6, anchors 6.2
#include "vpn/protocol/restart_intensity.hpp"

namespace vpn::protocol {

bool restart_intensity::allow(instant now) noexcept {
  when_[count_ % limit] = now.steady;
  ++count_;
  if (count_ < limit)
    return true;
  // The slot that is written next holds the oldest of the latest five.
  return now.steady - when_[count_ % limit] >= window;
}

} // namespace vpn::protocol
