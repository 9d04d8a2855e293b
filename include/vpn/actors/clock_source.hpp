// Where actors get `now` from. Fault actors and tests put their own in front.
#pragma once

#include "vpn/protocol/clock.hpp"

namespace vpn::actors {

/// Tells the time. Outlives every actor that holds it.
class clock_source {
public:
  virtual ~clock_source();
  virtual instant now() const = 0;
};

/// The machine's clocks, read at each call.
class system_clock_source : public clock_source {
public:
  instant now() const override;
};

} // namespace vpn::actors
