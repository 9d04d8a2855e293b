// Pings and OCC messages as plaintext.
// spec: openvpn-wire 11.1, 11.2
#define CAF_SUITE protocol.in_tunnel_message

#include "vpn/protocol/in_tunnel_message.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

bytes occ(uint8_t op, size_t more = 0) {
  auto result = from_hex("287f346bd4ef7a812d56b8d3afc5459c");
  result.push_back(op);
  result.resize(result.size() + more, 0x33);
  return result;
}

} // namespace

CAF_TEST(messages are those of the wire) {
  CAF_CHECK_EQUAL(to_hex(ping_magic()), "2a187bf3641eb4cb07ed2d0a981fc748");
  CAF_CHECK_EQUAL(to_hex(exit_magic()), "287f346bd4ef7a812d56b8d3afc5459c06");
}

CAF_TEST(a ping is exactly a ping) {
  auto xs = ping_magic().copy();
  CAF_CHECK(classify_message(xs) == in_tunnel_message::ping);
  for (size_t n = 0; n < xs.size(); ++n)
    CAF_CHECK(classify_message(byte_view{xs}.first(n))
              == in_tunnel_message::none);
  auto longer = xs;
  longer.push_back(0);
  CAF_CHECK(classify_message(longer) == in_tunnel_message::none);
  for (size_t i = 0; i < xs.size() * 8; ++i) {
    auto bad = xs;
    bad[i / 8] = static_cast<uint8_t>(bad[i / 8] ^ (1 << i % 8));
    CAF_CHECK(classify_message(bad) == in_tunnel_message::none);
  }
}

CAF_TEST(only an exit among the OCC messages means something) {
  for (int op = 0; op < 256; ++op)
    for (size_t more : {0, 2, 1400})
      CAF_CHECK(
        classify_message(occ(static_cast<uint8_t>(op), more))
        == (op == 6 ? in_tunnel_message::exit : in_tunnel_message::chatter));
}

CAF_TEST(a cut or damaged mark is no OCC message) {
  auto xs = occ(6);
  for (size_t n = 0; n < 16; ++n)
    CAF_CHECK(classify_message(byte_view{xs}.first(n))
              == in_tunnel_message::none);
  // The mark alone is one without an operation.
  CAF_CHECK(classify_message(byte_view{xs}.first(16))
            == in_tunnel_message::chatter);
  for (size_t i = 0; i < 128; ++i) {
    auto bad = xs;
    bad[i / 8] = static_cast<uint8_t>(bad[i / 8] ^ (1 << i % 8));
    CAF_CHECK(classify_message(bad) == in_tunnel_message::none);
  }
}

CAF_TEST(random bytes are no message) {
  test::seeded random{51};
  for (int i = 0; i < 20000; ++i)
    CAF_CHECK(classify_message(random.some_bytes(40))
              == in_tunnel_message::none);
}
