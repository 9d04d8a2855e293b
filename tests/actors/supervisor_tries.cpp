// SUPERVISOR on its way to a server: proxies, names, what a person must say
// first, and how it gives up.
#define CAF_SUITE actors.supervisor_tries
#include "vpn/actors/supervisor.hpp"

#include "tests/support/session_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::phase;
using protocol::proxy_kind;

namespace {

struct fixture : test::session_fixture {
  size_t before = 0;
  supervisor_actor supervisor;

  fixture() {
    resolves("proxy.test", {proxy(1)});
    resolves("vpn.test", {server(1)});
  }
  static endpoint proxy(uint8_t n) {
    return {*parse_ip("198.51.100." + std::to_string(n)), 3128, 0};
  }
  void resolves(const std::string& name, std::vector<endpoint> to) {
    saw.resolved_names[name].endpoints = std::move(to);
  }
  void does_not_resolve(const std::string& name) {
    saw.resolved_names[name]
      = {{}, {reason::resolve_failed, name + " is unknown"}};
  }
  protocol::remote_entry& remote(size_t i = 0) { return cfg->plan.remotes[i]; }
  void behind(proxy_kind kind, bool tcp) {
    auto& x = remote().settings.proxy;
    x.kind = kind;
    x.host = "proxy.test";
    x.port = "3128";
    remote().tcp = tcp;
  }
  void start() {
    before = sys.registry().running();
    supervisor = own(spawn_supervisor(sys, cfg));
    tell(supervisor, atom::start_v);
  }
  void network_fails() {
    tell(
      outer.observer,
      layer_failed{"network", {reason::transport_failed, "the cable is out"}});
  }
  void stop(reason why = reason::terminated) {
    tell(supervisor, atom::stop_v, why);
  }
  std::vector<std::string> asked() {
    std::vector<std::string> result;
    for (auto& x : saw.lookups)
      result.push_back(x.host + ":" + x.port);
    return result;
  }
  bool ended_for(reason why) {
    consume_messages();
    if (saw.ended.size() != 1 || saw.ended[0].why != why) {
      for (auto& x : saw.ended)
        CAF_MESSAGE(to_string(x.why) << ": " << x.text);
      return false;
    }
    return sys.registry().running() == before;
  }
  void asks_person() {
    cfg->credentials.source = protocol::credential_source::prompt;
  }
};

using strings = std::vector<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(supervisor_tries_tests, fixture)

// -- proxies --

CAF_TEST(the name of a server behind an HTTP proxy is left to the proxy) {
  behind(proxy_kind::http, true);
  start();
  CAF_CHECK(asked() == strings{"proxy.test:3128"});
  CAF_CHECK(saw.lookups.at(0).tcp);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 1u);
  auto& net = outer.networks[0];
  CAF_CHECK(net.remote == proxy(1));
  CAF_CHECK(net.tcp);
  CAF_REQUIRE(net.proxy);
  CAF_CHECK(net.proxy->kind == proxy_kind::http);
  CAF_CHECK_EQUAL(net.target_host, "vpn.test");
  CAF_CHECK_EQUAL(net.target_port, "1194");
  CAF_CHECK(!net.target.address.defined());
  CAF_CHECK(saw.noted("vpn.test:1194 through the proxy proxy.test"));
}

CAF_TEST(TCP through SOCKS leaves the name to the proxy too) {
  behind(proxy_kind::socks5, true);
  start();
  CAF_CHECK(asked() == strings{"proxy.test:3128"});
  CAF_REQUIRE_EQUAL(outer.networks.size(), 1u);
  CAF_CHECK(outer.networks[0].remote == proxy(1));
}

CAF_TEST(datagrams through SOCKS need both addresses) {
  behind(proxy_kind::socks5, false);
  start();
  CAF_CHECK(asked() == (strings{"vpn.test:1194", "proxy.test:3128"}));
  // Such a datagram has room for an IPv4 address.
  CAF_CHECK(saw.lookups.at(0).kind == family::v4);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 1u);
  CAF_CHECK(outer.networks[0].remote == proxy(1));
  CAF_CHECK(outer.networks[0].target == server(1));
  CAF_CHECK(!outer.networks[0].tcp);
}

CAF_TEST(each address of a proxy has its turn for the same server) {
  behind(proxy_kind::socks5, false);
  resolves("proxy.test", {proxy(1), proxy(2)});
  start();
  network_fails();
  pass(2s);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK(outer.networks[1].remote == proxy(2));
  CAF_CHECK(outer.networks[1].target == server(1));
  CAF_CHECK_EQUAL(saw.lookups.size(), 2u);
}

CAF_TEST(a proxy or a server that does not resolve fails the try) {
  for (auto name : {"proxy.test", "vpn.test"}) {
    saw.ended.clear();
    saw.notices.clear();
    behind(proxy_kind::socks5, false);
    cfg->plan.max_tries = 1;
    auto known = saw.resolved_names[name];
    does_not_resolve(name);
    start();
    pass(2s);
    CAF_CHECK(ended_for(reason::resolve_failed));
    CAF_CHECK(saw.noted(std::string{"RESOLVE: "} + name + " is unknown"));
    CAF_CHECK(outer.networks.empty());
    saw.resolved_names[name] = known;
  }
}

CAF_TEST(a remote without a proxy after one with it is reached directly) {
  cfg->plan.remotes.push_back(remote());
  behind(proxy_kind::http, true);
  start();
  network_fails();
  pass(2s);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK(!outer.networks[1].proxy);
  CAF_CHECK(outer.networks[1].target_host.empty());
  CAF_CHECK(outer.networks[1].remote == server(1));
}

// -- names --

CAF_TEST(resolv retry ends with its time) {
  cfg->resolve_retry = 10s;
  does_not_resolve("vpn.test");
  start();
  pass(9s);
  CAF_CHECK(saw.ended.empty());
  CAF_CHECK(saw.lookups.size() > 5);
  pass(10s);
  CAF_REQUIRE(ended_for(reason::resolve_failed));
  CAF_CHECK_EQUAL(saw.ended[0].text, "vpn.test is unknown");
}

CAF_TEST(resolv retry of zero ends at once) {
  cfg->resolve_retry = 0s;
  does_not_resolve("vpn.test");
  start();
  CAF_CHECK(ended_for(reason::resolve_failed));
  CAF_CHECK_EQUAL(saw.lookups.size(), 1u);
}

CAF_TEST(a name that resolves in between gets its time anew) {
  cfg->resolve_retry = 10s;
  does_not_resolve("vpn.test");
  start();
  pass(8s);
  resolves("vpn.test", {server(1)});
  pass(2s);
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
  does_not_resolve("vpn.test");
  network_fails();
  pass(8s);
  CAF_CHECK(saw.ended.empty());
  // The pauses have grown meanwhile.
  pass(60s);
  CAF_CHECK(ended_for(reason::resolve_failed));
}

CAF_TEST(a resolver that never answers counts as a name without address) {
  cfg->plan.max_tries = 1;
  cfg->parts.spawn_resolver = [this] {
    return resolver_actor{sys.spawn([](resolver_actor::pointer self) {
      return resolver_actor::behavior_type{
        [self](const resolve_request&) -> caf::result<resolve_result> {
          return self->make_response_promise<resolve_result>();
        }};
    })};
  };
  start();
  pass(29s);
  CAF_CHECK(saw.ended.empty());
  pass(3s);
  CAF_CHECK(ended_for(reason::resolve_failed));
  CAF_CHECK(saw.noted("took too long"));
}

// -- settings --

CAF_TEST(each remote has settings of its own) {
  cfg->network.mark = 7;
  cfg->network.bind_device = "eth9";
  auto& first = remote().settings;
  first.local_address = *parse_ip("192.0.2.200");
  first.local_port = 4000;
  first.floats = true;
  first.connect_timeout = 7s;
  cfg->plan.remotes.push_back({});
  remote(1).host = "vpn.test";
  remote(1).tcp = true;
  remote(1).settings.ipv6_only = true;
  start();
  network_fails();
  pass(2s);
  CAF_REQUIRE_EQUAL(outer.networks.size(), 2u);
  auto& a = outer.networks[0];
  auto& b = outer.networks[1];
  CAF_CHECK_EQUAL(to_string(a.local_address), "192.0.2.200");
  CAF_CHECK_EQUAL(a.local_port, 4000);
  CAF_CHECK(a.floats);
  CAF_CHECK(!a.ipv6_only);
  CAF_CHECK(a.connect_timeout == 7s);
  CAF_CHECK(!b.local_address.defined());
  CAF_CHECK_EQUAL(b.local_port, 0);
  CAF_CHECK(!b.floats);
  CAF_CHECK(b.ipv6_only);
  CAF_CHECK(b.connect_timeout == 120s);
  for (auto* x : {&a, &b}) {
    CAF_CHECK_EQUAL(x->mark, 7u);
    CAF_CHECK_EQUAL(x->bind_device, "eth9");
  }
}

CAF_TEST(each remote has a wrapping of its own) {
  auto& first = remote().settings;
  first.wrap.mode = protocol::wrap_mode::tls_crypt;
  for (size_t i = 0; i < first.wrap.key.size(); ++i)
    first.wrap.key.data()[i] = static_cast<uint8_t>(i);
  cfg->plan.remotes.push_back({});
  remote(1).host = "vpn.test";
  start();
  auto up = [this] {
    tell(outer.observer, transport_up{server(9), server(1), nullptr});
  };
  up();
  CAF_REQUIRE_EQUAL(outer.datagrams.size(), 1u);
  CAF_CHECK_EQUAL(outer.datagrams[0].size(), 54u);
  network_fails();
  pass(4s);
  outer.datagrams.clear();
  up();
  CAF_REQUIRE_EQUAL(outer.datagrams.size(), 1u);
  CAF_CHECK_EQUAL(outer.datagrams[0].size(), 14u);
}

// -- the end of trying --

CAF_TEST(a single session is not followed by another) {
  cfg->single_session = true;
  start();
  network_fails();
  pass(5s);
  CAF_CHECK(ended_for(reason::transport_failed));
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
}

CAF_TEST(a stop after a restart is the end) {
  start();
  outer.answers = false;
  tell(supervisor, atom::restart_v);
  stop();
  pass(10s);
  CAF_CHECK(ended_for(reason::terminated));
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
}

CAF_TEST(a second restart changes nothing) {
  start();
  outer.answers = false;
  tell(supervisor, atom::restart_v);
  tell(supervisor, atom::restart_v);
  pass(10s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK_EQUAL(saw.count(phase::reconnecting), 1u);
  CAF_CHECK(saw.noted("SIGUSR1[hard] received, process restarting"));
}

CAF_TEST(a restart ends a pause and does nothing after a stop) {
  start();
  network_fails();
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
  tell(supervisor, atom::restart_v);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  pass(2s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  outer.answers = false;
  stop();
  tell(supervisor, atom::restart_v);
  pass(10s);
  CAF_CHECK(ended_for(reason::terminated));
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
}

// -- people --

CAF_TEST(nothing is looked up before a person has answered) {
  asks_person();
  saw.mood = test::prompter_mood::silent;
  start();
  pass(10min);
  CAF_CHECK_EQUAL(saw.questions.size(), 1u);
  CAF_CHECK(saw.lookups.empty());
  CAF_CHECK(outer.networks.empty());
  stop(reason::interrupted);
  CAF_CHECK(ended_for(reason::interrupted));
}

CAF_TEST(a static challenge is part of the same question) {
  asks_person();
  cfg->credentials.static_challenge = "PIN";
  saw.answers = {test::typed("secret", "1234", "alice")};
  start();
  CAF_REQUIRE_EQUAL(saw.questions.size(), 1u);
  CAF_CHECK_EQUAL(saw.questions[0].text, "PIN");
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
}

CAF_TEST(without anybody to ask it is over at once) {
  asks_person();
  cfg->parts.spawn_prompter = nullptr;
  start();
  CAF_CHECK(ended_for(reason::auth_pending));
  CAF_CHECK(saw.ended[0].text.find("nobody could be asked")
            != std::string::npos);
}

CAF_TEST(a PROMPTER that dies over a question leaves it unanswered) {
  asks_person();
  saw.mood = test::prompter_mood::dying;
  start();
  pass(1s);
  CAF_CHECK(ended_for(reason::auth_pending));
}

CAF_TEST(a PROMPTER that dies between two questions is replaced) {
  asks_person();
  saw.answers = {test::typed("first", {}, "alice")};
  prompter_actor asked;
  auto spawn = cfg->parts.spawn_prompter;
  size_t spawned = 0;
  cfg->parts.spawn_prompter = [&] {
    ++spawned;
    return asked = spawn();
  };
  start();
  CAF_CHECK_EQUAL(outer.networks.size(), 1u);
  caf::anon_send_exit(asked, caf::exit_reason::kill);
  asked = nullptr;
  pass(1s);
  // The session does not mind.
  CAF_CHECK(saw.ended.empty());
  network_fails();
  pass(3s);
  CAF_CHECK_EQUAL(outer.networks.size(), 2u);
  CAF_CHECK_EQUAL(spawned, 1u);
  stop();
  pass(5s);
  CAF_CHECK(ended_for(reason::terminated));
}

CAF_TEST_FIXTURE_SCOPE_END()
