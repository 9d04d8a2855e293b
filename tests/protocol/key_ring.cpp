// Data keys by key id. Which one sends is tested as data_channel_life, too.
// spec: openvpn-wire 12.2, 12.4, 12.5
#define CAF_SUITE protocol.key_ring

#include "vpn/protocol/key_ring.hpp"

#include "tests/support/data_tunnel.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;
using vpn::test::at;
using vpn::test::spec_of;

namespace {

int sender(key_ring& x, duration now) {
  auto* key = x.sending(at(now));
  return key == nullptr ? -1 : key->key.key_id();
}

} // namespace

CAF_TEST(an empty ring has nothing) {
  key_ring x;
  CAF_CHECK(x.empty());
  CAF_CHECK_EQUAL(sender(x, 0s), -1);
  for (uint8_t id = 0; id < 8; ++id)
    CAF_CHECK(x.find(id) == nullptr);
  x.retire(0);
  x.retire(255);
  x.handle_timeout(at(0s));
  CAF_CHECK(!x.poll_timeout());
}

CAF_TEST(a key is found by its id and sends by its age) {
  key_ring x;
  x.configure({10s, 100s, 0, 0});
  CAF_CHECK(x.install(spec_of(role::client, 7), at(0s)));
  CAF_CHECK(x.install(spec_of(role::client, 1), at(0s)));
  CAF_CHECK(x.find(7) != nullptr);
  CAF_CHECK(x.find(1) != nullptr);
  CAF_CHECK_EQUAL(sender(x, 9s), 7);
  CAF_CHECK_EQUAL(sender(x, 10s), 1);
  x.find(1)->confirmed = true;
  CAF_CHECK_EQUAL(sender(x, 0s), 1);
  CAF_CHECK(x.poll_timeout() == at(100s).steady);
  x.handle_timeout(at(99s));
  CAF_CHECK(x.find(7) != nullptr);
  x.handle_timeout(at(100s));
  CAF_CHECK(x.find(7) == nullptr);
  CAF_CHECK(!x.poll_timeout());
}

CAF_TEST(a key that is used up makes way for the new one) {
  key_ring x;
  auto old = spec_of(role::client, 0);
  old.limits.rekey_id = 1;
  old.limits.last_id = 1;
  CAF_CHECK(x.install(old, at(0s)));
  CAF_CHECK(x.install(spec_of(role::client, 1), at(0s)));
  CAF_CHECK_EQUAL(sender(x, 0s), 0);
  bytes out(100);
  CAF_CHECK(x.find(0)->key.seal(bytes(10, 0x45), out.data()));
  CAF_CHECK(!x.find(0)->key.seal(bytes(10, 0x45), out.data()));
  CAF_CHECK_EQUAL(sender(x, 0s), 1);
}

CAF_TEST(an id that does not exist is refused) {
  key_ring x;
  for (uint8_t id : {8, 255}) {
    auto result = x.install(spec_of(role::client, id), at(0s));
    CAF_REQUIRE(!result);
    CAF_CHECK(result.error() == errc::bad_value);
  }
  CAF_CHECK(x.empty());
}

CAF_TEST(a key that is installed already stays as it is) {
  key_ring x;
  x.configure({10s, 100s, 0, 0});
  auto first = spec_of(role::client, 3);
  auto second = spec_of(role::client, 4);
  CAF_CHECK(!x.newest());
  CAF_CHECK(x.install(first, at(0s)));
  CAF_CHECK(x.newest() == 3);
  bytes out(100);
  CAF_CHECK(x.find(3)->key.seal(bytes(10, 0x45), out.data()));
  CAF_CHECK(x.install(first, at(5s)));
  CAF_CHECK_EQUAL(x.find(3)->key.last_packet_id(), 1u);
  CAF_CHECK(x.find(3)->installed == at(0s).steady);
  CAF_CHECK(x.install(second, at(20s)));
  CAF_CHECK(x.newest() == 4);
  // The one before does not become the newest, nor does its time start anew.
  CAF_CHECK(x.install(first, at(50s)));
  CAF_CHECK(x.install(second, at(50s)));
  CAF_CHECK(x.newest() == 4);
  CAF_CHECK_EQUAL(sender(x, 29s), 3);
  CAF_CHECK_EQUAL(sender(x, 30s), 4);
  CAF_CHECK(x.poll_timeout() == at(120s).steady);
  CAF_CHECK_EQUAL(x.find(3)->key.last_packet_id(), 1u);
  x.retire(4);
  CAF_CHECK(x.newest() == 3);
  x.retire(3);
  CAF_CHECK(!x.newest());
}

CAF_TEST(the same material makes no other key) {
  key_ring x;
  auto first = spec_of(role::client, 3);
  CAF_CHECK(x.install(first, at(0s)));
  auto refuses = [&](auto change) {
    auto spec = first;
    change(spec);
    auto result = x.install(spec, at(0s));
    return !result && result.error() == errc::wrong_state
           && x.find(3) != nullptr && x.find(4) == nullptr;
  };
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.key_id = 4;
  }));
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.cipher = data_cipher::chacha20_poly1305;
  }));
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.self = role::server;
  }));
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.peer_id = 6;
  }));
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.peer_id.reset();
  }));
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.digest = "SHA512";
  }));
  CAF_CHECK(refuses([](data_key_spec& s) {
    s.epoch = true;
  }));
}

CAF_TEST(each limit asks for another key once) {
  struct row {
    uint64_t bytes, packets;
    int expect;
  };
  // Packets of 100 bytes.
  for (auto r : {row{0, 0, -1}, row{1000, 0, 10}, row{1001, 0, 11},
                 row{0, 7, 7}, row{1000, 7, 7}, row{300, 7, 3}}) {
    key_ring x;
    key_ring_config cfg;
    cfg.reneg_bytes = r.bytes;
    cfg.reneg_packets = r.packets;
    x.configure(cfg);
    CAF_REQUIRE(x.install(spec_of(role::client, 0), at(0s)));
    int told = -1;
    for (int i = 1; i < 100; ++i) {
      x.find(0)->count(100);
      if (x.poll_rekey(*x.find(0))) {
        CAF_CHECK_EQUAL(told, -1);
        told = i;
      }
    }
    CAF_CHECK_EQUAL(told, r.expect);
    // The next key counts for itself.
    CAF_REQUIRE(x.install(spec_of(role::client, 1), at(0s)));
    CAF_CHECK(!x.poll_rekey(*x.find(1)));
  }
}
