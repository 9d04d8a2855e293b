// DATA CHANNEL alone: a TUN above and a wire below that only write down what
// they get; the peer is a protocol object of the test.
#define CAF_SUITE actors.data_channel
#include "tests/support/data_channel_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::data_channel_config;
using protocol::role;
using test::flow;
using test::owned_slab;
using test::segment;
using test::spec_of;

using test::ip_packet;
using test::ip_packets;

namespace {

using fixture = test::data_channel_fixture;

} // namespace

CAF_TEST_FIXTURE_SCOPE(data_channel_tests, fixture)

CAF_TEST(packets leave sealed and the peer opens them) {
  CAF_REQUIRE(install(0));
  seen.keep = true;
  auto xs = ip_packets(20);
  down(xs);
  auto wire = taken_from_wire();
  CAF_CHECK_EQUAL(wire.size(), xs.size());
  CAF_CHECK(opened_by_peer(wire) == xs);
  CAF_CHECK_EQUAL(other->available(), other->capacity());
}

CAF_TEST(packets of the peer come up opened and others not at all) {
  CAF_REQUIRE(install(0));
  auto xs = ip_packets(20);
  auto wire = sealed_by_peer(xs);
  auto bad = wire[3];
  bad.back() ^= 1;
  auto all = wire;
  all.push_back(bad);
  all.push_back(wire[0]);
  all.push_back({});
  up(all);
  CAF_CHECK(seen.up == xs);
  auto text = status_of(layer);
  CAF_CHECK(has(text, "packets in 20"));
  CAF_CHECK(has(text, "bad_tag 1"));
  CAF_CHECK(has(text, "replayed 1"));
  // Nothing of it is left: no message.
  seen.log.clear();
  up(wire);
  CAF_CHECK(seen.log.empty());
  CAF_CHECK_EQUAL(other->available(), other->capacity());
}

CAF_TEST(without a key nothing leaves) {
  down(ip_packets(3));
  CAF_CHECK(seen.down.empty());
  CAF_CHECK(has(status_of(layer), "no_key 3"));
  CAF_CHECK_EQUAL(other->available(), other->capacity());
}

CAF_TEST(the batch that overtakes its key waits for it) {
  auto xs = ip_packets(5);
  CAF_REQUIRE(peer.install(spec_of(role::server, 0), clock.now()));
  auto first = sealed_by_peer(xs);
  auto second = sealed_by_peer(ip_packets(2));
  up(first);
  up(second);
  CAF_CHECK(seen.up.empty());
  CAF_CHECK_EQUAL(other->available(), other->capacity() - 1);
  auto box = data_key_box{
    std::make_shared<const protocol::data_key_spec>(spec_of(role::client, 0))};
  CAF_CHECK(ask<uint8_t>(layer, atom::install_v, box));
  CAF_CHECK(seen.up == xs);
  CAF_CHECK(has(status_of(layer), "no_key 2"));
  CAF_CHECK_EQUAL(other->available(), other->capacity());
}

CAF_TEST(a key is never started twice) {
  CAF_CHECK(install(0));
  seen.keep = true;
  down(ip_packets(1));
  auto wire = taken_from_wire();
  auto box = data_key_box{
    std::make_shared<const protocol::data_key_spec>(spec_of(role::client, 0))};
  // Whose answer was lost asks again.
  CAF_CHECK(ask<uint8_t>(layer, atom::install_v, box));
  // The counter has gone on.
  down(ip_packets(1));
  CAF_CHECK(taken_from_wire() != wire);
}

CAF_TEST(a broken key is refused) {
  protocol::data_key_spec nothing;
  auto box
    = data_key_box{std::make_shared<const protocol::data_key_spec>(nothing)};
  CAF_CHECK(!ask<uint8_t>(layer, atom::install_v, box));
}

CAF_TEST(a second key is confirmed by the first packet it opens) {
  CAF_REQUIRE(install(0));
  CAF_REQUIRE(install(1));
  seen.data_events.clear();
  pass(61s);
  auto wire = sealed_by_peer(ip_packets(1));
  CAF_REQUIRE_EQUAL(protocol::key_id_of(wire.at(0)[0]), 1u);
  up(wire);
  CAF_REQUIRE_EQUAL(seen.data_count<protocol::key_confirmed>(), 1u);
  up(sealed_by_peer(ip_packets(1)));
  CAF_CHECK_EQUAL(seen.data_count<protocol::key_confirmed>(), 1u);
}

CAF_TEST(a slab that is full leaves and the next one goes on) {
  CAF_REQUIRE(install(0));
  seen.keep = true;
  auto xs = ip_packets(20, 1000); // a slab of 8192 bytes holds seven of them
  down(xs);
  CAF_CHECK_EQUAL(seen.batches.size(), 3u);
  CAF_CHECK(opened_by_peer(taken_from_wire()) == xs);
}

CAF_TEST(what finds no slab is lost and counted) {
  CAF_REQUIRE(install(0));
  seen.keep = true; // the wire gives nothing back
  auto xs = ip_packets(60, 1000);
  down(xs);
  CAF_CHECK_EQUAL(seen.batches.size(), 4u);
  CAF_CHECK_EQUAL(sealed->available(), 0u);
  auto got = opened_by_peer(taken_from_wire());
  CAF_CHECK_EQUAL(got.size(), 28u);
  CAF_CHECK(has(status_of(layer), "no_buffer 32"));
  CAF_CHECK_EQUAL(other->available(), other->capacity());
  // It goes on as soon as there are slabs again.
  down(ip_packets(2));
  CAF_CHECK_EQUAL(opened_by_peer(taken_from_wire()).size(), 2u);
}

CAF_TEST(a silent sender pings and a busy one does not ) {
  CAF_REQUIRE(install(0));
  configure(10s, 0s);
  for (int i = 0; i < 30; ++i) {
    pass(5s);
    down(ip_packets(1));
  }
  CAF_CHECK_EQUAL(seen.down.size(), 30u);
  CAF_CHECK(has(status_of(layer), "pings in 0, out 0"));
  seen.down.clear();
  pass(9s);
  CAF_CHECK(seen.down.empty());
  pass(1s);
  CAF_REQUIRE_EQUAL(seen.down.size(), 1u);
  // The peer hears it and hands nothing on.
  CAF_CHECK(opened_by_peer(seen.down).empty());
  CAF_CHECK_EQUAL(peer.statistics().pings_received, 1u);
  pass(100s);
  CAF_CHECK_EQUAL(seen.down.size(), 11u);
}

CAF_TEST(a peer that is not heard is told to SUPERVISOR once) {
  CAF_REQUIRE(install(0));
  configure(0s, 60s);
  pass(50s);
  up(sealed_by_peer(ip_packets(1)));
  pass(50s);
  // A control packet is a sign of life, too.
  tell(layer, atom::heard_v);
  pass(59s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::peer_silent>(), 0u);
  pass(2s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::peer_silent>(), 1u);
  pass(300s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::peer_silent>(), 1u);
}

CAF_TEST(forged packets are no sign of life) {
  CAF_REQUIRE(install(0));
  configure(0s, 60s);
  for (int i = 0; i < 12; ++i) {
    pass(5s);
    auto bad = sealed_by_peer(ip_packets(1)).at(0);
    bad.back() ^= 1;
    up({bad});
  }
  pass(1s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::peer_silent>(), 1u);
}

CAF_TEST(timers do not pile up) {
  CAF_REQUIRE(install(0));
  for (int i = 0; i < 50; ++i) {
    configure(10s, 60s);
    pass(3s);
    configure(5s, 30s);
    down(ip_packets(1));
    up(sealed_by_peer(ip_packets(1)));
    pass(4s);
    CAF_REQUIRE(pending_timers() <= 4);
  }
}

CAF_TEST(nothing from the wire does harm) {
  CAF_REQUIRE(install(0));
  test::seeded random{6};
  for (int i = 0; i < 1000; ++i) {
    auto x = random.some_bytes(100);
    if (!x.empty() && random.one_in(2))
      x[0] = random.one_in(2) ? 0x48 : 0x30;
    up({x, x});
  }
  CAF_CHECK(seen.up.empty());
  CAF_CHECK_EQUAL(other->available(), other->capacity());
}

CAF_TEST(a goodbye leaves at once and the peer hears it) {
  CAF_REQUIRE(install(0));
  tell(layer, atom::leave_v);
  CAF_REQUIRE_EQUAL(seen.down.size(), 1u);
  CAF_CHECK(opened_by_peer(seen.down).empty());
  bool exit = false;
  while (auto x = peer.poll_event())
    exit = exit || std::holds_alternative<protocol::peer_exit>(*x);
  CAF_CHECK(exit);
  tell(layer, atom::leave_v);
  CAF_CHECK_EQUAL(seen.down.size(), 2u);
  CAF_CHECK(has(status_of(layer), "pings in 0, out 0"));
}

CAF_TEST(a goodbye goes behind the packets before it) {
  CAF_REQUIRE(install(0));
  down(ip_packets(3));
  tell(layer, atom::leave_v);
  CAF_CHECK_EQUAL(seen.down.size(), 2u); // a run of three, and one
  seen.keep = true;
  // Without a slab it waits for one.
  down(ip_packets(60, 1000));
  CAF_CHECK_EQUAL(sealed->available(), 0u);
  seen.down.clear();
  tell(layer, atom::leave_v);
  CAF_CHECK(seen.down.empty());
  seen.batches.clear();
  pass(1s);
  CAF_CHECK_EQUAL(seen.down.size(), 1u);
}

CAF_TEST(a goodbye without a key does no harm) {
  tell(layer, atom::leave_v);
  pass(10s);
  CAF_CHECK(seen.down.empty());
  CAF_CHECK_EQUAL(sealed->available(), sealed->capacity() - 1);
}

CAF_TEST(a peer that leaves inside the tunnel is told to SUPERVISOR) {
  CAF_REQUIRE(install(0));
  peer.queue_exit();
  owned_slab out;
  CAF_REQUIRE(peer.poll_ping(out.slab, clock.now()));
  up(out.packets());
  CAF_CHECK(seen.up.empty());
  CAF_CHECK_EQUAL(seen.data_count<protocol::peer_exit>(), 1u);
}

CAF_TEST(an authentic packet from another address is told to SUPERVISOR) {
  CAF_REQUIRE(install(0));
  auto from = [&](const char* address, const std::vector<bytes>& xs) {
    auto batch = batch_of(xs);
    batch->from.remote = {*parse_ip(address), 1194, 0};
    tell(layer, atom::up_v, std::move(batch));
    return seen.data_count<protocol::peer_floated>();
  };
  auto first = sealed_by_peer(ip_packets(1));
  // The first address is news as well: only SUPERVISOR knows the one we have.
  CAF_CHECK_EQUAL(from("192.0.2.1", first), 1u);
  pass(11s);
  CAF_CHECK_EQUAL(from("192.0.2.1", sealed_by_peer(ip_packets(2))), 1u);
  // What was seen before, and what is forged, moves nobody.
  CAF_CHECK_EQUAL(from("192.0.2.66", first), 1u);
  auto forged = sealed_by_peer(ip_packets(1));
  forged[0].back() ^= 1;
  CAF_CHECK_EQUAL(from("192.0.2.66", forged), 1u);
  CAF_CHECK_EQUAL(from("192.0.2.66", {bytes(100, 0x48)}), 1u);
  CAF_CHECK_EQUAL(from("192.0.2.2", sealed_by_peer(ip_packets(1))), 2u);
  // Who alternates is heard from one side for a while.
  CAF_CHECK_EQUAL(from("192.0.2.1", sealed_by_peer(ip_packets(1))), 2u);
  pass(11s);
  CAF_CHECK_EQUAL(from("192.0.2.1", sealed_by_peer(ip_packets(1))), 3u);
  auto& last = std::get<protocol::peer_floated>(seen.data_events.back());
  CAF_CHECK_EQUAL(to_string(last.remote), "192.0.2.1:1194");
}

CAF_TEST(an idle tunnel is told to SUPERVISOR once) {
  CAF_REQUIRE(install(0));
  data_channel_config cfg;
  cfg.ping = 10s;
  cfg.inactive = 100s;
  cfg.inactive_bytes = 200; // packets of 128 bytes
  tell(layer, cfg);
  pass(50s);
  down(ip_packets(1));
  up(sealed_by_peer(ip_packets(1)));
  pass(99s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::tunnel_inactive>(), 0u);
  pass(2s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::tunnel_inactive>(), 1u);
  pass(300s);
  CAF_CHECK_EQUAL(seen.data_count<protocol::tunnel_inactive>(), 1u);
}

CAF_TEST(a key that has carried enough is told to SUPERVISOR) {
  CAF_REQUIRE(install(0));
  data_channel_config cfg;
  cfg.reneg_packets = 10;
  tell(layer, cfg);
  down(ip_packets(9));
  CAF_CHECK_EQUAL(seen.data_count<protocol::rekey_needed>(), 0u);
  up(sealed_by_peer(ip_packets(1)));
  CAF_CHECK_EQUAL(seen.data_count<protocol::rekey_needed>(), 1u);
  down(ip_packets(9));
  CAF_CHECK_EQUAL(seen.data_count<protocol::rekey_needed>(), 1u);
}

CAF_TEST(a blocked IPv6 packet is answered to TUN) {
  CAF_REQUIRE(install(0));
  data_channel_config cfg;
  cfg.block_ipv6 = true;
  tell(layer, cfg);
  flow f;
  f.v6 = true;
  auto v6 = test::make_packet(f, {}, bytes(100));
  std::vector<bytes> xs(40, v6);
  xs.push_back(ip_packet(1));
  down(xs);
  CAF_CHECK_EQUAL(seen.down.size(), 1u);
  // Some of a flood, each with the head of ICMPv6.
  CAF_CHECK_EQUAL(seen.up.size(), 16u);
  for (auto& x : seen.up)
    CAF_CHECK_EQUAL(x.at(40), 1u);
  CAF_CHECK_EQUAL(other->available(), other->capacity());
  seen.up.clear();
  down({ip_packet(2)});
  CAF_CHECK(seen.up.empty());
}

CAF_TEST(both ends may use framing and fragments) {
  data_channel_config cfg;
  cfg.framing = protocol::compression_framing::stub;
  cfg.fragment_size = 400;
  peer.configure(cfg, clock.now());
  CAF_REQUIRE(install(0));
  tell(layer, cfg);
  seen.keep = true;
  auto xs = ip_packets(10, 1200);
  down(xs);
  auto wire = taken_from_wire();
  CAF_CHECK_EQUAL(wire.size(), 40u);
  CAF_CHECK(opened_by_peer(wire) == xs);
  up(sealed_by_peer(xs));
  CAF_CHECK(seen.up == xs);
}

CAF_TEST(counters tell what OpenVPN tells in its status) {
  CAF_REQUIRE(install(0));
  data_channel_config cfg;
  cfg.ping = 10s;
  peer.configure(cfg, clock.now());
  down(ip_packets(3)); // of 128 bytes
  up(sealed_by_peer(ip_packets(2)));
  pass(10s);
  owned_slab ping;
  CAF_REQUIRE(peer.poll_ping(ping.slab, clock.now()));
  up(ping.packets());
  auto x = ask<layer_status>(layer, atom::status_v);
  CAF_REQUIRE(x);
  auto value = [&x](const std::string& name) {
    for (auto& y : x->counters)
      if (y.name == name)
        return y.value;
    return UINT64_MAX;
  };
  CAF_CHECK_EQUAL(value("tun_read_bytes"), 3u * 128u);
  CAF_CHECK_EQUAL(value("tun_write_bytes"), 2u * 128u);
  CAF_CHECK_EQUAL(value("auth_read_bytes"), 2u * 128u + 16u);
  CAF_CHECK_EQUAL(value("tun_read_packets"), 3u);
  CAF_CHECK_EQUAL(value("tun_write_packets"), 2u);
  CAF_CHECK_EQUAL(value("ipv6_refused"), 0u);
  CAF_CHECK_EQUAL(value("dropped_packets"), 0u);
}

CAF_TEST(a shutdown is answered and the layer lives on) {
  CAF_REQUIRE(install(0));
  auto x = ask<layer_status>(layer, atom::shutdown_v);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->layer, "data_channel");
  down(ip_packets(1));
  CAF_CHECK_EQUAL(seen.down.size(), 1u);
}

CAF_TEST(a layer that ends gives all batches back) {
  up(ip_packets(1)); // parked
  caf::anon_send_exit(layer, caf::exit_reason::kill);
  consume_messages();
  CAF_CHECK_EQUAL(other->available(), other->capacity());
  CAF_CHECK_EQUAL(sealed->available(), sealed->capacity());
}

CAF_TEST_FIXTURE_SCOPE_END()
