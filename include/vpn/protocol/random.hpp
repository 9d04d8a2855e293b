// Randomness is a parameter, so that a test can seed it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace vpn {

/// Fills `n` bytes at `out`. In the product: a CSPRNG.
using random_source = std::function<void(uint8_t* out, size_t n)>;

/// OpenSSL's generator. The only source for anything secret outside tests.
random_source openssl_random();

} // namespace vpn
