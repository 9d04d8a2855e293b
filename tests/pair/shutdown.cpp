// The end of a session, asked for at any moment: told once, and nothing is left
// behind.
#define CAF_SUITE pair.shutdown
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

void connect(vpn_pair& x) {
  x.start();
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
}

bool has_ended(const vpn_pair::side& x, reason why) {
  return x.saw.ended.size() == 1 && x.saw.ended[0].why == why;
}

/// Stops the client and waits until both are gone.
void check_exit(vpn_pair& x) {
  auto begin = x.elapsed();
  x.stop(x.client);
  if (!x.drive_to_end(5s))
    CAF_FAIL(x.story());
  CAF_CHECK(x.elapsed() - begin <= 5s);
  CAF_CHECK(has_ended(x.client, reason::terminated));
  CAF_CHECK(has_ended(x.server, reason::server_stopped));
  CAF_CHECK(x.server.saw.noted("Remote exit"));
  CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
  CAF_CHECK_EQUAL(x.server.saw.undone, 1u);
}

} // namespace

CAF_TEST(a client that is stopped ends for that reason) {
  for (auto why : {reason::terminated, reason::interrupted, reason::none}) {
    vpn_pair x;
    connect(x);
    auto begin = x.elapsed();
    x.stop(x.client, why);
    CAF_CHECK(x.drive(5s, [&] {
      return !x.client.saw.ended.empty();
    }));
    CAF_CHECK(x.elapsed() - begin < 100ms);
    CAF_CHECK(has_ended(x.client, why));
    CAF_CHECK(x.client.saw.phases.back() == protocol::phase::exiting);
    CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
    x.stop(x.server);
    if (!x.drive_to_end(5s))
      CAF_FAIL(x.story());
    CAF_CHECK(has_ended(x.server, reason::terminated));
  }
}

CAF_TEST(the server hears that the client leaves) {
  vpn_pair x;
  x.client.settings().exit_notify = 1;
  connect(x);
  check_exit(x);
}

CAF_TEST(the client hears that the server leaves and tries again) {
  vpn_pair x;
  x.server.settings().exit_notify = 1;
  connect(x);
  x.stop(x.server);
  CAF_CHECK(x.drive(5s, [&] {
    return x.client.saw.count(protocol::phase::reconnecting) == 1;
  }));
  CAF_CHECK(x.client.saw.noted("Remote exit"));
  CAF_CHECK(x.client.saw.ended.empty());
}

CAF_TEST(the server hears it over a lossy link too) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    vpn_pair x{cfg};
    x.client.settings().exit_notify = 1;
    connect(x);
    link_faults faults;
    faults.lose = 300;
    faults.jitter = 30ms;
    x.set_faults(faults);
    CAF_MESSAGE("seed " << seed);
    check_exit(x);
  }
}

CAF_TEST(a client whose peer is gone ends in time) {
  vpn_pair x;
  x.client.settings().exit_notify = 1;
  connect(x);
  x.set_link_up(false);
  auto begin = x.elapsed();
  x.stop(x.client);
  x.stop(x.server);
  CAF_CHECK(x.drive_to_end(10s));
  CAF_CHECK(x.elapsed() - begin <= 5s);
  CAF_CHECK(has_ended(x.client, reason::terminated));
}

CAF_TEST(a client that nobody answered does not knock while it leaves) {
  vpn_pair x;
  x.start(x.client);
  x.drive(10s);
  auto sent = x.client.link.sent();
  CAF_CHECK_EQUAL(sent, 5u); // at 0, 0.5, 1.5, 3.5 and 7.5 s
  x.stop(x.client);
  CAF_CHECK(x.drive_to_end(5s));
  CAF_CHECK_EQUAL(x.client.link.sent(), sent);
}

CAF_TEST(a stop at any moment of the handshake is obeyed) {
  for (auto shuffle : {false, true})
    for (auto at = 0; at <= 120; ++at) {
      pair_config cfg;
      cfg.seed = static_cast<uint64_t>(at) + 1;
      cfg.shuffle = shuffle;
      vpn_pair x{cfg};
      x.client.settings().exit_notify = 1;
      x.start();
      x.drive(std::chrono::milliseconds{at});
      x.stop(x.client);
      x.stop(x.server);
      if (!x.drive_to_end(5s))
        CAF_FAIL("at " << at << " ms: " << x.story());
      CAF_CHECK(has_ended(x.client, reason::terminated));
      CAF_CHECK_EQUAL(x.server.saw.ended.size(), 1u);
    }
}

CAF_TEST(a stop at any moment of a renegotiation is obeyed) {
  for (auto at = -10; at <= 110; at += 2) {
    vpn_pair x;
    x.client.cfg->session.reneg_after = 2s;
    x.client.settings().exit_notify = 1;
    connect(x);
    x.drive(2s + std::chrono::milliseconds{at});
    x.stop(x.client);
    x.stop(x.server);
    if (!x.drive_to_end(5s))
      CAF_FAIL("at " << at << " ms: " << x.story());
    CAF_CHECK(has_ended(x.client, reason::terminated));
    CAF_CHECK_EQUAL(x.server.saw.ended.size(), 1u);
  }
}

CAF_TEST(a stop while the client waits for its next try is obeyed) {
  vpn_pair x;
  x.client.saw.resolved = {{}, {reason::resolve_failed, "no such name"}};
  x.client.cfg->plan.retry = 100s;
  x.start();
  x.drive(30s);
  CAF_CHECK(x.client.saw.ended.empty());
  CAF_CHECK(x.client.saw.noted("Restart pause, "));
  x.stop(x.client);
  x.stop(x.server);
  CAF_CHECK(x.drive_to_end(5s));
  CAF_CHECK(has_ended(x.client, reason::terminated));
}

CAF_TEST(a stop while a session is closing already is obeyed) {
  for (auto after : {0ms, 1ms, 500ms, 999ms}) {
    vpn_pair x;
    connect(x);
    // Silence lets RELIABLE wait for acknowledgements.
    x.set_link_up(false);
    x.drive(60s);
    CAF_REQUIRE(x.drive(10s, [&] {
      return x.client.saw.noted("Inactivity timeout");
    }));
    x.drive(after);
    x.stop(x.client);
    CAF_CHECK(x.drive(5s, [&] {
      return !x.client.saw.ended.empty();
    }));
    CAF_CHECK(has_ended(x.client, reason::terminated));
    CAF_CHECK(x.drive_to_end(70s));
  }
}

CAF_TEST(a second stop changes nothing) {
  vpn_pair x;
  connect(x);
  x.stop(x.client, reason::interrupted);
  x.stop(x.client, reason::terminated);
  x.drive(5s);
  CAF_CHECK(has_ended(x.client, reason::interrupted));
}

namespace {

/// Ends one actor of the client's session as a bug would; false when it is not
/// there yet.
bool kill_layer(vpn_pair& x, int which) {
  auto kill = [&](const auto& hdl) {
    if (hdl)
      x.kill(hdl);
    return static_cast<bool>(hdl);
  };
  switch (which) {
    case 0:
      return kill(x.client.saw.below_tun);
    case 1:
      return kill(x.client.above_network);
    case 2:
      return kill(x.client.network);
    default:
      return kill(x.client.tun);
  }
}

} // namespace

CAF_TEST(a layer that dies at any moment is replaced and nothing is left) {
  for (auto which = 0; which < 4; ++which)
    for (auto at = 0; at <= 130; at += 5) {
      pair_config cfg;
      cfg.seed = static_cast<uint64_t>(at) + 1;
      cfg.shuffle = at % 2 == 1;
      vpn_pair x{cfg};
      // From 100 ms on it is a renegotiation.
      x.client.cfg->session.reneg_after = 2s;
      x.start();
      x.drive(std::chrono::milliseconds{at < 90 ? at : 2000 + at});
      if (!kill_layer(x, which))
        continue;
      x.drive_to_connected(10s);
      x.drive(1s);
      if (!x.carries())
        CAF_FAIL("layer " << which << " at " << at << " ms: " << x.story());
      x.stop(x.client);
      x.drive(5s);
      CAF_CHECK(has_ended(x.client, reason::terminated));
      CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
      x.stop(x.server);
      if (!x.drive_to_end(5s))
        CAF_FAIL("layer " << which << " at " << at << " ms: " << x.story());
    }
}

CAF_TEST(a layer that dies while its session closes harms nobody) {
  for (auto which = 0; which < 4; ++which)
    for (auto at : {0, 5, 40, 500}) {
      vpn_pair x;
      x.client.settings().exit_notify = 1;
      connect(x);
      x.set_link_up(false);
      x.stop(x.client, reason::interrupted);
      x.drive(std::chrono::milliseconds{at});
      kill_layer(x, which);
      x.stop(x.server);
      if (!x.drive_to_end(10s))
        CAF_FAIL("layer " << which << " at " << at << " ms: " << x.story());
      CAF_CHECK(has_ended(x.client, reason::interrupted));
    }
}

CAF_TEST(a host that dies is there again when it is needed) {
  vpn_pair x;
  x.start();
  x.drive(duration::zero());
  x.kill(x.client.host);
  x.drive(5s);
  if (!vpn_pair::connected(x.client) || !x.carries())
    CAF_FAIL(x.story());
  x.stop(x.client);
  x.drive(5s);
  CAF_CHECK(has_ended(x.client, reason::terminated));
  x.stop(x.server);
  CAF_CHECK(x.drive_to_end(5s));
}

CAF_TEST(a supervisor that dies takes its layers with it) {
  vpn_pair x;
  connect(x);
  x.kill(x.client.supervisor);
  x.stop(x.server);
  if (!x.drive_to_end(10s))
    CAF_FAIL(x.story());
  CAF_CHECK(has_ended(x.client, reason::internal));
}
