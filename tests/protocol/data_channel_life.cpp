// The data channel: which key sends, how long keys live, keepalive.
// spec: openvpn-wire 7.2 (inactive), 11, 12.2, 12.4, 12.5
#define CAF_SUITE protocol.data_channel_life

#include "vpn/protocol/data_channel.hpp"

#include "tests/support/data_tunnel.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/evp.h>

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;
using vpn::test::at;
using vpn::test::owned_slab;
using vpn::test::spec_of;
using vpn::test::tunnel;

namespace {

template <class T>
std::optional<T> next_event(data_channel& x) {
  auto event = x.poll_event();
  if (!event || !std::holds_alternative<T>(*event))
    return std::nullopt;
  return std::get<T>(*event);
}

/// A packet of the client with an id of our choice, made without the product.
bytes with_id(uint32_t id, uint8_t key_id, byte_view plain) {
  auto spec = spec_of(role::client, key_id);
  bytes out(24 + plain.size());
  store_u32(out.data(), ((uint32_t{72} + key_id) << 24) | 5);
  store_u32(out.data() + 4, id);
  bytes nonce(out.begin() + 4, out.begin() + 8);
  byte_writer{nonce}.append(spec.keys.slice(64, 8));
  auto* ctx = EVP_CIPHER_CTX_new();
  int n = 0;
  EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), nullptr, spec.keys.data(),
                     nonce.data());
  EVP_EncryptUpdate(ctx, nullptr, &n, out.data(), 8);
  EVP_EncryptUpdate(ctx, out.data() + 24, &n, plain.data(),
                    static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(ctx, out.data() + 24 + n, &n);
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + 8);
  EVP_CIPHER_CTX_free(ctx);
  return out;
}

} // namespace

// -- keys ---------------------------------------------------------------------

CAF_TEST(a key is never started twice) {
  tunnel t;
  auto spec = spec_of(role::client, 0);
  spec.key_id = 1;
  auto result = t.client.install(spec, at(1s));
  CAF_REQUIRE(!result);
  CAF_CHECK(result.error() == errc::wrong_state);
  // The very same request may come again, and the key goes on.
  for (uint32_t id = 1; id < 4; ++id) {
    CAF_CHECK(t.client.install(spec_of(role::client, 0), at(1s)));
    CAF_CHECK_EQUAL(t.sends_with(t.client, 1s), 0);
    CAF_CHECK_EQUAL(load_u32(t.wire.slab.data + 4), id);
  }
  CAF_CHECK(t.client.newest_key() == 0);
  CAF_CHECK(t.client.install(spec_of(role::client, 0, 77), at(1s)));
  auto bad = spec_of(role::client, 1);
  bad.keys = {};
  CAF_CHECK(!t.client.install(bad, at(1s)));
  CAF_CHECK_EQUAL(t.sends_with(t.client, 2s), 0);
}

CAF_TEST(the first key sends at once and tells when it is confirmed) {
  tunnel t;
  CAF_CHECK_EQUAL(t.sends_with(t.client, 0s), 0);
  CAF_CHECK(!t.server.poll_event());
  t.server.open(t.wire.slab, at(0s));
  auto event = next_event<key_confirmed>(t.server);
  CAF_REQUIRE(event);
  CAF_CHECK_EQUAL(event->key_id, 0u);
  t.sends_with(t.client, 0s);
  t.server.open(t.wire.slab, at(0s));
  CAF_CHECK(!t.server.poll_event());
}

CAF_TEST(a new key starts sending after its delay) {
  tunnel t;
  t.install(1, 100s);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 100s), 0);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 159s), 0);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 160s), 1);
}

CAF_TEST(a new key starts sending when the peer uses it) {
  tunnel t;
  t.install(1, 100s);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 160s), 1);
  CAF_CHECK_EQUAL(t.sends_with(t.server, 101s), 0);
  t.sends_with(t.client, 160s);
  t.server.open(t.wire.slab, at(101s));
  auto event = next_event<key_confirmed>(t.server);
  CAF_REQUIRE(event);
  CAF_CHECK_EQUAL(event->key_id, 1u);
  CAF_CHECK_EQUAL(t.sends_with(t.server, 101s), 1);
}

CAF_TEST(both keys open packets until the old one is retired) {
  data_channel_config cfg;
  cfg.transition_window = 300s;
  tunnel t{cfg};
  t.install(1, 100s);
  auto opens = [&t](duration sealed, duration now) {
    t.sends_with(t.client, sealed);
    t.server.handle_timeout(at(now));
    t.server.open(t.wire.slab, at(now));
    return t.wire.slab.count == 1;
  };
  CAF_CHECK(opens(160s, 160s));
  CAF_CHECK(opens(101s, 160s));
  CAF_CHECK(t.server.poll_timeout() == at(400s).steady);
  CAF_CHECK(opens(101s, 399s));
  CAF_CHECK(!opens(101s, 400s));
  CAF_CHECK_EQUAL(t.server.statistics().drops.of(errc::no_key), 1u);
  CAF_CHECK(opens(401s, 400s));
  CAF_CHECK(!t.server.poll_timeout());
}

CAF_TEST(a third key drops the oldest) {
  tunnel t;
  t.install(1, 100s);
  t.install(2, 110s);
  CAF_CHECK(t.usable);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 111s), 1);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 170s), 2);
  CAF_CHECK(t.client.poll_timeout() == at(110s + 3600s).steady);
  t.client.retire(2);
  CAF_CHECK_EQUAL(t.sends_with(t.client, 170s), 1);
  CAF_CHECK(!t.client.poll_timeout());
  t.client.retire(1);
  t.client.retire(0);
  t.client.retire(200);
  CAF_CHECK(!t.client.has_key());
  CAF_CHECK_EQUAL(t.sends_with(t.client, 170s), -1);
}

CAF_TEST(a key whose ids run out asks for another one once) {
  tunnel t;
  for (uint32_t id : {0xfeffffffu, 0xff000000u, 0xffffffffu}) {
    t.wire.slab.clear();
    t.wire.put(with_id(id, 0, ping_magic()));
    t.server.open(t.wire.slab, at(1s));
    if (id == 0xfeffffffu)
      CAF_CHECK(next_event<key_confirmed>(t.server));
    if (id == 0xff000000u) {
      auto event = next_event<rekey_needed>(t.server);
      CAF_REQUIRE(event);
      CAF_CHECK_EQUAL(event->key_id, 0u);
    }
    CAF_CHECK(!t.server.poll_event());
  }
  CAF_CHECK_EQUAL(t.server.statistics().pings_received, 3u);
}

CAF_TEST(a key that has carried enough asks for another one once) {
  for (bool by_packets : {false, true}) {
    data_channel_config cfg;
    // Packets of 40 bytes; both directions count.
    cfg.reneg_bytes = by_packets ? 0 : 400;
    cfg.reneg_packets = by_packets ? 10 : 0;
    tunnel t{cfg};
    t.client.configure({}, at(0s));
    for (int i = 1; i <= 20; ++i) {
      if (i % 2 == 0) {
        t.sends_with(t.server, 1s);
      } else {
        t.sends_with(t.client, 1s);
        t.server.open(t.wire.slab, at(1s));
      }
      if (i == 1)
        CAF_CHECK(next_event<key_confirmed>(t.server));
      auto event = next_event<rekey_needed>(t.server);
      CAF_CHECK_EQUAL(event.has_value(), i == 10);
      if (event)
        CAF_CHECK_EQUAL(event->key_id, 0u);
    }
    CAF_CHECK(!t.client.statistics().drops.total());
    while (t.client.poll_event()) {
    }
    t.install(1, 2s);
    for (int i = 1; i <= 10; ++i) {
      CAF_CHECK_EQUAL(t.sends_with(t.server, 100s), 1);
      CAF_CHECK_EQUAL(next_event<rekey_needed>(t.server).has_value(), i == 10);
    }
  }
}

CAF_TEST(pings wear a key as packets do) {
  data_channel_config cfg;
  cfg.ping = 10s;
  cfg.reneg_packets = 2;
  tunnel t{cfg};
  CAF_CHECK(t.client.poll_ping(t.wire.slab, at(10s)));
  CAF_CHECK(!t.client.poll_event());
  CAF_CHECK(t.client.poll_ping(t.wire.slab, at(20s)));
  CAF_CHECK(next_event<rekey_needed>(t.client));
}

// -- keepalive ----------------------------------------------------------------

CAF_TEST(a ping leaves when nothing else was sent) {
  data_channel_config cfg;
  cfg.ping = 10s;
  tunnel t{cfg};
  CAF_CHECK(t.client.poll_timeout() == at(10s).steady);
  CAF_CHECK(!t.client.poll_ping(t.wire.slab, at(9s)));
  t.sends_with(t.client, 5s);
  CAF_CHECK(!t.client.poll_ping(t.wire.slab, at(14s)));
  CAF_CHECK(t.client.poll_timeout() == at(15s).steady);
  t.wire.slab.clear();
  CAF_CHECK(t.client.poll_ping(t.wire.slab, at(15s)));
  CAF_CHECK(!t.client.poll_ping(t.wire.slab, at(15s)));
  CAF_CHECK(t.client.poll_timeout() == at(25s).steady);
  CAF_CHECK_EQUAL(t.client.statistics().pings_sent, 1u);
  CAF_CHECK_EQUAL(t.client.statistics().packets_sealed, 1u);
  CAF_REQUIRE_EQUAL(t.wire.slab.count, 1u);
  t.server.open(t.wire.slab, at(15s));
  CAF_CHECK_EQUAL(t.wire.slab.count, 0u);
  CAF_CHECK_EQUAL(t.server.statistics().pings_received, 1u);
}

CAF_TEST(without a key no ping is due) {
  data_channel_config cfg;
  cfg.ping = 10s;
  data_channel x{cfg};
  owned_slab out;
  CAF_CHECK(!x.poll_timeout());
  CAF_CHECK(!x.poll_ping(out.slab, at(100s)));
}

CAF_TEST(silence is told once until the peer is heard again) {
  data_channel_config cfg;
  cfg.ping_restart = 60s;
  tunnel t{cfg};
  CAF_CHECK(t.server.poll_timeout() == at(60s).steady);
  t.server.handle_timeout(at(59s));
  CAF_CHECK(!t.server.poll_event());
  t.server.handle_heard(at(30s));
  t.server.handle_timeout(at(60s));
  CAF_CHECK(!t.server.poll_event());
  t.sends_with(t.client, 40s);
  auto replay = t.wire.packets();
  t.server.open(t.wire.slab, at(40s));
  CAF_CHECK(next_event<key_confirmed>(t.server));
  // What is not valid does not count as life.
  t.wire.slab.clear();
  t.wire.put(replay[0]);
  t.server.open(t.wire.slab, at(99s));
  CAF_CHECK(t.server.poll_timeout() == at(100s).steady);
  t.server.handle_timeout(at(100s));
  t.server.handle_timeout(at(101s));
  CAF_CHECK(next_event<peer_silent>(t.server));
  CAF_CHECK(!t.server.poll_event());
  CAF_CHECK(!t.server.poll_timeout());
  t.server.handle_heard(at(102s));
  t.server.handle_timeout(at(162s));
  CAF_CHECK(next_event<peer_silent>(t.server));
}

CAF_TEST(a ping counts as life) {
  data_channel_config cfg;
  cfg.ping = 10s;
  cfg.ping_restart = 60s;
  tunnel t{cfg};
  CAF_CHECK(t.client.poll_ping(t.wire.slab, at(50s)));
  t.server.open(t.wire.slab, at(50s));
  t.server.handle_timeout(at(109s));
  CAF_CHECK(next_event<key_confirmed>(t.server));
  CAF_CHECK(!t.server.poll_event());
  CAF_CHECK(t.client.poll_timeout() == at(60s).steady);
}

CAF_TEST(configuring starts the timers anew) {
  data_channel x;
  CAF_CHECK(!x.poll_timeout());
  data_channel_config cfg;
  cfg.ping_restart = 60s;
  x.configure(cfg, at(5s));
  CAF_CHECK(x.poll_timeout() == at(65s).steady);
}

CAF_TEST(events that nobody polls do not pile up) {
  data_channel_config cfg;
  cfg.ping_restart = 1s;
  data_channel x{cfg};
  for (int i = 0; i < 100; ++i) {
    x.handle_heard(at(i * 10s));
    x.handle_timeout(at(i * 10s + 1s));
  }
  int count = 0;
  while (x.poll_event())
    ++count;
  CAF_CHECK_EQUAL(count, 16);
}

// -- traffic ------------------------------------------------------------------

CAF_TEST(a tunnel without traffic is told once) {
  data_channel_config cfg;
  cfg.ping = 10s;
  cfg.inactive = 100s;
  tunnel t{cfg};
  // Both directions count.
  t.sends_with(t.client, 50s);
  t.server.open(t.wire.slab, at(60s));
  CAF_CHECK(next_event<key_confirmed>(t.server));
  // Pings do not.
  for (auto i = 70s; i < 150s; i += 10s) {
    t.wire.slab.clear();
    CAF_CHECK(t.client.poll_ping(t.wire.slab, at(i)));
    t.server.open(t.wire.slab, at(i));
  }
  t.client.handle_timeout(at(149s));
  t.server.handle_timeout(at(159s));
  CAF_CHECK(!t.client.poll_event());
  CAF_CHECK(!t.server.poll_event());
  CAF_CHECK(t.client.poll_timeout() == at(150s).steady);
  t.client.handle_timeout(at(150s));
  t.server.handle_timeout(at(160s));
  CAF_CHECK(next_event<tunnel_inactive>(t.client));
  CAF_CHECK(next_event<tunnel_inactive>(t.server));
  t.client.handle_timeout(at(300s));
  CAF_CHECK(!t.client.poll_event());
}

CAF_TEST(a tunnel with too little traffic is told) {
  data_channel_config cfg;
  cfg.inactive = 100s;
  cfg.inactive_bytes = 100; // packets of 40 bytes
  tunnel t{cfg};
  t.sends_with(t.client, 90s);
  t.sends_with(t.client, 91s);
  t.client.handle_timeout(at(99s));
  CAF_CHECK(!t.client.poll_event());
  t.sends_with(t.client, 99s);
  CAF_CHECK(t.client.poll_timeout() == at(199s).steady);
  t.sends_with(t.client, 150s);
  t.client.handle_timeout(at(199s));
  CAF_CHECK(next_event<tunnel_inactive>(t.client));
}

// -- leaving ------------------------------------------------------------------

CAF_TEST(a goodbye is sent like a ping and told by the peer once) {
  tunnel t;
  CAF_CHECK(!t.client.poll_ping(t.wire.slab, at(1s)));
  for (int i = 0; i < 2; ++i) {
    t.client.queue_exit();
    CAF_CHECK(t.client.poll_timeout().value() <= at(1s).steady);
    t.wire.slab.clear();
    CAF_CHECK(t.client.poll_ping(t.wire.slab, at(1s)));
    CAF_CHECK(!t.client.poll_ping(t.wire.slab, at(1s)));
    CAF_CHECK(!t.client.poll_timeout());
    t.server.open(t.wire.slab, at(1s));
    CAF_CHECK_EQUAL(t.wire.slab.count, 0u);
    if (i == 0) {
      CAF_CHECK(next_event<key_confirmed>(t.server));
      CAF_CHECK(next_event<peer_exit>(t.server));
    }
    CAF_CHECK(!t.server.poll_event());
  }
  CAF_CHECK_EQUAL(t.client.statistics().pings_sent, 0u);
  CAF_CHECK_EQUAL(t.server.statistics().pings_received, 0u);
  CAF_CHECK_EQUAL(t.server.statistics().drops.total(), 0u);
}

CAF_TEST(a goodbye waits for a key and for room) {
  data_channel x;
  owned_slab out{50, 1};
  x.queue_exit();
  CAF_CHECK(!x.poll_timeout());
  CAF_CHECK(!x.poll_ping(out.slab, at(1s)));
  CAF_CHECK(x.install(spec_of(role::client, 0), at(1s)));
  CAF_CHECK(x.poll_timeout() == at(1s).steady);
  out.put(bytes(40));
  CAF_CHECK(!x.poll_ping(out.slab, at(2s)));
  out.slab.clear();
  CAF_CHECK(x.poll_ping(out.slab, at(2s)));
  CAF_CHECK(!x.poll_timeout());
}
