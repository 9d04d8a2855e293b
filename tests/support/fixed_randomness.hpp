// OpenSSL's randomness from a seed, so that a run with real handshakes is the
// same each time. For tests alone.
#pragma once

#include "tests/support/seeded.hpp"

#include <openssl/rand.h>

#include <optional>

// OpenSSL 3 would have a provider for this; that of 3.0 does not repeat itself.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace vpn::test {

/// While one lives, every random byte of OpenSSL in this process comes from its
/// seed, the keys of certificates among them. One at a time, and no threads.
class fixed_randomness {
public:
  explicit fixed_randomness(uint64_t seed) {
    generator().emplace(seed);
    RAND_set_rand_method(&method());
  }
  ~fixed_randomness() {
    RAND_set_rand_method(RAND_OpenSSL());
    generator().reset();
  }
  fixed_randomness(const fixed_randomness&) = delete;
  fixed_randomness& operator=(const fixed_randomness&) = delete;

private:
  static std::optional<seeded>& generator() {
    static std::optional<seeded> result;
    return result;
  }
  static int draw(unsigned char* out, int n) {
    for (int i = 0; i < n; ++i)
      out[i] = generator()->byte();
    return 1;
  }
  static int ready() { return 1; }
  static const RAND_METHOD& method() {
    // No seeding, no cleanup: there is nothing to keep.
    static const RAND_METHOD result{nullptr, draw,    nullptr,
                                    nullptr, nullptr, ready};
    return result;
  }
};

} // namespace vpn::test

#pragma GCC diagnostic pop
