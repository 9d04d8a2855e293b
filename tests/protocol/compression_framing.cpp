// Every head byte of every framing, and what hostile peers put behind them.
// spec: openvpn-wire 10.2, 10.3
#define CAF_SUITE protocol.compression_framing

#include "vpn/protocol/compression_framing.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <lz4.h>
#include <lzo/lzo1x.h>

using namespace vpn;
using namespace vpn::protocol;

namespace {

using framing = compression_framing;

constexpr framing all_framings[] = {
  framing::none,    framing::lzo_stub, framing::lzo,    framing::stub,
  framing::stub_v2, framing::lz4,      framing::lz4_v2,
};

constexpr size_t usual_room = 1600;

std::string framed(framing x, const bytes& plain) {
  bytes out(plain.size() + framing_room(x));
  out.resize(write_framed(x, plain, out.data()));
  return to_hex(out);
}

/// The packet as hex, or the name of the error in words. Exact allocations, so
/// that a byte too far is a finding of the address sanitizer.
std::string opened(framing x, bytes in, bool decompress = true,
                   size_t room = usual_room) {
  in.shrink_to_fit();
  bytes scratch(room);
  auto result = open_framed(x, decompress, {in.data(), in.size()},
                            {scratch.data(), scratch.size()});
  return result ? to_hex(*result) : to_string(result.error());
}

std::string opened(framing x, const char* hex) {
  return opened(x, from_hex(hex));
}

std::string word(errc x) {
  return to_string(x);
}

bytes joined(bytes head, const bytes& rest) {
  head.insert(head.end(), rest.begin(), rest.end());
  return head;
}

bytes lz4_of(const bytes& plain) {
  bytes out(
    static_cast<size_t>(LZ4_compressBound(static_cast<int>(plain.size()))));
  auto size = LZ4_compress_default(reinterpret_cast<const char*>(plain.data()),
                                   reinterpret_cast<char*>(out.data()),
                                   static_cast<int>(plain.size()),
                                   static_cast<int>(out.size()));
  CAF_REQUIRE(size > 0);
  out.resize(static_cast<size_t>(size));
  return out;
}

bytes lzo_of(const bytes& plain) {
  bytes out(plain.size() + plain.size() / 16 + 67);
  std::vector<lzo_align_t> work(LZO1X_1_MEM_COMPRESS / sizeof(lzo_align_t) + 1);
  lzo_uint size = out.size();
  CAF_REQUIRE(
    lzo1x_1_compress(plain.data(), plain.size(), out.data(), &size, work.data())
    == LZO_E_OK);
  out.resize(size);
  return out;
}

/// The compressed form of each framing that has one.
bytes packed(framing x, const bytes& plain) {
  if (x == framing::lzo)
    return joined({0x66}, lzo_of(plain));
  auto block = lz4_of(plain);
  if (x == framing::lz4_v2)
    return joined({0x50, 0x01}, block);
  block.push_back(block[0]);
  block[0] = 0x69;
  return block;
}

constexpr framing compressing[] = {framing::lzo, framing::lz4, framing::lz4_v2};

/// Something that compresses, with a beginning like an IP packet.
bytes compressible(size_t size) {
  bytes result(size);
  for (size_t i = 0; i < size; ++i)
    result[i] = static_cast<uint8_t>(i % 7 == 0 ? i / 64 : 0x45);
  return result;
}

} // namespace

CAF_TEST(framings have the names of a profile) {
  const char* names[] = {"none",           "comp-lzo no",      "comp-lzo",
                         "compress stub",  "compress stub-v2", "compress lz4",
                         "compress lz4-v2"};
  for (size_t i = 0; i < std::size(all_framings); ++i)
    CAF_CHECK_EQUAL(to_string(all_framings[i]), names[i]);
}

CAF_TEST(the first version of a framing adds one byte to each packet) {
  for (auto x : all_framings) {
    bool v2 = x == framing::stub_v2 || x == framing::lz4_v2;
    CAF_CHECK_EQUAL(adds_a_byte(x), x != framing::none && !v2);
    CAF_CHECK_EQUAL(framing_room(x), x == framing::none ? 0u : v2 ? 2u : 1u);
  }
}

CAF_TEST(the uncompressed forms are known byte by byte) {
  auto packet = from_hex("45000102ff");
  CAF_CHECK_EQUAL(framed(framing::none, packet), "45000102ff");
  CAF_CHECK_EQUAL(framed(framing::lzo_stub, packet), "fa45000102ff");
  CAF_CHECK_EQUAL(framed(framing::lzo, packet), "fa45000102ff");
  CAF_CHECK_EQUAL(framed(framing::stub, packet), "fb000102ff45");
  CAF_CHECK_EQUAL(framed(framing::lz4, packet), "fb000102ff45");
  CAF_CHECK_EQUAL(framed(framing::stub_v2, packet), "45000102ff");
  CAF_CHECK_EQUAL(framed(framing::lz4_v2, packet), "45000102ff");
}

CAF_TEST(a packet that begins like the mark is escaped) {
  for (auto x : {framing::stub_v2, framing::lz4_v2}) {
    CAF_CHECK_EQUAL(framed(x, from_hex("5045")), "50005045");
    CAF_CHECK_EQUAL(framed(x, from_hex("50")), "500050");
    CAF_CHECK_EQUAL(opened(x, "50005045"), "5045");
    // As stock senders write it.
    CAF_CHECK_EQUAL(opened(x, "500a5045"), "5045");
  }
}

CAF_TEST(an empty packet passes through every framing) {
  for (auto x : all_framings) {
    CAF_CHECK_EQUAL(framed(x, {}), "");
    CAF_CHECK_EQUAL(opened(x, bytes{}), "");
    CAF_CHECK_EQUAL(opened(x, bytes{}, false, 0), "");
  }
}

CAF_TEST(what was framed can be opened whatever it is) {
  test::seeded random{7};
  for (auto x : all_framings)
    for (bool decompress : {false, true})
      for (size_t size = 1; size < 300; size += 1 + size / 8) {
        bytes plain(size);
        random.source()(plain.data(), size);
        for (uint8_t first : {0x45, 0x60, 0x50, 0xfa, 0xfb, 0x66, 0x69, 0x00}) {
          plain[0] = first;
          bytes out(size + framing_room(x));
          out.resize(write_framed(x, plain, out.data()));
          // Nothing is written to the scratch buffer.
          CAF_CHECK_EQUAL(opened(x, out, decompress, 0), to_hex(plain));
        }
      }
}

CAF_TEST(a head byte of another framing is refused) {
  auto accepted = [](framing x, uint8_t head) {
    switch (x) {
      case framing::lzo_stub:
        return head == 0xfa;
      case framing::lzo:
        return head == 0xfa || head == 0x66;
      case framing::stub:
        return head == 0xfb;
      case framing::lz4:
        return head == 0xfb || head == 0x69;
      default:
        return true;
    }
  };
  for (auto x : all_framings)
    for (unsigned head = 0; head < 256; ++head) {
      bytes packet{static_cast<uint8_t>(head), 0x00, 0x45, 0x46, 0x47};
      bool refused = opened(x, packet) == word(errc::bad_value);
      CAF_CHECK_EQUAL(refused, !accepted(x, packet[0]));
    }
}

CAF_TEST(an unframed IP packet does not pass for a framed one) {
  for (auto x : {framing::lzo_stub, framing::lzo, framing::stub, framing::lz4})
    for (auto packet : {"4500001400", "6000000000"})
      CAF_CHECK_EQUAL(opened(x, packet), word(errc::bad_value));
}

CAF_TEST(algorithms of the second version are known or refused) {
  for (auto x : {framing::stub_v2, framing::lz4_v2})
    for (unsigned code = 0; code < 256; ++code) {
      bytes packet{0x50, static_cast<uint8_t>(code), 0x45};
      auto result = opened(x, packet, false);
      if (code == 0x00 || code == 0x0a)
        CAF_CHECK_EQUAL(result, "45");
      else if (code == 0x01 && x == framing::lz4_v2)
        CAF_CHECK_EQUAL(result, word(errc::wrong_state));
      else
        CAF_CHECK_EQUAL(result, word(errc::bad_value));
    }
}

CAF_TEST(a head without a packet is refused) {
  for (auto [x, packet] :
       {std::make_pair(framing::lzo_stub, "fa"),
        std::make_pair(framing::lzo, "fa"), std::make_pair(framing::lzo, "66"),
        std::make_pair(framing::stub, "fb"), std::make_pair(framing::lz4, "fb"),
        std::make_pair(framing::lz4, "69"),
        std::make_pair(framing::stub_v2, "50"),
        std::make_pair(framing::stub_v2, "5000"),
        std::make_pair(framing::stub_v2, "500a"),
        std::make_pair(framing::lz4_v2, "50"),
        std::make_pair(framing::lz4_v2, "5000"),
        std::make_pair(framing::lz4_v2, "5001")})
    CAF_CHECK_EQUAL(opened(x, packet), word(errc::bad_payload_size));
}

CAF_TEST(compressed packets are opened) {
  for (auto x : compressing)
    for (size_t size : {size_t{1}, size_t{100}, size_t{1400}, usual_room}) {
      auto plain = compressible(size);
      auto packet = packed(x, plain);
      if (size > 1000)
        CAF_CHECK_LESS(packet.size(), size);
      CAF_CHECK_EQUAL(opened(x, packet), to_hex(plain));
    }
}

CAF_TEST(compressed packets are refused where they are not permitted) {
  for (auto x : compressing) {
    CAF_CHECK(may_compress(x));
    auto packet = packed(x, compressible(500));
    CAF_CHECK_EQUAL(opened(x, packet, false), word(errc::wrong_state));
  }
  auto plain = compressible(500);
  CAF_CHECK_EQUAL(opened(framing::lzo_stub, packed(framing::lzo, plain)),
                  word(errc::bad_value));
  CAF_CHECK_EQUAL(opened(framing::stub, packed(framing::lz4, plain)),
                  word(errc::bad_value));
  CAF_CHECK_EQUAL(opened(framing::stub_v2, packed(framing::lz4_v2, plain)),
                  word(errc::bad_value));
}

CAF_TEST(nothing is decompressed beyond the room that was given) {
  for (auto x : compressing) {
    auto plain = compressible(1400);
    auto packet = packed(x, plain);
    for (size_t room : {0, 1, 2, 16, 100, 700, 1398, 1399})
      CAF_CHECK_EQUAL(opened(x, packet, true, room),
                      word(errc::bad_payload_size));
    CAF_CHECK_EQUAL(opened(x, packet, true, 1400), to_hex(plain));
  }
}

CAF_TEST(a bomb is refused) {
  // A few bytes that claim to be a megabyte of zeros.
  for (auto x : compressing) {
    auto packet = packed(x, bytes(1 << 20));
    CAF_CHECK_LESS(packet.size(), 8192u);
    CAF_CHECK_EQUAL(opened(x, packet), word(errc::bad_payload_size));
  }
}

CAF_TEST(every truncation of a compressed packet is survived) {
  for (auto x : compressing) {
    auto plain = compressible(600);
    auto packet = packed(x, plain);
    for (size_t n = 1; n < packet.size(); ++n)
      CAF_CHECK_NOT_EQUAL(opened(x, {packet.begin(), packet.begin() + n}),
                          to_hex(plain));
  }
}

CAF_TEST(every bit flip of a compressed packet is survived) {
  for (auto x : compressing) {
    auto packet = packed(x, compressible(300));
    for (size_t i = 0; i < packet.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        auto damaged = packet;
        damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1 << bit));
        auto result = opened(x, damaged, true, 400);
        CAF_CHECK(result.size() <= 800);
      }
  }
}

CAF_TEST(random bytes are survived) {
  test::seeded random{9};
  const uint8_t heads[] = {0xfa, 0x66, 0xfb, 0x69, 0x50, 0x45};
  for (auto x : all_framings)
    for (int i = 0; i < 20000; ++i) {
      auto in = random.some_bytes(120);
      if (in.size() > 1 && !random.one_in(8)) {
        in[0] = heads[random.below(std::size(heads))];
        if (in[0] == 0x50)
          in[1] = static_cast<uint8_t>(random.below(3));
      }
      auto room = random.below(200);
      auto size = in.size();
      bytes scratch(room);
      auto result
        = open_framed(x, true, {in.data(), size}, {scratch.data(), room});
      if (result)
        CAF_REQUIRE(result->size <= std::max<size_t>(size, room));
    }
}
