// Both ends shake hands: every wrapping with every cipher, in any order of
// events.
#define CAF_SUITE pair.handshake
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::data_cipher;
using protocol::key_direction;
using protocol::phase;
using protocol::wrap_mode;

namespace {

/// In the order they come, without repetition.
const std::vector<phase> client_phases{
  phase::resolve,    phase::connecting, phase::wait,       phase::auth,
  phase::get_config, phase::assign_ip,  phase::add_routes, phase::connected};

void check_connected(vpn_pair& x, data_cipher cipher) {
  CAF_CHECK(x.client.saw.phases == client_phases);
  CAF_REQUIRE_EQUAL(x.client.saw.applied.size(), 1u);
  auto& tunnel = x.client.saw.applied.front();
  CAF_CHECK(tunnel.layout == protocol::topology::subnet);
  CAF_REQUIRE(tunnel.address4);
  CAF_CHECK_EQUAL(to_string(*tunnel.address4), "10.8.0.2/24");
  CAF_CHECK_EQUAL(to_string(tunnel.gateway4), "10.8.0.1");
  CAF_REQUIRE_EQUAL(tunnel.routes.size(), 1u);
  CAF_CHECK_EQUAL(to_string(tunnel.routes[0].destination), "192.168.77.0/24");
  CAF_CHECK_EQUAL(to_string(tunnel.server), "192.0.2.2:1194");
  CAF_CHECK_EQUAL(x.client.saw.devices, 1u);
  for (auto* side : {&x.client, &x.server}) {
    CAF_CHECK(side->saw.noted("Initialization Sequence Completed"));
    CAF_CHECK(side->saw.noted("'" + protocol::to_string(cipher) + "'"));
    CAF_CHECK(side->saw.ended.empty());
    CAF_CHECK_EQUAL(side->saw.applied.size(), 1u);
  }
  CAF_CHECK(x.client.saw.noted("VERIFY OK: depth=0"));
  CAF_CHECK(x.client.saw.noted("[server] Peer Connection Initiated"));
  CAF_CHECK(x.server.saw.noted("[client] Peer Connection Initiated"));
}

void check_handshake(pair_config cfg) {
  for (auto cipher : {data_cipher::aes_256_gcm, data_cipher::chacha20_poly1305,
                      data_cipher::aes_128_gcm}) {
    cfg.cipher = cipher;
    vpn_pair x{cfg};
    x.start();
    if (!x.drive_to_connected(2s))
      CAF_FAIL(x.story());
    CAF_CHECK(x.elapsed() < 500ms);
    check_connected(x, cipher);
    auto up = numbered_packets(0, 20);
    auto down = numbered_packets(100, 20);
    x.send(x.client, up);
    x.send(x.server, down);
    x.drive(1s);
    CAF_CHECK(x.server.saw.packets == up);
    CAF_CHECK(x.client.saw.packets == down);
  }
}

pair_config with(wrap_mode mode, key_direction direction) {
  pair_config result;
  result.wrap = mode;
  result.client_direction = direction;
  return result;
}

} // namespace

CAF_TEST(both connect without wrapping) {
  check_handshake(with(wrap_mode::none, key_direction::bidirectional));
}

CAF_TEST(both connect with tls auth in the usual direction) {
  check_handshake(with(wrap_mode::tls_auth, key_direction::inverse));
}

CAF_TEST(both connect with tls auth in the other direction) {
  check_handshake(with(wrap_mode::tls_auth, key_direction::normal));
}

CAF_TEST(both connect with tls auth without a direction) {
  check_handshake(with(wrap_mode::tls_auth, key_direction::bidirectional));
}

CAF_TEST(both connect with tls crypt) {
  check_handshake(with(wrap_mode::tls_crypt, key_direction::bidirectional));
}

CAF_TEST(the order in which actors run does not matter) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    pair_config cfg;
    cfg.wrap = seed % 2 == 0 ? wrap_mode::tls_crypt : wrap_mode::none;
    cfg.seed = seed;
    cfg.shuffle = true;
    vpn_pair x{cfg};
    x.start();
    if (!x.drive_to_connected(2s))
      CAF_FAIL("seed " << seed << ": " << x.story());
    check_connected(x, cfg.cipher);
    auto up = numbered_packets(0, 20);
    x.send(x.client, up);
    x.drive(1s);
    CAF_CHECK(x.server.saw.packets == up);
  }
}

CAF_TEST(layers tell about themselves) {
  vpn_pair x;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(2s));
  auto status = x.status(x.client);
  CAF_CHECK_EQUAL(status.size(), 7u);
  for (auto& layer : status)
    CAF_CHECK(layer.layer != "?");
}
