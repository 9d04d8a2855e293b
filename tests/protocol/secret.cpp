// Wiping, constant-time comparison, and that nothing can print a secret.

#define CAF_SUITE protocol.secret

#include "vpn/protocol/secret.hpp"

#include "caf/test/unit_test.hpp"

#include <new>
#include <ostream>
#include <type_traits>

using namespace vpn;

namespace {

template <class T, class = void>
struct is_streamable : std::false_type {};
template <class T>
struct is_streamable<T, std::void_t<decltype(std::declval<std::ostream&>()
                                             << std::declval<const T&>())>>
  : std::true_type {};

bool all_zero(const uint8_t* p, size_t n) {
  return std::all_of(p, p + n, [](uint8_t x) {
    return x == 0;
  });
}

} // namespace

CAF_TEST(nothing renders a secret) {
  CAF_CHECK(is_streamable<int>::value);
  CAF_CHECK(!is_streamable<secret>::value);
  CAF_CHECK(!is_streamable<key_block>::value);
  CAF_CHECK((!std::is_convertible<secret, std::string>::value));
  CAF_CHECK((!std::is_convertible<std::string, secret>::value));
}

CAF_TEST(wiping overwrites every byte and nothing else) {
  uint8_t xs[6] = {1, 2, 3, 4, 5, 6};
  wipe(xs + 1, 4);
  CAF_CHECK(all_zero(xs + 1, 4));
  CAF_CHECK_EQUAL(int{xs[0]}, 1);
  CAF_CHECK_EQUAL(int{xs[5]}, 6);
  wipe(nullptr, 0);
}

CAF_TEST(comparison sees every difference) {
  bytes xs(64, 0x5a);
  CAF_CHECK(equal_in_constant_time(xs, bytes(xs)));
  for (size_t i = 0; i < xs.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      auto ys = xs;
      ys[i] = static_cast<uint8_t>(ys[i] ^ (1 << bit));
      CAF_CHECK(!equal_in_constant_time(xs, ys));
    }
  CAF_CHECK(!equal_in_constant_time(xs, byte_view{xs}.first(63)));
  CAF_CHECK(!equal_in_constant_time(xs, {}));
  CAF_CHECK(equal_in_constant_time({}, {}));
}

CAF_TEST(a secret holds text and bytes) {
  secret x{std::string_view{"pass\0word", 9}};
  CAF_CHECK_EQUAL(x.size(), 9u);
  CAF_CHECK(x.text() == (std::string_view{"pass\0word", 9}));
  CAF_CHECK((secret{bytes{1, 2}}.view() == byte_view{bytes{1, 2}}));
  CAF_CHECK(secret{}.empty());
}

CAF_TEST(copies are independent) {
  secret x{std::string_view{"one"}};
  secret y = x;
  x.clear();
  CAF_CHECK(x.empty());
  CAF_CHECK(y.text() == "one");
  x = y;
  CAF_CHECK(x.text() == "one");
  const auto& same = x;
  x = same;
  CAF_CHECK(x.text() == "one");
  y = secret{std::string_view{"another"}};
  CAF_CHECK(y.text() == "another");
  CAF_CHECK(x.text() == "one");
}

CAF_TEST(a moved secret leaves nothing behind) {
  secret x{std::string_view{"one"}};
  secret y = std::move(x);
  CAF_CHECK(x.empty()); // NOLINT: that is the promise
  CAF_CHECK(y.text() == "one");
  secret z{std::string_view{"two"}};
  z = std::move(y);
  CAF_CHECK(y.empty()); // NOLINT
  CAF_CHECK(z.text() == "one");
  auto& same = z;
  z = std::move(same);
  CAF_CHECK(z.text() == "one");
}

CAF_TEST(a key block starts as zeros and is cut into slices) {
  key_block keys;
  CAF_CHECK_EQUAL(keys.size(), 256u);
  CAF_CHECK(all_zero(keys.data(), keys.size()));
  for (size_t i = 0; i < keys.size(); ++i)
    keys.data()[i] = static_cast<uint8_t>(i);
  CAF_CHECK((keys.slice(64, 3) == byte_view{bytes{64, 65, 66}}));
  CAF_CHECK_EQUAL(keys.slice(250, 64).size(), 6u);
  CAF_CHECK(keys.slice(256, 1).empty());
  CAF_CHECK(keys.slice(1000, 1).empty());
}

CAF_TEST(a key block wipes itself when it ends) {
  alignas(key_block) unsigned char room[sizeof(key_block)];
  auto* keys = new (room) key_block;
  std::fill(keys->begin(), keys->end(), uint8_t{0xaa});
  keys->~key_block();
  CAF_CHECK(all_zero(room, sizeof(room)));
}
