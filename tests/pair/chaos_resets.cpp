// Keys and sessions that overlap: both sides ask for a new key at once, the
// last acks of a negotiation stay away, and packets of an old session arrive in
// the new one.
// spec: design 6; openvpn-wire 12
#define CAF_SUITE pair.chaos_resets
#include "tests/support/chaos_pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;

namespace {

constexpr auto all_wraps = chaos_wraps;

/// Who asks for new keys.
enum class asker : uint8_t { client, server, both };
constexpr std::array<asker, 3> all_askers{asker::client, asker::server,
                                          asker::both};

std::string to_string(asker x) {
  constexpr std::array<const char*, 3> names{"client", "server", "both"};
  return names[static_cast<size_t>(x)];
}

pair_config calm(uint64_t seed) {
  pair_config cfg;
  cfg.seed = seed;
  cfg.wrap = all_wraps[seed % all_wraps.size()];
  cfg.client_direction = protocol::key_direction::inverse;
  cfg.epoch = seed % 3 != 0;
  cfg.dynamic_tls_crypt = seed % 5 < 3;
  cfg.shuffle = seed % 2 == 0;
  return cfg;
}

/// A connected pair that renegotiates every `age` seconds.
struct rekeying_pair : vpn_pair {
  rekeying_pair(const pair_config& cfg, asker who, duration age)
    : vpn_pair(cfg) {
    client.cfg->session.reneg_after = who != asker::server ? age : 0s;
    server.cfg->session.reneg_after = who != asker::client ? age : 0s;
    start();
    if (!drive_to_connected(60s))
      CAF_FAIL(story());
  }

  /// One and the same session all along.
  bool unharmed() const {
    return connected(client) && connected(server) && client.sockets == 1
           && server.sockets == 1 && client.saw.ended.empty()
           && server.saw.ended.empty()
           && client.saw.count(protocol::phase::reconnecting) == 0;
  }
  bool gave_up() const {
    return client.saw.noted("the old key goes on")
           || server.saw.noted("the old key goes on");
  }

  light_stream stream{*this};
};

/// Both at once, or one, and control packets go astray. Says whether a
/// negotiation failed.
bool rekey_without_loss(uint64_t seed, asker who, const std::string& fault) {
  seeded_run fixed{seed};
  rekeying_pair x{calm(seed), who, 20s};
  x.fault(x.client, fault + ",seed=" + std::to_string(seed));
  x.stream.run(200s, 250ms);
  x.clear_faults(x.client);
  x.stream.run(65s, 250ms);
  auto failed = x.gave_up();
  // Packets go astray only if they are control packets.
  if (!failed && (!x.unharmed() || !x.stream.complete()))
    CAF_ERROR("seed " << seed << ", " << to_string(who) << ", " << fault << ": "
                      << x.stream.arrived_up() << " and "
                      << x.stream.arrived_down() << " of " << x.stream.sent()
                      << ", wrong " << x.stream.wrong() << "\n"
                      << x.story());
  if (!failed) {
    CAF_CHECK(vpn_pair::new_keys(x.client) >= 8);
    CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), vpn_pair::new_keys(x.server));
  }
  return failed;
}

/// Everything that was on the wire.
struct recorder {
  explicit recorder(vpn_pair& x) {
    x.tap = [this, &x](const vpn_pair::side& from, byte_view datagram) {
      (&from == &x.client ? to_server : to_client).push_back(datagram.copy());
    };
  }
  std::vector<bytes> to_client, to_server;
};

/// Old packets of 2 s under way, and a new session at both ends.
struct slow_pair : vpn_pair {
  explicit slow_pair(wrap_mode wrap) : vpn_pair(config(wrap)) {
    client.cfg->session.reneg_after = 30s;
    server.cfg->session.reneg_after = 0s;
  }
  static pair_config config(wrap_mode wrap) {
    pair_config cfg;
    cfg.wrap = wrap;
    cfg.client_direction = protocol::key_direction::inverse;
    cfg.restart_server = true;
    cfg.faults.delay = 2s;
    return cfg;
  }
  /// What arrives before the old session has closed is its own.
  void replace_server() {
    auto ends = server.saw.ended.size();
    stop(server, reason::server_stopped);
    if (!drive(5s, [&] {
          return server.saw.ended.size() > ends;
        }))
      CAF_FAIL(story());
  }
  bool both_connect_anew(duration limit) {
    auto before = server.saw.count(protocol::phase::connected);
    return drive(limit, [this, before] {
      return connected(client) && connected(server)
             && server.saw.count(protocol::phase::connected) > before;
    });
  }
};

std::string to_string(wrap_mode x) {
  constexpr std::array<const char*, 4> names{"none", "tls-auth", "tls-crypt",
                                             "tls-crypt-v2"};
  return names[static_cast<size_t>(x)];
}

} // namespace

CAF_TEST(both renegotiate at the same second on a lossy link) {
  size_t failed = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    seeded_run fixed{seed};
    rekeying_pair x{calm(seed), asker::both, 120s};
    link_faults faults;
    faults.lose = 200;
    faults.duplicate = 125;
    faults.reorder = 125;
    faults.jitter = 30ms;
    x.set_faults(faults);
    x.stream.run(600s);
    if (!x.unharmed() && !x.gave_up())
      CAF_ERROR("seed " << seed << ": " << x.story());
    failed += x.gave_up() ? 1 : 0;
    x.set_faults({});
    x.drive(5s);
    CAF_CHECK_EQUAL(x.stream.wrong(), 0u);
    if (!x.gave_up()) {
      CAF_CHECK(vpn_pair::new_keys(x.client) >= 4);
      CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client),
                      vpn_pair::new_keys(x.server));
    }
    if (!x.carries())
      CAF_ERROR("seed " << seed << ": " << x.story());
  }
  CAF_MESSAGE("negotiations that failed: " << failed);
  CAF_CHECK(failed <= 2);
}

CAF_TEST(lost control packets cost no data) {
  size_t failed = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed)
    for (auto who : all_askers)
      failed += rekey_without_loss(seed, who,
                                   "network:drop=0.2,duplicate=0.1,reorder=0.1,"
                                   "opcode=control");
  CAF_MESSAGE("negotiations that failed: " << failed);
  CAF_CHECK(failed <= 3);
}

CAF_TEST(a new key is promoted while acks stay away) {
  size_t failed = 0;
  for (uint64_t seed = 21; seed <= 24; ++seed)
    for (auto who : all_askers) {
      failed += rekey_without_loss(seed, who, "network:drop=1,opcode=ack");
      failed += rekey_without_loss(seed, who, "network.up:drop=1,opcode=ack");
      failed += rekey_without_loss(seed, who, "network.down:drop=1,opcode=ack");
      failed += rekey_without_loss(seed, who, "network:drop=0.5,opcode=ack");
    }
  CAF_MESSAGE("negotiations that failed: " << failed);
  CAF_CHECK_EQUAL(failed, 0u);
}

CAF_TEST(acks that never come cost no data) {
  for (auto who : all_askers)
    for (auto* fault :
         {"network.up:drop=1,opcode=ack", "network.down:drop=1,opcode=ack",
          "network:drop=1,opcode=ack"}) {
      seeded_run fixed{6};
      rekeying_pair x{calm(6), who, 70s};
      x.fault(x.client, fault);
      // Longer than the hand window.
      x.stream.run(69s);
      x.stream.run(3s, 5ms);
      x.stream.run(400s, 500ms);
      x.clear_faults(x.client);
      x.stream.run(30s);
      if (!x.stream.complete() || !x.client.saw.ended.empty()
          || !x.server.saw.ended.empty())
        CAF_ERROR(to_string(who)
                  << ", " << fault << ": " << x.stream.arrived_up() << " and "
                  << x.stream.arrived_down() << " of " << x.stream.sent()
                  << "\n"
                  << x.story());
      CAF_MESSAGE(vpn_pair::new_keys(x.client)
                  << " new keys, gave up: " << x.gave_up());
    }
}

CAF_TEST(the acks of one negotiation alone stay away for a while) {
  for (auto who : all_askers)
    for (auto from : {19900ms, 19950ms, 20000ms, 20010ms, 20020ms, 20030ms,
                      20040ms, 20050ms, 20060ms, 20080ms, 20100ms})
      for (auto length : {20ms, 200ms, 3000ms}) {
        seeded_run fixed{7};
        rekeying_pair x{calm(8), who, 20s};
        x.fault(x.client, "network:drop=1,opcode=ack,from="
                            + std::to_string(from.count()) + "ms,until="
                            + std::to_string((from + length).count()) + "ms");
        x.stream.run(19s);
        x.stream.run(6s, 5ms);
        x.drive(1s);
        x.stream.run(1s);
        if (!x.unharmed() || !x.stream.complete())
          CAF_ERROR(to_string(who)
                    << " " << from.count() << " " << length.count() << ": "
                    << x.stream.arrived_up() << " and "
                    << x.stream.arrived_down() << " of " << x.stream.sent()
                    << "\n"
                    << x.story());
        CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 1u);
        CAF_CHECK_EQUAL(vpn_pair::new_keys(x.server), 1u);
      }
}

CAF_TEST(packets of the old session are under way when the new one begins) {
  for (auto wrap : all_wraps)
    // The server learns of it before the old packets are there, with them, and
    // after; in the middle of a renegotiation, too.
    for (auto age : {5s, 31s, 33s, 36s})
      for (auto later : {100ms, 1000ms, 1900ms, 2500ms}) {
        seeded_run fixed{3};
        slow_pair x{wrap};
        x.start();
        CAF_REQUIRE(x.drive_to_connected(60s));
        x.drive(age);
        // These arrive where nobody knows their key, or at the old session.
        auto old_up = numbered_packets(1000, 50, 1);
        auto old_down = numbered_packets(2000, 50, 2);
        x.send(x.client, old_up);
        x.send(x.server, old_down);
        x.drive(100ms);
        caf::anon_send(x.client.supervisor, atom::restart_v);
        x.drive(later);
        x.client.saw.packets.clear();
        x.replace_server();
        x.server.saw.packets.clear();
        auto before = x.elapsed();
        if (!x.both_connect_anew(180s))
          CAF_ERROR(to_string(wrap) << ": " << x.story());
        if (x.elapsed() - before > 30s)
          CAF_MESSAGE(to_string(wrap) << " age " << age.count() << " later "
                                      << later.count() << ": new session after "
                                      << (x.elapsed() - before) / 1s << " s");
        CAF_CHECK(x.client.saw.packets.empty());
        CAF_CHECK(x.server.saw.packets.empty());
        x.set_faults({});
        x.drive(3s);
        if (!x.carries() || !vpn_pair::connected(x.client)
            || !x.client.saw.ended.empty())
          CAF_ERROR(to_string(wrap) << ": " << x.story());
      }
}

CAF_TEST(a session that is given up before it stood is not in the way) {
  for (auto wrap : all_wraps)
    for (auto age : {500ms, 1500ms, 2500ms, 4500ms, 6500ms, 8500ms, 10500ms}) {
      seeded_run fixed{4};
      slow_pair x{wrap};
      x.start();
      x.drive(age);
      caf::anon_send(x.client.supervisor, atom::restart_v);
      // What the old session has sent is what the next server hears first; with
      // no wrapping it cannot know that nobody is behind it any more.
      x.replace_server();
      if (!x.both_connect_anew(180s))
        CAF_ERROR(to_string(wrap) << " " << age.count() << ": " << x.story());
      x.set_faults({});
      x.drive(3s);
      if (!x.carries())
        CAF_ERROR(to_string(wrap) << " " << age.count() << ": " << x.story());
    }
}

CAF_TEST(nothing of an old session means anything to the new one) {
  for (auto wrap : all_wraps) {
    seeded_run fixed{5};
    pair_config cfg;
    cfg.wrap = wrap;
    cfg.client_direction = protocol::key_direction::inverse;
    cfg.restart_server = true;
    vpn_pair x{cfg};
    x.client.cfg->session.reneg_after = 10s;
    recorder old{x};
    x.start();
    CAF_REQUIRE(x.drive_to_connected(10s));
    light_stream stream{x};
    stream.run(25s, 100ms);
    CAF_CHECK(stream.complete());
    x.tap = nullptr;
    caf::anon_send(x.client.supervisor, atom::restart_v);
    x.stop(x.server, reason::server_stopped);
    x.drive(1ms);
    CAF_REQUIRE(x.drive(60s, [&] {
      return x.client.saw.count(protocol::phase::connected) == 2
             && vpn_pair::connected(x.client) && vpn_pair::connected(x.server);
    }));
    x.drive(3s);
    // Key ids that exist, and after two renegotiations those of later keys.
    for (auto round = 0; round < 3; ++round) {
      auto keys = vpn_pair::new_keys(x.client);
      x.client.saw.packets.clear();
      x.server.saw.packets.clear();
      for (auto& y : old.to_client)
        x.inject(x.client, y);
      for (auto& y : old.to_server)
        x.inject(x.server, y);
      x.drive(1s);
      CAF_CHECK(x.client.saw.packets.empty());
      CAF_CHECK(x.server.saw.packets.empty());
      CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), keys);
      CAF_CHECK(vpn_pair::connected(x.client));
      CAF_CHECK(vpn_pair::connected(x.server));
      if (!x.carries())
        CAF_ERROR(to_string(wrap) << ": " << x.story());
      x.drive(10s);
    }
    CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::connected), 2u);
  }
}
