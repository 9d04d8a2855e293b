// Tells that the machine has slept: the clock that goes on in suspend has run
// ahead of the one that stands still.
// spec: design 6
#pragma once

#include <cstdint>
#include <optional>

namespace vpn::protocol {

class sleep_detector {
public:
  /// Who has slept no longer than this has missed nothing.
  static constexpr int64_t least_nanoseconds = 1'000'000'000;

  /// Takes both clocks as they are now; `boottime_ns` is the one to read first,
  /// so that a pause between the two does not look like sleep. The seconds
  /// slept since the last answer that was one, or since the first call; nothing
  /// while nobody slept.
  std::optional<uint64_t> handle(int64_t boottime_ns, int64_t monotonic_ns);

private:
  /// How far the clocks were apart when the last sleep was told.
  std::optional<uint64_t> apart_;
};

} // namespace vpn::protocol
