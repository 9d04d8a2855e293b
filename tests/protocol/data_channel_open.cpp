// The data channel: what comes out of data packets besides IP packets, and of
// framings and pieces.
// spec: openvpn-wire 10, 11.1, 11.2, 13.4
#define CAF_SUITE protocol.data_channel_open

#include "vpn/protocol/data_channel.hpp"

#include "tests/support/data_tunnel.hpp"

#include "caf/test/unit_test.hpp"

#include <lz4.h>
#include <lzo/lzo1x.h>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;
using vpn::test::at;
using vpn::test::owned_slab;
using vpn::test::packet_of;
using vpn::test::tunnel;

namespace {

constexpr compression_framing framings[] = {
  compression_framing::none,    compression_framing::lzo_stub,
  compression_framing::lzo,     compression_framing::stub,
  compression_framing::stub_v2, compression_framing::lz4,
  compression_framing::lz4_v2,
};

data_channel_config shaped(compression_framing framing, uint32_t size = 0,
                           bool decompress = true) {
  data_channel_config cfg;
  cfg.framing = framing;
  cfg.fragment_size = size;
  cfg.decompress = decompress;
  return cfg;
}

/// A server with that configuration, and a client that seals plaintexts as they
/// are given to it.
struct raw_tunnel : tunnel {
  explicit raw_tunnel(const data_channel_config& cfg) {
    server.configure(cfg, at(0s));
  }
  /// Packets that the server makes of plaintexts in one batch.
  std::vector<bytes> opens(const std::vector<bytes>& plaintexts) {
    owned_slab in;
    for (auto& x : plaintexts)
      in.put(x);
    wire.slab.clear();
    client.seal(in.slab, wire.slab, at(1s));
    server.open(wire.slab, at(1s));
    return wire.packets();
  }
  uint64_t drops(errc x) { return server.statistics().drops.of(x); }
};

bytes lz4(const bytes& xs) {
  bytes result(2000);
  auto size = LZ4_compress_default(reinterpret_cast<const char*>(xs.data()),
                                   reinterpret_cast<char*>(result.data()),
                                   static_cast<int>(xs.size()), 2000);
  result.resize(static_cast<size_t>(size));
  return result;
}

bytes lzo(const bytes& xs) {
  bytes result(2000), work(LZO1X_1_MEM_COMPRESS);
  lzo_uint size = result.size();
  lzo_init();
  lzo1x_1_compress(xs.data(), xs.size(), result.data(), &size, work.data());
  result.resize(size);
  return result;
}

/// What a peer that compresses would send.
bytes compressed(compression_framing framing, const bytes& packet) {
  bytes result;
  switch (framing) {
    case compression_framing::lzo:
      result = lzo(packet);
      result.insert(result.begin(), 0x66);
      break;
    case compression_framing::lz4:
      result = lz4(packet);
      result.push_back(result[0]);
      result[0] = 0x69;
      break;
    default:
      result = lz4(packet);
      result.insert(result.begin(), {0x50, 0x01});
  }
  return result;
}

} // namespace

CAF_TEST(batches travel under every framing and fragment size) {
  for (auto framing : framings)
    for (uint32_t size : {0u, 400u, 1300u}) {
      tunnel t{shaped(framing, size)};
      std::vector<bytes> expect;
      owned_slab in;
      for (auto x : {41, 60, 200, 300, 400, 1200, 1300, 1500}) {
        expect.push_back(packet_of(static_cast<size_t>(x)));
        in.put(expect.back());
      }
      for (auto [from, to] :
           {std::pair{&t.client, &t.server}, std::pair{&t.server, &t.client}}) {
        t.wire.slab.clear();
        CAF_CHECK(from->seal(in.slab, t.wire.slab, at(1s)));
        to->open(t.wire.slab, at(1s));
        CAF_CHECK(t.wire.packets() == expect);
        CAF_CHECK_EQUAL(to->statistics().drops.total(), 0u);
        CAF_CHECK_EQUAL(from->statistics().bytes_sealed,
                        to->statistics().bytes_opened);
      }
    }
}

CAF_TEST(pings and goodbyes travel under every framing and fragment size) {
  for (auto framing : framings)
    for (uint32_t size : {0u, 400u}) {
      auto cfg = shaped(framing, size);
      cfg.ping = 10s;
      tunnel t{cfg};
      CAF_CHECK(t.client.poll_ping(t.wire.slab, at(10s)));
      t.client.queue_exit();
      CAF_CHECK(t.client.poll_ping(t.wire.slab, at(10s)));
      t.server.open(t.wire.slab, at(10s));
      CAF_CHECK_EQUAL(t.wire.slab.count, 0u);
      CAF_CHECK_EQUAL(t.server.statistics().pings_received, 1u);
      CAF_CHECK_EQUAL(t.server.statistics().drops.total(), 0u);
      CAF_CHECK_EQUAL(t.server.statistics().bytes_opened, 0u);
      int events = 0;
      bool exit = false;
      for (; auto x = t.server.poll_event(); ++events)
        exit = exit || std::holds_alternative<peer_exit>(*x);
      CAF_CHECK_EQUAL(events, 2);
      CAF_CHECK(exit);
    }
}

CAF_TEST(OCC messages are swallowed and only an exit means something) {
  raw_tunnel t{{}};
  auto mark = from_hex("287f346bd4ef7a812d56b8d3afc5459c");
  for (uint8_t op : {0, 1, 2, 3, 4, 5, 7, 255}) {
    auto message = mark;
    message.push_back(op);
    message.resize(message.size() + 100);
    CAF_CHECK(t.opens({message, packet_of(60)}).size() == 1);
  }
  CAF_CHECK(t.opens({mark}).empty());
  CAF_CHECK_EQUAL(t.server.statistics().drops.total(), 0u);
  CAF_CHECK(std::holds_alternative<key_confirmed>(*t.server.poll_event()));
  CAF_CHECK(!t.server.poll_event());
  mark.push_back(6);
  CAF_CHECK(t.opens({mark, mark}).empty());
  auto event = t.server.poll_event();
  CAF_REQUIRE(event);
  CAF_CHECK(std::holds_alternative<peer_exit>(*event));
  CAF_CHECK(!t.server.poll_event());
}

CAF_TEST(compressed packets are opened where that is allowed) {
  auto packet = packet_of(1400);
  for (auto framing : framings) {
    if (!may_compress(framing))
      continue;
    raw_tunnel t{shaped(framing)};
    auto xs = compressed(framing, packet);
    CAF_CHECK(xs.size() < 100);
    // Several grow where one was: room is found for all of them.
    CAF_CHECK(t.opens({xs, xs, xs}) == std::vector<bytes>(3, packet));
    CAF_CHECK_EQUAL(t.server.statistics().bytes_opened, 4200u);
    raw_tunnel strict{shaped(framing, 0, false)};
    CAF_CHECK(strict.opens({xs}).empty());
    CAF_CHECK_EQUAL(strict.drops(errc::wrong_state), 1u);
  }
}

CAF_TEST(what finds no room when it grows is dropped) {
  raw_tunnel t{shaped(compression_framing::lz4_v2)};
  auto xs = compressed(compression_framing::lz4_v2, packet_of(1400));
  owned_slab in, wire{3000, 16};
  for (int i = 0; i < 3; ++i)
    in.put(xs);
  in.put(packet_of(100));
  CAF_CHECK(t.client.seal(in.slab, wire.slab, at(1s)));
  t.server.open(wire.slab, at(1s));
  CAF_CHECK(wire.packets()
            == (std::vector<bytes>{packet_of(1400), packet_of(100)}));
  CAF_CHECK_EQUAL(t.drops(errc::no_buffer), 2u);
}

CAF_TEST(a packet whose pieces fill the slab needs no other room) {
  tunnel t{shaped(compression_framing::none, 500)};
  owned_slab in;
  std::vector<bytes> expect(10, packet_of(1400));
  for (auto& x : expect)
    in.put(x);
  owned_slab sized;
  CAF_CHECK(t.client.seal(in.slab, sized.slab, at(1s)));
  owned_slab exact{sized.slab.used, 256};
  for (auto& x : sized.packets())
    exact.put(x);
  CAF_CHECK_EQUAL(exact.slab.room(), 0u);
  t.server.open(exact.slab, at(1s));
  CAF_CHECK(exact.packets() == expect);
}

CAF_TEST(pieces come in several batches) {
  tunnel t{shaped(compression_framing::stub, 300)};
  owned_slab in;
  in.put(packet_of(1400));
  in.put(packet_of(1000));
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  std::vector<bytes> got;
  for (auto& x : t.wire.packets()) {
    owned_slab one;
    one.put(x);
    t.server.open(one.slab, at(1s));
    for (auto& y : one.packets())
      got.push_back(y);
  }
  CAF_CHECK(got == (std::vector<bytes>{packet_of(1400), packet_of(1000)}));
}

CAF_TEST(pieces that wait count as life of the peer) {
  auto cfg = shaped(compression_framing::none, 300);
  cfg.ping_restart = 60s;
  tunnel t{cfg};
  owned_slab in, small{300, 1};
  in.put(packet_of(1400));
  CAF_CHECK(!t.client.seal(in.slab, small.slab, at(1s)));
  t.server.open(small.slab, at(50s));
  CAF_CHECK_EQUAL(small.slab.count, 0u);
  CAF_CHECK(t.server.poll_timeout() == at(110s).steady);
  CAF_CHECK_EQUAL(t.server.statistics().drops.total(), 0u);
}

CAF_TEST(ends that disagree about the framing exchange nothing) {
  for (auto mine : framings)
    for (auto theirs : framings) {
      tunnel t;
      t.client.configure(shaped(mine), at(0s));
      t.server.configure(shaped(theirs), at(0s));
      // Those that change nothing, and those with the same head, get along.
      auto kind = [](compression_framing x) {
        if (!adds_a_byte(x))
          return 0;
        return x == compression_framing::lzo_stub
                   || x == compression_framing::lzo
                 ? 1
                 : 2;
      };
      t.sends_with(t.client, 1s);
      t.server.open(t.wire.slab, at(1s));
      CAF_CHECK_EQUAL(t.wire.slab.count, kind(mine) == kind(theirs) ? 1u : 0u);
      CAF_CHECK_EQUAL(t.server.statistics().drops.total(),
                      kind(mine) == kind(theirs) ? 0u : 1u);
    }
}

CAF_TEST(every truncation of a shaped plaintext is dropped or something else) {
  auto packet = packet_of(300);
  for (auto framing : framings)
    for (uint32_t size : {0u, 1300u}) {
      raw_tunnel t{shaped(framing, size)};
      auto plain = may_compress(framing) ? compressed(framing, packet) : packet;
      if (size != 0)
        plain.insert(plain.begin(), 4, 0);
      for (size_t n = 1; n < plain.size(); ++n)
        for (auto& x : t.opens({byte_view{plain}.first(n).copy()}))
          CAF_CHECK(x.size() <= packet.size() && x != packet);
    }
}

CAF_TEST(random plaintexts leave a channel that works) {
  test::seeded random{31};
  for (auto framing : framings)
    for (uint32_t size : {0u, 400u}) {
      raw_tunnel t{shaped(framing, size)};
      for (int i = 0; i < 300; ++i) {
        std::vector<bytes> xs(1 + random.below(6));
        for (auto& x : xs) {
          x = random.some_bytes(200);
          x.push_back(random.byte());
          constexpr uint8_t heads[] = {0x50, 0xfa, 0xfb, 0x66, 0x69, 0x45};
          if (size != 0 && x.size() > 4)
            store_u32(x.data(), random.below(3) | (random.below(5) << 2)
                                  | (random.below(3) << 10)
                                  | (random.below(50) << 15));
          if (x.size() > 4 && random.one_in(2))
            x[size != 0 ? 4 : 0] = heads[random.below(6)];
        }
        t.opens(xs);
      }
      t.client.configure(shaped(framing, size), at(1s));
      t.sends_with(t.client, 1s);
      t.server.open(t.wire.slab, at(1s));
      CAF_CHECK_EQUAL(t.wire.slab.count, 1u);
    }
}
