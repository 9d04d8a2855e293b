// The data channel: sealing and opening of batches.
// spec: openvpn-wire 9, 11.1, 13.3
#define CAF_SUITE protocol.data_channel

#include "vpn/protocol/data_channel.hpp"

#include "tests/support/data_tunnel.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;
using vpn::test::at;
using vpn::test::deliver;
using vpn::test::flow;
using vpn::test::make_packet;
using vpn::test::owned_slab;
using vpn::test::packet_of;
using vpn::test::put_train;
using vpn::test::segment;
using vpn::test::shape;
using vpn::test::tunnel;
using vpn::test::well_formed;

namespace {

/// Seals packets of these sizes into one slab.
std::string sealed_shape(std::initializer_list<size_t> sizes,
                         data_channel_config cfg = {}) {
  tunnel t{cfg};
  owned_slab in;
  for (auto x : sizes)
    in.put(packet_of(x));
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  // Datagrams lie in the order of their packet ids.
  uint32_t id = 0;
  for (auto& x : t.wire.packets())
    CAF_CHECK_EQUAL(load_u32(x.data() + 4), ++id);
  CAF_CHECK_EQUAL(id, sizes.size());
  return shape(t.wire);
}

} // namespace

CAF_TEST(batches travel both ways) {
  tunnel t;
  owned_slab in;
  std::vector<bytes> expect{packet_of(60), packet_of(1400), packet_of(41)};
  for (auto& x : expect)
    in.put(x);
  for (auto [from, to] :
       {std::pair{&t.client, &t.server}, std::pair{&t.server, &t.client}}) {
    t.wire.slab.clear();
    CAF_CHECK(from->seal(in.slab, t.wire.slab, at(1s)));
    owned_slab received;
    deliver(t.wire, received);
    to->open(received.slab, at(1s));
    CAF_CHECK(received.packets() == expect);
    CAF_CHECK_EQUAL(to->statistics().packets_opened, 3u);
    CAF_CHECK_EQUAL(to->statistics().bytes_opened, 1501u);
    CAF_CHECK_EQUAL(to->statistics().bytes_authenticated, 1501u);
    CAF_CHECK_EQUAL(from->statistics().packets_sealed, 3u);
    CAF_CHECK_EQUAL(from->statistics().bytes_sealed, 1501u);
    CAF_CHECK_EQUAL(to->statistics().drops.total(), 0u);
  }
}

CAF_TEST(equal datagrams share a run and a shorter one ends it) {
  CAF_CHECK_EQUAL(sealed_shape({100}), "0x124 ");
  CAF_CHECK_EQUAL(sealed_shape({100, 100}), "124x248 ");
  CAF_CHECK_EQUAL(sealed_shape({100, 100, 60, 100, 100}), "124x332 124x248 ");
  CAF_CHECK_EQUAL(sealed_shape({100, 60, 60}), "124x208 0x84 ");
  CAF_CHECK_EQUAL(sealed_shape({60, 100, 100}), "0x84 124x248 ");
}

CAF_TEST(a run ends at its limits) {
  data_channel_config cfg;
  cfg.max_burst_packets = 3;
  CAF_CHECK_EQUAL(sealed_shape({100, 100, 100, 100}, cfg), "124x372 0x124 ");
  cfg = {};
  cfg.max_burst_bytes = 371;
  CAF_CHECK_EQUAL(sealed_shape({100, 100, 100, 100}, cfg), "124x248 124x248 ");
  CAF_CHECK_EQUAL(sealed_shape({100, 100, 60, 100}, cfg), "124x332 0x124 ");
}

CAF_TEST(a datagram too large for a segment stays alone) {
  CAF_CHECK_EQUAL(sealed_shape({1448, 1448}), "1472x2944 ");
  CAF_CHECK_EQUAL(sealed_shape({1449, 1449, 100}), "0x1473 0x1473 0x124 ");
  CAF_CHECK_EQUAL(sealed_shape({1448, 1500}), "0x1472 0x1524 ");
}

CAF_TEST(a train is split and sealed on the way) {
  tunnel t;
  segment s;
  s.flags = 0x18;
  auto payload = bytes(47 * 1388, 0x11);
  owned_slab in;
  put_train(in, make_packet({}, s, payload), 1388);
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  CAF_CHECK_EQUAL(shape(t.wire), "1452x63888 1452x4356 ");
  owned_slab received;
  deliver(t.wire, received);
  t.server.open(received.slab, at(1s));
  auto packets = received.packets();
  CAF_CHECK_EQUAL(packets.size(), 47u);
  for (auto& x : packets)
    CAF_CHECK(well_formed(x));
}

CAF_TEST(a train goes on exactly where the slab was full) {
  auto payload = bytes(2500);
  test::seeded random{9};
  random.source()(payload.data(), payload.size());
  owned_slab whole;
  tunnel first;
  owned_slab reference;
  put_train(reference, make_packet({}, {}, payload), 100);
  CAF_CHECK(first.client.seal(reference.slab, whole.slab, at(1s)));
  auto expect = whole.packets();
  CAF_REQUIRE_EQUAL(expect.size(), 25u);
  for (uint32_t capacity = 164; capacity < 1400; capacity += 50) {
    for (uint32_t max_runs : {1, 2, 64}) {
      tunnel t;
      owned_slab in;
      put_train(in, make_packet({}, {}, payload), 100);
      in.put(packet_of(60));
      put_train(in, make_packet({}, {}, payload), 100);
      std::vector<bytes> packets;
      bool finished = false;
      for (int i = 0; i < 100 && !finished; ++i) {
        owned_slab out{capacity, max_runs};
        finished = t.client.seal(in.slab, out.slab, at(1s));
        CAF_CHECK(out.slab.count > 0);
        for (auto& x : out.packets())
          packets.push_back(x);
      }
      CAF_CHECK(finished);
      CAF_REQUIRE_EQUAL(packets.size(), 51u);
      packets.resize(25);
      CAF_CHECK(packets == expect);
      CAF_CHECK_EQUAL(t.client.statistics().drops.total(), 0u);
    }
  }
}

CAF_TEST(a packet that fits no slab is dropped and not waited for) {
  tunnel t;
  owned_slab in;
  in.put(packet_of(200));
  in.put(packet_of(50));
  owned_slab out{100, 4};
  CAF_CHECK(t.client.seal(in.slab, out.slab, at(1s)));
  CAF_CHECK_EQUAL(out.slab.count, 1u);
  CAF_CHECK_EQUAL(t.client.statistics().drops.of(errc::no_buffer), 1u);
}

CAF_TEST(malformed trains and checksums are dropped and counted) {
  tunnel t;
  owned_slab in;
  put_train(in, packet_of(500), 0);
  in.put(packet_of(100)).needs_checksum = true;
  in.slab.runs[1].checksum_start = 99;
  in.put(packet_of(100));
  in.slab.add(0, 0);
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  CAF_CHECK_EQUAL(t.wire.slab.count, 1u);
  CAF_CHECK_EQUAL(t.client.statistics().drops.of(errc::bad_train), 3u);
}

CAF_TEST(a checksum left to us is finished before sealing) {
  tunnel t;
  owned_slab in;
  auto expect = packet_of(100);
  auto xs = expect;
  store_u16(xs.data() + 36, test::simple_pseudo_sum(xs));
  auto& run = put_train(in, xs, 0);
  run.train = train_kind::none;
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  t.server.open(t.wire.slab, at(1s));
  CAF_CHECK(t.wire.packets() == std::vector<bytes>{expect});
}

CAF_TEST(a SYN is clamped both ways) {
  flow f;
  f.options = from_hex("020405b4");
  segment s;
  s.flags = 2;
  auto syn = make_packet(f, s, {});
  for (bool sealing : {true, false}) {
    tunnel t;
    data_channel_config cfg;
    cfg.mss4 = 1400;
    (sealing ? t.client : t.server).configure(cfg, at(0s));
    owned_slab in;
    in.put(syn);
    CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
    t.server.open(t.wire.slab, at(1s));
    auto packets = t.wire.packets();
    CAF_REQUIRE_EQUAL(packets.size(), 1u);
    CAF_CHECK_EQUAL(to_hex(byte_view{packets[0]}.from(40)), "02040578");
    CAF_CHECK(well_formed(packets[0]));
  }
}

CAF_TEST(without a key everything is dropped) {
  data_channel x;
  owned_slab in;
  in.put(packet_of(100));
  in.put(packet_of(100));
  owned_slab out;
  CAF_CHECK(!x.has_key());
  CAF_CHECK(x.seal(in.slab, out.slab, at(0s)));
  CAF_CHECK_EQUAL(out.slab.count, 0u);
  CAF_CHECK_EQUAL(x.statistics().drops.of(errc::no_key), 2u);
  in.slab.data[0] = 0x48;
  x.open(in.slab, at(0s));
  CAF_CHECK_EQUAL(in.slab.count, 0u);
  CAF_CHECK_EQUAL(x.statistics().drops.of(errc::no_key), 3u);
  CAF_CHECK_EQUAL(x.statistics().drops.of(errc::bad_opcode), 1u);
}

CAF_TEST(only what is good is left of a batch) {
  tunnel t;
  owned_slab in;
  auto not_ip = packet_of(100);
  not_ip[0] = 0x15;
  auto almost_ping = ping_magic().copy();
  almost_ping.push_back(0);
  for (auto& x : {packet_of(50), packet_of(51), ping_magic().copy(), not_ip,
                  almost_ping, packet_of(52)})
    in.put(x);
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  owned_slab received;
  deliver(t.wire, received);
  received.slab.at(received.slab.runs[1])[30] ^= 1;
  received.put(received.slab.view(received.slab.runs[0]).copy());
  received.slab.add(0, 0);
  t.server.open(received.slab, at(1s));
  CAF_CHECK(received.packets()
            == (std::vector<bytes>{packet_of(50), packet_of(52)}));
  auto& stats = t.server.statistics();
  CAF_CHECK_EQUAL(stats.packets_opened, 2u);
  CAF_CHECK_EQUAL(stats.bytes_opened, 102u);
  CAF_CHECK_EQUAL(stats.pings_received, 1u);
  CAF_CHECK_EQUAL(stats.drops.of(errc::bad_tag), 1u);
  CAF_CHECK_EQUAL(stats.drops.of(errc::replayed), 1u);
  CAF_CHECK_EQUAL(stats.drops.of(errc::not_ip), 2u);
  CAF_CHECK_EQUAL(stats.drops.of(errc::truncated), 1u);
}

CAF_TEST(runs with a stride are taken apart) {
  tunnel t;
  owned_slab in;
  std::vector<bytes> expect;
  for (auto size : {100, 100, 100, 60, 200, 200, 50}) {
    expect.push_back(packet_of(static_cast<size_t>(size)));
    in.put(expect.back());
  }
  // Room for all packets, exactly; and not for all.
  for (uint32_t room : {7, 5}) {
    owned_slab wire{1 << 16, room};
    CAF_CHECK(t.client.seal(in.slab, wire.slab, at(1s)));
    CAF_CHECK_EQUAL(shape(wire), "124x456 224x522 ");
    t.server.open(wire.slab, at(1s));
    auto packets = wire.packets();
    CAF_CHECK_EQUAL(packets.size(), room);
    CAF_CHECK(std::equal(packets.begin(), packets.begin() + 3, expect.begin()));
    CAF_CHECK_EQUAL(t.server.statistics().drops.total(), 7 - room);
    CAF_CHECK_EQUAL(t.server.statistics().drops.of(errc::no_buffer), 7 - room);
  }
}

CAF_TEST(random batches leave nothing and change nothing) {
  tunnel t;
  test::seeded random{12};
  for (int i = 0; i < 5000; ++i) {
    std::vector<bytes> xs(random.below(6));
    size_t total = 0;
    for (auto& x : xs) {
      x = random.some_bytes(60);
      if (!x.empty())
        x[0] = random.one_in(2) ? 0x48 : 0x30;
      total += x.size();
    }
    owned_slab slab{static_cast<uint32_t>(total), 6};
    for (auto& x : xs) {
      auto& run = slab.put(x);
      run.stride = static_cast<uint16_t>(random.below(30));
    }
    t.server.open(slab.slab, at(1s));
    CAF_CHECK_EQUAL(slab.slab.count, 0u);
  }
  CAF_CHECK_EQUAL(t.server.statistics().packets_opened, 0u);
  CAF_CHECK(!t.server.poll_event());
}
