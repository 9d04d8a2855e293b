// Control wrapping: published bytes of tls-auth and tls-crypt in both
// directions, and everything that must not open.
// spec: openvpn-wire 2.5, 2.6, 2.7, 15.2, 15.3, 15.9

#define CAF_SUITE protocol.control_wrap

#include "vpn/protocol/control_wrap.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

// The key and three packets of openvpn tests/unit_tests/openvpn/test_pkt.c.
const auto stock_key = from_hex(
  "37268ea8f95d7f71f9fb8fc03770c460daf714a483d815c013ce0a537efc18f2"
  "8f4f172669d9e6a413bac6741d8ea05400f49b7fd6326470f23798c606bf53d4"
  "de63ebc64ec59d57ce5d04d5b62e68b53ca6e5354351097fa370446c4d269f18"
  "7bb6ae54af2dc70ff7317fe2f8754b8282aad4202f9fa42c8640245d883e2c54"
  "a0c1c489a036cf3a8964d8d289c1583b9447c262b1da5fd167a5d27bd5ac5143"
  "17bc2343a31a2efc38dd920d910375f51c2e27f3afd36c49269da079f7ce466e"
  "bb0f9ad13e9bbb4665974e6bc24b513c5700393bf4a3e7f967e2f384069ac8a8"
  "e78b18b15604993fd16515cce9c0f3e42b4126b999005ade802797b0eeb8b9e6");
const auto stock_auth_reset
  = from_hex("38de694c5c7bfba27493537c1ded4e781529ae7cfe4b8c6d6b2b51f05a"
             "0000000161d3bf6c0000000000");
const auto stock_crypt_reset
  = from_hex("38f419cb12d1f9e48f0000000161d3f8e1330206f56802be44fbed905064e3db"
             "43416bec5e526719462b7eb90c96defc9b05c44879f7");

/// One sealed packet: who made it, with what, and its bytes. The key of these
/// is 00..ff, the wrap id is 1 at 61d3bf6c, and the same code that made them
/// has spoken to an openvpn 2.6.14 server.
struct vector_row {
  wrap_mode mode;
  const char* digest;
  role sender;
  const char* payload;
  const char* sealed;
};

const vector_row rows[] = {
  {wrap_mode::tls_auth, "SHA1", role::client, "",
   "38c0c1c2c3c4c5c6c7e619ac4d3f040e68bf68453a518b529a78ee55980000000161d3bf6c"
   "0000000000"},
  {wrap_mode::tls_auth, "SHA256", role::client, "",
   "38c0c1c2c3c4c5c6c7f9442872054f547814cd5e7075be0f33f374107fdc228698637fe234"
   "96972c810000000161d3bf6c0000000000"},
  {wrap_mode::tls_crypt, "", role::client, "",
   "38c0c1c2c3c4c5c6c70000000161d3bf6c24715ae9ca6bc198f96eb413b90d680fb3ecd05c"
   "e0e99bfb72d851210493c14609ff2fe89d"},
  {wrap_mode::tls_crypt, "", role::server, "",
   "40d0d1d2d3d4d5d6d70000000161d3bf6c2e50cde7666c5a04b12570bc0da75f97cfc878ba"
   "0d770a77404d2480461b15ca21eaeb9041cb2839bc4bdaf0ff07b7dab3"},
  {wrap_mode::tls_crypt, "", role::server, "000100020001",
   "40d0d1d2d3d4d5d6d70000000161d3bf6c1702e745abbb91570055e2ff4c5b7b1f5d93bfdd"
   "3f194c470cf85d0834b876100eb86ace320940b591770a2d75d6f395071c1354177459"},
};

constexpr role other(role x) {
  return x == role::client ? role::server : role::client;
}

instant at(int64_t seconds) {
  instant result;
  result.unix_seconds = seconds;
  return result;
}
const auto vector_time = at(0x61d3bf6c);

session_id sid(byte_view xs) {
  session_id result;
  std::copy(xs.begin(), xs.end(), result.value.begin());
  return result;
}

key_block block_of(byte_view xs) {
  key_block result;
  CAF_REQUIRE_EQUAL(xs.size(), result.size());
  std::copy(xs.begin(), xs.end(), result.begin());
  return result;
}

key_block counting_key() {
  key_block result;
  for (size_t i = 0; i < result.size(); ++i)
    result.data()[i] = static_cast<uint8_t>(i);
  return result;
}

control_wrap make(wrap_mode mode, role self, const key_block& key,
                  key_direction direction, const char* digest = "SHA1") {
  wrap_config cfg;
  cfg.mode = mode;
  cfg.key = key;
  cfg.direction = direction;
  cfg.digest = digest;
  auto result = control_wrap::make(cfg, self);
  CAF_REQUIRE(result);
  return std::move(*result);
}

/// The wrap of one side of a row, with the usual directions.
control_wrap side_of(const vector_row& row, role self) {
  return make(row.mode, self, counting_key(),
              self == role::server ? key_direction::normal
                                   : key_direction::inverse,
              row.digest);
}

/// The plain packet of a row.
control_packet packet_of(const vector_row& row) {
  control_packet x;
  auto client = sid(from_hex("c0c1c2c3c4c5c6c7"));
  auto server = sid(from_hex("d0d1d2d3d4d5d6d7"));
  x.payload = from_hex(row.payload);
  if (row.sender == role::client) {
    x.op = opcode::control_hard_reset_client_v2;
    x.source = client;
  } else {
    x.op = opcode::control_hard_reset_server_v2;
    x.source = server;
    x.acks = {0};
    x.destination = client;
  }
  return x;
}

control_packet long_packet() {
  control_packet x;
  x.source = sid(from_hex("0102030405060708"));
  x.destination = sid(from_hex("1112131415161718"));
  x.acks = {4, 3, 2, 1};
  x.id = 5;
  x.payload = bytes(1000, 0x5a);
  return x;
}

bool refused_as(const expected<control_packet>& x, errc wanted) {
  return !x && x.error() == wanted;
}

/// Every wrapping that authenticates, for tests that concern them all.
struct authentic_mode {
  wrap_mode mode;
  const char* digest;
};
const authentic_mode authentic_modes[] = {
  {wrap_mode::tls_auth, "SHA1"},
  {wrap_mode::tls_auth, "SHA256"},
  {wrap_mode::tls_auth, "SHA512"},
  {wrap_mode::tls_crypt, ""},
};

control_wrap end_of(const authentic_mode& x, role self) {
  return make(x.mode, self, counting_key(),
              self == role::server ? key_direction::normal
                                   : key_direction::inverse,
              x.digest);
}

} // namespace

CAF_TEST(stock packets are reproduced) {
  auto key = block_of(stock_key);
  control_packet x;
  x.op = opcode::control_hard_reset_client_v2;
  x.source = sid(byte_view{stock_auth_reset}.from(1).first(8));
  auto auth
    = make(wrap_mode::tls_auth, role::client, key, key_direction::inverse);
  CAF_CHECK_EQUAL(to_hex(auth.seal(x, vector_time)), to_hex(stock_auth_reset));
  x.source = sid(byte_view{stock_crypt_reset}.from(1).first(8));
  auto crypt
    = make(wrap_mode::tls_crypt, role::client, key, key_direction::normal);
  CAF_CHECK_EQUAL(to_hex(crypt.seal(x, at(0x61d3f8e1))),
                  to_hex(stock_crypt_reset));
}

CAF_TEST(stock packets are opened) {
  auto key = block_of(stock_key);
  auto auth
    = make(wrap_mode::tls_auth, role::server, key, key_direction::normal);
  auto x = auth.open(stock_auth_reset);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::control_hard_reset_client_v2);
  CAF_CHECK_EQUAL(to_hex(x->source.view()), "de694c5c7bfba274");
  CAF_CHECK_EQUAL(x->id, 0u);
  auto crypt = make(wrap_mode::tls_crypt, role::server, key,
                    key_direction::bidirectional);
  auto y = crypt.open(stock_crypt_reset);
  CAF_REQUIRE(y);
  CAF_CHECK_EQUAL(to_hex(y->source.view()), "f419cb12d1f9e48f");
  CAF_CHECK(y->acks.empty());
}

CAF_TEST(every vector is sealed by its sender and opened by its receiver) {
  for (auto& row : rows) {
    auto sender = side_of(row, row.sender);
    CAF_CHECK_EQUAL(to_hex(sender.seal(packet_of(row), vector_time)),
                    std::string{row.sealed});
    auto receiver = side_of(row, other(row.sender));
    auto x = receiver.open(from_hex(row.sealed));
    CAF_REQUIRE(x);
    CAF_CHECK(*x == packet_of(row));
  }
}

CAF_TEST(a flipped bit in any byte of a vector is refused) {
  for (auto& row : rows) {
    auto receiver = side_of(row, other(row.sender));
    auto sealed = from_hex(row.sealed);
    for (size_t i = 0; i < sealed.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        auto packet = sealed;
        packet[i] ^= static_cast<uint8_t>(1 << bit);
        CAF_REQUIRE(!receiver.open(packet));
      }
    }
    // None of them has moved the replay window.
    CAF_CHECK(receiver.open(sealed));
  }
}

CAF_TEST(every truncation and extension of a vector is refused) {
  for (auto& row : rows) {
    auto receiver = side_of(row, other(row.sender));
    auto sealed = from_hex(row.sealed);
    for (size_t n = 0; n < sealed.size(); ++n)
      CAF_REQUIRE(!receiver.open(byte_view{sealed}.first(n)));
    auto packet = sealed;
    for (int i = 0; i < 64; ++i) {
      packet.push_back(0);
      CAF_REQUIRE(refused_as(receiver.open(packet), errc::bad_tag));
    }
    CAF_CHECK(receiver.open(sealed));
  }
}

CAF_TEST(a packet is opened once) {
  for (auto& mode : authentic_modes) {
    auto client = end_of(mode, role::client);
    auto server = end_of(mode, role::server);
    auto first = client.seal(long_packet(), vector_time);
    auto second = client.seal(long_packet(), at(0x61d3bfff));
    CAF_CHECK(first != second);
    CAF_CHECK(server.open(second));
    CAF_CHECK(server.open(first));
    CAF_CHECK(refused_as(server.open(first), errc::replayed));
    CAF_CHECK(refused_as(server.open(second), errc::replayed));
  }
}

CAF_TEST(a packet does not open at its own sender) {
  for (auto& mode : authentic_modes) {
    auto client = end_of(mode, role::client);
    auto sealed = client.seal(long_packet(), vector_time);
    CAF_CHECK(refused_as(client.open(sealed), errc::bad_tag));
  }
}

CAF_TEST(both ends of tls auth may leave out the direction) {
  auto client = make(wrap_mode::tls_auth, role::client, counting_key(),
                     key_direction::bidirectional);
  auto server = make(wrap_mode::tls_auth, role::server, counting_key(),
                     key_direction::bidirectional);
  auto x = server.open(client.seal(long_packet(), vector_time));
  CAF_REQUIRE(x);
  CAF_CHECK(*x == long_packet());
  CAF_CHECK(client.open(server.seal(long_packet(), vector_time)));
}

CAF_TEST(all three modes carry long packets both ways) {
  for (auto& mode : authentic_modes) {
    auto client = end_of(mode, role::client);
    auto server = end_of(mode, role::server);
    for (int i = 0; i < 10; ++i) {
      auto x = server.open(client.seal(long_packet(), vector_time));
      CAF_REQUIRE(x);
      CAF_CHECK(*x == long_packet());
      auto y = client.open(server.seal(long_packet(), vector_time));
      CAF_REQUIRE(y);
      CAF_CHECK(*y == long_packet());
    }
  }
  auto plain = make(wrap_mode::none, role::client, {}, key_direction::normal);
  auto z = plain.open(plain.seal(long_packet(), vector_time));
  CAF_REQUIRE(z);
  CAF_CHECK(*z == long_packet());
}

CAF_TEST(another key or digest does not open) {
  for (auto& mode : authentic_modes) {
    auto sealed = end_of(mode, role::client).seal(long_packet(), vector_time);
    auto server = make(mode.mode, role::server, block_of(stock_key),
                       key_direction::normal, mode.digest);
    CAF_CHECK(refused_as(server.open(sealed), errc::bad_tag));
  }
  auto sealed
    = end_of(authentic_modes[1], role::client).seal(long_packet(), vector_time);
  CAF_CHECK(!end_of(authentic_modes[0], role::server).open(sealed));
  CAF_CHECK(!end_of(authentic_modes[2], role::server).open(sealed));
}

CAF_TEST(an authentic packet with a payload above the limit is refused) {
  for (auto& mode : authentic_modes) {
    auto client = end_of(mode, role::client);
    auto server = end_of(mode, role::server);
    auto x = long_packet();
    x.payload.resize(max_control_payload + 1);
    CAF_CHECK(refused_as(server.open(client.seal(x, vector_time)),
                         errc::bad_payload_size));
    x.payload.resize(max_control_payload);
    CAF_CHECK(server.open(client.seal(x, vector_time)));
  }
}

CAF_TEST(the overhead is the one stock peers count) {
  auto overhead = [](wrap_mode mode, const char* digest) {
    return make(mode, role::client, {}, key_direction::normal, digest)
      .overhead();
  };
  CAF_CHECK_EQUAL(overhead(wrap_mode::none, ""), 0u);
  CAF_CHECK_EQUAL(overhead(wrap_mode::tls_auth, "SHA1"), 28u);
  CAF_CHECK_EQUAL(overhead(wrap_mode::tls_auth, "SHA256"), 40u);
  CAF_CHECK_EQUAL(overhead(wrap_mode::tls_auth, "SHA512"), 72u);
  CAF_CHECK_EQUAL(overhead(wrap_mode::tls_crypt, ""), 56u);
}

CAF_TEST(a digest that is none is bad key material) {
  for (auto digest : {"", "no-such-digest", "AES-256-GCM", "SHAKE256",
                      "SHA256,SHA1", "provider=default"}) {
    wrap_config cfg;
    cfg.mode = wrap_mode::tls_auth;
    cfg.digest = digest;
    auto x = control_wrap::make(cfg, role::client);
    CAF_CHECK(!x);
    if (!x)
      CAF_CHECK(x.error() == errc::bad_key_material);
    // Where no digest is used its name does not matter.
    cfg.mode = wrap_mode::tls_crypt;
    CAF_CHECK(control_wrap::make(cfg, role::client));
  }
}

CAF_TEST(a moved wrap goes on where it was) {
  auto& mode = authentic_modes[3];
  auto client = end_of(mode, role::client);
  auto server = end_of(mode, role::server);
  CAF_CHECK(server.open(client.seal(long_packet(), vector_time)));
  auto moved = std::move(client);
  CAF_CHECK(server.open(moved.seal(long_packet(), vector_time)));
}

CAF_TEST(skipped packet ids are left out under every wrapping) {
  for (auto& x : authentic_modes) {
    auto sender = end_of(x, role::client);
    auto receiver = end_of(x, role::server);
    // Behind the head in tls-crypt, behind the tag, too, in tls-auth.
    auto counter_of = [&](byte_view sealed) {
      auto at = 9 + (x.mode == wrap_mode::tls_auth ? sender.overhead() - 8 : 0);
      return load_u32(sealed.from(at).data());
    };
    auto seal = [&] {
      return sender.seal(long_packet(), instant{{}, 1000});
    };
    CAF_CHECK_EQUAL(counter_of(seal()), 1u);
    sender.skip_ids(1000);
    auto sealed = seal();
    CAF_CHECK_EQUAL(counter_of(sealed), 1002u);
    CAF_CHECK(receiver.open(sealed));
    sender.skip_ids(0xffffffff - 1002);
    sealed = seal();
    CAF_CHECK_EQUAL(counter_of(sealed), 1u);
    CAF_CHECK(receiver.open(sealed));
  }
}

CAF_TEST(without wrapping there is nothing to skip) {
  auto plain = control_wrap::make({}, role::client);
  CAF_REQUIRE(plain);
  auto before = plain->seal(long_packet(), {});
  plain->skip_ids(1000);
  CAF_CHECK(plain->seal(long_packet(), {}) == before);
}

CAF_TEST(huge datagrams are refused) {
  for (auto& mode : authentic_modes) {
    auto server = end_of(mode, role::server);
    bytes huge(65535, 0x20);
    CAF_CHECK(refused_as(server.open(huge), errc::bad_payload_size));
  }
}

CAF_TEST(random bytes never open) {
  test::seeded random{5};
  std::vector<control_wrap> servers;
  for (auto& mode : authentic_modes)
    servers.push_back(end_of(mode, role::server));
  for (int i = 0; i < 100000; ++i) {
    auto packet = random.some_bytes(120);
    if (!packet.empty() && !random.one_in(4))
      packet[0] = static_cast<uint8_t>((3 + random.below(9)) << 3);
    CAF_REQUIRE(!servers[random.below(4)].open(packet));
  }
}
