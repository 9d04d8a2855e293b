// Wrapping with tls-crypt-v2 and with the key of dynamic tls-crypt: what both
// ends send, and what a server does with the keys of its clients.
// spec: openvpn-wire 2.8, 2.9, 2.10, 15.4

#define CAF_SUITE protocol.control_wrap_crypt_v2

#include "vpn/protocol/control_wrap.hpp"
#include "vpn/protocol/tls_crypt_v2.hpp"

#include "tests/support/crypt_v2_keys.hpp"

#include "caf/test/unit_test.hpp"

#include "protocol/wrap_crypto.hpp"

using namespace vpn;
using namespace vpn::protocol;
using test::crypt_v2_keys;

namespace {

constexpr auto client_v3 = opcode::control_hard_reset_client_v3;
constexpr auto wkc = opcode::control_wkc_v1;
const instant now{{}, 0x61d3bf6c};

control_wrap make(const wrap_config& cfg, role self) {
  auto result = control_wrap::make(cfg, self);
  CAF_REQUIRE(result);
  return std::move(*result);
}

control_packet packet(opcode op, uint32_t id = 0) {
  control_packet x;
  x.op = op;
  x.source = session_id{{1, 2, 3, 4, 5, 6, 7, 8}};
  x.id = id;
  return x;
}

/// The same packet in plain tls-crypt with the client's key.
control_wrap plain_crypt(const crypt_v2_keys& keys, role self) {
  wrap_config cfg;
  cfg.mode = wrap_mode::tls_crypt;
  cfg.key = keys.client().key;
  return make(cfg, self);
}

bool refused_as(const expected<control_packet>& x, errc wanted) {
  return !x && x.error() == wanted;
}

} // namespace

CAF_TEST(the first packet of a client announces early negotiation) {
  crypt_v2_keys keys;
  auto client = make(keys.client(), role::client);
  auto sealed = client.seal(packet(client_v3), now);
  CAF_CHECK_EQUAL(sealed.size(), 54u + 299u);
  CAF_CHECK_EQUAL(to_hex(byte_view{sealed}.from(9).first(8)),
                  "0f00000161d3bf6c");
  CAF_CHECK_EQUAL(to_hex(byte_view{sealed}.from(351)), "012b");
  auto next = client.seal(packet(opcode::control_v1, 1), now);
  CAF_CHECK_EQUAL(to_hex(byte_view{next}.from(9).first(4)), "0f000002");
}

CAF_TEST(skipped packet ids and those after the last announce it as well) {
  crypt_v2_keys keys;
  auto client = make(keys.client(), role::client);
  auto server = make(keys.server(), role::server);
  auto id_of_next = [&] {
    auto sealed = client.seal(packet(client_v3), now);
    CAF_CHECK(server.open(sealed));
    return to_hex(byte_view{sealed}.from(9).first(8));
  };
  CAF_CHECK_EQUAL(id_of_next(), "0f00000161d3bf6c");
  client.skip_ids(0x1000);
  CAF_CHECK_EQUAL(id_of_next(), "0f00100261d3bf6c");
  client.skip_ids(0xf0ffeffc);
  CAF_CHECK_EQUAL(id_of_next(), "ffffffff61d3bf6c");
  CAF_CHECK_EQUAL(id_of_next(), "0f00000161d3bf6d");
  // A server counts from one.
  server.skip_ids(9);
  auto sealed = server.seal(packet(opcode::control_v1, 1), now);
  CAF_CHECK_EQUAL(to_hex(byte_view{sealed}.from(9).first(4)), "0000000a");
}

CAF_TEST(in front of the key stands an ordinary packet of tls crypt) {
  crypt_v2_keys keys;
  auto client = make(keys.client(), role::client);
  auto sealed = client.seal(packet(client_v3), now);
  auto server = plain_crypt(keys, role::server);
  auto x = server.open(byte_view{sealed}.first(54));
  CAF_REQUIRE(x);
  CAF_CHECK(*x == packet(client_v3));
  CAF_CHECK(byte_view{sealed}.from(54) == keys.client().wrapped_key);
}

CAF_TEST(only resets and resent packets carry the key) {
  crypt_v2_keys keys;
  auto client = make(keys.client(), role::client);
  CAF_CHECK_EQUAL(client.wrapped_key_size(), 299u);
  CAF_CHECK_EQUAL(client.overhead(), 56u);
  for (auto op :
       {opcode::control_v1, opcode::ack_v1, opcode::control_soft_reset_v1}) {
    auto size = client.seal(packet(op), now).size();
    CAF_CHECK_EQUAL(size, op == opcode::ack_v1 ? 50u : 54u);
  }
  for (auto op : {client_v3, wkc})
    CAF_CHECK_EQUAL(client.seal(packet(op), now).size(), 54u + 299u);
}

CAF_TEST(a server meets its client by the key in the first packet) {
  for (auto op : {client_v3, wkc}) {
    crypt_v2_keys keys;
    auto client = make(keys.client(), role::client);
    auto server = make(keys.server(), role::server);
    CAF_CHECK(
      server.seal(packet(opcode::control_hard_reset_server_v2), now).empty());
    auto x = server.open(client.seal(packet(op), now));
    CAF_REQUIRE(x);
    CAF_CHECK(*x == packet(op));
    for (uint32_t id = 1; id < 10; ++id) {
      auto y = server.open(client.seal(packet(opcode::control_v1, id), now));
      CAF_REQUIRE(y);
      CAF_CHECK_EQUAL(y->id, id);
      auto z = client.open(server.seal(packet(opcode::control_v1, id), now));
      CAF_REQUIRE(z);
      CAF_CHECK_EQUAL(z->id, id);
    }
  }
}

CAF_TEST(a server opens nothing before it has a key) {
  crypt_v2_keys keys;
  auto server = make(keys.server(), role::server);
  auto client = plain_crypt(keys, role::client);
  for (auto op : {opcode::control_hard_reset_client_v2, opcode::control_v1,
                  opcode::ack_v1, opcode::control_soft_reset_v1})
    CAF_CHECK(
      refused_as(server.open(client.seal(packet(op), now)), errc::no_key));
  CAF_CHECK(!server.make_dynamic({}));
}

CAF_TEST(keys of later packets are cut off and not looked at) {
  crypt_v2_keys keys;
  auto client = make(keys.client(), role::client);
  auto server = make(keys.server(), role::server);
  CAF_REQUIRE(server.open(client.seal(packet(client_v3), now)));
  // A broken key with a length that is right.
  auto sealed = client.seal(packet(wkc, 1), now);
  std::fill(sealed.begin() + 54, sealed.end() - 2, uint8_t{0});
  auto x = server.open(sealed);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->id, 1u);
  // The key of somebody else, in a packet of theirs.
  crypt_v2_keys others{9, keys};
  auto other = make(others.client(), role::client);
  CAF_CHECK(
    refused_as(server.open(other.seal(packet(client_v3), now)), errc::bad_tag));
  CAF_CHECK(server.open(client.seal(packet(opcode::control_v1, 2), now)));
  // Without the key such a packet is none.
  sealed = client.seal(packet(wkc, 3), now);
  CAF_CHECK(!server.open(byte_view{sealed}.first(54)));
}

CAF_TEST(a key does not open the packet of another client) {
  crypt_v2_keys keys;
  crypt_v2_keys others{9, keys};
  auto server = make(keys.server(), role::server);
  auto mixed = make(keys.client(), role::client).seal(packet(client_v3), now);
  auto theirs = others.client().wrapped_key;
  std::copy(theirs.begin(), theirs.end(), mixed.begin() + 54);
  CAF_CHECK(refused_as(server.open(mixed), errc::bad_tag));
  // It has left nothing behind, and the next client is welcome.
  CAF_CHECK(server.seal(packet(opcode::control_v1), now).empty());
  auto other = make(others.client(), role::client);
  CAF_CHECK(server.open(other.seal(packet(client_v3), now)));
}

CAF_TEST(an authentic packet with a broken body does not settle the key) {
  crypt_v2_keys keys;
  auto server = make(keys.server(), role::server);
  auto cfg = keys.client();
  auto client = make(cfg, role::client);
  auto y = packet(client_v3);
  y.payload.resize(max_control_payload + 1);
  CAF_CHECK(
    refused_as(server.open(client.seal(y, now)), errc::bad_payload_size));
  CAF_CHECK(server.seal(packet(opcode::control_v1), now).empty());
  CAF_CHECK(server.open(client.seal(packet(client_v3), now)));
}

CAF_TEST(the largest payload fits beside the largest key) {
  crypt_v2_keys keys{5, 734};
  auto client = make(keys.client(), role::client);
  CAF_CHECK_EQUAL(client.wrapped_key_size(), 1024u);
  auto server = make(keys.server(), role::server);
  auto x = packet(client_v3);
  x.payload.resize(max_control_payload);
  auto y = server.open(client.seal(x, now));
  CAF_REQUIRE(y);
  CAF_CHECK(*y == x);
}

CAF_TEST(a server that insists refuses clients without early negotiation) {
  crypt_v2_keys keys;
  auto cfg = keys.server();
  cfg.force_cookie = true;
  auto old_client = plain_crypt(keys, role::client);
  auto sealed = old_client.seal(packet(client_v3), now);
  auto& wrapped = keys.client().wrapped_key;
  sealed.insert(sealed.end(), wrapped.begin(), wrapped.end());
  auto strict = make(cfg, role::server);
  CAF_CHECK(refused_as(strict.open(sealed), errc::wrong_state));
  CAF_CHECK(strict.open(
    make(keys.client(), role::client).seal(packet(client_v3), now)));
  auto lenient = make(keys.server(), role::server);
  CAF_CHECK(lenient.open(sealed));
}

CAF_TEST(keys that have not their size are refused) {
  crypt_v2_keys keys;
  for (size_t n : {0u, 289u, 1025u}) {
    auto cfg = keys.client();
    cfg.wrapped_key.resize(n);
    auto x = control_wrap::make(cfg, role::client);
    CAF_CHECK(!x && x.error() == errc::bad_key_material);
  }
  for (size_t n : {0u, 127u, 129u}) {
    auto cfg = keys.server();
    cfg.server_key = secret{byte_view{bytes(n, 1)}};
    auto x = control_wrap::make(cfg, role::server);
    CAF_CHECK(!x && x.error() == errc::bad_key_material);
  }
}

// -- dynamic tls-crypt --

CAF_TEST(the published bytes of dynamic wrapping are reproduced) {
  // openvpn tests/unit_tests/openvpn/test_tls_crypt.c wraps a bare buffer: all
  // slots of the key are 0xba, and there is no opcode and no session id.
  using namespace wrap_crypto;
  bytes key(32, 0xba);
  auto id = from_hex("0000000100000000");
  auto text = byte_view{std::string_view{"1234567890"}}.copy();
  auto mac = make_hmac("SHA256");
  auto cipher = make_cipher();
  tag_buffer tag{};
  CAF_REQUIRE(authenticate(mac.get(), key, {id, text}, tag));
  CAF_REQUIRE(crypt(cipher.get(), key, tag.data(), text.data(), text.size()));
  CAF_CHECK_EQUAL(to_hex(id) + to_hex({tag.data(), 32}) + to_hex(text),
                  "0000000100000000e319277f1c8d6e6a7796a855337b9cfb56e1f13a870e"
                  "6647dfa195c92c17a015ba4967a11d55ea1a06a7");
}

CAF_TEST(a dynamic key is mixed with the static one) {
  crypt_v2_keys keys;
  key_block exported;
  std::fill(exported.begin(), exported.end(), uint8_t{0xba});
  auto dynamic_of = [&](wrap_mode mode) {
    wrap_config cfg = keys.client();
    cfg.mode = mode;
    auto x = make(cfg, role::client).make_dynamic(exported);
    CAF_REQUIRE(x);
    return std::move(*x);
  };
  auto reference = [&](bool mixed) {
    wrap_config cfg;
    cfg.mode = wrap_mode::tls_crypt;
    cfg.key = exported;
    if (mixed)
      for (size_t i = 0; i < cfg.key.size(); ++i)
        cfg.key.data()[i] ^= keys.client().key.data()[i];
    return make(cfg, role::client);
  };
  auto x = packet(opcode::control_soft_reset_v1);
  x.key_id = 1;
  for (auto mode : {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt,
                    wrap_mode::tls_crypt_v2}) {
    auto dynamic = dynamic_of(mode);
    CAF_CHECK(dynamic.mode() == wrap_mode::tls_crypt);
    CAF_CHECK_EQUAL(dynamic.overhead(), 56u);
    // Packet ids begin at one.
    CAF_CHECK_EQUAL(to_hex(dynamic.seal(x, now)),
                    to_hex(reference(mode != wrap_mode::none).seal(x, now)));
  }
}

CAF_TEST(both ends of tls crypt v2 make the same dynamic key) {
  crypt_v2_keys keys;
  auto client = make(keys.client(), role::client);
  auto server = make(keys.server(), role::server);
  CAF_REQUIRE(server.open(client.seal(packet(client_v3), now)));
  key_block exported;
  exported.data()[7] = 1;
  auto x = client.make_dynamic(exported);
  auto y = server.make_dynamic(exported);
  CAF_REQUIRE(x);
  CAF_REQUIRE(y);
  CAF_CHECK(y->open(x->seal(packet(opcode::control_v1, 4), now)));
  CAF_CHECK(x->open(y->seal(packet(opcode::control_v1, 5), now)));
}
