// Randomness that is the same in every run, for random-bytes loops and
// simulated loss.
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/random.hpp"

#include <memory>
#include <random>

namespace vpn::test {

/// A seeded generator. Uses no distribution of the standard library, since
/// those differ from one library to the next.
class seeded {
public:
  explicit seeded(uint64_t seed)
    : engine_(std::make_shared<std::mt19937_64>(seed)) {}

  /// A number in [0, n).
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((*engine_)() % n); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  uint8_t byte() { return static_cast<uint8_t>((*engine_)()); }

  /// Up to `max` bytes.
  bytes some_bytes(uint32_t max) {
    bytes result(below(max + 1));
    for (auto& x : result)
      x = byte();
    return result;
  }

  /// A source for the product's code that shares this generator.
  random_source source() {
    return [engine = engine_](uint8_t* out, size_t n) {
      for (size_t i = 0; i < n; ++i)
        out[i] = static_cast<uint8_t>((*engine)());
    };
  }

private:
  std::shared_ptr<std::mt19937_64> engine_;
};

} // namespace vpn::test
