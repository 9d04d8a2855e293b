// The answer to an IPv6 packet that may not enter the tunnel.
// spec: openvpn-wire 7.2 (block-ipv6)
#define CAF_SUITE protocol.no_route_answer

#include "vpn/protocol/no_route_answer.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::owned_slab;

namespace {

bytes v6_packet(size_t payload) {
  test::flow f;
  f.v6 = true;
  return test::make_packet(f, {}, bytes(payload, 0x5a));
}

/// An IPv6 header, and behind it what `next` says.
bytes v6_with(uint8_t next, const bytes& rest) {
  auto result = v6_packet(0);
  result.resize(40);
  result[6] = next;
  result.insert(result.end(), rest.begin(), rest.end());
  store_u16(result.data() + 4, static_cast<uint16_t>(rest.size()));
  return result;
}

/// Empty when there is none.
bytes answer_to(bytes packet) {
  // A copy of exactly this size lets a sanitizer see what lies behind it.
  packet.shrink_to_fit();
  bytes out(max_no_route_answer);
  out.resize(write_no_route_answer(packet, out.data()));
  return out;
}

bool answered(const bytes& packet) {
  return !answer_to(packet).empty();
}

} // namespace

CAF_TEST(the sender hears that there is no route) {
  auto packet = v6_packet(100);
  auto x = answer_to(packet);
  CAF_REQUIRE_EQUAL(x.size(), 48 + packet.size());
  byte_view all{x};
  // Version, no flow; length, ICMPv6, hop limit.
  CAF_CHECK_EQUAL(to_hex(all.first(8)), "6000000000a83aff");
  CAF_CHECK_EQUAL(to_hex(all.from(8).first(16)),
                  "fe800000000000000000000000000007");
  CAF_CHECK(all.from(24).first(16) == byte_view{packet}.from(8).first(16));
  // Type 1, code 0; four bytes that are not used.
  CAF_CHECK_EQUAL(to_hex(all.from(40).first(2)), "0100");
  CAF_CHECK_EQUAL(to_hex(all.from(44).first(4)), "00000000");
  CAF_CHECK(all.from(48) == byte_view{packet});
  CAF_CHECK_EQUAL(
    test::simple_checksum(all.from(40), test::simple_pseudo_sum(x)), 0xffffu);
}

CAF_TEST(a long packet is quoted as far as any link allows) {
  for (size_t payload : {1171, 1172, 1173, 1400, 60000}) {
    auto packet = v6_packet(payload);
    auto x = answer_to(packet);
    auto expect = std::min<size_t>(48 + packet.size(), 1280);
    CAF_CHECK_EQUAL(x.size(), expect);
    CAF_CHECK_EQUAL(load_u16(x.data() + 4), x.size() - 40);
    CAF_CHECK_EQUAL(
      test::simple_checksum(byte_view{x}.from(40), test::simple_pseudo_sum(x)),
      0xffffu);
  }
}

CAF_TEST(errors are never answered with errors) {
  for (int type = 0; type < 256; ++type)
    CAF_CHECK_EQUAL(
      answered(v6_with(58, {static_cast<uint8_t>(type), 0, 0, 0})),
      type >= 128 && type != 137);
  // Nor behind other headers.
  auto options = from_hex("3a00010400000000");
  for (uint8_t next : {0, 43, 60}) {
    auto error = options;
    error.push_back(1);
    CAF_CHECK(!answered(v6_with(next, error)));
    auto echo = options;
    echo.push_back(128);
    CAF_CHECK(answered(v6_with(next, echo)));
  }
  CAF_CHECK(!answered(v6_with(44, from_hex("3a00000100000001"
                                           "01"))));
  CAF_CHECK(answered(v6_with(44, from_hex("3a00000100000001"
                                          "80"))));
  CAF_CHECK(!answered(v6_with(51, from_hex("3a00000000000001"
                                           "01"))));
  CAF_CHECK(answered(v6_with(51, from_hex("3a00000000000001"
                                          "80"))));
}

CAF_TEST(what hides its kind is not answered) {
  // Pieces of a packet but the first, and chains that are cut off.
  CAF_CHECK(!answered(v6_with(44, from_hex("1100000800000001"
                                           "00000000"))));
  CAF_CHECK(!answered(v6_with(58, {})));
  for (uint8_t next : {0, 43, 44, 51, 60}) {
    CAF_CHECK(!answered(v6_with(next, {})));
    CAF_CHECK(!answered(v6_with(next, from_hex("3a000000000000"))));
    // A length behind the end; a fragment header has none.
    CAF_CHECK_EQUAL(answered(v6_with(next, from_hex("3aff000000000000"
                                                    "80"))),
                    next == 44);
  }
}

CAF_TEST(nobody gets no answer) {
  auto packet = v6_packet(10);
  CAF_CHECK(answered(packet));
  auto multicast = packet;
  multicast[24] = 0xff;
  CAF_CHECK(!answered(multicast));
  auto from_group = packet;
  from_group[8] = 0xff;
  CAF_CHECK(!answered(from_group));
  auto from_nobody = packet;
  std::fill_n(from_nobody.begin() + 8, 16, uint8_t{0});
  CAF_CHECK(!answered(from_nobody));
  CAF_CHECK(!answered(test::make_packet({}, {}, bytes(100))));
  CAF_CHECK(!answered({}));
  for (size_t n = 0; n < 40; ++n)
    CAF_CHECK(!answered(
      bytes(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(n))));
}

CAF_TEST(random packets do no harm) {
  test::seeded random{61};
  auto whole = v6_with(0, from_hex("2b00010400000000"
                                   "3c00010400000000"
                                   "3a00010400000000"
                                   "8000000000000000"));
  for (int i = 0; i < 100000; ++i) {
    auto xs = whole;
    for (int k = 0; k < 3; ++k)
      xs[random.one_in(2) ? 6 : 40 + random.below(32)] = random.byte();
    xs.resize(random.one_in(4) ? random.below(80) : xs.size());
    auto size = answer_to(xs).size();
    if (size != 0 && size != 48 + xs.size())
      CAF_ERROR("an answer of " << size);
  }
  CAF_CHECK(true);
}

// -- waiting --

CAF_TEST(answers wait until they are fetched and there are few) {
  no_route_answers x;
  owned_slab up;
  CAF_CHECK(!x.take(up.slab));
  for (int i = 0; i < 40; ++i)
    x.add(v6_packet(10));
  CAF_CHECK(x.take(up.slab));
  CAF_CHECK_EQUAL(up.slab.count, 16u);
  CAF_CHECK(!x.take(up.slab));
  x.add(v6_with(58, {1}));
  CAF_CHECK(!x.take(up.slab));
  x.add(v6_packet(10));
  CAF_CHECK(x.take(up.slab));
  CAF_CHECK(up.packets()[16] == answer_to(v6_packet(10)));
}

CAF_TEST(what does not fit is fetched the next time) {
  no_route_answers x;
  for (size_t i = 0; i < 3; ++i)
    x.add(v6_packet(i));
  owned_slab small{300, 8};
  CAF_CHECK(x.take(small.slab));
  CAF_CHECK_EQUAL(small.slab.count, 2u);
  owned_slab one{1000, 1};
  CAF_CHECK(x.take(one.slab));
  CAF_CHECK_EQUAL(one.slab.count, 1u);
  CAF_CHECK(one.packets()[0] == answer_to(v6_packet(2)));
  CAF_CHECK(!x.take(small.slab));
}
