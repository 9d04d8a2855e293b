// A data key that goes on where another owner of it may have come to: in no
// format an id is sent twice, or accepted twice.
// spec: openvpn-wire 9.6, 9.7, 9.9
#define CAF_SUITE protocol.data_key_resume

#include "vpn/protocol/data_key.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn;
using namespace vpn::protocol;

namespace {

struct format {
  data_cipher cipher;
  bool epoch;
};
constexpr format formats[] = {
  {data_cipher::aes_256_gcm, false},
  {data_cipher::aes_256_cbc, false},
  {data_cipher::none, false},
  {data_cipher::aes_256_gcm, true},
  {data_cipher::chacha20_poly1305, true},
};

data_key make(const format& x, role self, const data_key_limits& limits = {}) {
  data_key_spec spec;
  spec.cipher = x.cipher;
  spec.epoch = x.epoch;
  spec.self = self;
  spec.peer_id = 5;
  spec.limits = limits;
  spec.random = test::seeded{13}.source();
  test::seeded random{11};
  random.source()(spec.keys.data(), spec.keys.size());
  auto result = data_key::make(spec);
  CAF_REQUIRE(result);
  return std::move(*result);
}

/// An empty one when there is no id left.
bytes seal(data_key& key) {
  bytes out(key.head_room() + 1 + key.tail_room());
  auto size = key.seal(from_hex("45"), out.data());
  if (!size) {
    CAF_CHECK(size.error() == errc::bad_packet_id);
    return {};
  }
  out.resize(*size);
  return out;
}

std::string open(data_key& key, bytes packet) {
  auto plain = key.open({packet.data(), packet.size()});
  return plain ? to_hex(*plain) : to_string(plain.error());
}

const auto replayed = to_string(errc::replayed);
const auto opened = std::string{"45"};

/// The number of an id within its epoch.
uint64_t counter_of(const data_key& key) {
  return key.last_packet_id() & 0xffffffffffff;
}

} // namespace

CAF_TEST(ids are skipped in every format) {
  for (auto& x : formats) {
    auto client = make(x, role::client);
    auto server = make(x, role::server);
    for (int i = 0; i < 3; ++i)
      CAF_CHECK_EQUAL(open(server, seal(client)), opened);
    client.skip_ids(1000, 1000);
    CAF_CHECK_EQUAL(counter_of(client), 1003u);
    CAF_CHECK_EQUAL(open(server, seal(client)), opened);
    CAF_CHECK_EQUAL(counter_of(client), 1004u);
    CAF_CHECK(!client.exhausted());
    CAF_CHECK(!client.wants_rekey());
  }
}

CAF_TEST(the window is closed in every format) {
  for (auto& x : formats)
    for (uint32_t gap : {0u, 1u, 63u, 64u, 2048u, 5000u}) {
      auto client = make(x, role::client);
      auto server = make(x, role::server);
      std::vector<bytes> packets;
      for (uint32_t i = 0; i < gap + 200; ++i)
        packets.push_back(seal(client));
      // Every second one arrives, up to the hundredth.
      for (size_t i = 0; i < 100; i += 2)
        CAF_REQUIRE_EQUAL(open(server, packets[i]), opened);
      server.skip_ids(gap, gap);
      // The highest one was the 99th.
      for (size_t i = 0; i < packets.size(); ++i) {
        auto above = i >= 99 + gap;
        CAF_REQUIRE_EQUAL(open(server, packets[i]), above ? opened : replayed);
      }
    }
}

CAF_TEST(a key with too few ids left is exhausted and never begins anew) {
  data_key_limits limits;
  limits.rekey_id = 90;
  limits.last_id = 100;
  for (auto& x : formats) {
    if (x.epoch)
      continue;
    for (uint32_t gap : {89u, 90u, 98u, 99u, 100u, 1000u, 0xffffffffu}) {
      auto client = make(x, role::client, limits);
      CAF_CHECK(!seal(client).empty());
      client.skip_ids(gap, gap);
      CAF_CHECK(client.wants_rekey());
      CAF_CHECK_EQUAL(client.exhausted(), gap >= 99);
      uint64_t left = gap >= 99 ? 0 : 99 - gap;
      for (uint64_t i = 0; i < left; ++i)
        CAF_CHECK(!seal(client).empty());
      CAF_CHECK(seal(client).empty());
      CAF_CHECK(client.exhausted());
      CAF_CHECK_EQUAL(client.last_packet_id(), 100u);
      client.skip_ids(0xffffffff, 0xffffffff);
      CAF_CHECK(seal(client).empty());
    }
  }
  // With the limits of the wire as well.
  auto client = make(formats[0], role::client);
  CAF_CHECK(!seal(client).empty());
  client.skip_ids(0xffffffff, 0xffffffff);
  CAF_CHECK(client.exhausted());
  CAF_CHECK(seal(client).empty());
}

CAF_TEST(nothing is received any more when the gap goes beyond all ids) {
  auto client = make(formats[0], role::client);
  auto server = make(formats[0], role::server);
  CAF_CHECK_EQUAL(open(server, seal(client)), opened);
  server.skip_ids(0xffffffff, 0xffffffff);
  for (int i = 0; i < 10; ++i)
    CAF_CHECK_EQUAL(open(server, seal(client)), replayed);
}

// -- epochs --

CAF_TEST(with epochs a gap beyond the counter goes on in the next epoch) {
  data_key_limits limits;
  limits.last_counter = 10;
  const format x{data_cipher::aes_256_gcm, true};
  auto client = make(x, role::client, limits);
  auto server = make(x, role::server, limits);
  CAF_CHECK_EQUAL(open(server, seal(client)), opened);
  // Somebody else may have used the rest of this epoch, and up to four of the
  // next: five ids in each are enough to stay away from.
  client.skip_ids(5, 5);
  CAF_CHECK_EQUAL(client.last_packet_id(), 0x0001000000000006u);
  client.skip_ids(4, 4);
  CAF_CHECK(!client.exhausted());
  CAF_CHECK_EQUAL(open(server, seal(client)), opened);
  CAF_CHECK_EQUAL(client.last_packet_id(), 0x000200000000000au);
  // A gap that leaves nothing of any epoch leaves nothing at all.
  client.skip_ids(1, 1);
  CAF_CHECK(client.exhausted());
  CAF_CHECK(client.wants_rekey());
  CAF_CHECK(seal(client).empty());
}

CAF_TEST(whatever epochs the old owner went through no id is sent twice) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    test::seeded random{seed};
    data_key_limits limits;
    // Five packets of one block for each epoch at most.
    limits.usage = 8 + random.below(10);
    limits.last_counter = 40;
    const format x{data_cipher::aes_128_gcm, true};
    std::set<uint64_t> used;
    auto old = make(x, role::client, limits);
    auto fresh = make(x, role::client, limits);
    auto peer = make(x, role::server, limits);
    auto use = [&](data_key& key) {
      auto packet = seal(key);
      if (packet.empty())
        return false;
      CAF_REQUIRE(used.insert(key.last_packet_id()).second);
      return true;
    };
    auto n = random.below(20);
    // The fresh one has what the old one had then.
    for (uint32_t i = random.below(6); i > 0; --i) {
      CAF_REQUIRE(use(old));
      static_cast<void>(seal(fresh));
    }
    for (uint32_t i = 0; i < n; ++i) {
      use(old);
      if (random.one_in(4))
        open(old, seal(peer));
    }
    fresh.skip_ids(n, n);
    size_t went = 0;
    for (int i = 0; i < 100; ++i) {
      went += use(fresh) ? 1 : 0;
      if (random.one_in(4))
        open(fresh, seal(peer));
    }
    CAF_CHECK(went > 20);
  }
}

CAF_TEST(whatever epochs the old owner accepted nothing is accepted twice) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    test::seeded random{seed};
    data_key_limits limits;
    limits.usage = 8 + random.below(10);
    const format x{data_cipher::aes_128_gcm, true};
    auto peer = make(x, role::server, limits);
    auto old = make(x, role::client, limits);
    auto fresh = make(x, role::client, limits);
    auto n = random.below(30);
    std::vector<bytes> packets;
    for (uint32_t i = 0; i < 10 + n; ++i) {
      packets.push_back(seal(peer));
      // The peer sees our epochs, too, or it would stop at sixteen.
      open(peer, seal(old));
      if (i < 10) {
        static_cast<void>(seal(fresh));
        CAF_REQUIRE_EQUAL(open(fresh, packets.back()), opened);
      }
      CAF_REQUIRE_EQUAL(open(old, packets.back()), opened);
    }
    fresh.skip_ids(n, n);
    for (auto& packet : packets)
      CAF_CHECK(open(fresh, packet) != opened);
    // What comes above the gap is.
    bool heard = false;
    for (uint32_t i = 0; i < 10 + 10 * n && !heard; ++i)
      heard = open(fresh, seal(peer)) == opened;
    CAF_CHECK(heard || n > limits.usage / 2);
  }
}
