// Packets through a connected pair, and what happens when there are none.
#define CAF_SUITE pair.traffic
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

#include <set>

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

void connect(vpn_pair& x) {
  x.start();
  if (!x.drive_to_connected(10s))
    CAF_FAIL(x.story());
}

/// Sends `count` packets each way, so many each millisecond.
void send_both_ways(vpn_pair& x, const std::vector<bytes>& up,
                    const std::vector<bytes>& down, size_t each) {
  for (size_t i = 0; i < up.size(); i += each) {
    auto end = std::min(i + each, up.size());
    auto part = [&](const std::vector<bytes>& xs) {
      return std::vector<bytes>{xs.begin() + static_cast<std::ptrdiff_t>(i),
                                xs.begin() + static_cast<std::ptrdiff_t>(end)};
    };
    x.send(x.client, part(up));
    x.send(x.server, part(down));
    x.drive(1ms);
  }
  x.drive(1s);
}

/// The packets in some order that does not depend on the link.
std::multiset<bytes> sorted(const std::vector<bytes>& xs) {
  return {xs.begin(), xs.end()};
}

} // namespace

CAF_TEST(packets of all sizes arrive as they were both ways) {
  for (auto cipher : {protocol::data_cipher::aes_256_gcm,
                      protocol::data_cipher::chacha20_poly1305}) {
    pair_config cfg;
    cfg.cipher = cipher;
    vpn_pair x{cfg};
    connect(x);
    std::vector<bytes> up, down;
    for (uint32_t size = 20; size <= 1500; ++size) {
      up.push_back(numbered_packet(size, size));
      down.push_back(numbered_packet(100'000 + size, size));
    }
    send_both_ways(x, up, down, 50);
    CAF_CHECK(x.server.saw.packets == up);
    CAF_CHECK(x.client.saw.packets == down);
  }
}

CAF_TEST(packets of one size leave in bursts and arrive one by one) {
  vpn_pair x;
  connect(x);
  std::vector<bytes> up, down;
  for (uint32_t i = 0; i < 640; ++i) {
    up.push_back(numbered_packet(i, 1400));
    down.push_back(numbered_packet(1000 + i, i % 10 == 9 ? 700 : 1400));
  }
  send_both_ways(x, up, down, 640);
  CAF_CHECK_EQUAL(x.server.saw.packets.size(), up.size());
  CAF_CHECK_EQUAL(x.client.saw.packets.size(), down.size());
  CAF_CHECK(x.server.saw.packets == up);
  CAF_CHECK(x.client.saw.packets == down);
}

CAF_TEST(ten thousand reordered and doubled packets arrive once each) {
  pair_config cfg;
  cfg.seed = 42;
  vpn_pair x{cfg};
  connect(x);
  link_faults faults;
  faults.jitter = 25ms;
  faults.duplicate = 250;
  x.set_faults(faults);
  auto up = numbered_packets(0, 10'000, 1);
  auto down = numbered_packets(20'000, 10'000, 2);
  send_both_ways(x, up, down, 20);
  CAF_CHECK(x.client.link.duplicated() > 2000);
  CAF_CHECK(x.server.saw.packets != up);
  CAF_CHECK(sorted(x.server.saw.packets) == sorted(up));
  CAF_CHECK(sorted(x.client.saw.packets) == sorted(down));
}

CAF_TEST(everything replayed later is refused) {
  vpn_pair x;
  connect(x);
  std::vector<bytes> seen;
  x.tap = [&](const vpn_pair::side& from, byte_view datagram) {
    if (&from == &x.client)
      seen.push_back(datagram.copy());
  };
  auto up = numbered_packets(0, 3000);
  for (size_t i = 0; i < up.size(); i += 100) {
    x.send(x.client, {up.begin() + static_cast<std::ptrdiff_t>(i),
                      up.begin() + static_cast<std::ptrdiff_t>(i + 100)});
    x.drive(1ms);
  }
  x.drive(100ms);
  x.tap = nullptr;
  CAF_CHECK_EQUAL(seen.size(), up.size());
  CAF_CHECK(x.server.saw.packets == up);
  for (auto& y : seen)
    x.inject(x.server, y);
  x.drive(100ms);
  CAF_CHECK_EQUAL(x.server.saw.packets.size(), up.size());
}

CAF_TEST(pings keep an idle session alive for an hour) {
  vpn_pair x;
  x.client.cfg->session.reneg_after = 0s;
  x.server.cfg->session.reneg_after = 0s;
  connect(x);
  auto up = x.client.link.sent();
  auto down = x.server.link.sent();
  x.drive(1h);
  up = x.client.link.sent() - up;
  down = x.server.link.sent() - down;
  CAF_CHECK(vpn_pair::connected(x.client));
  CAF_CHECK(vpn_pair::connected(x.server));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  CAF_CHECK_EQUAL(x.server.sockets, 1u);
  // One ping every ten seconds, and not one more.
  CAF_CHECK(up >= 355 && up <= 365);
  CAF_CHECK(down >= 355 && down <= 365);
  CAF_CHECK(x.client.saw.packets.empty());
  CAF_CHECK(x.server.saw.packets.empty());
}

CAF_TEST(a ping waits for a slab without haste) {
  vpn_pair x;
  auto pool
    = caf::make_counted<actors::batch_pool>(actors::pool_config{1, 65536, 16});
  auto taken = pool->get();
  x.server.cfg->pools.sealed = pool;
  connect(x);
  auto down = x.server.link.sent();
  // Time would stand still if the ping was asked for again and again.
  auto begin = x.elapsed();
  x.drive(30s);
  CAF_CHECK(x.elapsed() - begin == 30s);
  CAF_CHECK_EQUAL(x.server.link.sent(), down);
  taken = nullptr;
  x.drive(1s);
  CAF_CHECK_EQUAL(x.server.link.sent(), down + 1);
}

CAF_TEST(a device that takes long misses no silence) {
  vpn_pair x;
  x.client.saw.host_delay = 20s;
  x.server.cfg->session.server.push.emplace_back("ping-restart 10");
  x.start();
  x.drive(1s);
  x.set_link_up(false);
  x.drive(40s);
  CAF_CHECK(x.client.saw.noted("Inactivity timeout (--ping-restart)"));
}

CAF_TEST(pings pause while there is traffic) {
  vpn_pair x;
  x.client.cfg->session.reneg_after = 0s;
  x.server.cfg->session.reneg_after = 0s;
  connect(x);
  auto up = x.client.link.sent();
  auto down = x.server.link.sent();
  for (uint32_t i = 0; i < 100; ++i) {
    x.send(x.client, numbered_packets(i, 1));
    x.drive(5s);
  }
  CAF_CHECK_EQUAL(x.client.link.sent() - up, 100u);
  auto pings = x.server.link.sent() - down;
  CAF_CHECK(pings >= 48 && pings <= 51);
}

CAF_TEST(a client comes back when the link does) {
  pair_config cfg;
  cfg.restart_server = true;
  vpn_pair x{cfg};
  connect(x);
  x.set_link_up(false);
  x.drive(59s);
  CAF_CHECK(vpn_pair::connected(x.client));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  x.drive(12s);
  CAF_CHECK(!vpn_pair::connected(x.client));
  CAF_CHECK(x.client.saw.noted("Inactivity timeout (--ping-restart)"));
  CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
  CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::reconnecting), 1u);
  CAF_CHECK_EQUAL(x.client.sockets, 2u);
  CAF_CHECK_EQUAL(to_string(x.server.saw.ended.at(0).why), "peer_silent");
  x.drive(5min);
  x.set_link_up(true);
  if (!x.drive_to_connected(4min))
    CAF_FAIL(x.story());
  CAF_CHECK_EQUAL(x.client.saw.applied.size(), 2u);
  CAF_CHECK(x.client.saw.ended.empty());
  auto up = numbered_packets(0, 50);
  auto down = numbered_packets(100, 50);
  send_both_ways(x, up, down, 50);
  CAF_CHECK(x.server.saw.packets == up);
  CAF_CHECK(x.client.saw.packets == down);
}

CAF_TEST(a short outage ends nothing) {
  vpn_pair x;
  connect(x);
  x.set_link_up(false);
  x.drive(40s);
  x.set_link_up(true);
  x.drive(5min);
  CAF_CHECK(vpn_pair::connected(x.client));
  CAF_CHECK(vpn_pair::connected(x.server));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(ping exit ends the client for good) {
  pair_config cfg;
  cfg.ping_restart = 0;
  vpn_pair x{cfg};
  x.server.cfg->session.server.push.emplace_back("ping-exit 30");
  connect(x);
  x.set_link_up(false);
  x.drive(35s);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "peer_silent");
  CAF_CHECK_EQUAL(x.client.saw.undone, 1u);
}

CAF_TEST(packets without a key are dropped) {
  vpn_pair x;
  x.start();
  x.drive(duration::zero());
  CAF_REQUIRE(x.client.saw.below_tun);
  x.send(x.client, numbered_packets(0, 10));
  CAF_REQUIRE(x.drive_to_connected(10s));
  x.drive(1s);
  CAF_CHECK(x.server.saw.packets.empty());
}

CAF_TEST(what is not IP does not reach the device) {
  vpn_pair x;
  connect(x);
  auto odd = numbered_packet(1, 100);
  odd[0] = 0xff;
  auto good = numbered_packet(2, 100);
  x.send(x.client, {odd, good, bytes(1, 0x20)});
  x.drive(1s);
  CAF_CHECK(x.server.saw.packets == std::vector<bytes>{good});
}
