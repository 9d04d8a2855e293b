// Peers that are older, smaller or wordier than usual.
#define CAF_SUITE pair.variants
#include "vpn/protocol/key_method.hpp"

#include "tests/support/pair.hpp"
#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::data_cipher;
using protocol::peer_info_config;

namespace {

void check_traffic(vpn_pair& x) {
  auto up = numbered_packets(0, 50);
  auto down = numbered_packets(100, 50);
  x.send(x.client, up);
  x.send(x.server, down);
  x.drive(1s);
  CAF_CHECK(x.server.saw.packets == up);
  CAF_CHECK(x.client.saw.packets == down);
}

/// A client that says so about itself.
void announce(vpn_pair& x, uint32_t proto,
              std::vector<std::string> ciphers = {"AES-256-GCM"}) {
  peer_info_config info;
  info.version = "2.4.0";
  info.ciphers = std::move(ciphers);
  info.proto = proto;
  x.client.cfg->session.peer_info = protocol::make_peer_info(info);
}

/// First bytes of what the client sends as data.
std::vector<uint8_t> data_heads(vpn_pair& x) {
  std::vector<uint8_t> result;
  x.tap = [&](const vpn_pair::side& from, byte_view datagram) {
    if (&from == &x.client && protocol::is_data(datagram[0]))
      result.push_back(datagram[0] >> 3);
  };
  check_traffic(x);
  x.tap = nullptr;
  return result;
}

} // namespace

CAF_TEST(every combination of what a client can do) {
  using namespace protocol::iv_proto;
  for (uint32_t bits = 0; bits < 16; ++bits) {
    vpn_pair x;
    announce(x, (bits & 1 ? data_v2 : 0) | (bits & 2 ? request_push : 0)
                  | (bits & 4 ? tls_key_export : 0)
                  | (bits & 8 ? cc_exit_notify : 0));
    x.client.settings().exit_notify = 1;
    x.client.cfg->session.reneg_after = 10s;
    x.start();
    if (!x.drive_to_connected(3s))
      CAF_FAIL("bits " << bits << ": " << x.story());
    // Who does not promise to wait must ask.
    CAF_CHECK_EQUAL(x.client.saw.noted("PUSH_REQUEST"), (bits & 2) == 0);
    CAF_CHECK_EQUAL(x.client.saw.noted("peer-id: 5"), (bits & 1) != 0);
    for (auto op : data_heads(x))
      CAF_CHECK_EQUAL(op, (bits & 1) != 0 ? 9 : 6);
    x.client.saw.packets.clear();
    x.server.saw.packets.clear();
    x.drive(15s);
    CAF_CHECK(x.server.saw.noted("new key, key id 1"));
    check_traffic(x);
    x.stop(x.client);
    x.drive(3s);
    // Who has no word for it in the control channel says it in the tunnel.
    CAF_CHECK(x.server.saw.noted("Remote exit"));
  }
}

CAF_TEST(TLS 1.2 is as good) {
  for (auto own : {true, false}) {
    vpn_pair x;
    auto cfg = own ? client_tls_config() : server_tls_config();
    cfg.max_version = 0x0303;
    (own ? x.client : x.server).cfg->tls = make_tls(cfg);
    x.client.cfg->session.reneg_after = 10s;
    x.start();
    if (!x.drive_to_connected(2s))
      CAF_FAIL(x.story());
    CAF_CHECK(x.client.saw.noted("TLSv1.2"));
    check_traffic(x);
    x.drive(15s);
    CAF_CHECK(x.server.saw.noted("new key, key id 1"));
  }
}

CAF_TEST(the first cipher of the server that the client has) {
  vpn_pair x;
  x.server.cfg->session.server.ciphers
    = {data_cipher::chacha20_poly1305, data_cipher::aes_128_gcm,
       data_cipher::aes_256_gcm};
  x.client.cfg->session.pull.ciphers
    = {data_cipher::aes_256_gcm, data_cipher::aes_128_gcm};
  announce(x, peer_info_config{}.proto, {"AES-256-GCM", "AES-128-GCM"});
  x.start();
  CAF_REQUIRE(x.drive_to_connected(2s));
  CAF_CHECK(x.client.saw.noted("'AES-128-GCM'"));
  check_traffic(x);
}

CAF_TEST(a long list of routes comes in parts) {
  for (auto lose : {0U, 200U}) {
    pair_config cfg;
    cfg.faults.lose = lose;
    cfg.faults.jitter = 20ms;
    vpn_pair x{cfg};
    for (auto i = 0; i < 200; ++i)
      x.server.cfg->session.server.push.push_back(
        "route 10.77." + std::to_string(i) + ".0 255.255.255.0");
    x.start();
    if (!x.drive_to_connected(1min))
      CAF_FAIL(x.story());
    CAF_REQUIRE_EQUAL(x.client.saw.applied.size(), 1u);
    CAF_CHECK_EQUAL(x.client.saw.applied[0].routes.size(), 201u);
  }
}

CAF_TEST(small control packets) {
  size_t largest = 0;
  for (auto size : {154U, 300U, 576U}) {
    pair_config cfg;
    cfg.wrap = protocol::wrap_mode::tls_crypt;
    cfg.faults.lose = 100;
    cfg.faults.jitter = 20ms;
    vpn_pair x{cfg};
    x.client.settings().max_packet_size = size;
    x.server.settings().max_packet_size = size;
    largest = 0;
    x.tap = [&](const vpn_pair::side&, byte_view datagram) {
      if (!protocol::is_data(datagram[0]))
        largest = std::max(largest, datagram.size());
    };
    x.start();
    if (!x.drive_to_connected(2min))
      CAF_FAIL(x.story());
    CAF_CHECK(largest + 28 <= size);
    CAF_CHECK_EQUAL(x.client.sockets, 1u);
  }
}

CAF_TEST(a pushed token stands for the password) {
  // This server knows no tokens: that it refuses shows what it got.
  pair_config cfg;
  cfg.restart_server = true;
  vpn_pair x{cfg};
  x.server.cfg->session.server.push.emplace_back("auth-token SESS_ID_x");
  x.client.cfg->session.reneg_after = 10s;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(2s));
  x.drive(10500ms);
  CAF_REQUIRE_EQUAL(x.server.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.server.saw.ended[0].why), "auth_failed");
  // A new session begins with the password, which is accepted.
  CAF_CHECK(x.client.saw.ended.empty());
  CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::reconnecting), 1u);
  if (!x.drive_to_connected(5s))
    CAF_FAIL(x.story());
  check_traffic(x);
}
