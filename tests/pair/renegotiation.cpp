// New keys under way: no packet is lost to them, whoever asks.
#define CAF_SUITE pair.renegotiation
#include "tests/support/pair.hpp"
#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

/// A connected pair with a stream of packets both ways that never pauses.
struct busy_pair : vpn_pair {
  explicit busy_pair(const pair_config& cfg, duration client_age,
                     duration server_age)
    : vpn_pair(cfg) {
    client.cfg->session.reneg_after = client_age;
    server.cfg->session.reneg_after = server_age;
    start();
    if (!drive_to_connected(10s))
      CAF_FAIL(story());
  }

  void talk(duration how_long) {
    for (auto end = elapsed() + how_long; elapsed() < end; ++number) {
      up.push_back(numbered_packet(number, 20 + number % 1400));
      down.push_back(numbered_packet(number + 500'000, 20 + number % 1300));
      send(client, {up.back()});
      send(server, {down.back()});
      drive(100ms);
    }
  }

  /// Nothing was lost, doubled or out of order, and nobody reconnected.
  void check() {
    drive(1s);
    CAF_CHECK_EQUAL(server.saw.packets.size(), up.size());
    CAF_CHECK_EQUAL(client.saw.packets.size(), down.size());
    CAF_CHECK(server.saw.packets == up);
    CAF_CHECK(client.saw.packets == down);
    check_alive();
  }
  void check_alive() {
    CAF_CHECK_EQUAL(client.sockets, 1u);
    CAF_CHECK_EQUAL(server.sockets, 1u);
    if (!connected(client) || !connected(server) || !client.saw.ended.empty()
        || !server.saw.ended.empty())
      CAF_FAIL(story());
  }

  /// Keys that this side has had after the first one.
  static size_t new_keys(const side& x) {
    size_t result = 0;
    for (auto& y : x.saw.notices)
      result += y.text.find("Data Channel: new key") == 0 ? 1 : 0;
    return result;
  }

  std::vector<bytes> up, down;
  uint32_t number = 0;
};

} // namespace

CAF_TEST(the client renegotiates twenty times) {
  busy_pair x{{}, 10s, 0s};
  x.talk(206s);
  x.check();
  CAF_CHECK_EQUAL(x.new_keys(x.client), 20u);
  CAF_CHECK_EQUAL(x.new_keys(x.server), 20u);
  CAF_CHECK(x.server.saw.noted("TLS: soft reset by the peer, key id 7"));
}

CAF_TEST(the server renegotiates twenty times) {
  busy_pair x{{}, 0s, 10s};
  x.talk(206s);
  x.check();
  CAF_CHECK_EQUAL(x.new_keys(x.client), 20u);
  CAF_CHECK_EQUAL(x.new_keys(x.server), 20u);
}

CAF_TEST(both renegotiate at the same moment) {
  // From the server a little earlier to the client a little earlier: their
  // resets cross on the way.
  for (auto shift = -60; shift <= 60; shift += 5) {
    pair_config cfg;
    cfg.faults.delay = 30ms;
    busy_pair x{cfg, 10s + std::chrono::milliseconds{shift}, 10s};
    x.talk(53s);
    x.check();
    CAF_CHECK_EQUAL(x.new_keys(x.client), 5u);
    CAF_CHECK_EQUAL(x.new_keys(x.server), 5u);
  }
}

CAF_TEST(the order in which actors run does not matter) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    cfg.shuffle = true;
    cfg.wrap = seed % 2 == 0 ? protocol::wrap_mode::tls_crypt
                             : protocol::wrap_mode::tls_auth;
    busy_pair x{cfg, 10s, seed % 3 == 0 ? 10s : 0s};
    x.talk(52s);
    x.check();
    CAF_CHECK_EQUAL(x.new_keys(x.client), x.new_keys(x.server));
    CAF_CHECK(x.new_keys(x.client) >= 5u);
  }
}

CAF_TEST(a lossy link does not end the session) {
  size_t lame = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    busy_pair x{cfg, 120s, seed % 2 == 0 ? 120s : 0s};
    link_faults faults;
    faults.lose = 200;
    faults.duplicate = 100;
    faults.jitter = 40ms;
    x.set_faults(faults);
    x.drive(600s);
    x.check_alive();
    // Five losses in a row outlast the hand window; then the old key goes on.
    auto unlucky = x.client.saw.noted("the old key goes on");
    lame += unlucky ? 1 : 0;
    if (!unlucky && x.new_keys(x.client) < 4)
      CAF_FAIL("seed " << seed << ": " << x.story());
    x.set_faults({});
    x.drive(1s);
    x.client.saw.packets.clear();
    x.server.saw.packets.clear();
    x.talk(5s);
    x.check();
  }
  CAF_CHECK(lame <= 2);
}

CAF_TEST(the session with default settings lasts a day) {
  vpn_pair x;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(10s));
  x.drive(24h);
  CAF_CHECK(vpn_pair::connected(x.client));
  CAF_CHECK(vpn_pair::connected(x.server));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  CAF_CHECK_EQUAL(x.server.sockets, 1u);
  CAF_CHECK(busy_pair::new_keys(x.client) >= 23u);
  // The layers of old keys are gone: four of the tree, three of one key,
  // SUPERVISOR and its helpers.
  CAF_CHECK(x.running() - x.running_before() <= 2 * 10);
  CAF_CHECK(x.pending_timers() <= 10);
}

CAF_TEST(a renegotiation that fails keeps the old key for its time) {
  pair_config cfg;
  cfg.ping = 0;
  cfg.ping_restart = 0;
  vpn_pair x{cfg};
  for (auto* side : {&x.client, &x.server}) {
    side->cfg->session.reneg_after = 0s;
    side->cfg->session.transition_window = 20min;
  }
  x.client.cfg->session.reneg_after = 30s;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(10s));
  x.drive(25s);
  x.set_link_up(false);
  x.drive(70s);
  if (!x.client.saw.noted("the old key goes on"))
    CAF_FAIL(x.story());
  x.set_link_up(true);
  CAF_CHECK(x.carries());
  // The hand window is over: a new session knocks beside the old key, at a
  // server that hears one session only. The key's window began with the
  // renegotiation.
  CAF_CHECK(x.client.saw.noted("The old key carries data"));
  CAF_CHECK(x.client.saw.count(protocol::phase::reconnecting) > 0);
  x.drive(17min);
  CAF_CHECK(x.carries());
  CAF_CHECK_EQUAL(x.client.saw.undone, 0u);
  x.drive(3min);
  CAF_CHECK(!x.carries());
  CAF_CHECK(x.client.saw.ended.empty());
}

CAF_TEST(a new session is brought up beside the old key without a loss) {
  pair_config cfg;
  cfg.restart_server = true;
  cfg.ping = 0;
  cfg.ping_restart = 0;
  vpn_pair x{cfg};
  x.client.cfg->session.reneg_after = 30s;
  x.server.cfg->session.reneg_after = 0s;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(10s));
  x.drive(25s);
  // Control packets of the new key get lost, data does not.
  x.fault(x.client, "network.down:drop=1,opcode=control");
  uint32_t number = 0;
  std::vector<bytes> up;
  auto talk = [&](duration how_long) {
    for (auto end = x.elapsed() + how_long; x.elapsed() < end; ++number) {
      up.push_back(numbered_packet(number, 100));
      x.send(x.client, {up.back()});
      x.drive(100ms);
    }
  };
  talk(70s);
  CAF_CHECK(x.client.saw.noted("The old key carries data"));
  CAF_CHECK(x.server.saw.packets == up);
  CAF_CHECK_EQUAL(x.client.saw.undone, 0u);
  // The server lets go of the old session, as a stock one does of a client
  // that comes back, and the new one is there.
  x.clear_faults(x.client);
  x.stop(x.server, reason::server_stopped);
  if (!x.drive(150s, [&] {
        return vpn_pair::connected(x.client) && vpn_pair::connected(x.server);
      }))
    CAF_FAIL(x.story());
  CAF_CHECK_EQUAL(x.client.sockets, x.client.saw.count(protocol::phase::wait));
  CAF_CHECK_EQUAL(x.client.saw.undone, 0u);
  if (!x.carries())
    CAF_FAIL(x.story());
}

CAF_TEST(another identity may not take over at a renegotiation) {
  vpn_pair x;
  x.client.cfg->session.reneg_after = 10s;
  x.server.cfg->session.reneg_after = 0s;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(5s));
  auto cfg = client_tls_config();
  cfg.cert = pki().other_client.cert;
  cfg.key = secret{pki().other_client.key};
  x.client.cfg->tls = make_tls(cfg);
  x.drive(12s);
  CAF_REQUIRE_EQUAL(x.server.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.server.saw.ended[0].why), "certificate_rejected");
}

CAF_TEST(a certificate of the same name is another identity) {
  authority ca{"authority of twins"};
  wanted_certificate wanted;
  wanted.common_name = "client";
  wanted.extended_key_usage = for_client;
  auto become = [&](vpn_pair& x, const identity& who) {
    auto cfg = client_tls_config();
    cfg.cert = who.cert;
    cfg.key = secret{who.key};
    x.client.cfg->tls = make_tls(cfg);
  };
  auto first = ca.issue(wanted), twin = ca.issue(wanted);
  for (auto same : {true, false}) {
    vpn_pair x;
    auto cfg = server_tls_config();
    cfg.ca = ca.cert();
    x.server.cfg->tls = make_tls(cfg);
    x.client.cfg->session.reneg_after = 10s;
    x.server.cfg->session.reneg_after = 0s;
    become(x, first);
    x.start();
    if (!x.drive_to_connected(5s))
      CAF_FAIL(x.story());
    become(x, same ? first : twin);
    x.drive(12s);
    CAF_CHECK_EQUAL(vpn_pair::new_keys(x.server), same ? 1u : 0u);
    CAF_CHECK_EQUAL(x.server.saw.ended.empty(), same);
    if (!same && !x.server.saw.noted("came back with another certificate"))
      CAF_FAIL(x.story());
  }
}

CAF_TEST(the password is accepted at each renegotiation) {
  vpn_pair x;
  x.client.cfg->session.reneg_after = 10s;
  x.server.cfg->session.reneg_after = 0s;
  x.start();
  CAF_REQUIRE(x.drive_to_connected(5s));
  x.drive(25s);
  CAF_CHECK(x.server.saw.ended.empty());
  CAF_CHECK_EQUAL(busy_pair::new_keys(x.server), 2u);
}

CAF_TEST(a reset that comes while the host is at work is taken up later) {
  for (auto early : {1s, 3s, 5s}) {
    pair_config cfg;
    vpn_pair x{cfg};
    x.client.saw.host_delay = 6s;
    x.client.cfg->session.reneg_after = 0s;
    x.server.cfg->session.reneg_after = early;
    x.start();
    x.drive(100ms);
    CAF_CHECK(vpn_pair::connected(x.server));
    CAF_CHECK(!vpn_pair::connected(x.client));
    x.drive(20s);
    if (!vpn_pair::connected(x.client) || !vpn_pair::connected(x.server)
        || busy_pair::new_keys(x.client) < 2
        || busy_pair::new_keys(x.server) < 2)
      CAF_FAIL(x.story());
  }
}

CAF_TEST(a server whose host is slow does not renegotiate before it pushed) {
  vpn_pair x;
  x.server.saw.host_delay = 6s;
  x.server.cfg->session.reneg_after = 2s;
  x.client.cfg->session.reneg_after = 0s;
  x.start();
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
  x.drive(10s);
  CAF_CHECK(x.client.saw.ended.empty());
  CAF_CHECK(vpn_pair::connected(x.client));
  CAF_CHECK(busy_pair::new_keys(x.client) >= 3u);
}
