// From an IP packet to plaintext and back, for every combination of settings.
// spec: openvpn-wire 10.1, 13.4
#define CAF_SUITE protocol.packet_shaper

#include "vpn/protocol/packet_shaper.hpp"

#include "vpn/protocol/in_tunnel_message.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::make_packet;

namespace {

constexpr compression_framing framings[] = {
  compression_framing::none,    compression_framing::lzo_stub,
  compression_framing::lzo,     compression_framing::stub,
  compression_framing::stub_v2, compression_framing::lz4,
  compression_framing::lz4_v2,
};

packet_shaper shaper(compression_framing framing, uint32_t fragment_size = 0) {
  packet_shape shape;
  shape.framing = framing;
  shape.decompress = true;
  shape.fragment_size = fragment_size;
  packet_shaper result;
  result.configure(shape);
  return result;
}

mutable_byte_view view_of(bytes& xs) {
  return {xs.data(), xs.size()};
}

bytes packet_of(size_t size) {
  return make_packet({}, {}, bytes(size - 40, 0x5a));
}

std::vector<bytes> plaintexts(packet_shaper& with, bytes packet,
                              size_t largest = 1400) {
  std::vector<bytes> result;
  if (!with.begin(view_of(packet), largest))
    return result;
  for (; !with.piece().empty(); with.next_piece())
    result.push_back(with.piece().copy());
  return result;
}

bytes opened(packet_shaper& with, const std::vector<bytes>& xs) {
  bytes result;
  for (auto plain : xs) {
    auto x = with.open(view_of(plain), {});
    if (x && x->size != 0)
      result = byte_view{*x}.copy();
  }
  return result;
}

} // namespace

CAF_TEST(only what changes packets counts as shaping) {
  for (auto x : framings) {
    auto plain = shaper(x);
    CAF_CHECK_EQUAL(plain.shapes_outgoing(), adds_a_byte(x));
    CAF_CHECK_EQUAL(plain.shapes_incoming(), x != compression_framing::none);
    auto pieces = shaper(x, 1200);
    CAF_CHECK(pieces.shapes_outgoing());
    CAF_CHECK(pieces.shapes_incoming());
  }
  packet_shape nat;
  nat.nat.push_back(
    {true, *parse_prefix("10.8.0.0/24", family::v4), *parse_ip("10.9.0.0")});
  packet_shaper x;
  CAF_CHECK(!x.shapes_outgoing());
  x.configure(nat);
  CAF_CHECK(x.shapes_outgoing());
  CAF_CHECK(x.shapes_incoming());
  x.configure({});
  CAF_CHECK(!x.shapes_outgoing());
  CAF_CHECK(!x.shapes_incoming());
}

CAF_TEST(framing comes first and the fragment header before it) {
  auto packet = packet_of(60);
  auto hex = [&](compression_framing x, uint32_t fragment_size) {
    auto with = shaper(x, fragment_size);
    auto plain = plaintexts(with, packet);
    return plain.size() == 1 ? to_hex(byte_view{plain[0]}.first(6)) : "none";
  };
  CAF_CHECK_EQUAL(hex(compression_framing::lzo_stub, 0), "fa4500003c00");
  CAF_CHECK_EQUAL(hex(compression_framing::lzo_stub, 1200), "00000000fa45");
  CAF_CHECK_EQUAL(hex(compression_framing::stub, 1200), "00000000fb00");
  CAF_CHECK_EQUAL(hex(compression_framing::lz4_v2, 1200), "000000004500");
  CAF_CHECK_EQUAL(hex(compression_framing::none, 1200), "000000004500");
}

CAF_TEST(every packet comes back from every framing and size of pieces) {
  test::seeded random{91};
  for (auto framing : framings)
    for (uint32_t largest : {0u, 60u, 1000u, 1400u}) {
      auto from = shaper(framing, largest);
      auto to = shaper(framing, largest);
      for (size_t size : {41, 57, 500, 1000, 1400, 1500}) {
        auto packet = packet_of(size);
        auto plain = plaintexts(from, packet, largest);
        CAF_REQUIRE(!plain.empty());
        CAF_CHECK(plain.size() == 1 || largest != 0);
        for (auto& x : plain)
          CAF_CHECK(largest == 0 || x.size() <= largest);
        CAF_CHECK(opened(to, plain) == packet);
      }
    }
}

CAF_TEST(messages go whole through framing and fragments) {
  for (auto framing : framings)
    for (uint32_t largest : {0u, 1200u}) {
      auto from = shaper(framing, largest);
      auto to = shaper(framing, largest);
      for (auto message : {ping_magic(), exit_magic()}) {
        auto plain = from.wrap_message(message).copy();
        CAF_CHECK_EQUAL(plain.size(), message.size()
                                        + (adds_a_byte(framing) ? 1 : 0)
                                        + (largest != 0 ? 4 : 0));
        CAF_CHECK(byte_view{opened(to, {plain})} == message);
      }
    }
  // What is too long is nobody's mistake but ours.
  CAF_CHECK(shaper(compression_framing::stub).wrap_message(bytes(40)).empty());
}

CAF_TEST(a message does not disturb a packet under way) {
  auto from = shaper(compression_framing::stub, 500);
  auto to = shaper(compression_framing::stub, 500);
  auto packet = packet_of(1300);
  auto copy = packet;
  CAF_REQUIRE(from.begin(view_of(copy), 480));
  std::vector<bytes> plain;
  while (!from.piece().empty()) {
    plain.push_back(from.piece().copy());
    CAF_CHECK(!from.wrap_message(ping_magic()).empty());
    from.next_piece();
  }
  CAF_CHECK_EQUAL(plain.size(), 3u);
  CAF_CHECK(opened(to, plain) == packet);
}

CAF_TEST(packets of no size and too large ones are refused) {
  auto x = shaper(compression_framing::stub, 1200);
  bytes large(packet_shaper::max_packet + 1, 0x45);
  CAF_CHECK(!x.begin({large.data(), 0}, 1000));
  CAF_CHECK(!x.begin(view_of(large), 60000));
  CAF_CHECK(x.begin({large.data(), packet_shaper::max_packet}, 60000));
  // No room at all in a datagram for what stands around a packet.
  for (size_t largest : {0, 3, 4, 7})
    CAF_CHECK(!x.begin({large.data(), 100}, largest));
  CAF_CHECK(x.piece().empty());
}

CAF_TEST(addresses change on the way out and back on the way in) {
  packet_shape shape;
  shape.nat.push_back(
    {true, *parse_prefix("10.8.0.0/30", family::v4), *parse_ip("10.9.0.0")});
  for (auto framing : framings) {
    shape.framing = framing;
    packet_shaper x;
    x.configure(shape);
    auto packet = packet_of(100);
    auto plain = plaintexts(x, packet);
    CAF_REQUIRE_EQUAL(plain.size(), 1u);
    auto out = opened(x, plain);
    CAF_CHECK_EQUAL(to_hex(byte_view{out}.from(12).first(8)),
                    "0a0900010a080002");
    CAF_CHECK(test::well_formed(out));
    std::swap_ranges(out.begin() + 12, out.begin() + 16, out.begin() + 16);
    x.restore_addresses(view_of(out));
    CAF_CHECK_EQUAL(to_hex(byte_view{out}.from(12).first(8)),
                    "0a0800020a080001");
  }
}

CAF_TEST(sequence ids begin where chance says and go on over a new set up) {
  test::seeded random{92};
  packet_shape shape;
  shape.fragment_size = 500;
  packet_shaper x{random.source()};
  x.configure(shape);
  auto id = [&x] {
    auto plain = plaintexts(x, packet_of(1000), 480);
    return plain.empty()
             ? -1
             : static_cast<int>(load_u32(plain[0].data()) >> 2 & 0xff);
  };
  auto first = id();
  shape.framing = compression_framing::stub;
  x.configure(shape);
  CAF_CHECK_EQUAL(id(), (first + 1) % 256);
  // Another one begins elsewhere.
  packet_shaper y{random.source()};
  y.configure(shape);
  std::swap(x, y);
  CAF_CHECK(id() != first);
}

CAF_TEST(random plaintexts do no harm) {
  test::seeded random{93};
  for (auto framing : framings)
    for (uint32_t largest : {0u, 1200u}) {
      auto x = shaper(framing, largest);
      for (int i = 0; i < 3000; ++i) {
        auto xs = random.some_bytes(120);
        if (xs.size() > 6 && random.one_in(2)) {
          store_u32(xs.data(), random.below(3) | (random.below(9) << 2));
          constexpr uint8_t heads[] = {0x50, 0xfa, 0xfb, 0x66, 0x69, 0x45};
          xs[largest != 0 ? 4 : 0] = heads[random.below(6)];
        }
        xs.shrink_to_fit();
        auto result = x.open(view_of(xs), {});
        if (result && result->size > packet_shaper::max_packet)
          CAF_ERROR("a packet of " << result->size);
      }
    }
  CAF_CHECK(true);
}
