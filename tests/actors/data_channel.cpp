// DATA CHANNEL alone: a TUN above and a wire below that only write down what
// they get; the peer is a protocol object of the test.
#define CAF_SUITE actors.data_channel
#include "vpn/actors/data_channel.hpp"

#include "tests/support/data_tunnel.hpp"
#include "tests/support/layer_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::data_channel_config;
using protocol::role;
using test::flow;
using test::owned_slab;
using test::segment;
using test::spec_of;

namespace {

bytes ip_packet(uint16_t id, size_t payload = 100) {
  flow f;
  f.udp = true;
  segment s;
  s.id = id;
  return test::make_packet(f, s, bytes(payload, static_cast<uint8_t>(id)));
}

std::vector<bytes> ip_packets(uint16_t n, size_t payload = 100) {
  std::vector<bytes> result;
  for (uint16_t i = 0; i < n; ++i)
    result.push_back(ip_packet(i, payload));
  return result;
}

struct fixture : test::layer_fixture {
  pool_ptr sealed = caf::make_counted<batch_pool>(pool_config{4, 8192, 64});
  pool_ptr other = caf::make_counted<batch_pool>(pool_config{4, 65536, 256});
  data_channel_actor layer
    = own(spawn_data_channel(sys, nullptr, sealed, &clock, around, around));
  protocol::data_channel peer{data_channel_config{}};

  fixture() { tell(layer, atom::attach_v, batch_up_actor{around}); }

  bool install(uint8_t key_id, uint64_t seed = 0) {
    auto spec = spec_of(role::client, key_id, seed);
    auto box
      = data_key_box{std::make_shared<const protocol::data_key_spec>(spec)};
    auto x = ask<uint8_t>(layer, atom::install_v, box);
    return x && *x == key_id
           && peer.install(spec_of(role::server, key_id, seed), clock.now());
  }

  void configure(duration ping, duration ping_restart) {
    data_channel_config cfg;
    cfg.ping = ping;
    cfg.ping_restart = ping_restart;
    tell(layer, cfg);
  }

  batch_ptr batch_of(const std::vector<bytes>& xs) {
    auto batch = other->get();
    CAF_REQUIRE(batch);
    for (auto& x : xs) {
      std::copy(x.begin(), x.end(), batch->data + batch->used);
      CAF_REQUIRE(batch->add(batch->used, static_cast<uint32_t>(x.size())));
      batch->used += static_cast<uint32_t>(x.size());
    }
    return batch;
  }

  void down(const std::vector<bytes>& xs) {
    tell(layer, atom::down_v, batch_of(xs));
  }

  /// What the peer makes of datagrams.
  std::vector<bytes> opened_by_peer(const std::vector<bytes>& datagrams) {
    owned_slab slab;
    for (auto& x : datagrams)
      slab.put(x);
    peer.open(slab.slab, clock.now());
    return slab.packets();
  }

  /// All datagrams that left, runs taken apart.
  std::vector<bytes> taken_from_wire() {
    std::vector<bytes> result;
    for (auto& batch : seen.batches)
      for (auto& run : *batch) {
        auto step = run.stride != 0 ? run.stride : run.length;
        for (uint32_t i = 0; i < run.length; i += step)
          result.push_back(batch->view(run).from(i).first(step).copy());
      }
    seen.batches.clear();
    return result;
  }

  std::vector<bytes> sealed_by_peer(const std::vector<bytes>& xs) {
    owned_slab in, out;
    for (auto& x : xs)
      in.put(x);
    peer.seal(in.slab, out.slab, clock.now());
    return out.packets();
  }

  void up(const std::vector<bytes>& xs) {
    tell(layer, atom::up_v, batch_of(xs));
  }
};

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
  CAF_CHECK(!ask<uint8_t>(layer, atom::install_v, box));
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
