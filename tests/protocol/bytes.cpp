// Views, the bounds-checked cursors and hex.

#define CAF_SUITE protocol.bytes

#include "vpn/protocol/bytes.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <array>

using namespace vpn;
using vpn::test::seeded;

namespace {

const bytes nine{1, 2, 3, 4, 5, 6, 7, 8, 9};

} // namespace

CAF_TEST(an empty view has no bytes and equals every other empty view) {
  byte_view none;
  CAF_CHECK(none.empty());
  CAF_CHECK_EQUAL(none.size(), 0u);
  CAF_CHECK(none == byte_view{bytes{}});
  CAF_CHECK(none == byte_view{std::string_view{}});
  CAF_CHECK(none.first(3).empty());
  CAF_CHECK(none.from(3).empty());
  CAF_CHECK(none.copy().empty());
  CAF_CHECK(none.text().empty());
}

CAF_TEST(parts of a view never reach past its end) {
  byte_view all{nine};
  CAF_CHECK(all.first(0).empty());
  CAF_CHECK(all.first(2) == byte_view{bytes{1, 2}});
  CAF_CHECK(all.first(9) == all);
  CAF_CHECK(all.first(10) == all);
  CAF_CHECK(all.first(SIZE_MAX) == all);
  CAF_CHECK(all.from(0) == all);
  CAF_CHECK(all.from(7) == byte_view{bytes{8, 9}});
  CAF_CHECK(all.from(9).empty());
  CAF_CHECK(all.from(10).empty());
  CAF_CHECK(all.from(SIZE_MAX).empty());
}

CAF_TEST(views compare by content) {
  bytes same = nine;
  CAF_CHECK(byte_view{nine} == byte_view{same});
  for (size_t i = 0; i < same.size(); ++i) {
    auto other = nine;
    other[i] ^= 1;
    CAF_CHECK(!(byte_view{nine} == byte_view{other}));
  }
  CAF_CHECK(!(byte_view{nine} == byte_view{nine}.first(8)));
}

CAF_TEST(a view of text and back) {
  byte_view view{std::string_view{"a\0b", 3}};
  CAF_CHECK_EQUAL(view.size(), 3u);
  CAF_CHECK_EQUAL(int{view[1]}, 0);
  CAF_CHECK(view.text() == (std::string_view{"a\0b", 3}));
}

CAF_TEST(a reader yields big endian fields of every width) {
  byte_reader in{nine};
  CAF_CHECK_EQUAL(int{in.u8()}, 1);
  CAF_CHECK_EQUAL(in.u16(), 0x0203u);
  CAF_CHECK_EQUAL(in.u24(), 0x040506u);
  CAF_CHECK_EQUAL(in.remaining(), 3u);
  CAF_CHECK(in.rest() == byte_view{bytes{7, 8, 9}});
  CAF_CHECK(in.ok());
  byte_reader wide{nine};
  CAF_CHECK_EQUAL(wide.u64(), 0x0102030405060708u);
  CAF_CHECK(wide.ok());
  byte_reader four{nine};
  CAF_CHECK_EQUAL(four.u32(), 0x01020304u);
}

CAF_TEST(a reader that ran out of bytes yields nothing ever after) {
  byte_reader in{byte_view{nine}.first(3)};
  CAF_CHECK_EQUAL(in.u32(), 0u);
  CAF_CHECK(!in.ok());
  CAF_CHECK_EQUAL(in.remaining(), 0u);
  CAF_CHECK_EQUAL(int{in.u8()}, 0);
  CAF_CHECK_EQUAL(in.u16(), 0u);
  CAF_CHECK_EQUAL(in.u24(), 0u);
  CAF_CHECK_EQUAL(in.u64(), 0u);
  CAF_CHECK(in.take(1).empty());
  CAF_CHECK(in.take(0).empty());
  CAF_CHECK(in.rest().empty());
  CAF_CHECK(!in.ok());
}

CAF_TEST(taking nothing and the rest of nothing are fine) {
  byte_reader in{byte_view{}};
  CAF_CHECK(in.take(0).empty());
  CAF_CHECK(in.rest().empty());
  CAF_CHECK(in.ok());
  CAF_CHECK(in.take(SIZE_MAX).empty());
  CAF_CHECK(!in.ok());
}

CAF_TEST(copying fills an array or leaves it as it is) {
  std::array<uint8_t, 4> out{9, 9, 9, 9};
  byte_reader in{byte_view{nine}.first(6)};
  in.copy_to(out);
  CAF_CHECK(out == (std::array<uint8_t, 4>{1, 2, 3, 4}));
  in.copy_to(out);
  CAF_CHECK(out == (std::array<uint8_t, 4>{1, 2, 3, 4}));
  CAF_CHECK(!in.ok());
}

CAF_TEST(a writer appends what a reader reads) {
  bytes out{0xff};
  byte_writer to{out};
  to.u8(1);
  to.u16(0x0203);
  to.u24(0xaa040506); // the highest byte does not fit
  to.u32(0x0708090a);
  to.u64(0x0b0c0d0e0f101112);
  to.append(bytes{0x13, 0x14});
  to.append({});
  CAF_CHECK_EQUAL(to_hex(out), "ff0102030405060708090a0b0c0d0e0f1011121314");
}

CAF_TEST(loads and stores are big endian) {
  uint8_t at[4] = {0xde, 0xad, 0xbe, 0xef};
  CAF_CHECK_EQUAL(load_u16(at), 0xdeadu);
  CAF_CHECK_EQUAL(load_u32(at), 0xdeadbeefu);
  store_u16(at, 0x0102);
  CAF_CHECK_EQUAL(load_u32(at), 0x0102beefu);
  store_u32(at, 0xfffefdfc);
  CAF_CHECK_EQUAL(load_u32(at), 0xfffefdfcu);
}

CAF_TEST(hex is lower case and two digits a byte) {
  CAF_CHECK_EQUAL(to_hex({}), "");
  CAF_CHECK_EQUAL(to_hex(bytes{0x00, 0x0f, 0xf0, 0xAB}), "000ff0ab");
}

CAF_TEST(hex is read with blanks and in both cases) {
  CAF_CHECK(from_hex("00 0F\tf0\r\naB") == (bytes{0x00, 0x0f, 0xf0, 0xab}));
  CAF_CHECK(from_hex("a b") == bytes{0xab});
  CAF_CHECK(from_hex("").empty());
  CAF_CHECK(from_hex(" \n").empty());
}

CAF_TEST(what is not hex yields nothing) {
  for (auto text : {"0", "000", "0g", "g0", "0x00", "00-00", "\xff\xff", "0/",
                    "0:", "0@", "0G", "0`"})
    CAF_CHECK(from_hex(text).empty());
}

CAF_TEST(hex of random bytes comes back) {
  seeded random{1};
  for (int i = 0; i < 200; ++i) {
    auto xs = random.some_bytes(64);
    CAF_CHECK(from_hex(to_hex(xs)) == xs);
  }
}

CAF_TEST(random reads never leave the input) {
  seeded random{2};
  for (int i = 0; i < 2000; ++i) {
    auto xs = random.some_bytes(40);
    byte_reader in{xs};
    size_t taken = 0;
    while (in.ok() && taken <= xs.size()) {
      auto n = random.below(12);
      auto part = in.take(n);
      if (!in.ok())
        break;
      CAF_REQUIRE(part.size() == n);
      CAF_REQUIRE(part == byte_view{xs}.from(taken).first(n));
      taken += n;
      CAF_REQUIRE(in.remaining() == xs.size() - taken);
      if (n == 0 && in.remaining() == 0)
        break;
    }
  }
}
