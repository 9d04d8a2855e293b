// MUXER's decisions: learning the peer, session ids, wrapping, sizes.
// spec: openvpn-wire 2.1, 2.2, 3.2, 4.3, 4.7

#define CAF_SUITE protocol.control_mux

#include "vpn/protocol/control_mux.hpp"

#include "tests/support/mux_peer.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test::mux;

CAF_TEST(the local session id comes from the random source) {
  auto x = make({}, 1);
  auto y = make({}, 2);
  CAF_CHECK(x.local().defined());
  CAF_CHECK(x.local() != y.local());
  CAF_CHECK(!x.remote().defined());
}

CAF_TEST(a session id of zero is drawn again) {
  int draws = 0;
  auto mux = control_mux::make({}, [&draws](uint8_t* out, size_t n) {
    std::fill_n(out, n, draws++ < 3 ? 0 : 5);
  });
  CAF_REQUIRE(mux);
  CAF_CHECK_EQUAL(draws, 4);
  CAF_CHECK(mux->local().defined());
}

CAF_TEST(a source that yields only zeros is refused) {
  auto mux = control_mux::make({}, [](uint8_t* out, size_t n) {
    std::fill_n(out, n, uint8_t{0});
  });
  CAF_REQUIRE(!mux);
  CAF_CHECK(mux.error() == errc::bad_session_id);
}

CAF_TEST(an unusable wrap configuration is refused) {
  mux_config cfg;
  cfg.wrap.mode = wrap_mode::tls_auth;
  cfg.wrap.digest = "no-such-digest";
  auto mux = control_mux::make(cfg, test::seeded{1}.source());
  CAF_REQUIRE(!mux);
  CAF_CHECK(mux.error() == errc::bad_key_material);
}

CAF_TEST(a client learns its peer from a reset that acknowledges its own) {
  auto mux = known(role::client);
  CAF_CHECK(mux.remote() == peer_id);
}

CAF_TEST(a server learns its peer from the reset of a client) {
  auto mux = known(role::server);
  CAF_CHECK(mux.remote() == peer_id);
}

CAF_TEST(a client does not learn from any other packet) {
  auto mux = make(role::client);
  mux.attach(0);
  // Without an ack, with another ack, with an ack for somebody else.
  CAF_CHECK(refuses(mux, packet(mux, server_v2), errc::bad_session_id));
  CAF_CHECK(refuses(mux, packet(mux, server_v2, 0, {1}), //
                    errc::bad_session_id));
  auto x = packet(mux, server_v2, 0, {0});
  x.destination = foreign_id;
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  CAF_CHECK(refuses(mux, packet(mux, data, 0, {0}), errc::bad_session_id));
  CAF_CHECK(
    refuses(mux, packet(mux, opcode::ack_v1, 0, {0}), errc::bad_session_id));
  CAF_CHECK(!mux.remote().defined());
}

CAF_TEST(a server does not learn from any other packet) {
  auto mux = make(role::server);
  mux.attach(0);
  for (auto op : {data, opcode::ack_v1, opcode::control_wkc_v1, soft})
    CAF_CHECK(refuses(mux, packet(mux, op), errc::bad_session_id));
  auto x = packet(mux, client_v2, 0, {0});
  x.destination = foreign_id;
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  CAF_CHECK(!mux.remote().defined());
}

CAF_TEST(nothing is learned before a negotiation is attached) {
  auto mux = make(role::client);
  CAF_CHECK(refuses(mux, packet(mux, server_v2, 0, {0}), errc::bad_key_id));
  CAF_CHECK(!mux.remote().defined());
}

CAF_TEST(the peer is announced once and its reset delivered again) {
  auto mux = known(role::client);
  auto again = packet(mux, server_v2, 0, {0});
  CAF_CHECK(takes(mux, again));
  CAF_CHECK(delivers(mux, again));
}

CAF_TEST(a reset of another session is ignored) {
  auto client = known(role::client);
  auto x = packet(client, server_v2, 0, {0});
  x.source = foreign_id;
  CAF_CHECK(refuses(client, x, errc::bad_session_id));
  CAF_CHECK(client.remote() == peer_id);
  auto server = known(role::server);
  auto y = packet(server, client_v2);
  y.source = foreign_id;
  CAF_CHECK(refuses(server, y, errc::bad_session_id));
  CAF_CHECK(server.remote() == peer_id);
}

CAF_TEST(both session ids of every packet are checked) {
  auto mux = known(role::client);
  auto x = packet(mux, data, 1, {0});
  CAF_CHECK(takes(mux, x));
  CAF_CHECK(delivers(mux, x));
  x.source = foreign_id;
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  x.source = mux.local();
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  x.source = peer_id;
  x.destination = peer_id;
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  x.destination = session_id{};
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
  // Without acks there is no destination on the wire.
  x.acks.clear();
  CAF_CHECK(takes(mux, x));
}

CAF_TEST(a peer that borrows our session id is refused) {
  auto mux = make(role::client);
  mux.attach(0);
  auto x = packet(mux, server_v2, 0, {0});
  x.source = mux.local();
  CAF_CHECK(refuses(mux, x, errc::bad_session_id));
}

CAF_TEST(packets of our own role are refused) {
  auto client = known(role::client);
  for (auto op : {client_v2, client_v3, opcode::control_wkc_v1})
    CAF_CHECK(refuses(client, packet(client, op), errc::bad_opcode));
  auto server = known(role::server);
  CAF_CHECK(refuses(server, packet(server, server_v2), errc::bad_opcode));
  CAF_CHECK(takes(server, packet(server, opcode::control_wkc_v1, 1)));
}

CAF_TEST(data packets are refused) {
  auto mux = known(role::client);
  for (auto op : {opcode::data_v1, opcode::data_v2})
    CAF_CHECK(refuses(mux, packet(mux, op), errc::bad_opcode));
}

CAF_TEST(a reset is message zero) {
  auto mux = known(role::client);
  CAF_CHECK(refuses(mux, packet(mux, server_v2, 5, {0}), //
                    errc::bad_packet_id));
  CAF_CHECK(refuses(mux, packet(mux, soft, 5), errc::bad_packet_id));
}

CAF_TEST(seal fills in both session ids) {
  auto mux = known(role::client);
  control_packet x;
  x.acks = {0};
  x.id = 1;
  x.payload = from_hex("1603");
  auto y = read_plain(mux.seal(x, now));
  CAF_REQUIRE(y);
  CAF_CHECK(y->source == mux.local());
  CAF_CHECK(y->destination == peer_id);
  CAF_CHECK_EQUAL(y->acks, std::vector<uint32_t>{0});
  CAF_CHECK_EQUAL(to_hex(y->payload), "1603");
}

CAF_TEST(without a peer nothing is acknowledged) {
  auto mux = make(role::client);
  control_packet x;
  x.op = client_v2;
  x.acks = {0};
  auto sealed = mux.seal(x, now);
  CAF_CHECK_EQUAL(sealed.size(), 14u);
  auto y = read_plain(sealed);
  CAF_REQUIRE(y);
  CAF_CHECK(y->acks.empty());
}

CAF_TEST(the payload leaves room for a full ack block) {
  auto size = [](wrap_mode mode, size_t packet_size, size_t ip_overhead) {
    mux_config cfg;
    cfg.wrap.mode = mode;
    cfg.max_packet_size = packet_size;
    cfg.ip_overhead = ip_overhead;
    return make(cfg).max_payload();
  };
  CAF_CHECK_EQUAL(size(wrap_mode::none, 1250, 28), 1184u);
  CAF_CHECK_EQUAL(size(wrap_mode::none, 1250, 48), 1164u);
  CAF_CHECK_EQUAL(size(wrap_mode::tls_auth, 1250, 28), 1156u);
  CAF_CHECK_EQUAL(size(wrap_mode::tls_crypt, 1250, 28), 1128u);
  CAF_CHECK_EQUAL(size(wrap_mode::tls_crypt, 154, 48), 16u);
  CAF_CHECK_EQUAL(size(wrap_mode::none, 0, 48), 16u);
}

CAF_TEST(a full packet has the configured size) {
  mux_config cfg;
  cfg.self = role::server;
  for (auto mode : {wrap_mode::none, wrap_mode::tls_auth}) {
    cfg.wrap.mode = mode;
    auto mux = make(cfg);
    mux.attach(0);
    auto peer_cfg = cfg;
    peer_cfg.self = role::client;
    auto peer = make(peer_cfg, 2);
    control_packet reset;
    reset.op = client_v2;
    CAF_REQUIRE(mux.handle_datagram(peer.seal(reset, now)));
    control_packet x;
    x.acks = {1, 2, 3, 4};
    x.payload.resize(mux.max_payload());
    CAF_CHECK_EQUAL(mux.seal(x, now).size() + 28, 1250u);
  }
}

CAF_TEST(two ends find each other under every wrapping) {
  for (auto mode :
       {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt}) {
    mux_config cfg;
    cfg.wrap.mode = mode;
    cfg.self = role::client;
    auto client = make(cfg, 1);
    cfg.self = role::server;
    auto server = make(cfg, 2);
    client.attach(0);
    server.attach(0);
    control_packet reset;
    reset.op = client_v2;
    auto first = client.seal(reset, now);
    CAF_REQUIRE(server.handle_datagram(first));
    auto known_to_server = next<mux_peer_known>(server);
    CAF_REQUIRE(known_to_server);
    CAF_CHECK(known_to_server->remote == client.local());
    CAF_CHECK(next<mux_delivery>(server));
    reset.op = server_v2;
    reset.acks = {0};
    auto answer = server.seal(reset, now);
    CAF_REQUIRE(client.handle_datagram(answer));
    auto known_to_client = next<mux_peer_known>(client);
    CAF_REQUIRE(known_to_client);
    CAF_CHECK(known_to_client->remote == server.local());
    CAF_CHECK(next<mux_delivery>(client));
    if (mode == wrap_mode::none)
      continue;
    CAF_CHECK(!server.handle_datagram(first));
    CAF_CHECK(!client.handle_datagram(answer));
    for (size_t i = 0; i < answer.size(); ++i) {
      auto broken = answer;
      broken[i] ^= 1;
      CAF_REQUIRE(!client.handle_datagram(broken));
    }
  }
}

CAF_TEST(packets of another session do not move the replay window) {
  mux_config cfg;
  cfg.wrap.mode = wrap_mode::tls_crypt;
  cfg.self = role::client;
  auto client = make(cfg, 1);
  cfg.self = role::server;
  auto server = make(cfg, 2);
  auto other_server = make(cfg, 3);
  client.attach(0);
  server.attach(0);
  control_packet x;
  x.op = client_v2;
  CAF_REQUIRE(server.handle_datagram(client.seal(x, now)));
  x.op = server_v2;
  x.acks = {0};
  CAF_REQUIRE(client.handle_datagram(server.seal(x, now)));
  // The same key, a later time: authentic, but not for this session.
  CAF_CHECK(!client.handle_datagram(other_server.seal(x, at(0x7fffffff))));
  CAF_CHECK(client.handle_datagram(server.seal(x, now)));
}

CAF_TEST(a reader that has stopped does not fill memory) {
  auto mux = known(role::client);
  size_t taken = 0;
  uint32_t id = 1;
  while (taken < 10000 && takes(mux, packet(mux, data, id++)))
    ++taken;
  CAF_CHECK_EQUAL(taken, 256u);
  auto x = mux.handle_datagram(write_plain(packet(mux, data, id)));
  CAF_REQUIRE(!x);
  CAF_CHECK(x.error() == errc::no_buffer);
  CAF_CHECK(mux.poll_event());
  CAF_CHECK(takes(mux, packet(mux, data, id)));
}

CAF_TEST(random packets change neither peer nor key ids) {
  test::seeded random{9};
  for (auto self : {role::client, role::server}) {
    auto mux = known(self);
    mux.allow_soft_reset(1);
    size_t soft_resets = 0;
    size_t delivered = 0;
    for (int i = 0; i < 100000; ++i) {
      auto datagram = random.some_bytes(60);
      if (datagram.size() > 18 && !random.one_in(4)) {
        auto op = static_cast<opcode>(3 + random.below(9));
        datagram[0] = first_byte(op, static_cast<uint8_t>(random.below(3)));
        auto from = peer_id.view();
        std::copy(from.begin(), from.end(), datagram.begin() + 1);
        datagram[9] = static_cast<uint8_t>(random.below(2));
        if (random.one_in(2))
          std::fill(datagram.begin() + 9, datagram.end(), uint8_t{0});
      }
      static_cast<void>(mux.handle_datagram(datagram));
      while (auto event = mux.poll_event()) {
        CAF_REQUIRE(!std::holds_alternative<mux_peer_known>(*event));
        if (std::holds_alternative<mux_soft_reset>(*event)) {
          ++soft_resets;
          continue;
        }
        auto& pkt = std::get<mux_delivery>(*event).packet;
        CAF_REQUIRE_EQUAL(pkt.key_id, 0);
        CAF_REQUIRE(pkt.source == peer_id);
        CAF_REQUIRE(pkt.acks.empty() || pkt.destination == mux.local());
        ++delivered;
      }
    }
    CAF_CHECK(mux.remote() == peer_id);
    CAF_CHECK_EQUAL(soft_resets, 1u);
    CAF_CHECK(delivered > 1000);
    CAF_CHECK(mux.attach(1).size() <= 4);
  }
}
