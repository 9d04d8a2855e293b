// MUXER under tls-crypt-v2 and dynamic tls-crypt: who sends the wrapped key and
// when, which key wraps which key id, and sizes.
// spec: openvpn-wire 2.8, 2.9, 2.10, 4.7, 12.3

#define CAF_SUITE protocol.control_mux_crypt_v2

#include "vpn/protocol/control_mux.hpp"
#include "vpn/protocol/control_stream.hpp"

#include "tests/support/crypt_v2_keys.hpp"
#include "tests/support/mux_peer.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test::mux;
using test::crypt_v2_keys;

namespace {

constexpr auto wkc = opcode::control_wkc_v1;

control_packet message(opcode op, uint32_t id = 0,
                       std::vector<uint32_t> acks = {}, size_t payload = 0) {
  control_packet x;
  x.op = op;
  x.id = id;
  x.acks = std::move(acks);
  x.payload = bytes(payload, 0x16);
  return x;
}

opcode opcode_in(const bytes& datagram) {
  return static_cast<opcode>(opcode_bits(datagram[0]));
}

/// Both ends of a session that has begun.
struct ends {
  crypt_v2_keys keys;
  control_mux client;
  control_mux server;

  explicit ends(bool asks = false, size_t metadata = 9)
    : keys(1, metadata),
      client(client_of(keys)),
      server(server_of(keys, asks)) {
    client.attach(0);
    server.attach(0);
  }
  static control_mux client_of(const crypt_v2_keys& keys) {
    mux_config cfg;
    cfg.wrap = keys.client();
    return make(cfg, 1);
  }
  static control_mux server_of(const crypt_v2_keys& keys, bool asks) {
    mux_config cfg;
    cfg.self = role::server;
    cfg.wrap = keys.server();
    cfg.wrap.force_cookie = asks;
    return make(cfg, 2);
  }
  /// The next event of `at` has to be this packet, or the peer before it.
  static control_packet received(control_mux& at) {
    auto x = at.poll_event();
    CAF_REQUIRE(x);
    if (std::holds_alternative<mux_peer_known>(*x))
      x = at.poll_event();
    CAF_REQUIRE(x && std::holds_alternative<mux_delivery>(*x));
    return std::get<mux_delivery>(*x).packet;
  }
  control_packet to_server(const control_packet& x) {
    CAF_REQUIRE(server.handle_datagram(client.seal(x, now)));
    return received(server);
  }
  control_packet to_client(const control_packet& x) {
    CAF_REQUIRE(client.handle_datagram(server.seal(x, now)));
    return received(client);
  }
  void begin() {
    to_server(message(client_v3));
    to_client(message(server_v2, 0, {0}));
  }
};

} // namespace

CAF_TEST(a client and a server of tls crypt v2 find each other) {
  ends x;
  CAF_CHECK(x.server.seal(message(server_v2), now).empty());
  auto first = x.client.seal(message(client_v3), now);
  CAF_CHECK_EQUAL(first.size(), 353u);
  CAF_REQUIRE(x.server.handle_datagram(first));
  CAF_CHECK(ends::received(x.server).op == client_v3);
  auto answer = x.server.seal(message(server_v2, 0, {0}), now);
  CAF_CHECK_EQUAL(answer.size(), 66u);
  CAF_REQUIRE(x.client.handle_datagram(answer));
  CAF_CHECK(ends::received(x.client).payload.empty());
  CAF_CHECK(x.to_server(message(data, 1, {0}, 5)).payload == bytes(5, 0x16));
  CAF_CHECK(x.to_client(message(data, 1, {1}, 6)).payload == bytes(6, 0x16));
}

CAF_TEST(a reset that is sent again carries the key again) {
  ends x;
  for (int i = 0; i < 3; ++i)
    CAF_CHECK_EQUAL(x.client.seal(message(client_v3), now).size(), 353u);
  x.begin();
  CAF_CHECK(x.to_server(message(client_v3)).op == client_v3);
}

CAF_TEST(without the flag the key is never sent a second time) {
  ends x;
  x.begin();
  for (uint32_t id = 1; id < 5; ++id)
    for (int i = 0; i < 2; ++i)
      CAF_CHECK(opcode_in(x.client.seal(message(data, id, {0}, 9), now))
                == data);
}

CAF_TEST(a server that keeps nothing gets the key with message one) {
  ends x{true};
  x.to_server(message(client_v3));
  auto answer = x.server.seal(message(server_v2, 0, {0}), now);
  CAF_CHECK_EQUAL(answer.size(), 72u);
  CAF_REQUIRE(x.client.handle_datagram(answer));
  auto reset = ends::received(x.client);
  CAF_CHECK_EQUAL(to_hex(reset.payload), "000100020001");
  // It has forgotten us: any later server with the same key understands.
  for (int i = 0; i < 3; ++i) {
    auto sealed = x.client.seal(message(data, 1, {0}, 200), now);
    CAF_CHECK(opcode_in(sealed) == wkc);
    auto other = control_wrap::make(x.keys.server(), role::server);
    CAF_REQUIRE(other);
    auto y = other->open(sealed);
    CAF_REQUIRE(y);
    CAF_CHECK_EQUAL(y->id, 1u);
    CAF_CHECK(y->payload == bytes(200, 0x16));
    CAF_CHECK_EQUAL(y->acks, std::vector<uint32_t>{0});
    CAF_CHECK(x.server.handle_datagram(sealed));
    CAF_CHECK(ends::received(x.server).op == wkc);
  }
  for (uint32_t id : {0u, 2u, 3u, 1000u})
    CAF_CHECK(opcode_in(x.client.seal(message(data, id, {0}, 9), now)) == data);
  CAF_CHECK(opcode_in(x.client.seal(message(opcode::ack_v1, 0, {0}), now))
            == opcode::ack_v1);
}

CAF_TEST(other key ids never carry the key) {
  ends x{true};
  x.begin();
  auto reset = with_key_id(message(soft), 1);
  CAF_CHECK(opcode_in(x.client.seal(reset, now)) == soft);
  CAF_CHECK(opcode_in(x.client.seal(with_key_id(message(data, 1), 1), now))
            == data);
}

CAF_TEST(without tls crypt v2 the flag has no effect) {
  auto mux = test::mux::make(role::client);
  mux.attach(0);
  auto reset = packet(mux, server_v2, 0, {0});
  reset.payload = write_reset({resend_wrapped_key});
  CAF_REQUIRE(takes(mux, reset));
  CAF_CHECK(opcode_in(mux.seal(message(data, 1, {0}), now)) == data);
  CAF_CHECK_EQUAL(mux.max_payload(), 1184u);
}

CAF_TEST(other flags and unknown types do not ask for the key) {
  for (auto payload : {"", "000100020000", "00010002fffe", "000200020001",
                       "0001", "0001000100", "0000"}) {
    crypt_v2_keys keys;
    auto client = ends::client_of(keys);
    client.attach(0);
    wrap_config cfg;
    cfg.mode = wrap_mode::tls_crypt;
    cfg.key = keys.client().key;
    auto server = control_wrap::make(cfg, role::server);
    CAF_REQUIRE(server);
    auto reset = packet(client, server_v2, 0, {0});
    reset.payload = from_hex(payload);
    CAF_REQUIRE(client.handle_datagram(server->seal(reset, now)));
    CAF_CHECK(opcode_in(client.seal(message(data, 1, {0}), now)) == data);
  }
}

CAF_TEST(the first TLS bytes leave room for the key and later ones do not) {
  for (size_t metadata : {0u, 9u, 734u}) {
    ends x{true, metadata};
    auto size = 290 + metadata;
    CAF_CHECK_EQUAL(x.client.max_payload(),
                    1128 - std::min<size_t>(size, 1112));
    x.begin();
    auto room = x.client.max_payload();
    CAF_CHECK_EQUAL(room, 1128 - size);
    auto sealed = x.client.seal(message(data, 1, {3, 2, 1, 0}, room), now);
    CAF_CHECK(opcode_in(sealed) == wkc);
    // Stock counts 16 bytes that are not used.
    CAF_CHECK_EQUAL(sealed.size() + 28, 1250u - 16u);
    CAF_CHECK_EQUAL(x.client.max_payload(), 1128u);
    // Its retransmission stays what it was.
    sealed = x.client.seal(message(data, 1, {3, 2, 1, 0}, room), now);
    CAF_CHECK_EQUAL(sealed.size() + 28, 1250u - 16u);
  }
}

CAF_TEST(a key that leaves no room leaves sixteen bytes) {
  crypt_v2_keys keys;
  mux_config cfg;
  cfg.wrap = keys.client();
  cfg.max_packet_size = 154;
  auto mux = make(cfg);
  CAF_CHECK_EQUAL(mux.max_payload(0), 16u);
  CAF_CHECK_EQUAL(mux.max_payload(1), 32u);
}

CAF_TEST(no room is kept when the server does not ask) {
  ends x;
  CAF_CHECK_EQUAL(x.client.max_payload(), 829u);
  x.begin();
  CAF_CHECK_EQUAL(x.client.max_payload(), 1128u);
  CAF_CHECK_EQUAL(x.server.max_payload(), 1128u);
}

CAF_TEST(no truncation of a first packet is taken and no flipped bit) {
  ends x;
  auto first = x.client.seal(message(client_v3), now);
  for (size_t n = 0; n < first.size(); ++n)
    CAF_REQUIRE(!x.server.handle_datagram(byte_view{first}.first(n)));
  for (size_t i = 0; i < first.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      auto bad = first;
      bad[i] ^= static_cast<uint8_t>(1 << bit);
      CAF_REQUIRE(!x.server.handle_datagram(bad));
    }
  CAF_CHECK(!x.server.poll_event());
  CAF_CHECK(x.server.handle_datagram(first));
}

CAF_TEST(random first packets open no session) {
  test::seeded random{77};
  ends x;
  auto first = x.client.seal(message(client_v3), now);
  for (int i = 0; i < 20000; ++i) {
    auto junk = random.some_bytes(1400);
    if (junk.size() > 400 && random.one_in(2)) {
      // The head is right, and the key of a real client is behind it.
      std::copy_n(first.begin(), 9, junk.begin());
      std::copy(first.begin() + 54, first.end(), junk.end() - 299);
    }
    CAF_REQUIRE(!x.server.handle_datagram(junk));
  }
  CAF_CHECK(!x.server.remote().defined());
  CAF_CHECK(x.server.handle_datagram(first));
}

// -- dynamic tls-crypt --

namespace {

key_block exported() {
  key_block result;
  test::seeded{4}.source()(result.data(), result.size());
  return result;
}

/// Two ends of any wrapping that have exchanged resets.
struct plain_ends {
  control_mux client;
  control_mux server;

  explicit plain_ends(wrap_mode mode, size_t max_packet_size = 1250)
    : client(one(role::client, mode, max_packet_size)),
      server(one(role::server, mode, max_packet_size)) {
    client.attach(0);
    server.attach(0);
    CAF_REQUIRE(server.handle_datagram(client.seal(message(client_v2), now)));
    CAF_REQUIRE(
      client.handle_datagram(server.seal(message(server_v2, 0, {0}), now)));
    while (client.poll_event() || server.poll_event()) {
      // Known already.
    }
  }
  static control_mux one(role self, wrap_mode mode, size_t max_packet_size) {
    mux_config cfg;
    cfg.self = self;
    cfg.wrap.mode = mode;
    cfg.wrap.direction
      = self == role::server ? key_direction::normal : key_direction::inverse;
    cfg.max_packet_size = max_packet_size;
    test::seeded{8}.source()(cfg.wrap.key.data(), cfg.wrap.key.size());
    return make(cfg, self == role::client ? 1 : 2);
  }
};

} // namespace

CAF_TEST(later key ids are wrapped with the dynamic key both ways) {
  for (auto mode :
       {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt}) {
    plain_ends x{mode};
    CAF_CHECK(x.client.install_dynamic_key(exported()));
    CAF_CHECK(x.server.install_dynamic_key(exported()));
    x.server.allow_soft_reset(1);
    auto reset = x.client.seal(with_key_id(message(soft), 1), now);
    // tls-crypt, counting from one: whatever wraps the other key id.
    CAF_CHECK_EQUAL(reset.size(), 54u);
    CAF_CHECK_EQUAL(to_hex(byte_view{reset}.from(9).first(8)),
                    "0000000161d3bf6c");
    for (size_t i = 0; i < reset.size(); ++i) {
      auto bad = reset;
      bad[i] ^= 1;
      CAF_REQUIRE(!x.server.handle_datagram(bad));
      CAF_REQUIRE(!x.server.handle_datagram(byte_view{reset}.first(i)));
    }
    CAF_REQUIRE(x.server.handle_datagram(reset));
    auto event = next<mux_soft_reset>(x.server);
    CAF_REQUIRE(event);
    CAF_CHECK_EQUAL(x.server.attach(1).size(), 1u);
    CAF_CHECK(!x.server.handle_datagram(reset));
    auto answer = x.server.seal(with_key_id(message(soft, 0, {0}), 1), now);
    CAF_CHECK_EQUAL(answer.size(), 66u);
    x.client.attach(1);
    CAF_CHECK(x.client.handle_datagram(answer));
    CAF_CHECK(next<mux_delivery>(x.client));
  }
}

CAF_TEST(key id zero keeps its wrapping) {
  for (auto mode :
       {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt}) {
    plain_ends x{mode};
    CAF_CHECK(x.client.install_dynamic_key(exported()));
    // The server has none yet, and understands.
    auto sealed = x.client.seal(message(data, 1, {0}, 3), now);
    CAF_CHECK(x.server.handle_datagram(sealed));
    CAF_CHECK(next<mux_delivery>(x.server));
  }
}

CAF_TEST(packets of later key ids need the dynamic key) {
  for (auto mode :
       {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt}) {
    plain_ends x{mode};
    CAF_CHECK(x.server.install_dynamic_key(exported()));
    x.server.allow_soft_reset(1);
    auto old = x.client.seal(with_key_id(message(soft), 1), now);
    CAF_CHECK(!x.server.handle_datagram(old));
    auto other = exported();
    other.data()[255] ^= 1;
    other.data()[130] ^= 1;
    other.data()[200] ^= 1;
    CAF_CHECK(x.client.install_dynamic_key(other));
    auto wrong = x.client.seal(with_key_id(message(soft), 1), now);
    CAF_CHECK(!x.server.handle_datagram(wrong));
    CAF_CHECK(!x.server.poll_event());
  }
}

CAF_TEST(a dynamic key is installed once) {
  plain_ends x{wrap_mode::none};
  CAF_CHECK(x.client.install_dynamic_key(exported()));
  auto again = x.client.install_dynamic_key(exported());
  CAF_CHECK(!again && again.error() == errc::wrong_state);
  // A server of tls-crypt-v2 without a client has nothing to mix it with.
  auto server = ends::server_of(crypt_v2_keys{}, false);
  auto early = server.install_dynamic_key(exported());
  CAF_CHECK(!early && early.error() == errc::wrong_state);
}

CAF_TEST(packets of a renegotiation stay within their size) {
  for (auto mode : {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt})
    for (size_t size : {154u, 500u, 1250u, 2048u}) {
      plain_ends x{mode, size};
      auto before = x.client.max_payload(0);
      CAF_CHECK(x.client.install_dynamic_key(exported()));
      CAF_CHECK_EQUAL(x.client.max_payload(0), before);
      auto room = x.client.max_payload(1);
      CAF_CHECK_EQUAL(room, size - 28 - 9 - 25 - 4 - 56);
      x.client.seal(with_key_id(message(soft), 1), now);
      for (uint32_t id = 1; id < 9; ++id) {
        auto y = with_key_id(message(data, id, {4, 3, 2, 1}, room), 1);
        CAF_CHECK(x.client.seal(y, now).size() + 28 <= size);
      }
    }
}

// -- the newest key id --

CAF_TEST(after a soft reset nothing is sent for the key id before) {
  plain_ends x{wrap_mode::tls_auth};
  CAF_CHECK(!x.client.superseded(0));
  CAF_CHECK(!x.client.seal(with_key_id(message(soft), 1), now).empty());
  CAF_CHECK(x.client.superseded(0));
  CAF_CHECK(!x.client.superseded(1));
  CAF_CHECK(x.client.seal(message(opcode::ack_v1, 0, {0}), now).empty());
  CAF_CHECK(!x.client.seal(with_key_id(message(data, 1), 1), now).empty());
  // The same when the peer begins.
  plain_ends y{wrap_mode::none};
  y.server.allow_soft_reset(1);
  CAF_REQUIRE(y.server.handle_datagram(
    y.client.seal(with_key_id(message(soft), 1), now)));
  CAF_CHECK(y.server.superseded(0));
  CAF_CHECK(y.server.seal(message(data, 5), now).empty());
}

CAF_TEST(a late copy of an older soft reset changes nothing) {
  plain_ends x{wrap_mode::none};
  for (uint8_t id : {1, 2, 3, 4, 5, 6, 7, 1, 2})
    CAF_CHECK(!x.client.seal(with_key_id(message(soft), id), now).empty());
  CAF_CHECK(x.client.seal(with_key_id(message(soft), 1), now).empty());
  CAF_CHECK(!x.client.superseded(2));
}

CAF_TEST(a soft reset that is not welcome supersedes nothing) {
  plain_ends x{wrap_mode::none};
  CAF_CHECK(!x.server.handle_datagram(
    x.client.seal(with_key_id(message(soft), 1), now)));
  CAF_CHECK(!x.server.superseded(0));
}
