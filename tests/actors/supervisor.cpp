// SUPERVISOR with real layers and no peer: one try after the other, and the
// end. The pair suites have what comes after the first answer.
#define CAF_SUITE actors.supervisor
#include "vpn/actors/supervisor.hpp"

#include "tests/support/session_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::phase;

namespace {

struct fixture : test::session_fixture {
  /// Actors that are there without any session.
  size_t before = 0;
  supervisor_actor supervisor;

  void spawn() {
    before = sys.registry().running();
    supervisor = own(spawn_supervisor(sys, cfg));
  }
  void start() {
    spawn();
    tell(supervisor, atom::start_v);
  }
  void transport_is_up() {
    tell(outer.observer,
         transport_up{{*parse_ip("192.0.2.77"), 5000, 0}, server(1), nullptr});
  }
  void network_fails(reason why = reason::transport_failed) {
    tell(outer.observer, layer_failed{"network", {why, "the cable is out"}});
  }
  void stop(reason why = reason::terminated) {
    tell(supervisor, atom::stop_v, why);
  }
  /// The session has ended once, for this reason, and nobody is left of it.
  bool ended_for(reason why) {
    consume_messages();
    if (saw.ended.size() != 1 || saw.ended[0].why != why) {
      for (auto& x : saw.ended)
        CAF_MESSAGE(to_string(x.why) << ": " << x.text);
      return false;
    }
    // What holds the layers from outside lets go.
    return sys.registry().running() == before;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(supervisor_tests, fixture)

CAF_TEST(nothing happens before the start) {
  spawn();
  pass(60s);
  CAF_CHECK(outer.networks.empty());
  CAF_CHECK(saw.phases.empty());
  CAF_CHECK_EQUAL(sys.registry().running(), before + 1);
}

CAF_TEST(a start resolves and opens the socket once) {
  start();
  tell(supervisor, atom::start_v);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 1u);
  CAF_CHECK(outer.networks[0].remote == server(1));
  CAF_CHECK(!outer.networks[0].tcp);
  CAF_CHECK_EQUAL(outer.started, 1u);
  CAF_CHECK(saw.phases
            == (std::vector<phase>{phase::resolve, phase::connecting}));
  // Before the transport is up nothing is sent.
  CAF_CHECK(outer.datagrams.empty());
}

CAF_TEST(a transport that is up carries the hard reset) {
  start();
  transport_is_up();
  CAF_REQUIRE_EQUAL(outer.datagrams.size(), 1u);
  CAF_CHECK_EQUAL(outer.datagrams[0].at(0), 7 << 3);
  CAF_CHECK(saw.noted("UDPv4 link remote: [AF_INET]192.0.2.1:1194"));
}

CAF_TEST(TCP is told to NETWORK and to the listener) {
  cfg->plan.remotes[0].tcp = true;
  cfg->plan.remotes[0].settings.connect_timeout = 33s;
  start();
  CAF_REQUIRE_EQUAL(outer.networks.size(), 1u);
  CAF_CHECK(outer.networks[0].tcp);
  CAF_CHECK(outer.networks[0].connect_timeout == 33s);
  CAF_CHECK_EQUAL(saw.count(phase::tcp_connect), 1u);
}

CAF_TEST(a name that does not resolve is tried again and then given up) {
  cfg->plan.max_tries = 3;
  saw.resolved = {{}, {reason::resolve_failed, "no such name"}};
  start();
  CAF_CHECK(saw.noted("RESOLVE: no such name"));
  CAF_CHECK(saw.ended.empty());
  pass(60s);
  CAF_CHECK(outer.networks.empty());
  CAF_CHECK_EQUAL(saw.count(phase::resolve), 3u);
  CAF_CHECK(ended_for(reason::resolve_failed));
}

CAF_TEST(each address of a name has its turn before the name is asked again) {
  saw.resolved.endpoints = {server(1), server(2), server(3)};
  start();
  for (uint8_t i = 1; i <= 3; ++i) {
    CAF_REQUIRE_EQUAL(outer.networks.size(), size_t{i});
    CAF_CHECK(outer.networks.back().remote == server(i));
    network_fails();
    pass(2s);
  }
  CAF_CHECK_EQUAL(outer.networks.size(), 4u);
  CAF_CHECK(outer.networks.back().remote == server(1));
  CAF_CHECK_EQUAL(saw.count(phase::resolve), 2u);
}

CAF_TEST(each remote has its turn) {
  auto second = cfg->plan.remotes[0];
  second.host = "other.test";
  second.tcp = true;
  cfg->plan.remotes.push_back(second);
  start();
  network_fails();
  pass(2s);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK(!outer.networks[0].tcp);
  CAF_CHECK(outer.networks[1].tcp);
}

CAF_TEST(a transport that fails is closed and the next try comes later) {
  start();
  transport_is_up();
  auto old_layers = sys.registry().running();
  network_fails();
  // Nobody waits for acks of a server that never answered.
  pass(500ms);
  CAF_CHECK_EQUAL(outer.shutdowns, 1u);
  CAF_CHECK_EQUAL(saw.undone, 1u);
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
  CAF_CHECK_EQUAL(saw.count(phase::reconnecting), 1u);
  CAF_CHECK(saw.noted("Restart pause, 1 second(s)"));
  pass(2s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  transport_is_up();
  // Nobody of the first tree lives any more.
  CAF_CHECK_EQUAL(sys.registry().running(), old_layers);
  CAF_CHECK(saw.ended.empty());
}

CAF_TEST(a server that never answers is left for the next try) {
  // Whichever of the two limits comes first.
  for (auto limit : {std::pair{60s, 120s}, {60s, 20s}}) {
    cfg->session.hand_window = limit.first;
    cfg->plan.remotes[0].settings.connect_timeout = limit.second;
    outer.networks.clear();
    outer.datagrams.clear();
    saw.ended.clear();
    start();
    transport_is_up();
    pass(std::min(limit.first, limit.second) - 1s);
    CAF_CHECK_EQUAL(outer.networks.size(), 1u);
    // The reset was repeated meanwhile.
    CAF_CHECK(outer.datagrams.size() > 3);
    pass(5s);
    CAF_CHECK_EQUAL(outer.networks.size(), 2u);
    CAF_CHECK(saw.ended.empty());
    CAF_CHECK(saw.noted("SIGUSR1[soft,server_poll] received"));
    stop();
    CAF_CHECK(ended_for(reason::terminated));
  }
}

CAF_TEST(tries come to an end with the reason of the last one) {
  cfg->plan.max_tries = 2;
  start();
  network_fails();
  pass(2s);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 2u);
  network_fails();
  pass(2s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK(ended_for(reason::transport_failed));
}

CAF_TEST(a layer that dies is replaced and the session goes on) {
  start();
  transport_is_up();
  for (size_t i = 1; i <= 3; ++i) {
    caf::anon_send_exit(outer.network, caf::exit_reason::kill);
    outer.network = nullptr;
    pass(4s);
    CAF_CHECK_EQUAL(outer.started, i + 1);
    CAF_CHECK(saw.noted("layer network died"));
    CAF_CHECK(saw.ended.empty());
  }
}

CAF_TEST(a layer that dies again and again ends the session) {
  start();
  transport_is_up();
  for (int i = 0; i < 5; ++i) {
    caf::anon_send_exit(outer.network, caf::exit_reason::kill);
    outer.network = nullptr;
    pass(1s);
  }
  pass(10s);
  CAF_REQUIRE(ended_for(reason::restart_intensity));
  CAF_CHECK(saw.ended[0].text.find("layer network died") != std::string::npos);
  CAF_CHECK_EQUAL(saw.undone, 1u);
}

CAF_TEST(a stop before the start ends at once) {
  spawn();
  stop();
  CAF_CHECK(ended_for(reason::terminated));
}

CAF_TEST(a stop while connecting ends all layers) {
  start();
  stop(reason::interrupted);
  CAF_CHECK(ended_for(reason::interrupted));
  CAF_CHECK_EQUAL(outer.shutdowns, 1u);
  CAF_CHECK_EQUAL(saw.undone, 1u);
}

CAF_TEST(a stop while waiting for an answer ends all layers) {
  start();
  transport_is_up();
  stop();
  pass(5s);
  CAF_CHECK(ended_for(reason::terminated));
}

CAF_TEST(a stop in the pause before the next try ends at once) {
  start();
  network_fails();
  stop();
  CAF_CHECK(ended_for(reason::terminated));
  pass(60s);
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
}

CAF_TEST(a second stop changes nothing) {
  start();
  outer.answers = false;
  stop(reason::interrupted);
  CAF_CHECK(saw.ended.empty());
  stop(reason::terminated);
  pass(5s);
  CAF_CHECK(ended_for(reason::interrupted));
}

CAF_TEST(a layer that does not answer cannot hold up the end) {
  start();
  transport_is_up();
  outer.answers = false;
  stop();
  CAF_CHECK(saw.ended.empty());
  pass(4600ms);
  CAF_CHECK(ended_for(reason::terminated));
  CAF_CHECK_EQUAL(saw.undone, 1u);
}

CAF_TEST(a stop in the middle of closing is the end) {
  start();
  transport_is_up();
  outer.answers = false;
  network_fails();
  stop();
  pass(5s);
  CAF_CHECK(ended_for(reason::terminated));
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
}

CAF_TEST(facts of a tree that is gone are not heard) {
  start();
  transport_is_up();
  auto old = outer.observer;
  network_fails();
  // In the pause between two tries.
  tell(old, layer_failed{"network", {reason::internal, "late"}});
  tell(old, transport_up{server(9), server(9), nullptr});
  CAF_CHECK(saw.ended.empty());
  pass(2s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK_EQUAL(outer.started, 2u);
}

CAF_TEST(the status has a line of each layer) {
  start();
  transport_is_up();
  auto all = ask<std::vector<layer_status>>(supervisor, atom::status_v);
  CAF_REQUIRE(all);
  std::vector<std::string> names;
  for (auto& x : *all)
    names.push_back(x.layer);
  std::sort(names.begin(), names.end());
  CAF_CHECK(names
            == (std::vector<std::string>{"control", "data_channel", "muxer",
                                         "network", "reliable", "tls", "tun"}));
}

CAF_TEST(the status says which layer does not answer) {
  start();
  outer.answers = false;
  auto later = ask_later<std::vector<layer_status>>(supervisor, atom::status_v);
  CAF_CHECK(!*later);
  pass(2s);
  CAF_REQUIRE(*later);
  CAF_REQUIRE(bool(**later));
  auto& all = ***later;
  CAF_CHECK_EQUAL(all.size(), 4u);
  CAF_CHECK(std::count_if(all.begin(), all.end(),
                          [](auto& x) {
                            return x.text == "does not answer";
                          })
            == 1);
}

CAF_TEST(the status of a session without layers is empty) {
  spawn();
  auto all = ask<std::vector<layer_status>>(supervisor, atom::status_v);
  CAF_REQUIRE(all);
  CAF_CHECK(all->empty());
}

CAF_TEST(a restart makes a new connection) {
  start();
  transport_is_up();
  tell(supervisor, atom::restart_v);
  pass(5s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK(saw.ended.empty());
}

CAF_TEST(a killed SUPERVISOR takes its layers along) {
  start();
  transport_is_up();
  caf::anon_send_exit(supervisor, caf::exit_reason::kill);
  CAF_CHECK(ended_for(reason::internal));
}

CAF_TEST(many tries leave nothing behind) {
  start();
  transport_is_up();
  auto running = sys.registry().running();
  for (int i = 0; i < 20; ++i) {
    network_fails();
    for (int k = 0; k < 400 && outer.networks.size() < size_t(i) + 2; ++k)
      pass(1s);
    transport_is_up();
    CAF_REQUIRE_EQUAL(outer.networks.size(), size_t(i) + 2);
    CAF_REQUIRE_EQUAL(sys.registry().running(), running);
    for (auto& pool : {cfg->pools.received, cfg->pools.tun})
      CAF_REQUIRE_EQUAL(pool->available(), pool->capacity());
  }
  stop();
  pass(5s);
  CAF_CHECK(ended_for(reason::terminated));
  CAF_CHECK_EQUAL(cfg->pools.sealed->available(),
                  cfg->pools.sealed->capacity());
}

CAF_TEST_FIXTURE_SCOPE_END()
