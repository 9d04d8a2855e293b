// Packets in pieces: cutting, joining, and what a hostile peer may try.
// spec: openvpn-wire 13.4
#define CAF_SUITE protocol.fragment

#include "vpn/protocol/fragment.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <string>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

constexpr size_t limit = 4000;

instant at(duration x) {
  instant result;
  result.steady = time_point{1h} + x;
  return result;
}

bytes packet_of(size_t size, uint8_t seed = 1) {
  bytes result(size);
  for (size_t i = 0; i < size; ++i)
    result[i] = static_cast<uint8_t>(seed + i * 7 + i / 256);
  return result;
}

/// All pieces of a packet.
std::vector<bytes> cut(fragment_cutter& with, const bytes& packet,
                       size_t largest) {
  bytes room(fragment_header_size);
  room.insert(room.end(), packet.begin(), packet.end());
  std::vector<bytes> result;
  if (!with.cut(room.data() + fragment_header_size, packet.size(), largest))
    return result;
  for (; !with.piece().empty(); with.next_piece())
    result.push_back(with.piece().copy());
  return result;
}

std::vector<bytes> pieces_of(const bytes& packet, size_t largest,
                             uint8_t sequence = 0) {
  fragment_cutter x{static_cast<uint8_t>(sequence - 1)};
  return cut(x, packet, largest);
}

/// A piece made by hand.
bytes piece(uint32_t kind, uint32_t sequence, uint32_t index, size_t step,
            const bytes& payload) {
  bytes result;
  byte_writer w{result};
  w.u32(kind | (sequence << 2) | (index << 10)
        | (static_cast<uint32_t>(step / 4) << 15));
  w.append(payload);
  return result;
}

/// "whole 1400", "waiting", or the error.
std::string join(fragment_joiner& to, bytes xs, duration now = 0s) {
  // A copy of exactly this size lets a sanitizer see what lies behind it.
  xs.shrink_to_fit();
  auto result = to.join({xs.data(), xs.size()}, at(now));
  if (!result)
    return to_string(result.error());
  return result->size == 0 ? "waiting"
                           : "whole " + std::to_string(result->size);
}

bytes joined(fragment_joiner& to, bytes xs) {
  auto result = to.join({xs.data(), xs.size()}, at(0s));
  return result ? byte_view{*result}.copy() : bytes{};
}

} // namespace

// -- sizes --

CAF_TEST(pieces are levelled when the last one would be short) {
  // Length, largest payload, payload of each piece but the last.
  struct row {
    size_t length, largest, expect;
  };
  for (auto x : {row{1000, 500, 500}, row{1001, 500, 336}, row{1400, 1300, 700},
                 row{1400, 1303, 700}, row{1374, 500, 460}, row{1376, 500, 500},
                 row{2000, 1003, 1000}, row{9, 4, 4}, row{13, 8, 8},
                 row{11, 8, 8}, row{10, 8, 8}, row{9, 8, 8}})
    CAF_CHECK_EQUAL(fragment_payload(x.length, x.largest), x.expect);
}

CAF_TEST(sizes are sane whatever is asked for) {
  for (size_t largest = 0; largest < 4; ++largest)
    CAF_CHECK_EQUAL(fragment_payload(100, largest), 0u);
  for (size_t largest = 4; largest < 300; ++largest)
    for (size_t length = largest + 1; length < 1200; ++length) {
      auto x = fragment_payload(length, largest);
      bool good = x > 0 && x % 4 == 0 && x <= largest;
      // Levelling costs no piece more.
      auto full = largest / 4 * 4;
      good = good && (length + x - 1) / x == (length + full - 1) / full;
      if (!good)
        CAF_ERROR("bad payload " << x << " for " << length << ", " << largest);
    }
  // No size that 14 bits cannot tell.
  CAF_CHECK_EQUAL(fragment_payload(2 * 0xfffc, 100000), 0xfffcu);
}

// -- cutting --

CAF_TEST(a packet that fits goes whole behind four zero bytes) {
  fragment_cutter x{7};
  for (size_t size : {1, 499, 500}) {
    auto packet = packet_of(size);
    auto pieces = cut(x, packet, 500);
    CAF_REQUIRE_EQUAL(pieces.size(), 1u);
    CAF_CHECK_EQUAL(to_hex(byte_view{pieces[0]}.first(4)), "00000000");
    CAF_CHECK(byte_view{pieces[0]}.from(4) == byte_view{packet});
  }
}

CAF_TEST(headers are those that a stock peer writes) {
  // Recorded: openvpn-wire 13.4, parts of a packet with sequence id 195.
  auto pieces = pieces_of(packet_of(2 * 412 + 400), 412, 195);
  CAF_REQUIRE_EQUAL(pieces.size(), 3u);
  CAF_CHECK_EQUAL(to_hex(byte_view{pieces[0]}.first(4)), "0000030d");
  CAF_CHECK_EQUAL(to_hex(byte_view{pieces[1]}.first(4)), "0000070d");
  CAF_CHECK_EQUAL(to_hex(byte_view{pieces[2]}.first(4)), "00338b0e");
  CAF_CHECK_EQUAL(pieces[0].size(), 416u);
  CAF_CHECK_EQUAL(pieces[1].size(), 416u);
  CAF_CHECK_EQUAL(pieces[2].size(), 404u);
}

CAF_TEST(sequence ids go on with each packet that is cut) {
  fragment_cutter x{254};
  for (uint8_t expect : {255, 0, 1}) {
    auto pieces = cut(x, packet_of(100), 60);
    CAF_REQUIRE_EQUAL(pieces.size(), 2u);
    for (auto& y : pieces)
      CAF_CHECK_EQUAL((load_u32(y.data()) >> 2) & 0xff, expect);
    cut(x, packet_of(50), 60); // goes whole, and uses none
  }
}

CAF_TEST(no packet becomes more than 32 pieces) {
  CAF_CHECK_EQUAL(pieces_of(packet_of(32 * 40), 40).size(), 32u);
  CAF_CHECK_EQUAL(pieces_of(packet_of(32 * 40 + 1), 40).size(), 0u);
  CAF_CHECK_EQUAL(pieces_of(packet_of(10), 3).size(), 0u);
  CAF_CHECK_EQUAL(pieces_of(packet_of(10), 0).size(), 0u);
  CAF_CHECK_EQUAL(pieces_of({}, 40).size(), 0u);
}

CAF_TEST(a refused packet leaves nothing to send) {
  fragment_cutter x;
  bytes room(104);
  CAF_CHECK(x.piece().empty());
  CAF_CHECK(x.cut(room.data() + 4, 100, 60));
  CAF_CHECK(!x.piece().empty());
  CAF_CHECK(!x.cut(room.data() + 4, 100, 0));
  CAF_CHECK(x.piece().empty());
  x.next_piece();
  CAF_CHECK(x.piece().empty());
  CAF_CHECK(x.cut(room.data() + 4, 100, 60));
  x.drop();
  CAF_CHECK(x.piece().empty());
}

// -- joining --

CAF_TEST(whole packets pass where they are) {
  fragment_joiner x{limit};
  auto xs = piece(0, 0, 0, 0, packet_of(100));
  auto result = x.join({xs.data(), xs.size()}, at(0s));
  CAF_REQUIRE(result);
  CAF_CHECK(result->data == xs.data() + 4);
  CAF_CHECK_EQUAL(result->size, 100u);
}

CAF_TEST(recorded pieces become their packet) {
  fragment_joiner x{limit};
  auto packet = packet_of(2 * 412 + 400);
  byte_view all{packet};
  auto with = [](const char* header, byte_view payload) {
    auto result = from_hex(header);
    byte_writer{result}.append(payload);
    return result;
  };
  CAF_CHECK_EQUAL(join(x, with("0000030d", all.first(412))), "waiting");
  CAF_CHECK_EQUAL(join(x, with("0000070d", all.from(412).first(412))),
                  "waiting");
  CAF_CHECK(joined(x, with("00338b0e", all.from(824))) == packet);
}

CAF_TEST(every packet survives cutting in any order of its pieces) {
  test::seeded random{41};
  fragment_cutter cutter{250};
  fragment_joiner x{limit};
  for (int i = 0; i < 3000; ++i) {
    auto packet = packet_of(1 + random.below(limit), random.byte());
    auto pieces = cut(cutter, packet, 128 + random.below(1400));
    CAF_REQUIRE(!pieces.empty());
    for (auto n = pieces.size(); n > 1; --n)
      std::swap(pieces[n - 1], pieces[random.below(static_cast<uint32_t>(n))]);
    for (size_t n = 0; n + 1 < pieces.size(); ++n) {
      CAF_CHECK_EQUAL(join(x, pieces[n]), "waiting");
      if (random.one_in(4))
        CAF_CHECK_EQUAL(join(x, pieces[n]), "waiting");
    }
    CAF_CHECK(joined(x, pieces.back()) == packet);
  }
}

CAF_TEST(the last piece alone is a packet) {
  fragment_joiner x{limit};
  CAF_CHECK_EQUAL(join(x, piece(2, 9, 0, 100, packet_of(60))), "whole 60");
}

CAF_TEST(25 packets may be under way and the oldest goes first) {
  fragment_joiner x{limit};
  auto packet = packet_of(100);
  for (uint8_t n = 0; n < 26; ++n)
    CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, n)[0]), "waiting");
  // Its first piece is forgotten, and its place taken for its second: far back
  // means a new start.
  CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, 1)[1]), "whole 100");
  CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, 25)[1]), "whole 100");
  CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, 0)[1]), "waiting");
  CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, 2)[1]), "waiting");
}

CAF_TEST(a sequence id far away starts anew) {
  for (int distance : {24, -24, 25, -25, 100, 128, -100}) {
    fragment_joiner x{limit};
    auto packet = packet_of(100);
    auto far = static_cast<uint8_t>(200 + distance);
    join(x, pieces_of(packet, 60, 200)[0]);
    join(x, pieces_of(packet, 60, far)[0]);
    bool kept = distance == 24 || distance == -24;
    CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, far)[1]), "whole 100");
    CAF_CHECK_EQUAL(join(x, pieces_of(packet, 60, 200)[1]),
                    kept ? "whole 100" : "waiting");
  }
}

CAF_TEST(pieces are forgotten ten seconds after the newest) {
  auto pieces = pieces_of(packet_of(100), 36, 3);
  CAF_REQUIRE_EQUAL(pieces.size(), 3u);
  fragment_joiner x{limit};
  CAF_CHECK_EQUAL(join(x, pieces[0], 0s), "waiting");
  CAF_CHECK_EQUAL(join(x, pieces[1], 9s), "waiting");
  CAF_CHECK_EQUAL(join(x, pieces[2], 18s), "whole 100");
  CAF_CHECK_EQUAL(join(x, pieces[0], 20s), "waiting");
  CAF_CHECK_EQUAL(join(x, pieces[1], 30s), "waiting");
  CAF_CHECK_EQUAL(join(x, pieces[2], 31s), "waiting");
  CAF_CHECK_EQUAL(join(x, pieces[0], 32s), "whole 100");
}

CAF_TEST(another size is another packet) {
  fragment_joiner x{limit};
  CAF_CHECK_EQUAL(join(x, piece(1, 5, 0, 0, packet_of(80))), "waiting");
  CAF_CHECK_EQUAL(join(x, piece(1, 5, 0, 0, packet_of(60))), "waiting");
  CAF_CHECK_EQUAL(join(x, piece(2, 5, 1, 80, packet_of(20))), "waiting");
  CAF_CHECK_EQUAL(join(x, piece(1, 5, 0, 0, packet_of(80))), "whole 100");
}

// -- what is refused --

CAF_TEST(headers that make no sense are refused) {
  // Kind, sequence id, number, size of the others, bytes.
  struct row {
    uint32_t kind, sequence, index;
    size_t step, payload;
    const char* expect;
  };
  for (auto r :
       {row{0, 1, 0, 0, 100, "bad_value"}, row{0, 0, 1, 0, 100, "bad_value"},
        row{0, 255, 31, 0, 100, "bad_value"}, row{3, 0, 0, 0, 100, "bad_value"},
        row{3, 1, 2, 400, 100, "bad_value"},
        // CVE-2023-46849: a size of zero.
        row{2, 1, 0, 0, 100, "bad_payload_size"},
        row{2, 1, 31, 0, 1, "bad_payload_size"},
        // Not a multiple of four.
        row{1, 1, 0, 0, 99, "bad_payload_size"},
        row{1, 1, 0, 0, 1, "bad_payload_size"},
        // The last one larger than the others.
        row{2, 1, 1, 80, 81, "bad_payload_size"},
        // Behind the end of the largest packet.
        row{1, 1, 31, 0, 400, "bad_payload_size"},
        row{2, 1, 31, 65532, 1, "bad_payload_size"},
        row{1, 1, 1, 0, 2004, "bad_payload_size"},
        row{1, 1, 1, 0, 2000, "waiting"}}) {
    fragment_joiner x{limit};
    CAF_CHECK_EQUAL(
      join(x, piece(r.kind, r.sequence, r.index, r.step, packet_of(r.payload))),
      r.expect);
  }
  fragment_joiner x{limit};
  for (size_t n = 0; n <= 4; ++n)
    for (auto kind : {0u, 1u, 2u, 3u}) {
      auto xs = piece(kind, 0, 0, 4, {});
      xs.resize(n);
      CAF_CHECK_EQUAL(join(x, xs), "truncated");
    }
}

CAF_TEST(pieces that contradict each other end their packet) {
  auto part = [](uint32_t index) {
    return piece(1, 5, index, 0, packet_of(40));
  };
  auto last = [](uint32_t index) {
    return piece(2, 5, index, 40, packet_of(20));
  };
  struct row {
    bytes first, second, third;
  };
  for (auto& r :
       {row{part(3), last(2), part(0)}, row{last(2), last(3), part(0)},
        row{last(2), part(2), part(0)}, row{last(2), part(31), part(0)},
        row{last(2), last(1), part(0)}}) {
    fragment_joiner x{limit};
    CAF_CHECK_EQUAL(join(x, r.first), "waiting");
    CAF_CHECK_EQUAL(join(x, r.second), "bad_value");
    CAF_CHECK_EQUAL(join(x, r.third), "waiting");
    CAF_CHECK_EQUAL(join(x, part(1)), "waiting");
    CAF_CHECK_EQUAL(join(x, last(2)), "whole 100");
  }
}

CAF_TEST(random pieces do no harm) {
  test::seeded random{42};
  fragment_joiner x{2000};
  for (int i = 0; i < 200000; ++i) {
    auto xs = random.some_bytes(100);
    if (xs.size() >= 4 && random.one_in(2)) {
      // Mostly plausible headers, so that packets get completed.
      store_u32(xs.data(), (1 + random.below(2)) | (random.below(30) << 2)
                             | (random.below(3) << 10)
                             | (random.below(20) << 15));
      if (random.one_in(2))
        xs.resize(44);
    }
    auto result = x.join({xs.data(), xs.size()}, at(i * 1ms));
    if (result && result->size > 2000)
      CAF_ERROR("a packet of " << result->size);
  }
  CAF_CHECK_EQUAL(join(x, piece(0, 0, 0, 0, packet_of(9))), "whole 9");
}
