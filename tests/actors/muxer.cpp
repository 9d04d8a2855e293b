// MUXER alone: what is control and what is data, and where each of it goes.
#define CAF_SUITE actors.muxer
#include "vpn/actors/muxer.hpp"

#include "vpn/protocol/control_stream.hpp"

#include "tests/support/crypt_v2_keys.hpp"
#include "tests/support/layer_fixture.hpp"
#include "tests/support/seeded.hpp"

using namespace vpn;
using namespace vpn::actors;
using protocol::control_packet;
using protocol::opcode;
using protocol::role;
using protocol::session_id;
using protocol::wrap_mode;

namespace {

const session_id peer_id{{9, 8, 7, 6, 5, 4, 3, 2}};

bytes data_packet(uint8_t mark, size_t size = 40) {
  bytes result(size, mark);
  result[0] = protocol::first_byte(opcode::data_v2, 0);
  return result;
}

struct fixture : test::layer_fixture {
  std::shared_ptr<muxer_arguments> args = std::make_shared<muxer_arguments>();
  pool_ptr pool = caf::make_counted<batch_pool>(pool_config{4, 1 << 16, 32});
  /// Another RELIABLE, of another key id.
  test::world_record second;
  test::world_actor second_around = own(sys.spawn(test::world, &second));

  fixture() {
    args->mux.self = role::server;
    args->random = test::seeded{1}.source();
  }

  muxer_actor spawn_one() {
    auto hdl = own(spawn_muxer(sys, nullptr, args, &clock, around, around));
    tell(hdl, atom::attach_v, data_upper_actor{around});
    return hdl;
  }

  /// A server that knows its peer.
  muxer_actor spawn_known() {
    auto hdl = spawn_one();
    attach(hdl, 0, around);
    up(hdl, {plain(opcode::control_hard_reset_client_v2, 0)});
    CAF_REQUIRE_EQUAL(seen.peers.size(), 1u);
    seen.packets.clear();
    seen.log.clear();
    seen.heard = 0;
    return hdl;
  }

  void attach(const muxer_actor& hdl, uint8_t key_id,
              const test::world_actor& to) {
    tell(hdl, atom::attach_v, key_id, control_sink_actor{to},
         payload_limit_actor{to});
  }

  static bytes plain(opcode op, uint32_t id, uint8_t key_id = 0) {
    control_packet x;
    x.op = op;
    x.key_id = key_id;
    x.source = peer_id;
    x.id = id;
    x.payload = {1, 2, 3};
    return protocol::write_plain(x);
  }

  batch_ptr batch_of(const std::vector<bytes>& xs) {
    auto batch = pool->get();
    CAF_REQUIRE(batch);
    for (auto& x : xs) {
      std::copy(x.begin(), x.end(), batch->data + batch->used);
      batch->add(batch->used, static_cast<uint32_t>(x.size()));
      batch->used += static_cast<uint32_t>(x.size());
    }
    return batch;
  }

  void up(const muxer_actor& hdl, const std::vector<bytes>& xs) {
    tell(hdl, atom::up_v, batch_of(xs));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(muxer_tests, fixture)

CAF_TEST(a batch of data goes up as it is) {
  auto hdl = spawn_known();
  std::vector<bytes> xs;
  for (uint8_t i = 0; i < 32; ++i)
    xs.push_back(data_packet(i));
  up(hdl, xs);
  CAF_CHECK(seen.up == xs);
  CAF_CHECK(seen.log == std::vector<std::string>{"up"});
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(control packets leave their batch and data keeps its order) {
  auto hdl = spawn_known();
  up(hdl, {data_packet(1), plain(opcode::control_v1, 1), data_packet(2),
           plain(opcode::control_v1, 2), data_packet(3)});
  CAF_CHECK(
    seen.up
    == (std::vector<bytes>{data_packet(1), data_packet(2), data_packet(3)}));
  CAF_REQUIRE_EQUAL(seen.packets.size(), 2u);
  CAF_CHECK_EQUAL(seen.packets[0].id, 1u);
  CAF_CHECK_EQUAL(seen.packets[1].id, 2u);
  CAF_CHECK(seen.packets[0].payload == (bytes{1, 2, 3}));
  CAF_CHECK_EQUAL(seen.heard, 2u);
}

CAF_TEST(a batch of control alone ends here) {
  auto hdl = spawn_known();
  up(hdl, {plain(opcode::control_v1, 1), plain(opcode::ack_v1, 0)});
  CAF_CHECK(seen.up.empty());
  CAF_CHECK_EQUAL(seen.packets.size(), 2u);
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(an attached RELIABLE hears its key id and CONTROL the payload size) {
  auto hdl = spawn_known();
  CAF_REQUIRE_EQUAL(seen.limits.size(), 1u);
  CAF_CHECK(seen.limits[0] > 1000u);
  CAF_CHECK(seen.limits[0] < 1250u);
  attach(hdl, 2, second_around);
  CAF_CHECK(second.limits == seen.limits);
  up(hdl, {plain(opcode::control_v1, 1, 0), plain(opcode::control_v1, 2, 2)});
  CAF_REQUIRE_EQUAL(seen.packets.size(), 1u);
  CAF_CHECK_EQUAL(seen.packets[0].id, 1u);
  CAF_REQUIRE_EQUAL(second.packets.size(), 1u);
  CAF_CHECK_EQUAL(second.packets[0].id, 2u);
  tell(hdl, atom::detach_v, uint8_t{2});
  up(hdl, {plain(opcode::control_v1, 3, 2)});
  CAF_CHECK_EQUAL(second.packets.size(), 1u);
  CAF_CHECK(has(status_of(hdl), "bad_key_id 1"));
}

CAF_TEST(the peer is told to SUPERVISOR once) {
  auto hdl = spawn_known();
  CAF_CHECK(seen.peers[0].remote == peer_id);
  CAF_CHECK(seen.peers[0].local.defined());
  up(hdl, {plain(opcode::control_hard_reset_client_v2, 0)});
  CAF_CHECK_EQUAL(seen.peers.size(), 1u);
}

CAF_TEST(a soft reset that is welcome waits for its negotiation) {
  auto hdl = spawn_known();
  auto reset = plain(opcode::control_soft_reset_v1, 0, 1);
  up(hdl, {reset});
  CAF_CHECK(seen.soft_resets.empty());
  tell(hdl, atom::allow_v, uint8_t{1});
  up(hdl, {reset, plain(opcode::control_v1, 1, 1)});
  CAF_CHECK(seen.soft_resets == std::vector<uint8_t>{1});
  CAF_CHECK(second.packets.empty());
  attach(hdl, 1, second_around);
  CAF_REQUIRE_EQUAL(second.packets.size(), 2u);
  CAF_CHECK(second.packets[0].op == opcode::control_soft_reset_v1);
  CAF_CHECK_EQUAL(second.packets[1].id, 1u);
  up(hdl, {plain(opcode::control_v1, 2, 1)});
  CAF_CHECK_EQUAL(second.packets.size(), 3u);
}

CAF_TEST(packets of RELIABLE leave wrapped with both session ids) {
  auto hdl = spawn_known();
  control_packet x;
  x.key_id = 0;
  x.id = 7;
  x.acks = {1};
  x.payload = {5, 6};
  tell(hdl, x);
  CAF_REQUIRE_EQUAL(seen.datagrams.size(), 1u);
  auto y = protocol::read_plain(seen.datagrams[0]);
  CAF_REQUIRE(y);
  CAF_CHECK(y->source == seen.peers[0].local);
  CAF_CHECK(y->destination == peer_id);
  CAF_CHECK_EQUAL(y->id, 7u);
  CAF_CHECK(y->payload == x.payload);
  CAF_CHECK(has(status_of(hdl), "out 1"));
}

CAF_TEST(wrapped packets are opened and others refused) {
  for (auto mode : {wrap_mode::tls_auth, wrap_mode::tls_crypt}) {
    seen = {};
    args->mux.wrap.mode = mode;
    test::seeded random{5};
    random.source()(args->mux.wrap.key.data(), args->mux.wrap.key.size());
    auto hdl = spawn_one();
    attach(hdl, 0, around);
    auto peer = protocol::control_wrap::make(args->mux.wrap, role::client);
    CAF_REQUIRE(peer);
    control_packet x;
    x.op = opcode::control_hard_reset_client_v2;
    x.source = peer_id;
    auto good = peer->seal(x, clock.now());
    auto bad = good;
    bad.back() ^= 1;
    up(hdl, {bad, protocol::write_plain(x)});
    CAF_CHECK(seen.packets.empty());
    CAF_CHECK(seen.peers.empty());
    CAF_CHECK_EQUAL(seen.heard, 0u);
    up(hdl, {good});
    CAF_REQUIRE_EQUAL(seen.packets.size(), 1u);
    CAF_CHECK_EQUAL(seen.heard, 1u);
    // The same datagram again is a replay.
    up(hdl, {good});
    CAF_CHECK_EQUAL(seen.packets.size(), 1u);
    CAF_CHECK(has(status_of(hdl), "replayed 1"));
    // And the other way round.
    control_packet answer;
    answer.op = opcode::control_hard_reset_server_v2;
    tell(hdl, answer);
    tell(hdl, answer);
    CAF_REQUIRE_EQUAL(seen.datagrams.size(), 2u);
    CAF_CHECK(seen.datagrams[0] != seen.datagrams[1]);
    for (auto& y : seen.datagrams)
      CAF_CHECK(peer->open(y));
  }
}

CAF_TEST(a key of dynamic tls crypt wraps later key ids) {
  auto hdl = spawn_known();
  key_block exported;
  exported.data()[3] = 9;
  control_key_box box{std::make_shared<const key_block>(exported)};
  auto answer = ask<control_key_installed>(hdl, atom::install_v, box);
  CAF_REQUIRE(answer);
  CAF_CHECK(answer->ok);
  attach(hdl, 1, second_around);
  CAF_REQUIRE_EQUAL(second.limits.size(), 1u);
  CAF_CHECK_EQUAL(second.limits[0], seen.limits[0] - 56);
  // Plain packets of key id 1 are none any more, those of key id 0 still are.
  up(hdl, {plain(opcode::control_v1, 1, 1), plain(opcode::control_v1, 1, 0)});
  CAF_CHECK(second.packets.empty());
  CAF_CHECK_EQUAL(seen.packets.size(), 1u);
  protocol::wrap_config cfg;
  cfg.mode = wrap_mode::tls_crypt;
  cfg.key = exported;
  auto peer = protocol::control_wrap::make(cfg, role::client);
  CAF_REQUIRE(peer);
  control_packet x;
  x.op = opcode::control_soft_reset_v1;
  x.key_id = 1;
  x.source = peer_id;
  up(hdl, {peer->seal(x, clock.now())});
  CAF_CHECK_EQUAL(second.packets.size(), 1u);
  tell(hdl, x);
  CAF_REQUIRE_EQUAL(seen.datagrams.size(), 1u);
  CAF_CHECK(peer->open(seen.datagrams[0]));
  // A second key is refused, and so is none.
  answer = ask<control_key_installed>(hdl, atom::install_v, box);
  CAF_REQUIRE(answer);
  CAF_CHECK(!answer->ok);
  answer = ask<control_key_installed>(hdl, atom::install_v, control_key_box{});
  CAF_REQUIRE(answer);
  CAF_CHECK(!answer->ok);
}

CAF_TEST(nothing leaves for a key id before the last soft reset) {
  auto hdl = spawn_known();
  control_packet x;
  x.op = opcode::control_soft_reset_v1;
  x.key_id = 1;
  tell(hdl, x);
  CAF_CHECK_EQUAL(seen.datagrams.size(), 1u);
  control_packet late;
  late.op = opcode::ack_v1;
  late.acks = {1};
  tell(hdl, late);
  CAF_CHECK_EQUAL(seen.datagrams.size(), 1u);
  CAF_CHECK(has(status_of(hdl), "bad_key_id 1"));
}

CAF_TEST(CONTROL hears how much room a wrapped client key leaves) {
  test::crypt_v2_keys keys;
  args->mux.self = role::client;
  args->mux.wrap = keys.client();
  auto answer_of = [&](bool asks) {
    protocol::wrap_config cfg;
    cfg.mode = wrap_mode::tls_crypt;
    cfg.key = keys.client().key;
    auto server = protocol::control_wrap::make(cfg, role::server);
    CAF_REQUIRE(server);
    auto first = protocol::read_head(seen.datagrams.back());
    CAF_REQUIRE(first);
    control_packet x;
    x.op = opcode::control_hard_reset_server_v2;
    x.source = peer_id;
    x.acks = {0};
    x.destination = first->source;
    if (asks)
      x.payload = protocol::write_reset({protocol::resend_wrapped_key});
    return server->seal(x, clock.now());
  };
  for (auto asks : {false, true}) {
    seen = {};
    auto hdl = spawn_one();
    attach(hdl, 0, around);
    control_packet x;
    x.op = opcode::control_hard_reset_client_v3;
    tell(hdl, x);
    CAF_REQUIRE_EQUAL(seen.datagrams.size(), 1u);
    CAF_CHECK(seen.limits == std::vector<uint32_t>{829});
    seen.log.clear();
    up(hdl, {answer_of(asks)});
    CAF_REQUIRE_EQUAL(seen.packets.size(), 1u);
    if (!asks) {
      CAF_CHECK(seen.limits == (std::vector<uint32_t>{829, 1128}));
      // Before CONTROL can cut anything.
      CAF_CHECK(std::find(seen.log.begin(), seen.log.end(), "limit")
                < std::find(seen.log.begin(), seen.log.end(), "packet"));
    } else {
      CAF_CHECK(seen.limits == std::vector<uint32_t>{829});
    }
    control_packet hello;
    hello.id = 1;
    hello.acks = {0};
    hello.payload = bytes(829, 0x16);
    tell(hdl, hello);
    CAF_CHECK(seen.limits == (std::vector<uint32_t>{829, 1128}));
    CAF_REQUIRE_EQUAL(seen.datagrams.size(), 2u);
    CAF_CHECK_EQUAL(protocol::opcode_bits(seen.datagrams[1][0]), asks ? 11 : 4);
    CAF_CHECK(seen.datagrams[1].size() + 28 <= 1250u);
  }
}

CAF_TEST(sealed data goes down as it is) {
  auto hdl = spawn_one();
  auto batch = batch_of({data_packet(1), data_packet(2)});
  auto* same = batch.get();
  seen.keep = true;
  tell(hdl, atom::down_v, std::move(batch));
  CAF_REQUIRE_EQUAL(seen.batches.size(), 1u);
  CAF_CHECK(seen.batches[0].get() == same);
}

CAF_TEST(nothing from the wire does harm) {
  auto hdl = spawn_known();
  test::seeded random{9};
  for (int i = 0; i < 2000; ++i) {
    auto junk = random.some_bytes(60);
    up(hdl, {junk, bytes{}, data_packet(1)});
  }
  CAF_CHECK(seen.peers.size() == 1);
  CAF_CHECK(pool->available() == pool->capacity());
  CAF_CHECK(seen.up.size() >= 2000);
  up(hdl, {plain(opcode::control_v1, 1)});
  CAF_CHECK_EQUAL(seen.packets.back().id, 1u);
}

CAF_TEST(data that nobody wants yet is dropped) {
  auto hdl = own(spawn_muxer(sys, nullptr, args, &clock, around, around));
  up(hdl, {data_packet(1)});
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(a wrapping that cannot be made ends the layer) {
  args->mux.wrap.mode = wrap_mode::tls_auth;
  args->mux.wrap.digest = "no such digest";
  auto hdl = spawn_muxer(sys, nullptr, args, &clock, around, around);
  self->monitor(hdl);
  consume_messages();
  auto told = false;
  self->receive([&](const caf::down_msg& x) {
    told = x.source == hdl.address() && x.reason;
  });
  CAF_CHECK(told);
}

CAF_TEST_FIXTURE_SCOPE_END()
