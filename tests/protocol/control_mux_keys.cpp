// MUXER's key ids: which are delivered, and the soft reset that is parked.
// spec: openvpn-wire 12.3

#define CAF_SUITE protocol.control_mux_keys

#include "vpn/protocol/control_mux.hpp"

#include "tests/support/mux_peer.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test::mux;

CAF_TEST(only attached key ids are delivered) {
  auto mux = known(role::client);
  for (uint8_t i = 1; i < 8; ++i)
    CAF_CHECK(
      refuses(mux, with_key_id(packet(mux, data, 1), i), errc::bad_key_id));
  CAF_CHECK(mux.attach(3).empty());
  auto x = with_key_id(packet(mux, data, 1), 3);
  CAF_CHECK(takes(mux, x));
  CAF_CHECK(delivers(mux, x));
  mux.detach(3);
  CAF_CHECK(refuses(mux, x, errc::bad_key_id));
}

CAF_TEST(a soft reset before the primary key is refused) {
  auto mux = known(role::client);
  CAF_CHECK(refuses(mux, with_key_id(packet(mux, soft), 1), errc::bad_key_id));
}

CAF_TEST(an expected soft reset is announced once and parked) {
  auto mux = known(role::client);
  mux.allow_soft_reset(1);
  auto reset = with_key_id(packet(mux, soft), 1);
  CAF_CHECK(takes(mux, reset));
  auto event = next<mux_soft_reset>(mux);
  CAF_REQUIRE(event);
  CAF_CHECK_EQUAL(event->key_id, 1);
  CAF_CHECK(refuses(mux, reset, errc::replayed));
  auto parked = mux.attach(1);
  CAF_REQUIRE_EQUAL(parked.size(), 1u);
  CAF_CHECK(parked[0] == reset);
  // From here on the key id is one like any other.
  CAF_CHECK(takes(mux, reset));
  CAF_CHECK(delivers(mux, reset));
  CAF_CHECK(mux.attach(1).empty());
}

CAF_TEST(at most four packets are parked and come back in order) {
  auto mux = known(role::client);
  mux.allow_soft_reset(1);
  CAF_CHECK(takes(mux, with_key_id(packet(mux, soft), 1)));
  CAF_CHECK(next<mux_soft_reset>(mux));
  for (uint32_t id = 1; id < 4; ++id)
    CAF_CHECK(takes(mux, with_key_id(packet(mux, data, id), 1)));
  for (uint32_t id = 4; id < 100; ++id)
    CAF_CHECK(
      refuses(mux, with_key_id(packet(mux, data, id), 1), errc::no_buffer));
  auto parked = mux.attach(1);
  CAF_REQUIRE_EQUAL(parked.size(), 4u);
  CAF_CHECK(parked[0].op == soft);
  for (uint32_t id = 1; id < 4; ++id)
    CAF_CHECK_EQUAL(parked[id].id, id);
}

CAF_TEST(nothing but a soft reset opens the expected key id) {
  auto mux = known(role::client);
  mux.allow_soft_reset(1);
  CAF_CHECK(
    refuses(mux, with_key_id(packet(mux, data, 1), 1), errc::bad_key_id));
  CAF_CHECK(refuses(mux, with_key_id(packet(mux, opcode::ack_v1, 0, {0}), 1),
                    errc::bad_key_id));
  CAF_CHECK(refuses(mux, with_key_id(packet(mux, soft), 2), errc::bad_key_id));
  CAF_CHECK(mux.attach(1).empty());
}

CAF_TEST(parked packets are checked like all others) {
  auto mux = known(role::client);
  mux.allow_soft_reset(1);
  auto x = with_key_id(packet(mux, soft, 0, {0}), 1);
  x.destination = foreign_id;
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  x = with_key_id(packet(mux, soft), 1);
  x.source = foreign_id;
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  CAF_CHECK(mux.attach(1).empty());
}

CAF_TEST(our own soft reset meets that of the peer) {
  auto mux = known(role::server);
  mux.allow_soft_reset(1);
  CAF_CHECK(mux.attach(1).empty());
  auto x = with_key_id(packet(mux, soft), 1);
  CAF_CHECK(takes(mux, x));
  CAF_CHECK(delivers(mux, x));
}

CAF_TEST(attaching a key id once more changes nothing) {
  auto mux = known(role::client);
  CAF_CHECK(mux.attach(0).empty());
  mux.allow_soft_reset(1);
  auto reset = with_key_id(packet(mux, soft), 1);
  auto hello = with_key_id(packet(mux, data, 1), 1);
  CAF_CHECK(takes(mux, reset));
  CAF_CHECK(next<mux_soft_reset>(mux));
  // Whoever takes over attaches what there is, while a peer's reset waits.
  CAF_CHECK(mux.attach(0).empty());
  CAF_CHECK(mux.attach(0).empty());
  CAF_CHECK(takes(mux, hello));
  auto parked = mux.attach(1);
  CAF_REQUIRE_EQUAL(parked.size(), 2u);
  CAF_CHECK(parked[0] == reset);
  CAF_CHECK(parked[1] == hello);
  // The same for the one whose packets were parked: they come back once.
  CAF_CHECK(mux.attach(1).empty());
  CAF_CHECK(takes(mux, hello));
  CAF_CHECK(delivers(mux, hello));
  mux.allow_soft_reset(2);
  CAF_CHECK(takes(mux, with_key_id(packet(mux, soft), 2)));
  CAF_CHECK(next<mux_soft_reset>(mux));
  for (uint8_t id : {0, 1, 9})
    CAF_CHECK(mux.attach(id).empty());
  CAF_CHECK_EQUAL(mux.attach(2).size(), 1u);
  // Nothing was attached that was not asked for.
  CAF_CHECK(
    refuses(mux, with_key_id(packet(mux, data, 1), 3), errc::bad_key_id));
}

CAF_TEST(a key id attached before its soft reset is allowed stays attached) {
  auto mux = known(role::server);
  CAF_CHECK(mux.attach(1).empty());
  mux.allow_soft_reset(1);
  auto reset = with_key_id(packet(mux, soft), 1);
  CAF_CHECK(takes(mux, reset));
  CAF_CHECK(delivers(mux, reset));
  CAF_CHECK(mux.attach(1).empty());
  CAF_CHECK(takes(mux, reset));
  CAF_CHECK(delivers(mux, reset));
}

CAF_TEST(skipped wrap ids are left out with both keys) {
  mux_config cfg;
  cfg.wrap.mode = protocol::wrap_mode::tls_crypt;
  auto client = make(cfg, 1);
  cfg.self = role::server;
  auto server = make(cfg, 2);
  for (auto* x : {&client, &server}) {
    CAF_REQUIRE(x->install_dynamic_key({}));
    x->attach(0);
    x->attach(1);
  }
  // A pair of wrap ids, by key id; the server accepts each.
  auto counter_of = [&](uint8_t key_id) {
    control_packet x;
    x.op = key_id == 0 ? client_v2 : soft;
    x.key_id = key_id;
    auto sealed = client.seal(x, now);
    CAF_CHECK(server.handle_datagram(sealed));
    while (server.poll_event()) {
    }
    return load_u32(byte_view{sealed}.from(9).data());
  };
  CAF_CHECK_EQUAL(counter_of(0), 1u);
  client.skip_ids(500);
  CAF_CHECK_EQUAL(counter_of(0), 502u);
  CAF_CHECK_EQUAL(counter_of(1), 501u);
  client.skip_ids(0);
  CAF_CHECK_EQUAL(counter_of(1), 502u);
  client.skip_ids(7);
  CAF_CHECK_EQUAL(counter_of(1), 510u);
}

CAF_TEST(allowing another key id forgets what was parked) {
  auto mux = known(role::client);
  mux.allow_soft_reset(1);
  CAF_CHECK(takes(mux, with_key_id(packet(mux, soft), 1)));
  CAF_CHECK(next<mux_soft_reset>(mux));
  // The same one again does not.
  mux.allow_soft_reset(1);
  CAF_CHECK(refuses(mux, with_key_id(packet(mux, soft), 1), errc::replayed));
  mux.allow_soft_reset(2);
  CAF_CHECK(refuses(mux, with_key_id(packet(mux, soft), 1), errc::bad_key_id));
  CAF_CHECK(mux.attach(2).empty());
}

CAF_TEST(key id zero is never renegotiated) {
  auto mux = known(role::client);
  mux.detach(0);
  mux.allow_soft_reset(0);
  CAF_CHECK(refuses(mux, packet(mux, soft), errc::bad_key_id));
}

CAF_TEST(a last ack leaves until the peer is heard under the next key id) {
  for (auto late_acks : {true, false}) {
    mux_config cfg;
    cfg.late_acks = late_acks;
    auto mux = known(cfg);
    auto sends = [&](opcode op, uint8_t key_id) {
      control_packet x;
      x.op = op;
      x.key_id = key_id;
      x.acks = {4};
      return !mux.seal(x, now).empty();
    };
    mux.attach(1);
    CAF_CHECK(sends(opcode::ack_v1, 0));
    CAF_CHECK(sends(soft, 1));
    // Its own messages are no news to the peer any more.
    CAF_CHECK(!sends(data, 0));
    CAF_CHECK_EQUAL(sends(opcode::ack_v1, 0), late_acks);
    auto answer = with_key_id(packet(mux, opcode::ack_v1, 0, {0}), 1);
    CAF_CHECK(takes(mux, answer));
    CAF_CHECK(delivers(mux, answer));
    CAF_CHECK(!sends(opcode::ack_v1, 0));
    // Those of a key id before it never do.
    mux.attach(2);
    CAF_CHECK(sends(soft, 2));
    CAF_CHECK(!sends(opcode::ack_v1, 0));
    CAF_CHECK_EQUAL(sends(opcode::ack_v1, 1), late_acks);
  }
}

CAF_TEST(no ack of the old key id leaves after the reset of the peer) {
  mux_config cfg;
  cfg.late_acks = true;
  auto mux = known(cfg);
  mux.allow_soft_reset(1);
  CAF_CHECK(takes(mux, with_key_id(packet(mux, soft), 1)));
  control_packet x;
  x.op = opcode::ack_v1;
  x.acks = {4};
  CAF_CHECK(mux.seal(x, now).empty());
}
