// The epoch format: known packets, the change of epochs, and what a peer or an
// attacker may not make it do.
// spec: openvpn-wire 9.8, 9.9, 15.7
#define CAF_SUITE protocol.data_key_epoch

#include "protocol/data_key_epoch.hpp"

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

constexpr uint8_t header[] = {0x48, 0, 0, 5};

data_key_spec spec_of(data_cipher cipher, role self) {
  data_key_spec result;
  result.cipher = cipher;
  result.self = self;
  result.peer_id = 5;
  result.epoch = true;
  test::seeded random{11};
  random.source()(result.keys.data(), result.keys.size());
  return result;
}

std::string word(errc x) {
  return to_string(x);
}

/// One end, below the header and above it.
struct endpoint {
  std::unique_ptr<epoch_format> format;

  explicit endpoint(const data_key_spec& spec) {
    auto made = epoch_format::make(spec);
    CAF_REQUIRE(made);
    format = std::move(*made);
  }
  bytes seal(const bytes& plain) {
    bytes out(plain.size() + epoch_format::head_room + aead_tag_size);
    auto size = format->seal(header, plain, out.data());
    CAF_REQUIRE(size);
    CAF_REQUIRE_EQUAL(*size, out.size());
    return out;
  }
  std::string open(bytes packet) {
    packet.shrink_to_fit();
    auto plain = format->open({packet.data(), packet.size()});
    return plain ? to_hex(*plain) : to_string(plain.error());
  }
};

struct world {
  endpoint client;
  endpoint server;
  explicit world(data_cipher cipher = data_cipher::aes_256_gcm,
                 const data_key_limits& limits = {})
    : client(with(cipher, role::client, limits)),
      server(with(cipher, role::server, limits)) {}

  static data_key_spec with(data_cipher cipher, role self,
                            const data_key_limits& limits) {
    auto result = spec_of(cipher, self);
    result.limits = limits;
    return result;
  }
};

std::string id_of(const bytes& packet) {
  return to_hex(byte_view{packet}.from(4).first(8));
}

bytes with_id(bytes packet, const char* hex) {
  auto id = from_hex(hex);
  std::copy(id.begin(), id.end(), packet.begin() + 4);
  return packet;
}

/// The key block and the packet of OpenVPN's test_ssl.c.
data_key_spec vector_spec(role self) {
  data_key_spec spec;
  spec.self = self;
  spec.peer_id = 0x17;
  spec.epoch = true;
  const char* text = "abcdefgh01234567ABCDEFGHjkuchenl";
  for (size_t i = 0; i < spec.keys.size(); ++i)
    spec.keys.data()[i] = static_cast<uint8_t>(text[i % 32] ^ i);
  return spec;
}

const std::string vector_plain
  = "The quick little fox jumps over the bureaucratic hurdles";

} // namespace

CAF_TEST(the packet of the reference implementation is reproduced) {
  auto made = epoch_format::make(vector_spec(role::client));
  CAF_REQUIRE(made);
  auto& client = **made;
  const uint8_t vector_header[] = {0x07, 0x00, 0x00, 0x17};
  bytes out(12 + vector_plain.size() + 16);
  CAF_REQUIRE(client.seal(vector_header, byte_view{vector_plain}, out.data()));
  CAF_CHECK_EQUAL(to_hex(byte_view{out}.from(4)),
                  "00010000000000013d98ba5b55f68e455addd90eb573e51852f4b555cdef"
                  "aa5aa3fa246166df411deba23d2bebe44484376cfb5a61417c9ff4501697"
                  "58a93820a0b54cdd93ff0b01a3265ecf19d56a06");
  auto server = epoch_format::make(vector_spec(role::server));
  CAF_REQUIRE(server);
  auto plain = (*server)->open({out.data(), out.size()});
  CAF_REQUIRE(plain);
  CAF_CHECK_EQUAL(byte_view{*plain}.text(), vector_plain);
  CAF_REQUIRE(client.move_send_to(4));
  CAF_REQUIRE(client.seal(vector_header, byte_view{vector_plain}, out.data()));
  CAF_CHECK_EQUAL(id_of(out), "0004000000000001");
  CAF_CHECK_EQUAL(to_hex(byte_view{out}.from(out.size() - 16)),
                  "0ffff5913d39d75b18573b5748589a7d");
}

CAF_TEST(a data key speaks the epoch format) {
  for (auto cipher : all_ciphers) {
    auto client = data_key::make(spec_of(cipher, role::client));
    auto server = data_key::make(spec_of(cipher, role::server));
    CAF_REQUIRE(client && server);
    CAF_CHECK_EQUAL(client->head_room(), 12u);
    CAF_CHECK_EQUAL(client->tail_room(), 16u);
    bytes out(client->sealed_size(3));
    for (uint64_t i = 1; i < 4; ++i) {
      CAF_REQUIRE(client->seal(from_hex("450102"), out.data()));
      CAF_CHECK_EQUAL(client->last_packet_id(), (uint64_t{1} << 48) + i);
      CAF_CHECK_EQUAL(to_hex(byte_view{out}.first(4)), "48000005");
      auto plain = server->open({out.data(), out.size()});
      CAF_REQUIRE(plain);
      CAF_CHECK_EQUAL(to_hex(*plain), "450102");
    }
    CAF_CHECK(!client->wants_rekey() && !client->exhausted());
  }
}

CAF_TEST(the epoch format needs an AEAD and a peer id) {
  auto spec = spec_of(data_cipher::aes_256_gcm, role::client);
  spec.peer_id.reset();
  auto x = data_key::make(spec);
  CAF_REQUIRE(!x);
  CAF_CHECK(x.error() == errc::bad_value);
  for (auto cipher : {data_cipher::aes_256_cbc, data_cipher::none}) {
    auto y = data_key::make(spec_of(cipher, role::client));
    CAF_REQUIRE(!y);
    CAF_CHECK(y.error() == errc::bad_value);
  }
  for (size_t slot : {0, 128}) {
    spec = spec_of(data_cipher::aes_128_gcm, role::client);
    std::fill_n(spec.keys.data() + slot, 32, uint8_t{0});
    auto z = data_key::make(spec);
    CAF_REQUIRE(!z);
    CAF_CHECK(z.error() == errc::tls_failed);
  }
}

CAF_TEST(the first version of the header is refused) {
  auto server = data_key::make(spec_of(data_cipher::aes_256_gcm, role::server));
  CAF_REQUIRE(server);
  // Epoch 0x0101 is far ahead.
  bytes packet(60, 1);
  for (auto [first, expect] : {std::make_pair(0x30, errc::bad_opcode),
                               std::make_pair(0x20, errc::bad_opcode),
                               std::make_pair(0x49, errc::bad_key_id),
                               std::make_pair(0x48, errc::outside_window)}) {
    packet[0] = static_cast<uint8_t>(first);
    auto x = server->open({packet.data(), packet.size()});
    CAF_REQUIRE(!x);
    CAF_CHECK_EQUAL(word(x.error()), word(expect));
  }
}

CAF_TEST(plaintexts of all sizes survive) {
  test::seeded random{3};
  for (auto cipher : all_ciphers) {
    world w{cipher};
    for (size_t size = 1; size < 1600; size += 1 + size / 16) {
      bytes plain(size);
      random.source()(plain.data(), size);
      CAF_CHECK_EQUAL(w.server.open(w.client.seal(plain)), to_hex(plain));
      CAF_CHECK_EQUAL(w.client.open(w.server.seal(plain)), to_hex(plain));
    }
  }
}

CAF_TEST(no bit of a packet may change) {
  for (auto cipher : all_ciphers) {
    world w{cipher};
    auto packet = w.client.seal(from_hex("4500112233445566778899"));
    for (size_t i = 0; i < packet.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        auto damaged = packet;
        damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1 << bit));
        CAF_CHECK(!w.server.format->open({damaged.data(), damaged.size()}));
      }
    CAF_CHECK_EQUAL(w.server.format->receive_epoch(), 1u);
    CAF_CHECK_EQUAL(w.server.open(packet), "4500112233445566778899");
  }
}

CAF_TEST(every truncation and every extension is refused) {
  world w;
  auto packet = w.client.seal(from_hex("4500112233"));
  auto before = packet.size() - 5;
  for (size_t n = 4; n < packet.size(); ++n)
    CAF_CHECK_EQUAL(w.server.open(bytes(packet.begin(), packet.begin() + n)),
                    word(n < before    ? errc::truncated
                         : n == before ? errc::bad_payload_size
                                       : errc::bad_tag));
  auto longer = packet;
  longer.push_back(0);
  CAF_CHECK_EQUAL(w.server.open(longer), word(errc::bad_tag));
  CAF_CHECK_EQUAL(w.server.open(packet), "4500112233");
  auto key = data_key::make(spec_of(data_cipher::aes_256_gcm, role::server));
  CAF_REQUIRE(key);
  for (size_t n = 0; n < before; ++n) {
    auto x = key->open({bytes(packet).data(), n});
    CAF_REQUIRE(!x);
    CAF_CHECK_EQUAL(word(x.error()), word(errc::truncated));
  }
}

CAF_TEST(a packet is accepted once and ids of zero never) {
  world w;
  auto first = w.client.seal(from_hex("4501"));
  auto second = w.client.seal(from_hex("4502"));
  CAF_CHECK_EQUAL(w.server.open(second), "4502");
  CAF_CHECK_EQUAL(w.server.open(second), word(errc::replayed));
  CAF_CHECK_EQUAL(w.server.open(first), "4501");
  CAF_CHECK_EQUAL(w.server.open(first), word(errc::replayed));
  CAF_CHECK_EQUAL(w.server.open(with_id(first, "0000000000000001")),
                  word(errc::bad_packet_id));
  CAF_CHECK_EQUAL(w.server.open(with_id(first, "0001000000000000")),
                  word(errc::bad_packet_id));
}

// -- the change of epochs --

CAF_TEST(the sender begins an epoch at the limit of GCM) {
  data_key_limits limits;
  limits.usage = 5;
  for (auto cipher : all_ciphers) {
    world w{cipher, limits};
    // Two for each packet: the third one passes the limit.
    for (int i = 0; i < 3; ++i)
      CAF_CHECK_EQUAL(w.server.open(w.client.seal(bytes(16, 0x45))).size(),
                      32u);
    auto fourth = w.client.seal(bytes(16, 0x45));
    if (cipher == data_cipher::chacha20_poly1305) {
      CAF_CHECK_EQUAL(id_of(fourth), "0001000000000004");
      continue;
    }
    CAF_CHECK_EQUAL(id_of(fourth), "0002000000000001");
    CAF_CHECK_EQUAL(w.server.open(fourth).size(), 32u);
    CAF_CHECK_EQUAL(w.server.format->receive_epoch(), 2u);
    CAF_CHECK(!w.client.format->wants_rekey());
  }
}

CAF_TEST(the sender begins an epoch when its counter ends) {
  data_key_limits limits;
  limits.last_counter = 3;
  for (auto cipher : all_ciphers) {
    world w{cipher, limits};
    for (int i = 1; i <= 10; ++i) {
      auto packet = w.client.seal(from_hex("45"));
      char expect[20];
      std::snprintf(expect, sizeof(expect), "%04x%012x", 1 + (i - 1) / 3,
                    1 + (i - 1) % 3);
      CAF_CHECK_EQUAL(id_of(packet), expect);
      CAF_CHECK_EQUAL(w.server.open(packet), "45");
    }
  }
}

CAF_TEST(a newer epoch of the peer moves the own one) {
  world w;
  CAF_REQUIRE(w.client.format->move_send_to(3));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
  CAF_CHECK_EQUAL(w.server.format->receive_epoch(), 3u);
  auto answer = w.server.seal(from_hex("46"));
  CAF_CHECK_EQUAL(id_of(answer), "0003000000000001");
  CAF_CHECK_EQUAL(w.client.open(answer), "46");
  // The client is there already.
  CAF_CHECK_EQUAL(id_of(w.client.seal(from_hex("45"))), "0003000000000002");
}

CAF_TEST(an older epoch of the peer does not move the own one) {
  world w;
  CAF_REQUIRE(w.client.format->move_send_to(3));
  CAF_CHECK_EQUAL(w.client.open(w.server.seal(from_hex("46"))), "46");
  CAF_CHECK_EQUAL(w.client.format->send_epoch(), 3u);
  CAF_REQUIRE(w.server.format->move_send_to(2));
  CAF_CHECK_EQUAL(w.client.open(w.server.seal(from_hex("47"))), "47");
  CAF_CHECK_EQUAL(w.client.format->send_epoch(), 3u);
  CAF_CHECK_EQUAL(w.client.format->receive_epoch(), 2u);
}

CAF_TEST(a peer that overuses its key is shown a newer epoch) {
  data_key_limits limits;
  limits.usage = 5;
  data_key_limits lax;
  endpoint client{world::with(data_cipher::aes_256_gcm, role::client, lax)};
  endpoint server{world::with(data_cipher::aes_256_gcm, role::server, limits)};
  for (int i = 0; i < 4; ++i)
    CAF_CHECK_EQUAL(server.open(client.seal(from_hex("45"))), "45");
  auto answer = server.seal(from_hex("46"));
  CAF_CHECK_EQUAL(id_of(answer), "0002000000000001");
  // Once, until the peer has followed.
  answer = server.seal(from_hex("46"));
  CAF_CHECK_EQUAL(id_of(answer), "0002000000000002");
  CAF_CHECK_EQUAL(client.open(answer), "46");
  CAF_CHECK_EQUAL(id_of(client.seal(from_hex("45"))), "0002000000000001");
}

CAF_TEST(a sender does not run away from a silent peer) {
  data_key_limits limits;
  limits.last_counter = 1;
  world w{data_cipher::aes_256_gcm, limits};
  for (int i = 1; i <= 17; ++i) {
    CAF_CHECK(!w.client.format->exhausted());
    CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
    CAF_CHECK_EQUAL(w.client.format->send_epoch(), i);
  }
  CAF_CHECK(w.client.format->exhausted());
  bytes out(100);
  CAF_CHECK(!w.client.format->seal(header, from_hex("45"), out.data()));
  CAF_CHECK(w.client.format->wants_rekey());
  // One packet of the peer and it goes on.
  CAF_CHECK_EQUAL(w.client.open(w.server.seal(from_hex("46"))), "46");
  CAF_CHECK(!w.client.format->exhausted());
  CAF_CHECK_EQUAL(id_of(w.client.seal(from_hex("45"))), "0012000000000001");
}

CAF_TEST(late packets of one epoch before are accepted once) {
  world w;
  auto first = w.client.seal(from_hex("4501"));
  auto second = w.client.seal(from_hex("4502"));
  CAF_REQUIRE(w.client.format->move_send_to(2));
  auto third = w.client.seal(from_hex("4503"));
  CAF_CHECK_EQUAL(w.server.open(third), "4503");
  // The window is of its own epoch: counter one was seen in both.
  CAF_CHECK_EQUAL(w.server.open(first), "4501");
  CAF_CHECK_EQUAL(w.server.open(first), word(errc::replayed));
  CAF_REQUIRE(w.client.format->move_send_to(3));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("4504"))), "4504");
  CAF_CHECK_EQUAL(w.server.open(second), word(errc::replayed));
  CAF_CHECK_EQUAL(w.server.open(third), word(errc::replayed));
  CAF_CHECK_EQUAL(w.server.format->receive_epoch(), 3u);
}

CAF_TEST(epochs may be skipped and the skipped ones are gone) {
  world w;
  auto first = w.client.seal(from_hex("4501"));
  CAF_REQUIRE(w.client.format->move_send_to(4));
  auto skipped = w.client.seal(from_hex("4504"));
  CAF_REQUIRE(w.client.format->move_send_to(17));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("4517"))), "4517");
  CAF_CHECK_EQUAL(w.server.open(skipped), word(errc::replayed));
  // The epoch before is the one that was used before.
  CAF_CHECK_EQUAL(w.server.open(first), "4501");
}

CAF_TEST(sixteen epochs ahead are accepted and not one more) {
  world w;
  CAF_REQUIRE(w.client.format->move_send_to(18));
  auto packet = w.client.seal(from_hex("45"));
  CAF_CHECK_EQUAL(w.server.open(packet), word(errc::outside_window));
  CAF_CHECK_EQUAL(w.server.format->keys_made(), 0u);
  world v;
  CAF_REQUIRE(v.client.format->move_send_to(17));
  CAF_CHECK_EQUAL(v.server.open(v.client.seal(from_hex("45"))), "45");
  CAF_CHECK_EQUAL(v.server.open(packet), "45");
}

CAF_TEST(many epochs in a row) {
  world w;
  test::seeded random{17};
  uint16_t epoch = 1;
  for (int i = 0; i < 200; ++i) {
    epoch = static_cast<uint16_t>(epoch + 1 + random.below(16));
    auto& from = random.one_in(2) ? w.client : w.server;
    auto& to = &from == &w.client ? w.server : w.client;
    // Neither end may run away from the other one.
    auto behind
      = std::min(to.format->receive_epoch(), from.format->receive_epoch());
    epoch = std::min<uint16_t>(epoch, static_cast<uint16_t>(behind + 16));
    if (epoch > from.format->send_epoch())
      CAF_REQUIRE(from.format->move_send_to(epoch));
    CAF_CHECK_EQUAL(to.open(from.seal(from_hex("45"))), "45");
    CAF_CHECK_EQUAL(to.open(from.seal(from_hex("46"))), "46");
  }
}

// -- attacks --

CAF_TEST(forgeries cost a key for each epoch and not for each packet) {
  world w;
  test::seeded random{19};
  auto packet = w.client.seal(from_hex("4500"));
  for (int i = 0; i < 20000; ++i) {
    auto forged = packet;
    store_u16(forged.data() + 4, static_cast<uint16_t>(random.below(40)));
    forged[11] = static_cast<uint8_t>(1 + random.below(200));
    forged.back() ^= 1;
    CAF_REQUIRE(!w.server.format->open({forged.data(), forged.size()}));
  }
  CAF_CHECK_EQUAL(w.server.format->keys_made(), 16u);
  CAF_CHECK_EQUAL(w.server.format->receive_epoch(), 1u);
  CAF_CHECK_EQUAL(w.server.format->send_epoch(), 1u);
  // What was made is good, and is not made again.
  CAF_REQUIRE(w.client.format->move_send_to(9));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
  CAF_REQUIRE(w.client.format->move_send_to(17));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
  CAF_CHECK_EQUAL(w.server.format->keys_made(), 16u);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
}

CAF_TEST(random bytes are refused) {
  auto key = data_key::make(spec_of(data_cipher::aes_128_gcm, role::server));
  CAF_REQUIRE(key);
  test::seeded random{5};
  for (int i = 0; i < 20000; ++i) {
    auto xs = random.some_bytes(80);
    if (!xs.empty() && !random.one_in(4))
      xs[0] = 0x48;
    if (xs.size() > 6 && !random.one_in(4))
      store_u16(xs.data() + 4, static_cast<uint16_t>(random.below(20)));
    CAF_CHECK(!key->open({xs.data(), xs.size()}));
  }
  CAF_CHECK(!key->wants_rekey());
}

CAF_TEST(too many forgeries end the key of an epoch) {
  data_key_limits limits;
  limits.forgeries_tolerated = 3;
  limits.forgeries_endured = 5;
  world w{data_cipher::aes_256_gcm, limits};
  auto packet = w.client.seal(from_hex("45"));
  auto forged = packet;
  forged.back() ^= 1;
  for (int i = 1; i <= 5; ++i) {
    CAF_CHECK_EQUAL(w.server.open(forged), word(errc::bad_tag));
    CAF_CHECK_EQUAL(w.server.format->wants_rekey(), i >= 3);
  }
  CAF_CHECK_EQUAL(w.server.open(packet), word(errc::wrong_state));
  // Another epoch has another key.
  CAF_REQUIRE(w.client.format->move_send_to(2));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
}

// -- the end --

CAF_TEST(late epochs ask for a renegotiation) {
  data_key_limits limits;
  limits.rekey_epoch = 4;
  world w{data_cipher::aes_256_gcm, limits};
  CAF_REQUIRE(w.client.format->move_send_to(3));
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
  CAF_CHECK(!w.client.format->wants_rekey() && !w.server.format->wants_rekey());
  CAF_REQUIRE(w.client.format->move_send_to(4));
  CAF_CHECK(w.client.format->wants_rekey());
  CAF_CHECK_EQUAL(w.server.open(w.client.seal(from_hex("45"))), "45");
  CAF_CHECK(w.server.format->wants_rekey());
}

CAF_TEST(the last epoch is the end) {
  data_key_limits limits;
  limits.last_counter = 2;
  world w{data_cipher::aes_256_gcm, limits};
  auto& x = *w.client.format;
  CAF_REQUIRE(x.move_send_to(0xefff));
  CAF_CHECK(!x.wants_rekey());
  CAF_REQUIRE(x.move_send_to(0xffff));
  CAF_CHECK(x.wants_rekey() && !x.exhausted());
  CAF_CHECK_EQUAL(id_of(w.client.seal(from_hex("45"))), "ffff000000000001");
  CAF_CHECK_EQUAL(id_of(w.client.seal(from_hex("45"))), "ffff000000000002");
  CAF_CHECK(x.exhausted());
  bytes out(100);
  auto y = x.seal(header, from_hex("45"), out.data());
  CAF_REQUIRE(!y);
  CAF_CHECK(y.error() == errc::bad_packet_id);
  // A receiver there has no future keys and does not go round.
  CAF_REQUIRE(w.server.format->move_send_to(0xffff));
}
