#include "vpn/protocol/random.hpp"

#include <openssl/rand.h>

#include <cstdlib>

namespace vpn {

random_source openssl_random() {
  return [](uint8_t* out, size_t n) {
    // No randomness, no secrecy: there is nothing sensible left to do.
    if (RAND_bytes(out, static_cast<int>(n)) != 1)
      std::abort();
  };
}

} // namespace vpn
