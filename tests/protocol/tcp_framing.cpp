// TCP framing: where a packet begins and ends in a stream, and what breaks it.
// spec: openvpn-wire 1.2

#define CAF_SUITE protocol.tcp_framing

#include "vpn/protocol/tcp_framing.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

CAF_TEST(a complete frame is found after its prefix) {
  auto buffer = from_hex("0003 aabbcc");
  auto x = next_frame(buffer, 0);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->offset, 2u);
  CAF_CHECK_EQUAL(x->length, 3u);
}

CAF_TEST(several frames of one read are found one after the other) {
  auto buffer = from_hex("0001 aa 0002 bbcc 0001 dd");
  std::vector<std::string> seen;
  size_t offset = 0;
  for (;;) {
    auto x = next_frame(buffer, offset);
    CAF_REQUIRE(x);
    if (x->length == 0)
      break;
    seen.push_back(to_hex(byte_view{buffer}.from(x->offset).first(x->length)));
    offset = x->offset + x->length;
  }
  CAF_CHECK_EQUAL(seen, (std::vector<std::string>{"aa", "bbcc", "dd"}));
  CAF_CHECK_EQUAL(offset, buffer.size());
}

CAF_TEST(every truncation of a frame asks for more bytes) {
  auto buffer = from_hex("0004 aabbccdd");
  for (size_t n = 0; n < buffer.size(); ++n) {
    auto x = next_frame(byte_view{buffer}.first(n), 0);
    CAF_REQUIRE(x);
    CAF_CHECK_EQUAL(x->length, 0u);
  }
}

CAF_TEST(a length of zero breaks the stream) {
  auto buffer = from_hex("0000 aabb");
  auto x = next_frame(buffer, 0);
  CAF_REQUIRE(!x);
  CAF_CHECK(x.error() == errc::bad_frame_length);
}

CAF_TEST(a length above the limit is refused before its bytes arrive) {
  auto buffer = from_hex("2401");
  auto x = next_frame(buffer, 0);
  CAF_REQUIRE(!x);
  CAF_CHECK(x.error() == errc::bad_frame_length);
  CAF_CHECK(next_frame(from_hex("2400"), 0));
  CAF_CHECK(next_frame(from_hex("0010"), 0, 16));
  CAF_CHECK(!next_frame(from_hex("0011"), 0, 16));
}

CAF_TEST(an offset beyond the buffer asks for more bytes) {
  auto buffer = from_hex("0001 aa");
  for (auto offset : {size_t{3}, size_t{4}, SIZE_MAX}) {
    auto x = next_frame(buffer, offset);
    CAF_REQUIRE(x);
    CAF_CHECK_EQUAL(x->length, 0u);
  }
}

CAF_TEST(random bytes never yield a frame outside the buffer) {
  test::seeded random{1};
  for (int i = 0; i < 100000; ++i) {
    auto buffer = random.some_bytes(40);
    auto offset = size_t{random.below(42)};
    auto x = next_frame(buffer, offset, 64);
    if (x && x->length > 0)
      CAF_REQUIRE(x->offset + x->length <= buffer.size());
  }
}
