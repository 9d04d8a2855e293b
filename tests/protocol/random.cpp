// The product's source of randomness.

#define CAF_SUITE protocol.random

#include "vpn/protocol/random.hpp"

#include "vpn/protocol/bytes.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn;

CAF_TEST(the source fills exactly what it was asked to fill) {
  auto random = openssl_random();
  bytes xs(40, 0x77);
  // That 16 random bytes stay as they were has a chance of 2 to the -128.
  random(xs.data() + 8, 16);
  for (size_t i : {0, 7, 24, 39})
    CAF_CHECK_EQUAL(int{xs[i]}, 0x77);
  CAF_CHECK(!(byte_view{xs}.from(8).first(16) == byte_view{bytes(16, 0x77)}));
}

CAF_TEST(asking for nothing changes nothing) {
  auto random = openssl_random();
  uint8_t x = 0x77;
  random(&x, 0);
  CAF_CHECK_EQUAL(int{x}, 0x77);
}

CAF_TEST(no draw repeats and copies share nothing) {
  auto first = openssl_random();
  auto second = first;
  auto third = openssl_random();
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i)
    for (auto* source : {&first, &second, &third}) {
      bytes xs(16);
      (*source)(xs.data(), xs.size());
      CAF_CHECK(seen.insert(to_hex(xs)).second);
    }
}
