// The test scheduler's clock as the product's clock: timers and `now` agree.
#pragma once

#include "vpn/actors/clock_source.hpp"

#include "tests/support/test_pki.hpp"

#include <caf/actor_clock.hpp>

namespace vpn::test {

class virtual_clock final : public actors::clock_source {
public:
  explicit virtual_clock(const caf::actor_clock& clock)
    : clock_(clock),
      start_(clock.now()) {}

  instant now() const override {
    return {
      clock_.now(),
      pki_now
        + std::chrono::duration_cast<std::chrono::seconds>(elapsed()).count()};
  }
  duration elapsed() const { return clock_.now() - start_; }

private:
  const caf::actor_clock& clock_;
  time_point start_;
};

} // namespace vpn::test
