// The data channel: packets that do not leave just as they came. Pieces,
// framing, other addresses, and IPv6 that stays here.
// spec: openvpn-wire 7.2 (block-ipv6, client-nat), 10.1, 13.4
#define CAF_SUITE protocol.data_channel_shaped

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
using vpn::test::shape;
using vpn::test::tunnel;
using vpn::test::well_formed;

CAF_TEST(no datagram is larger than the fragment size) {
  for (uint32_t size : {100, 576, 1000, 1300, 1500})
    for (auto framing :
         {compression_framing::none, compression_framing::stub}) {
      data_channel_config cfg;
      cfg.fragment_size = size;
      cfg.framing = framing;
      tunnel t{cfg};
      owned_slab in;
      std::vector<bytes> expect;
      for (auto x : {41, 60, 500, 999, 1000, 1001, 1400, 1500}) {
        expect.push_back(packet_of(static_cast<size_t>(x)));
        in.put(expect.back());
      }
      CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
      CAF_CHECK_EQUAL(t.client.statistics().packets_sealed, expect.size());
      size_t largest = 0;
      for (auto& x : t.wire.packets())
        largest = std::max(largest, x.size());
      CAF_CHECK(largest <= size);
      owned_slab received;
      deliver(t.wire, received);
      t.server.open(received.slab, at(1s));
      CAF_CHECK(received.packets() == expect);
      CAF_CHECK_EQUAL(t.server.statistics().packets_opened, expect.size());
      CAF_CHECK_EQUAL(t.server.statistics().drops.total(), 0u);
    }
}

CAF_TEST(a packet that just fits goes whole and one more byte does not ) {
  for (auto framing : {compression_framing::none, compression_framing::stub}) {
    data_channel_config cfg;
    cfg.fragment_size = 600;
    cfg.framing = framing;
    tunnel t{cfg};
    // 24 bytes of the key, 4 of the fragment header.
    auto fits = 600u - 28u - (adds_a_byte(framing) ? 1u : 0u);
    owned_slab in;
    in.put(packet_of(fits));
    CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
    CAF_CHECK_EQUAL(shape(t.wire), "0x600 ");
    t.wire.slab.clear();
    in.slab.clear();
    in.put(packet_of(fits + 1));
    CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
    CAF_CHECK_EQUAL(t.wire.packets().size(), 2u);
  }
}

CAF_TEST(a packet in pieces goes on exactly where the slab was full) {
  data_channel_config cfg;
  cfg.fragment_size = 200;
  cfg.framing = compression_framing::lzo_stub;
  for (uint32_t capacity = 200; capacity < 1500; capacity += 50)
    for (uint32_t max_runs : {1, 2, 64}) {
      tunnel t{cfg};
      owned_slab in;
      auto payload = bytes(2500, 0x77);
      put_train(in, make_packet({}, {}, payload), 460);
      in.put(packet_of(60));
      in.put(packet_of(1400));
      owned_slab received;
      bool finished = false;
      for (int i = 0; i < 100 && !finished; ++i) {
        owned_slab out{capacity, max_runs};
        finished = t.client.seal(in.slab, out.slab, at(1s));
        CAF_CHECK(out.slab.count > 0);
        deliver(out, received);
      }
      CAF_CHECK(finished);
      t.server.open(received.slab, at(1s));
      auto packets = received.packets();
      CAF_REQUIRE_EQUAL(packets.size(), 8u);
      for (auto& x : packets)
        CAF_CHECK(well_formed(x));
      CAF_CHECK(packets[6] == packet_of(60));
      CAF_CHECK(packets[7] == packet_of(1400));
      CAF_CHECK_EQUAL(t.client.statistics().packets_sealed, 8u);
      CAF_CHECK_EQUAL(t.client.statistics().drops.total(), 0u);
    }
}

CAF_TEST(what is left of a dropped packet does not come up later) {
  data_channel_config cfg;
  cfg.fragment_size = 200;
  tunnel t{cfg};
  owned_slab in, small{400, 1};
  in.put(packet_of(1400));
  CAF_CHECK(!t.client.seal(in.slab, small.slab, at(1s)));
  t.client.drop_rest(in.slab);
  in.slab.clear();
  in.put(packet_of(100));
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  t.server.open(t.wire.slab, at(1s));
  CAF_CHECK(t.wire.packets() == std::vector<bytes>{packet_of(100)});
}

CAF_TEST(a fragment size without room for anything sends nothing) {
  for (uint32_t size : {1, 24, 28, 31}) {
    data_channel_config cfg;
    cfg.fragment_size = size;
    tunnel t{cfg};
    owned_slab in;
    in.put(packet_of(100));
    CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
    CAF_CHECK_EQUAL(t.wire.slab.count, 0u);
    CAF_CHECK_EQUAL(t.client.statistics().drops.of(errc::bad_payload_size), 1u);
  }
}

CAF_TEST(datagrams of CBC share runs and keep to the fragment size) {
  for (uint32_t size : {0, 700}) {
    data_channel_config cfg;
    cfg.fragment_size = size;
    data_channel client{cfg}, server{cfg};
    for (auto self : {role::client, role::server}) {
      auto spec = test::spec_of(self, 0);
      spec.cipher = data_cipher::aes_256_cbc;
      spec.digest = "SHA256";
      CAF_REQUIRE(
        (self == role::client ? client : server).install(spec, at(0s)));
    }
    owned_slab in, out;
    std::vector<bytes> expect(4, packet_of(1200));
    for (auto& x : expect)
      in.put(x);
    CAF_CHECK(client.seal(in.slab, out.slab, at(1s)));
    if (size == 0)
      CAF_CHECK_EQUAL(out.slab.count, 1u);
    for (auto& x : out.packets())
      CAF_CHECK(size == 0 || x.size() <= size);
    server.open(out.slab, at(1s));
    CAF_CHECK(out.packets() == expect);
  }
}

CAF_TEST(addresses are changed inside of trains and back) {
  data_channel_config cfg;
  cfg.nat.push_back(
    {true, *parse_prefix("10.8.0.0/30", family::v4), *parse_ip("10.9.0.0")});
  tunnel t;
  t.client.configure(cfg, at(0s));
  owned_slab in;
  put_train(in, make_packet({}, {}, bytes(2500, 0x11)), 1000);
  in.put(packet_of(100));
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  owned_slab received;
  deliver(t.wire, received);
  t.server.open(received.slab, at(1s));
  auto packets = received.packets();
  CAF_REQUIRE_EQUAL(packets.size(), 4u);
  owned_slab back, sealed;
  for (auto& x : packets) {
    CAF_CHECK(well_formed(x));
    CAF_CHECK_EQUAL(to_hex(byte_view{x}.from(12).first(8)), "0a0900010a080002");
    std::swap_ranges(x.begin() + 12, x.begin() + 16, x.begin() + 16);
    back.put(x);
  }
  CAF_CHECK(t.server.seal(back.slab, sealed.slab, at(1s)));
  t.client.open(sealed.slab, at(1s));
  CAF_REQUIRE_EQUAL(sealed.packets().size(), 4u);
  for (auto& x : sealed.packets()) {
    CAF_CHECK(well_formed(x));
    CAF_CHECK_EQUAL(to_hex(byte_view{x}.from(12).first(8)), "0a0800020a080001");
  }
}

CAF_TEST(a packet that waits for room is changed only once) {
  data_channel_config cfg;
  // Each other's networks: a second time would change it back.
  cfg.nat.push_back(
    {true, *parse_prefix("10.8.0.0/24", family::v4), *parse_ip("10.9.0.0")});
  cfg.nat.push_back(
    {true, *parse_prefix("10.9.0.0/24", family::v4), *parse_ip("10.8.0.0")});
  tunnel t;
  t.client.configure(cfg, at(0s));
  owned_slab in, first{300, 1};
  in.put(packet_of(200));
  in.put(packet_of(210));
  CAF_CHECK(!t.client.seal(in.slab, first.slab, at(1s)));
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  t.server.open(t.wire.slab, at(1s));
  auto packets = t.wire.packets();
  CAF_REQUIRE_EQUAL(packets.size(), 1u);
  CAF_CHECK_EQUAL(to_hex(byte_view{packets[0]}.from(12).first(4)), "0a090001");
  CAF_CHECK(well_formed(packets[0]));
}

CAF_TEST(IPv6 packets that are blocked are answered and not sent) {
  data_channel_config cfg;
  cfg.block_ipv6 = true;
  tunnel t;
  t.client.configure(cfg, at(0s));
  flow f;
  f.v6 = true;
  owned_slab in, up;
  in.put(make_packet(f, {}, bytes(100)));
  in.put(packet_of(100));
  // A train is one packet to the host that sent it.
  put_train(in, make_packet(f, {}, bytes(5000)), 1000).train = train_kind::tcp6;
  in.put(packet_of(60));
  CAF_CHECK(t.client.seal(in.slab, t.wire.slab, at(1s)));
  CAF_CHECK_EQUAL(t.wire.packets().size(), 2u);
  CAF_CHECK_EQUAL(t.client.statistics().packets_sealed, 2u);
  CAF_CHECK_EQUAL(t.client.statistics().ipv6_refused, 2u);
  CAF_CHECK_EQUAL(t.client.statistics().drops.total(), 0u);
  CAF_CHECK(t.client.poll_answer(up.slab));
  CAF_CHECK(!t.client.poll_answer(up.slab));
  auto answers = up.packets();
  CAF_REQUIRE_EQUAL(answers.size(), 2u);
  CAF_CHECK_EQUAL(answers[0].size(), 48u + 160u);
  CAF_CHECK_EQUAL(answers[1].size(), 1280u);
  // What comes from the peer is not our business.
  owned_slab v6;
  v6.put(make_packet(f, {}, bytes(100)));
  t.wire.slab.clear();
  CAF_CHECK(t.server.seal(v6.slab, t.wire.slab, at(1s)));
  t.client.open(t.wire.slab, at(1s));
  CAF_CHECK_EQUAL(t.wire.slab.count, 1u);
  // An answer is not answered.
  in.slab.clear();
  in.put(answers[0]);
  CAF_CHECK(t.client.seal(in.slab, v6.slab, at(1s)));
  CAF_CHECK(!t.client.poll_answer(up.slab));
}

CAF_TEST(a tunnel that blocks nothing has no answers) {
  tunnel t;
  owned_slab up;
  CAF_CHECK(!t.client.poll_answer(up.slab));
}
