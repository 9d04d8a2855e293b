// CBC with an HMAC and the HMAC alone: known packets, and everything that must
// be refused.
// spec: openvpn-wire 9.3, 9.5, 15.7, 15.9
#define CAF_SUITE protocol.data_key_hmac

#include "protocol/data_key_hmac.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>

#include <set>

using namespace vpn;
using namespace vpn::protocol;

namespace {

constexpr data_cipher cbc_ciphers[] = {
  data_cipher::aes_128_cbc,
  data_cipher::aes_192_cbc,
  data_cipher::aes_256_cbc,
};
constexpr data_cipher all_ciphers[] = {
  data_cipher::aes_128_cbc,
  data_cipher::aes_192_cbc,
  data_cipher::aes_256_cbc,
  data_cipher::none,
};
constexpr const char* all_digests[] = {"MD5", "SHA1", "SHA256", "SHA512"};

const char* ping_hex = "2a187bf3641eb4cb07ed2d0a981fc748";

data_key_spec spec_of(data_cipher cipher, const std::string& digest,
                      bool v2 = true, role self = role::client) {
  data_key_spec result;
  result.cipher = cipher;
  result.digest = digest;
  result.self = self;
  if (v2)
    result.peer_id = 5;
  test::seeded random{11};
  random.source()(result.keys.data(), result.keys.size());
  result.random = test::seeded{13}.source();
  return result;
}

data_key make(const data_key_spec& spec) {
  auto result = data_key::make(spec);
  CAF_REQUIRE(result);
  return std::move(*result);
}

struct key_pair {
  data_key client;
  data_key server;
};

key_pair make_pair_of(data_cipher cipher, const std::string& digest,
                      bool v2 = true) {
  return {make(spec_of(cipher, digest, v2, role::client)),
          make(spec_of(cipher, digest, v2, role::server))};
}

bytes sealed(data_key& key, const bytes& plain) {
  bytes out(key.sealed_size(plain.size()));
  auto size = key.seal(plain, out.data());
  CAF_REQUIRE(size);
  CAF_REQUIRE_EQUAL(*size, out.size());
  return out;
}

/// Opens a copy, as hex; the name of the error in words if there is one.
std::string opened(data_key& key, bytes packet) {
  packet.shrink_to_fit();
  auto plain = key.open({packet.data(), packet.size()});
  return plain ? to_hex(*plain) : to_string(plain.error());
}

std::string word(errc x) {
  return to_string(x);
}

/// The key of the derivation vectors, and IVs that count from zero.
data_key_spec vector_spec(data_cipher cipher, role self, bool v2) {
  data_key_spec spec;
  spec.cipher = cipher;
  spec.self = self;
  if (v2)
    spec.peer_id = 5;
  auto put = [&](size_t at, const char* hex) {
    auto xs = from_hex(hex);
    std::copy(xs.begin(), xs.end(), spec.keys.data() + at);
  };
  put(0, "e96b0305a0fb6050fee419048bf9d7079862cae4d8444e2e6c2bab3fbd07b31c");
  put(64, "8025c2a1a5f1d8a5ad93a883a409bcc2d9da89d5");
  put(128, "3774296caf0274ac0e875cdafa5aab4b229214cc74fdff6188660444f4ccabd3");
  put(192, "e32cd143ce88f0e86e63d3096f3dd792169fd349");
  spec.random = [](uint8_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i)
      out[i] = static_cast<uint8_t>(i);
  };
  return spec;
}

} // namespace

CAF_TEST(a ping from client to server is known byte by byte) {
  struct row {
    data_cipher cipher;
    const char* body;
  };
  for (auto& x :
       {row{data_cipher::aes_256_cbc,
            "247fa518dc8b32b05ea300211fd308429d4e5c21000102030405060708090a0b0c"
            "0d0e0fedec41292b2091628b2fff45abf6d02b0e9433a60d1ef37b1b25866e0aa2"
            "bcce"},
        row{data_cipher::none,
            "1a569274e4bb8180a1f30a6f0d75d4af3ea29f8c000000012a187bf3641eb4cb07"
            "ed2d0a981fc748"}})
    for (bool v2 : {true, false}) {
      // The header is not authenticated, so the body is that of both forms.
      auto expect = std::string{v2 ? "48000005" : "30"} + x.body;
      auto client = make(vector_spec(x.cipher, role::client, v2));
      auto packet = sealed(client, from_hex(ping_hex));
      CAF_CHECK_EQUAL(to_hex(packet), expect);
      // Whatever is opened does not depend on what is sent.
      for (bool own : {true, false}) {
        auto server = make(vector_spec(x.cipher, role::server, own));
        CAF_CHECK_EQUAL(opened(server, packet), ping_hex);
      }
    }
}

CAF_TEST(the packet of minivpn is authentic) {
  // From minivpn's internal/datachannel: AES-128-CBC and SHA1. Its plaintext is
  // a block of ff without a padding, which is refused after the HMAC.
  data_key_spec spec;
  spec.cipher = data_cipher::aes_128_cbc;
  spec.peer_id = 0;
  for (size_t slot : {0, 128}) {
    std::fill_n(spec.keys.data() + slot, 16, uint8_t{'e'});
    std::fill_n(spec.keys.data() + slot + 64, 20, uint8_t{'g'});
  }
  auto key = make(spec);
  auto packet = from_hex("48000000fdf9b069b2e5a637fa7b5c9231166ea96307e41230313"
                         "2333435363738393031323334"
                         "3581e4878c5eec602c2d2f5a95139c84af");
  CAF_CHECK_EQUAL(opened(key, packet), word(errc::bad_payload_size));
  packet.back() ^= 1;
  CAF_CHECK_EQUAL(opened(key, packet), word(errc::bad_tag));
}

CAF_TEST(room is asked for header and HMAC and IV and id and padding) {
  auto key = make(spec_of(data_cipher::aes_256_cbc, "SHA1"));
  CAF_CHECK_EQUAL(key.head_room(), 4u + 20 + 16 + 4);
  CAF_CHECK_EQUAL(key.tail_room(), 16u);
  key = make(spec_of(data_cipher::aes_128_cbc, "SHA512", false));
  CAF_CHECK_EQUAL(key.head_room(), 1u + 64 + 16 + 4);
  key = make(spec_of(data_cipher::none, "SHA256"));
  CAF_CHECK_EQUAL(key.head_room(), 4u + 32 + 4);
  CAF_CHECK_EQUAL(key.tail_room(), 0u);
  key = make(spec_of(data_cipher::none, "none", false));
  CAF_CHECK_EQUAL(key.head_room(), 1u + 4);
  CAF_CHECK_EQUAL(key.tail_room(), 0u);
}

CAF_TEST(plaintexts of all sizes survive) {
  test::seeded random{3};
  for (auto cipher : all_ciphers)
    for (auto digest : {"SHA1", "SHA256", "none"})
      for (bool v2 : {true, false}) {
        auto [client, server] = make_pair_of(cipher, digest, v2);
        for (size_t size = 1; size < 1600; size += 1 + size / 16) {
          bytes plain(size);
          random.source()(plain.data(), size);
          CAF_CHECK_EQUAL(opened(server, sealed(client, plain)), to_hex(plain));
        }
      }
}

CAF_TEST(without cipher and digest there is an id and nothing else) {
  auto [client, server] = make_pair_of(data_cipher::none, "none");
  CAF_CHECK_EQUAL(to_hex(sealed(client, from_hex("4501"))),
                  "48000005000000014501");
  CAF_CHECK_EQUAL(opened(server, from_hex("48000005000000014501")), "4501");
  CAF_CHECK_EQUAL(opened(server, from_hex("48000005000000014501")),
                  word(errc::replayed));
  CAF_CHECK_EQUAL(opened(server, from_hex("48000005000000004501")),
                  word(errc::bad_packet_id));
  CAF_CHECK_EQUAL(opened(server, from_hex("4800000500000002")),
                  word(errc::bad_payload_size));
  CAF_CHECK_EQUAL(opened(server, from_hex("48000005000000")),
                  word(errc::truncated));
}

CAF_TEST(each packet has an IV of its own) {
  auto spec = spec_of(data_cipher::aes_256_cbc, "SHA1");
  size_t draws = 0;
  spec.random = [&draws, source = spec.random](uint8_t* out, size_t n) {
    ++draws;
    source(out, n);
  };
  auto client = make(spec);
  std::set<std::string> ivs;
  for (int i = 0; i < 1000; ++i) {
    auto packet = sealed(client, from_hex("45"));
    ivs.insert(to_hex(byte_view{packet}.from(4 + 20).first(16)));
  }
  CAF_CHECK_EQUAL(ivs.size(), 1000u);
  CAF_CHECK_EQUAL(draws, 4u);
}

CAF_TEST(the IVs come from the library unless a test gives them) {
  auto spec = spec_of(data_cipher::aes_256_cbc, "SHA1");
  spec.random = nullptr;
  auto x = make(spec);
  auto y = make(spec);
  CAF_CHECK(!(sealed(x, from_hex("45")) == sealed(y, from_hex("45"))));
}

CAF_TEST(each direction has its own keys) {
  for (auto cipher : all_ciphers) {
    auto [client, server] = make_pair_of(cipher, "SHA1");
    auto up = sealed(client, from_hex("45aa"));
    auto down = sealed(server, from_hex("45bb"));
    CAF_CHECK_EQUAL(opened(client, up), word(errc::bad_tag));
    CAF_CHECK_EQUAL(opened(server, down), word(errc::bad_tag));
    CAF_CHECK_EQUAL(opened(server, up), "45aa");
    CAF_CHECK_EQUAL(opened(client, down), "45bb");
  }
}

CAF_TEST(a packet is accepted once and only after its HMAC) {
  for (auto cipher : all_ciphers) {
    auto [client, server] = make_pair_of(cipher, "SHA256");
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
}

CAF_TEST(nothing is decrypted before it is verified) {
  auto [client, server] = make_pair_of(data_cipher::aes_256_cbc, "SHA1");
  auto packet = sealed(client, bytes(100, 0x45));
  for (size_t i = 4; i < packet.size(); ++i) {
    auto damaged = packet;
    damaged[i] ^= 0x10;
    auto before = damaged;
    CAF_CHECK(!server.open({damaged.data(), damaged.size()}));
    CAF_CHECK(damaged == before);
  }
}

CAF_TEST(no bit behind the header may change) {
  for (auto cipher : all_ciphers)
    for (auto digest : all_digests)
      for (bool v2 : {true, false}) {
        auto [client, server] = make_pair_of(cipher, digest, v2);
        auto packet = sealed(client, from_hex("4500112233445566778899"));
        for (size_t i = v2 ? 4 : 1; i < packet.size(); ++i)
          for (int bit = 0; bit < 8; ++bit) {
            auto damaged = packet;
            damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1 << bit));
            CAF_CHECK_EQUAL(opened(server, damaged), word(errc::bad_tag));
          }
        for (int bit = 0; bit < 8; ++bit) {
          auto damaged = packet;
          damaged[0] = static_cast<uint8_t>(damaged[0] ^ (1 << bit));
          CAF_CHECK_EQUAL(opened(server, damaged),
                          word(bit < 3 ? errc::bad_key_id : errc::bad_opcode));
        }
        CAF_CHECK_EQUAL(opened(server, packet), "4500112233445566778899");
      }
}

CAF_TEST(the peer id is not authenticated) {
  for (size_t i = 1; i < 4; ++i) {
    auto [client, server] = make_pair_of(data_cipher::aes_128_cbc, "SHA1");
    auto packet = sealed(client, from_hex("45"));
    packet[i] ^= 0xff;
    CAF_CHECK_EQUAL(opened(server, packet), "45");
  }
}

CAF_TEST(every truncation and every extension is refused) {
  for (auto cipher : all_ciphers)
    for (auto digest : all_digests)
      for (bool v2 : {true, false}) {
        auto [client, server] = make_pair_of(cipher, digest, v2);
        auto packet = sealed(client, from_hex("4500112233"));
        auto least = (v2 ? 4 : 1) + *digest_size(digest)
                     + (cipher == data_cipher::none ? 4 : 32);
        for (size_t n = 0; n < packet.size(); ++n)
          CAF_CHECK_EQUAL(
            opened(server, bytes(packet.begin(), packet.begin() + n)),
            word(n < least ? errc::truncated : errc::bad_tag));
        for (int i = 0; i < 40; ++i) {
          auto longer = packet;
          longer.resize(packet.size() + 1 + i);
          CAF_CHECK_EQUAL(opened(server, longer), word(errc::bad_tag));
        }
        CAF_CHECK_EQUAL(opened(server, packet), "4500112233");
      }
}

CAF_TEST(without a digest damage is survived) {
  for (auto cipher : cbc_ciphers) {
    auto [client, server] = make_pair_of(cipher, "none");
    auto packet = sealed(client, bytes(50, 0x45));
    for (size_t n = 0; n < packet.size(); ++n)
      CAF_CHECK(!server.open({bytes(packet).data(), n}));
    for (size_t i = 4; i < packet.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        auto damaged = packet;
        damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1 << bit));
        auto result = server.open({damaged.data(), damaged.size()});
        CAF_CHECK(!result || result->size < packet.size());
      }
  }
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

CAF_TEST(random bytes are refused) {
  test::seeded random{5};
  for (auto cipher : all_ciphers) {
    auto [client, server] = make_pair_of(cipher, "SHA1");
    for (int i = 0; i < 5000; ++i) {
      auto xs = random.some_bytes(120);
      if (!xs.empty() && random.one_in(2))
        xs[0] = random.one_in(2) ? 0x48 : 0x30;
      CAF_CHECK(!server.open({xs.data(), xs.size()}));
    }
    CAF_CHECK_EQUAL(opened(server, sealed(client, from_hex("45"))), "45");
  }
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

CAF_TEST(an authentic packet may still be wrong) {
  for (auto cipher : all_ciphers) {
    auto spec = spec_of(cipher, "SHA1");
    auto sender = hmac_format::make(spec);
    CAF_REQUIRE(sender);
    spec.self = role::server;
    auto server = make(spec);
    auto packet = [&](uint32_t id, const bytes& plain) {
      bytes out(200);
      store_u32(out.data(), 0x48000005);
      auto size = (*sender)->seal(id, plain, out.data() + 4);
      CAF_REQUIRE(size);
      out.resize(4 + *size);
      return out;
    };
    CAF_CHECK_EQUAL(opened(server, packet(0, {0x45})),
                    word(errc::bad_packet_id));
    CAF_CHECK_EQUAL(opened(server, packet(1, {})),
                    word(errc::bad_payload_size));
    CAF_CHECK_EQUAL(opened(server, packet(2, {0x45})), "45");
    CAF_CHECK_EQUAL(opened(server, packet(2, {0x46})), word(errc::replayed));
  }
}

CAF_TEST(bad specifications make no key) {
  auto error_of = [](const data_key_spec& x) {
    auto result = data_key::make(x);
    CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
    return result ? std::string{"a key"} : to_string(result.error());
  };
  for (auto digest : {"", "no such digest", "SHAKE256", "none ", "NONE"})
    CAF_CHECK_EQUAL(error_of(spec_of(data_cipher::aes_256_cbc, digest)),
                    word(errc::tls_failed));
  for (size_t slot : {0, 64, 128, 192}) {
    auto bad = spec_of(data_cipher::aes_256_cbc, "SHA512");
    std::fill_n(bad.keys.data() + slot, 64, uint8_t{0});
    CAF_CHECK_EQUAL(error_of(bad), word(errc::tls_failed));
  }
  auto bad = spec_of(data_cipher::aes_256_cbc, "SHA1");
  bad.epoch = true;
  CAF_CHECK_EQUAL(error_of(bad), word(errc::bad_value));
  bad = spec_of(data_cipher::none, "none");
  bad.epoch = true;
  CAF_CHECK_EQUAL(error_of(bad), word(errc::bad_value));
}
