// One data key: known packets, and everything that must be refused.
// spec: openvpn-wire 9.1, 9.2, 9.6, 9.8, 15.7, 15.9
#define CAF_SUITE protocol.data_key

#include "vpn/protocol/data_key.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>

using namespace vpn;
using namespace vpn::protocol;

namespace {

constexpr data_cipher all_ciphers[] = {
  data_cipher::aes_128_gcm,
  data_cipher::aes_192_gcm,
  data_cipher::aes_256_gcm,
  data_cipher::chacha20_poly1305,
};

const char* ping_hex = "2a187bf3641eb4cb07ed2d0a981fc748";

data_key_spec spec_of(data_cipher cipher, role self,
                      std::optional<uint32_t> peer_id) {
  data_key_spec result;
  result.cipher = cipher;
  result.self = self;
  result.peer_id = peer_id;
  test::seeded random{11};
  random.source()(result.keys.data(), result.keys.size());
  return result;
}

/// Fills a slot: a cipher key and an implicit IV.
void put(key_block& keys, size_t slot, const bytes& key, const bytes& iv) {
  std::copy(key.begin(), key.end(), keys.data() + slot);
  std::copy(iv.begin(), iv.end(), keys.data() + slot + 64);
}

bytes sealed(data_key& key, byte_view plain) {
  bytes out(plain.size() + key.head_room() + key.tail_room());
  auto size = key.seal(plain, out.data());
  CAF_REQUIRE(size);
  CAF_REQUIRE_EQUAL(*size, out.size());
  return out;
}

/// Opens a copy, as hex; the name of the error in words if there is one.
std::string opened(data_key& key, bytes packet) {
  auto plain = key.open({packet.data(), packet.size()});
  return plain ? to_hex(*plain) : to_string(plain.error());
}

std::string word(errc x) {
  return to_string(x);
}

struct key_pair {
  data_key client;
  data_key server;
};

key_pair make_pair_of(data_cipher cipher, std::optional<uint32_t> peer_id = 5) {
  auto client = data_key::make(spec_of(cipher, role::client, peer_id));
  auto server = data_key::make(spec_of(cipher, role::server, peer_id));
  CAF_REQUIRE(client && server);
  return {std::move(*client), std::move(*server)};
}

/// The key of the derivation vectors, client to server direction.
data_key vector_key(data_cipher cipher, role self, bool v2) {
  data_key_spec spec;
  spec.cipher = cipher;
  spec.self = self;
  if (v2)
    spec.peer_id = 5;
  put(spec.keys, 0,
      from_hex("e96b0305a0fb6050fee419048bf9d7079862cae4d8444e2e6c2bab3fbd07"
               "b31c"),
      from_hex("8025c2a1a5f1d8a5"));
  put(spec.keys, 128,
      from_hex("3774296caf0274ac0e875cdafa5aab4b229214cc74fdff6188660444f4cc"
               "abd3"),
      from_hex("e32cd143ce88f0e8"));
  auto result = data_key::make(spec);
  CAF_REQUIRE(result);
  return std::move(*result);
}

struct ping_vector {
  data_cipher cipher;
  bool v2;
  const char* packet;
};

constexpr ping_vector ping_vectors[] = {
  {data_cipher::aes_256_gcm, true,
   "4800000500000001d7ef67f9019d6e1ba4f21963b5178ed1da732b9c789096f0e2de97e645"
   "df7f77"},
  {data_cipher::aes_256_gcm, false,
   "30000000015db7eeb0b8f483b9b2d350b8e90c54fada732b9c789096f0e2de97e645df7f7"
   "7"},
  {data_cipher::chacha20_poly1305, true,
   "4800000500000001db8930893f7c41cc02cbe934f83fef719a36de42e00b75b467426b2d0f"
   "e90477"},
  {data_cipher::chacha20_poly1305, false,
   "3000000001e18cd6d7e5ea39b727a1a3dd1e0a0f149a36de42e00b75b467426b2d0fe9047"
   "7"},
};

} // namespace

CAF_TEST(cipher names are exact) {
  struct row {
    data_cipher cipher;
    const char* name;
    size_t length;
    bool aead;
  };
  for (auto& x :
       {row{data_cipher::aes_128_gcm, "AES-128-GCM", 16, true},
        row{data_cipher::aes_192_gcm, "AES-192-GCM", 24, true},
        row{data_cipher::aes_256_gcm, "AES-256-GCM", 32, true},
        row{data_cipher::chacha20_poly1305, "CHACHA20-POLY1305", 32, true},
        row{data_cipher::aes_128_cbc, "AES-128-CBC", 16, false},
        row{data_cipher::aes_192_cbc, "AES-192-CBC", 24, false},
        row{data_cipher::aes_256_cbc, "AES-256-CBC", 32, false},
        row{data_cipher::none, "none", 0, false}}) {
    CAF_CHECK_EQUAL(to_string(x.cipher), x.name);
    CAF_CHECK(parse_data_cipher(x.name) == x.cipher);
    CAF_CHECK_EQUAL(key_length(x.cipher), x.length);
    CAF_CHECK_EQUAL(is_aead(x.cipher), x.aead);
  }
  for (auto x : {"", "aes-256-gcm", "AES-256-GCM ", "aes-256-cbc", "NONE",
                 "AES-256-CFB", "BF-CBC", "[null-cipher]"})
    CAF_CHECK(!parse_data_cipher(x));
}

CAF_TEST(digests are known by the names of the library) {
  CAF_CHECK(digest_size("SHA1") == 20u);
  CAF_CHECK(digest_size("SHA256") == 32u);
  CAF_CHECK(digest_size("sha512") == 64u);
  CAF_CHECK(digest_size("none") == 0u);
  for (auto x : {"", "SHAKE128", "AES-128-GCM", "None", "SHA256 "})
    CAF_CHECK(!digest_size(x));
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

CAF_TEST(a ping from client to server is known byte by byte) {
  for (auto& x : ping_vectors) {
    auto client = vector_key(x.cipher, role::client, x.v2);
    auto packet = sealed(client, from_hex(ping_hex));
    CAF_CHECK_EQUAL(to_hex(packet), x.packet);
    auto server = vector_key(x.cipher, role::server, x.v2);
    CAF_CHECK_EQUAL(opened(server, packet), ping_hex);
  }
}

CAF_TEST(both header forms are opened whatever is sent) {
  for (auto& x : ping_vectors) {
    auto server = vector_key(x.cipher, role::server, !x.v2);
    CAF_CHECK_EQUAL(opened(server, from_hex(x.packet)), ping_hex);
  }
}

CAF_TEST(the packet of the reference implementation is reproduced) {
  // From OpenVPN's test_ssl.c: AES-256-GCM, id 1. Its header 07000017 is no
  // data packet, so the tag differs; the ciphertext does not depend on it.
  data_key_spec spec;
  spec.peer_id = 0x17;
  spec.key_id = 7;
  const char* text = "abcdefgh01234567ABCDEFGHjkuchenl";
  for (size_t i = 0; i < spec.keys.size(); ++i)
    spec.keys.data()[i] = static_cast<uint8_t>(text[i % 32] ^ i);
  auto key = data_key::make(spec);
  CAF_REQUIRE(key);
  std::string plain
    = "The quick little fox jumps over the bureaucratic hurdles";
  auto packet = sealed(*key, byte_view{plain});
  CAF_CHECK_EQUAL(to_hex(byte_view{packet}.first(8)), "4f00001700000001");
  CAF_CHECK_EQUAL(to_hex(byte_view{packet}.from(24)),
                  "2262f977d6bb2118fa0ea82e6b1706d949aefcb5efcbbacd5c09a9ab45f4"
                  "d391d3f68794cb0b82c3d33389b61622b3281598e2ff6d5cc38b");
}

CAF_TEST(the packet of minivpn is opened) {
  // From minivpn's internal/datachannel: AES-128-GCM, id 1; the two bytes at
  // the end are a padding that GCM does not need.
  data_key_spec spec;
  spec.cipher = data_cipher::aes_128_gcm;
  spec.peer_id = 0;
  put(spec.keys, 0, bytes(16, 'e'), bytes(8, 'g'));
  put(spec.keys, 128, bytes(16, 'e'), bytes(8, 'g'));
  auto key = data_key::make(spec);
  CAF_REQUIRE(key);
  auto packet = from_hex("48000000000000016ac571106b388f465849c92cb509dfc694c68"
                         "6a0734b92c443b193d579efe1b8");
  CAF_CHECK_EQUAL(opened(*key, packet), "68656c6c6f20676f2074657374730202");
}

CAF_TEST(each direction has its own keys) {
  for (auto cipher : all_ciphers) {
    auto [client, server] = make_pair_of(cipher);
    auto up = sealed(client, from_hex("45aa"));
    auto down = sealed(server, from_hex("45bb"));
    CAF_CHECK_EQUAL(opened(client, up), word(errc::bad_tag));
    CAF_CHECK_EQUAL(opened(server, down), word(errc::bad_tag));
    CAF_CHECK_EQUAL(opened(server, up), "45aa");
    CAF_CHECK_EQUAL(opened(client, down), "45bb");
  }
}

CAF_TEST(ids start at one and count up) {
  auto [client, server] = make_pair_of(data_cipher::aes_128_gcm, std::nullopt);
  CAF_CHECK_EQUAL(client.head_room(), 21u);
  for (uint32_t i = 1; i < 5; ++i) {
    auto packet = sealed(client, from_hex("45"));
    CAF_CHECK_EQUAL(load_u32(packet.data() + 1), i);
    CAF_CHECK_EQUAL(client.last_packet_id(), i);
  }
  CAF_CHECK(!client.wants_rekey());
}

CAF_TEST(plaintexts of all sizes survive) {
  test::seeded random{3};
  for (auto cipher : all_ciphers) {
    auto [client, server] = make_pair_of(cipher);
    for (size_t size = 1; size < 1600; size += 1 + size / 16) {
      bytes plain(size);
      random.source()(plain.data(), size);
      CAF_CHECK_EQUAL(opened(server, sealed(client, plain)), to_hex(plain));
    }
  }
}

CAF_TEST(a packet is accepted once and only after its tag) {
  auto [client, server] = make_pair_of(data_cipher::aes_256_gcm);
  auto first = sealed(client, from_hex("4501"));
  auto second = sealed(client, from_hex("4502"));
  auto damaged = second;
  damaged.back() ^= 1;
  CAF_CHECK_EQUAL(opened(server, damaged), word(errc::bad_tag));
  CAF_CHECK_EQUAL(opened(server, second), "4502");
  CAF_CHECK_EQUAL(opened(server, second), word(errc::replayed));
  CAF_CHECK_EQUAL(opened(server, first), "4501");
  CAF_CHECK_EQUAL(opened(server, first), word(errc::replayed));
}

CAF_TEST(no bit of a packet may change) {
  for (auto cipher : all_ciphers) {
    for (bool v2 : {true, false}) {
      auto peer_id = v2 ? std::optional<uint32_t>{5} : std::nullopt;
      auto [client, server] = make_pair_of(cipher, peer_id);
      auto packet = sealed(client, from_hex("4500112233445566778899"));
      for (size_t i = 0; i < packet.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
          auto damaged = packet;
          damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1 << bit));
          CAF_CHECK(!server.open({damaged.data(), damaged.size()}));
        }
      }
      CAF_CHECK_EQUAL(opened(server, packet), "4500112233445566778899");
    }
  }
}

CAF_TEST(every truncation and every extension is refused) {
  for (bool v2 : {true, false}) {
    auto peer_id = v2 ? std::optional<uint32_t>{5} : std::nullopt;
    auto [client, server] = make_pair_of(data_cipher::aes_256_gcm, peer_id);
    auto packet = sealed(client, from_hex("4500112233"));
    auto before = packet.size() - 5;
    for (size_t n = 0; n < packet.size(); ++n) {
      auto expect = n < before    ? errc::truncated
                    : n == before ? errc::bad_payload_size
                                  : errc::bad_tag;
      CAF_CHECK_EQUAL(opened(server, bytes(packet.begin(), packet.begin() + n)),
                      word(expect));
    }
    auto longer = packet;
    longer.push_back(0);
    CAF_CHECK_EQUAL(opened(server, longer), word(errc::bad_tag));
    CAF_CHECK_EQUAL(opened(server, packet), "4500112233");
  }
}

CAF_TEST(random bytes are refused) {
  auto [client, server] = make_pair_of(data_cipher::aes_128_gcm);
  test::seeded random{5};
  for (int i = 0; i < 20000; ++i) {
    auto xs = random.some_bytes(80);
    if (!xs.empty() && random.one_in(2))
      xs[0] = random.one_in(2) ? 0x48 : 0x30;
    CAF_CHECK(!server.open({xs.data(), xs.size()}));
  }
  CAF_CHECK_EQUAL(opened(server, sealed(client, from_hex("45"))), "45");
}

CAF_TEST(wrong opcodes key ids and packet ids have their own errors) {
  auto [client, server] = make_pair_of(data_cipher::aes_128_gcm);
  auto packet = sealed(client, from_hex("45"));
  auto with = [&packet](size_t at, bytes xs) {
    auto result = packet;
    std::copy(xs.begin(), xs.end(), result.begin() + at);
    return result;
  };
  CAF_CHECK_EQUAL(opened(server, with(0, {0x20})), word(errc::bad_opcode));
  CAF_CHECK_EQUAL(opened(server, with(0, {0x49})), word(errc::bad_key_id));
  CAF_CHECK_EQUAL(opened(server, with(4, {0, 0, 0, 0})),
                  word(errc::bad_packet_id));
}

CAF_TEST(nothing to seal is an error) {
  auto [client, server] = make_pair_of(data_cipher::aes_128_gcm);
  uint8_t out[64];
  auto result = client.seal({}, out);
  CAF_REQUIRE(!result);
  CAF_CHECK(result.error() == errc::bad_payload_size);
  CAF_CHECK_EQUAL(client.last_packet_id(), 0u);
}

CAF_TEST(bad specifications make no key) {
  auto good = spec_of(data_cipher::aes_256_gcm, role::client, 5);
  auto error_of = [](const data_key_spec& x) {
    auto result = data_key::make(x);
    return result ? std::string{"a key"} : to_string(result.error());
  };
  for (size_t slot : {0, 128}) {
    auto bad = good;
    std::fill_n(bad.keys.data() + slot, 32, uint8_t{0});
    CAF_CHECK_EQUAL(error_of(bad), word(errc::tls_failed));
  }
  auto bad = good;
  bad.key_id = 8;
  CAF_CHECK_EQUAL(error_of(bad), word(errc::bad_value));
  bad = good;
  bad.peer_id = 0x1000000;
  CAF_CHECK_EQUAL(error_of(bad), word(errc::bad_value));
}

CAF_TEST(a size is known before a packet is sealed) {
  for (auto x :
       {data_cipher::aes_256_gcm, data_cipher::chacha20_poly1305,
        data_cipher::aes_128_cbc, data_cipher::aes_256_cbc, data_cipher::none})
    for (bool v2 : {true, false})
      for (bool epoch : {false, true}) {
        auto spec = spec_of(x, role::client, std::nullopt);
        if (v2)
          spec.peer_id = 5;
        spec.epoch = epoch;
        if (epoch && !(v2 && is_aead(x)))
          continue;
        auto key = data_key::make(spec);
        CAF_REQUIRE(key);
        for (size_t n = 1; n < 100; ++n) {
          bytes plain(n, 0x45);
          bytes out(n + key->head_room() + key->tail_room());
          auto written = key->seal(plain, out.data());
          CAF_REQUIRE(written);
          CAF_CHECK_EQUAL(*written, key->sealed_size(n));
          CAF_CHECK_LESS_OR_EQUAL(*written, out.size());
        }
        for (size_t size = 0; size < 200; ++size) {
          auto n = key->largest_plaintext(size);
          CAF_CHECK(n == 0 || key->sealed_size(n) <= size);
          CAF_CHECK_GREATER(key->sealed_size(n + 1), size);
        }
      }
}

// -- how much one key may do --

namespace {

key_pair limited_pair(data_cipher cipher, const data_key_limits& limits) {
  auto spec = spec_of(cipher, role::client, 5);
  spec.limits = limits;
  auto client = data_key::make(spec);
  spec.self = role::server;
  auto server = data_key::make(spec);
  CAF_REQUIRE(client && server);
  return {std::move(*client), std::move(*server)};
}

} // namespace

CAF_TEST(the limits are those of the specification) {
  data_key_limits x;
  CAF_CHECK_EQUAL(x.usage, 68719476735u);
  CAF_CHECK_EQUAL(x.forgeries_tolerated, 34359738368u);
  CAF_CHECK_EQUAL(x.forgeries_endured, 68719476736u);
  CAF_CHECK_EQUAL(x.rekey_id, 0xff000000u);
  CAF_CHECK_EQUAL(x.last_id, 0xffffffffu);
  CAF_CHECK_EQUAL(x.rekey_epoch, 0xf000u);
  CAF_CHECK_EQUAL(x.last_counter, 0xffffffffffffu);
}

CAF_TEST(packets and blocks of each direction are counted for GCM) {
  data_key_limits limits;
  limits.usage = 8;
  for (auto cipher : all_ciphers) {
    auto [client, server] = limited_pair(cipher, limits);
    bool counted = cipher != data_cipher::chacha20_poly1305;
    // One packet with one block, one with two, one with two: seven, eight.
    auto first = sealed(client, bytes(1, 0x45));
    auto second = sealed(client, bytes(17, 0x45));
    auto third = sealed(client, bytes(32, 0x45));
    CAF_CHECK_EQUAL(client.wants_rekey(), false);
    CAF_CHECK_NOT_EQUAL(opened(server, third), word(errc::bad_tag));
    CAF_CHECK_NOT_EQUAL(opened(server, second), word(errc::bad_tag));
    CAF_CHECK_EQUAL(opened(server, second), word(errc::replayed));
    CAF_CHECK_NOT_EQUAL(opened(server, first), word(errc::bad_tag));
    CAF_CHECK_EQUAL(server.wants_rekey(), false);
    auto last = sealed(client, bytes(1, 0x45));
    CAF_CHECK_EQUAL(client.wants_rekey(), counted);
    CAF_CHECK_EQUAL(opened(server, last), "45");
    CAF_CHECK_EQUAL(server.wants_rekey(), counted);
    // It is a wish: the key still works until there is another one.
    CAF_CHECK_EQUAL(opened(server, sealed(client, bytes(1, 0x45))), "45");
  }
}

CAF_TEST(the directions have limits of their own) {
  data_key_limits limits;
  limits.usage = 5;
  auto [client, server] = limited_pair(data_cipher::aes_256_gcm, limits);
  for (int i = 0; i < 2; ++i) {
    CAF_CHECK_EQUAL(opened(server, sealed(client, bytes(1, 0x45))), "45");
    CAF_CHECK_EQUAL(opened(client, sealed(server, bytes(1, 0x45))), "45");
  }
  CAF_CHECK(!client.wants_rekey() && !server.wants_rekey());
}

CAF_TEST(too many forgeries end a key) {
  data_key_limits limits;
  limits.forgeries_tolerated = 3;
  limits.forgeries_endured = 5;
  for (auto cipher : all_ciphers) {
    auto [client, server] = limited_pair(cipher, limits);
    auto packet = sealed(client, from_hex("45"));
    auto forged = packet;
    forged.back() ^= 1;
    for (int i = 1; i <= 5; ++i) {
      CAF_CHECK_EQUAL(opened(server, forged), word(errc::bad_tag));
      CAF_CHECK_EQUAL(server.wants_rekey(), i >= 3);
    }
    CAF_CHECK_EQUAL(opened(server, forged), word(errc::wrong_state));
    CAF_CHECK_EQUAL(opened(server, packet), word(errc::wrong_state));
    // What is sent is another key.
    CAF_CHECK_EQUAL(opened(client, sealed(server, from_hex("45"))), "45");
  }
}

CAF_TEST(replays and broken packets are no forgeries) {
  data_key_limits limits;
  limits.forgeries_tolerated = 1;
  auto [client, server] = limited_pair(data_cipher::aes_128_gcm, limits);
  auto packet = sealed(client, from_hex("45"));
  CAF_CHECK_EQUAL(opened(server, packet), "45");
  CAF_CHECK_EQUAL(opened(server, packet), word(errc::replayed));
  packet[0] ^= 1;
  CAF_CHECK_EQUAL(opened(server, packet), word(errc::bad_key_id));
  packet.resize(10);
  packet[0] ^= 1;
  CAF_CHECK_EQUAL(opened(server, packet), word(errc::truncated));
  CAF_CHECK(!server.wants_rekey());
}

CAF_TEST(packet ids ask for a new key before they end) {
  data_key_limits limits;
  limits.rekey_id = 3;
  limits.last_id = 5;
  for (auto cipher : {data_cipher::aes_256_gcm, data_cipher::aes_256_cbc,
                      data_cipher::none}) {
    auto [client, server] = limited_pair(cipher, limits);
    bytes out(200);
    for (uint32_t i = 1; i <= 5; ++i) {
      auto size = client.seal(from_hex("45"), out.data());
      CAF_REQUIRE(size);
      CAF_CHECK_EQUAL(client.last_packet_id(), i);
      CAF_CHECK_EQUAL(client.wants_rekey(), i >= 3);
      CAF_CHECK_EQUAL(client.exhausted(), i == 5);
      CAF_CHECK(server.open({out.data(), *size}));
      CAF_CHECK_EQUAL(server.wants_rekey(), i >= 3);
    }
    auto size = client.seal(from_hex("45"), out.data());
    CAF_REQUIRE(!size);
    CAF_CHECK(size.error() == errc::bad_packet_id);
    CAF_CHECK_EQUAL(client.last_packet_id(), 5u);
  }
}

CAF_TEST(the digest does not matter to an AEAD) {
  auto spec = spec_of(data_cipher::aes_256_gcm, role::client, 5);
  spec.digest = "no such digest";
  CAF_CHECK(data_key::make(spec));
}
