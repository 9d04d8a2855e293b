// Tells that the machine has slept: the clock that goes on in suspend has run
// ahead of the one that stands still.
// spec: design 6
#include "vpn/protocol/sleep_detector.hpp"

namespace vpn::protocol {

std::optional<uint64_t> sleep_detector::handle(int64_t boottime_ns,
                                               int64_t monotonic_ns) {
  // Modulo 2^64, so that no reading of a clock can overflow.
  auto apart
    = static_cast<uint64_t>(boottime_ns) - static_cast<uint64_t>(monotonic_ns);
  if (!apart_) {
    apart_ = apart;
    return std::nullopt;
  }
  auto slept = static_cast<int64_t>(apart - *apart_);
  // Short naps add up until they are worth a word. Less than nothing is a
  // reader that lost its turn between the two clocks.
  if (slept <= least_nanoseconds)
    return std::nullopt;
  apart_ = apart;
  return static_cast<uint64_t>(slept) / 1'000'000'000;
}

} // namespace vpn::protocol
