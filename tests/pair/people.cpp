// Who logs in: passwords, tokens, and what comes of a refusal.
#define CAF_SUITE pair.people
#include "tests/support/asking_pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::auth_retry;
using protocol::credential_source;
using protocol::question;

// -- passwords --

CAF_TEST(a person is asked before the first packet) {
  asking_pair x;
  x.answer("wonderland");
  x.connect();
  CAF_REQUIRE_EQUAL(x.saw().questions.size(), 1u);
  auto& asked = x.saw().questions[0];
  CAF_CHECK(asked.what == question::kind::credentials);
  CAF_CHECK(asked.username.empty());
  CAF_CHECK(asked.needs_password);
  CAF_CHECK(asked.text.empty());
  CAF_CHECK(x.carries());
}

CAF_TEST(a password that was given is used again for the next key) {
  asking_pair x;
  x.answer("wonderland");
  x.client.cfg->session.reneg_after = 10s;
  x.connect();
  x.drive(35s);
  CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 3u);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 1u);
}

CAF_TEST(auth nocache asks again for each key) {
  asking_pair x;
  x.client.cfg->credentials.forget = true;
  x.client.cfg->session.reneg_after = 10s;
  for (auto i = 0; i < 4; ++i)
    x.answer("wonderland");
  x.connect();
  x.drive(35s);
  CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 3u);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 4u);
  CAF_CHECK_EQUAL(x.saw().questions[3].username, "alice");
  CAF_CHECK(x.carries());
  // The fifth time nobody is there.
  x.check_ended(reason::auth_pending, 15s);
}

CAF_TEST(auth nocache asks when the server wants a new key) {
  asking_pair x;
  x.client.cfg->credentials.forget = true;
  x.server.cfg->session.reneg_after = 10s;
  for (auto i = 0; i < 3; ++i)
    x.answer("wonderland");
  x.connect();
  x.drive(25s);
  CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 2u);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 3u);
}

CAF_TEST(a person who thinks for long holds up the new key and no packet) {
  asking_pair x;
  x.client.cfg->credentials.forget = true;
  x.server.cfg->session.reneg_after = 10s;
  x.answer("wonderland");
  x.saw().mood = prompter_mood::silent;
  x.connect();
  x.drive(30s);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 2u);
  CAF_CHECK(x.carries());
  x.drive(5min);
  if (!x.carries())
    CAF_FAIL(x.story());
  x.stop(x.client);
  x.check_ended(reason::terminated);
}

CAF_TEST(with nobody to ask the session ends before it begins) {
  for (auto absent : {true, false}) {
    asking_pair x;
    if (absent)
      x.client.cfg->parts.spawn_prompter = nullptr;
    x.start();
    x.check_ended(reason::auth_pending);
    CAF_CHECK_EQUAL(x.client.sockets, 0u);
    CAF_CHECK_EQUAL(x.saw().questions.size(), absent ? 0u : 1u);
  }
}

CAF_TEST(a password alone is asked for when the name is known) {
  asking_pair x{credential_source::given};
  x.client.cfg->credentials.password = secret{};
  x.answer("wonderland", {}, "somebody else");
  x.connect();
  CAF_REQUIRE_EQUAL(x.saw().questions.size(), 1u);
  CAF_CHECK_EQUAL(x.saw().questions[0].username, "alice");
}

// -- refusals --

CAF_TEST(a refusal says why) {
  asking_pair x{credential_source::given};
  x.policy().before_push = {"AUTH_FAILED,your account has expired"};
  x.start();
  x.check_ended(reason::auth_failed);
  CAF_CHECK_EQUAL(x.saw().ended[0].text, "your account has expired");
  CAF_CHECK(x.saw().noted("AUTH_FAILED,your account has expired"));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(auth retry interact asks again until it is right) {
  asking_pair x;
  x.client.cfg->credentials.retry = auth_retry::interact;
  x.answer("looking glass");
  x.answer("rabbit hole");
  x.answer("wonderland");
  x.connect(30s);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 3u);
  CAF_CHECK_EQUAL(x.client.sockets, 3u);
  CAF_CHECK(x.saw().noted("SIGUSR1[soft,auth-failure]"));
  CAF_CHECK(x.carries());
}

CAF_TEST(auth retry interact gives up when nobody is there any more) {
  asking_pair x;
  x.client.cfg->credentials.retry = auth_retry::interact;
  x.answer("looking glass");
  x.start();
  x.check_ended(reason::auth_pending, 30s);
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(auth retry nointeract tries the same again) {
  asking_pair x;
  x.client.cfg->credentials.retry = auth_retry::nointeract;
  x.answer("looking glass");
  x.start();
  x.drive(10s);
  CAF_CHECK(x.client.sockets >= 4);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 1u);
  CAF_CHECK(x.saw().ended.empty());
  x.policy().password = secret{"looking glass"};
  x.come_back(30s);
}

CAF_TEST(a password that is refused ends it all without auth retry) {
  asking_pair x;
  x.answer("looking glass");
  x.answer("wonderland");
  x.start();
  x.check_ended(reason::auth_failed);
  CAF_CHECK_EQUAL(x.saw().questions.size(), 1u);
}

// -- refusals for now --

CAF_TEST(a temporary refusal says how long to wait) {
  asking_pair x{credential_source::given};
  x.policy().before_push = {"AUTH_FAILED,TEMP[backoff 42]:come back later"};
  x.start();
  x.drive(2s);
  CAF_CHECK(x.saw().ended.empty());
  CAF_CHECK(x.saw().noted("Restart pause, 42 second(s)"));
  CAF_CHECK(x.saw().noted("come back later"));
  x.policy().before_push.clear();
  x.renew_server();
  x.drive(36s);
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  x.come_back(6s);
  CAF_CHECK_EQUAL(x.client.sockets, 2u);
}

CAF_TEST(a temporary refusal says where to go) {
  struct {
    const char* text;
    const char* address;
    const char* last_lookup;
    size_t lookups;
  } cases[] = {
    // The first address of a name is not kept, but it is the first again.
    {"AUTH_FAILED,TEMP:full", "192.0.2.2", "vpn.test", 2},
    {"AUTH_FAILED,TEMP[advance no]:full", "192.0.2.2", "vpn.test", 2},
    {"AUTH_FAILED,TEMP[advance addr]:full", "192.0.2.3", "vpn.test", 1},
    {"AUTH_FAILED,TEMP[backoff 3,advance addr]:full", "192.0.2.3", "vpn.test",
     1},
    {"AUTH_FAILED,TEMP[advance remote]:full", "192.0.2.2", "other.test", 2},
  };
  for (auto& y : cases) {
    CAF_MESSAGE(y.text);
    asking_pair x{credential_source::given};
    auto second = x.client.cfg->plan.remotes[0];
    second.host = "other.test";
    x.client.cfg->plan.remotes.push_back(second);
    auto other = x.saw().resolved.endpoints[0];
    other.address = *parse_ip("192.0.2.3");
    x.saw().resolved.endpoints.push_back(other);
    x.policy().before_push = {y.text};
    x.start();
    x.drive(500ms);
    CAF_CHECK_EQUAL(x.client.sockets, 1u);
    x.saw().notices.clear();
    x.policy().before_push.clear();
    x.renew_server();
    x.drive(5s);
    if (!x.saw().noted(std::string{"remote address: [AF_INET]"} + y.address)
        || x.saw().lookups.size() != y.lookups)
      CAF_FAIL(x.story());
    CAF_CHECK_EQUAL(x.saw().lookups.back().host, y.last_lookup);
  }
}

// -- orders to leave --

CAF_TEST(RESTART without P forgets what a person typed) {
  for (auto keep : {true, false}) {
    asking_pair x;
    x.answer("wonderland");
    x.answer("wonderland");
    x.policy().before_push
      = {keep ? "RESTART,[P]maintenance" : "RESTART,maintenance"};
    x.start();
    x.drive(500ms);
    x.policy().before_push.clear();
    x.renew_server();
    x.come_back(10s);
    CAF_CHECK_EQUAL(x.saw().questions.size(), keep ? 1u : 2u);
    CAF_CHECK(x.saw().noted("maintenance"));
    CAF_CHECK(x.saw().noted("SIGUSR1[soft,server-pushed-connection-reset]"));
  }
}

CAF_TEST(RESTART with N goes on to the next remote) {
  for (auto next : {true, false}) {
    asking_pair x{credential_source::given};
    auto second = x.client.cfg->plan.remotes[0];
    second.host = "other.test";
    x.client.cfg->plan.remotes.push_back(second);
    auto other = x.saw().resolved.endpoints[0];
    other.address = *parse_ip("192.0.2.3");
    x.saw().resolved.endpoints.push_back(other);
    x.policy().before_push = {next ? "RESTART,[N]moving" : "RESTART,moving"};
    x.start();
    x.drive(500ms);
    x.policy().before_push.clear();
    x.renew_server();
    x.drive(5s);
    // Without it the next address is next.
    CAF_REQUIRE_EQUAL(x.saw().lookups.size(), next ? 2u : 1u);
    CAF_CHECK_EQUAL(x.saw().lookups.back().host,
                    next ? "other.test" : "vpn.test");
  }
}

CAF_TEST(HALT is the end) {
  asking_pair x{credential_source::given};
  x.policy().before_push = {"HALT,closed for good"};
  x.start();
  x.check_ended(reason::server_stopped);
  CAF_CHECK_EQUAL(x.saw().ended[0].text, "closed for good");
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

// -- tokens --

CAF_TEST(a token that has run out gives way to the password) {
  asking_pair x;
  x.answer("wonderland");
  x.client.cfg->session.reneg_after = 10s;
  x.policy().push.emplace_back("auth-token SESS_ID_AT_x");
  x.connect();
  x.drive(11s);
  CAF_REQUIRE(!x.server.saw.ended.empty());
  CAF_CHECK_EQUAL(to_string(x.server.saw.ended[0].why), "auth_failed");
  x.come_back();
  // What was typed is still known.
  CAF_CHECK_EQUAL(x.saw().questions.size(), 1u);
  CAF_CHECK(x.saw().ended.empty());
  CAF_CHECK(!x.saw().noted("SESS_ID_AT_x"));
}

CAF_TEST(a token that the server knows is used with its name) {
  asking_pair x{credential_source::given};
  x.policy().push.emplace_back("auth-token SESS_ID_AT_x");
  x.policy().push.emplace_back("auth-token-user Ym9i");
  x.server.settings().exit_notify = 1;
  x.connect();
  // The next session of the server knows the token alone.
  x.policy().username = "bob";
  x.policy().password = secret{"SESS_ID_AT_x"};
  x.renew_server();
  x.come_back();
  CAF_CHECK_EQUAL(x.client.sockets, 2u);
  CAF_CHECK(x.carries());
}
