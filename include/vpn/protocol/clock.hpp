// Time as a value. Nothing in this library reads a clock: whoever calls says
// what time it is.
#pragma once

#include <chrono>
#include <cstdint>

namespace vpn {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

/// One moment, told twice: `steady` orders and measures (timers, windows), and
/// `unix_seconds` is what goes on the wire or is compared with certificates.
struct instant {
  time_point steady{};
  int64_t unix_seconds = 0;
};

} // namespace vpn
