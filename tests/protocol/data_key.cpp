// One data key: known packets, and everything that must be refused.
// spec: openvpn-wire 9.1, 9.2, 9.6, 15.7, 15.9
#define CAF_SUITE protocol.data_key

#include "vpn/protocol/data_key.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

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
  for (auto x : all_ciphers)
    CAF_CHECK(parse_data_cipher(to_string(x)) == x);
  CAF_CHECK_EQUAL(to_string(data_cipher::aes_192_gcm), "AES-192-GCM");
  for (auto x : {"", "aes-256-gcm", "AES-256-GCM ", "AES-256-CBC", "none"})
    CAF_CHECK(!parse_data_cipher(x));
  CAF_CHECK_EQUAL(key_length(data_cipher::aes_128_gcm), 16u);
  CAF_CHECK_EQUAL(key_length(data_cipher::aes_192_gcm), 24u);
  CAF_CHECK_EQUAL(key_length(data_cipher::aes_256_gcm), 32u);
  CAF_CHECK_EQUAL(key_length(data_cipher::chacha20_poly1305), 32u);
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
