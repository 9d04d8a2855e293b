// What only a person can do: challenges before and during a session, browsers,
// and answers that never come.
#define CAF_SUITE pair.challenges
#include "tests/support/asking_pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::credential_source;
using protocol::phase;
using protocol::question;

namespace {

constexpr auto challenge
  = "AUTH_FAILED,CRV1:R,E:c3RhdGU:YWxpY2U=:Enter the number";

} // namespace

// -- challenges --

CAF_TEST(a static challenge goes with the password) {
  asking_pair x;
  auto& own = x.client.cfg->credentials;
  own.static_challenge = "Number on your token";
  own.static_challenge_echo = true;
  x.answer("wonderland", "1234");
  x.policy().password = secret{"SCRV1:d29uZGVybGFuZA==:MTIzNA=="};
  x.connect();
  CAF_REQUIRE_EQUAL(x.saw().questions.size(), 1u);
  CAF_CHECK_EQUAL(x.saw().questions[0].text, "Number on your token");
  CAF_CHECK(x.saw().questions[0].echo);
  CAF_CHECK(x.saw().questions[0].needs_response);
}

CAF_TEST(a static challenge in the other form) {
  asking_pair x;
  auto& own = x.client.cfg->credentials;
  own.static_challenge = "Number";
  own.static_challenge_concat = true;
  x.answer("wonderland", "1234");
  x.policy().password = secret{"wonderland1234"};
  x.connect();
}

CAF_TEST(a dynamic challenge is answered in the next try) {
  asking_pair x{credential_source::given};
  x.answer({}, "0815");
  x.policy().before_push = {challenge};
  x.start();
  x.drive(500ms);
  CAF_CHECK(x.saw().ended.empty());
  x.policy().before_push.clear();
  x.policy().password = secret{"CRV1::c3RhdGU::0815"};
  x.renew_server();
  x.come_back();
  CAF_REQUIRE_EQUAL(x.saw().questions.size(), 1u);
  auto& asked = x.saw().questions[0];
  CAF_CHECK(asked.what == question::kind::dynamic_challenge);
  CAF_CHECK_EQUAL(asked.text, "Enter the number");
  CAF_CHECK(asked.echo);
  CAF_CHECK(!asked.needs_password);
  // Its state is half of a login.
  CAF_CHECK(!x.saw().noted("c3RhdGU"));
  CAF_CHECK(x.carries());
}

CAF_TEST(a dynamic challenge is good once) {
  asking_pair x{credential_source::given};
  x.answer({}, "0815");
  x.client.cfg->session.reneg_after = 10s;
  x.policy().before_push = {challenge};
  x.start();
  x.drive(500ms);
  x.policy().before_push.clear();
  x.policy().password = secret{"CRV1::c3RhdGU::0815"};
  x.renew_server();
  x.come_back();
  // The next key comes with the password, which this server does not want.
  x.drive(11s);
  CAF_CHECK_EQUAL(to_string(x.server.saw.ended.back().why), "auth_failed");
  CAF_CHECK_EQUAL(x.saw().questions.size(), 1u);
}

CAF_TEST(a dynamic challenge that nobody answers ends it all) {
  for (auto mood : {prompter_mood::absent, prompter_mood::dying}) {
    asking_pair x{credential_source::given};
    x.saw().mood = mood;
    x.policy().before_push = {challenge};
    x.start();
    x.check_ended(reason::auth_pending);
    CAF_CHECK_EQUAL(x.client.sockets, 1u);
  }
}

CAF_TEST(a question of the server is answered while it waits) {
  for (auto loss : {0U, 200U}) {
    asking_pair x{credential_source::given};
    link_faults faults;
    faults.lose = loss;
    faults.jitter = 20ms;
    x.set_faults(faults);
    x.answer({}, "blue, no: red!");
    x.policy().before_push
      = {"AUTH_PENDING,timeout 30", "INFO_PRE,CR_TEXT:R,E:What is your colour"};
    x.policy().challenge_response = secret{"blue, no: red!"};
    x.connect(3min);
    CAF_REQUIRE(!x.saw().questions.empty());
    auto& asked = x.saw().questions[0];
    CAF_CHECK(asked.what == question::kind::text_challenge);
    CAF_CHECK_EQUAL(asked.text, "What is your colour");
    CAF_CHECK(asked.echo);
    CAF_CHECK(x.saw().count(phase::auth_pending) >= 1);
    x.set_faults({});
    x.drive(1s);
    CAF_CHECK(x.carries());
  }
}

CAF_TEST(a wrong answer is refused) {
  asking_pair x{credential_source::given};
  x.answer({}, "green");
  x.policy().before_push = {"INFO_PRE,CR_TEXT:R:What is your colour"};
  x.policy().challenge_response = secret{"blue"};
  x.start();
  x.check_ended(reason::auth_failed);
  CAF_CHECK(!x.saw().questions.at(0).echo);
}

CAF_TEST(a question that nobody answers ends the session) {
  for (auto how : {0, 1, 2}) {
    asking_pair x{credential_source::given};
    if (how == 0)
      x.client.cfg->parts.spawn_prompter = nullptr;
    if (how == 1)
      x.saw().mood = prompter_mood::dying;
    x.policy().before_push = {"INFO_PRE,CR_TEXT:R:What is your colour"};
    x.policy().challenge_response = secret{"blue"};
    x.start();
    x.check_ended(reason::auth_pending);
    CAF_CHECK(x.saw().noted("nobody answered the server's question"));
  }
}

CAF_TEST(a question that takes too long ends with the time of the server) {
  asking_pair x{credential_source::given};
  x.saw().mood = prompter_mood::silent;
  x.policy().before_push
    = {"AUTH_PENDING,timeout 30", "INFO_PRE,CR_TEXT:R:What is your colour"};
  x.policy().challenge_response = secret{"blue"};
  x.start();
  x.drive(29s);
  CAF_CHECK(x.saw().ended.empty());
  CAF_CHECK(x.saw().phases.back() == phase::auth_pending);
  x.check_ended(reason::auth_pending);
}

CAF_TEST(a question of a session that is over is called off) {
  asking_pair x{credential_source::given};
  x.saw().mood = prompter_mood::silent;
  size_t called_off = 0;
  x.client.cfg->parts.call_off_prompter = [&] {
    ++called_off;
  };
  x.policy().before_push = {"INFO_PRE,CR_TEXT:R:What is your colour"};
  x.policy().challenge_response = secret{"blue"};
  x.start();
  x.drive(3s);
  CAF_REQUIRE_EQUAL(x.saw().questions.size(), 1u);
  auto actors = x.running();
  // A server that asks and restarts, again and again, queues nothing.
  for (size_t i = 1; i <= 5; ++i) {
    caf::anon_send(x.client.supervisor, atom::restart_v);
    x.renew_server();
    x.drive(5s, [&] {
      return x.saw().questions.size() > i;
    });
    CAF_REQUIRE_EQUAL(x.saw().questions.size(), i + 1);
    CAF_CHECK_EQUAL(called_off, i);
    CAF_CHECK_EQUAL(x.running(), actors);
  }
  // The answer to the last one is heard at once.
  x.answer({}, "blue");
  caf::anon_send(x.client.supervisor, atom::restart_v);
  x.renew_server();
  x.come_back(10s);
}

// -- browsers --

CAF_TEST(a browser is sent where the server says and the push comes later) {
  asking_pair x{credential_source::given};
  x.client.cfg->session.hand_window = 10s;
  // The wait is half the life of a key at most.
  x.client.cfg->session.reneg_after = 2min;
  x.server.saw.host_delay = 25s;
  x.policy().before_push
    = {"AUTH_PENDING,timeout 60",
       "INFO_PRE,WEB_AUTH:hidden,external:https://login.test/?s=1:2"};
  x.start();
  x.drive(20s);
  // Longer than the hand window.
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  CAF_CHECK(x.saw().phases.back() == phase::auth_pending);
  CAF_REQUIRE_EQUAL(x.saw().urls.size(), 1u);
  CAF_CHECK_EQUAL(x.saw().urls[0], "https://login.test/?s=1:2");
  x.come_back(10s);
  CAF_CHECK(x.saw().questions.empty());
  CAF_CHECK(x.carries());
}

CAF_TEST(without AUTH PENDING the push must come within the hand window) {
  asking_pair x{credential_source::given};
  x.client.cfg->session.hand_window = 10s;
  x.client.cfg->plan.max_tries = 1;
  x.server.saw.host_delay = 25s;
  x.start();
  x.check_ended(reason::no_answer, 15s);
}

CAF_TEST(only web pages are offered) {
  asking_pair x{credential_source::given};
  x.policy().before_push = {"INFO_PRE,OPEN_URL:file:///etc/shadow",
                            "INFO_PRE,WEB_AUTH::javascript:alert(1)",
                            "INFO_PRE,OPEN_URL:http://status.test/"};
  x.connect();
  CAF_CHECK(x.saw().urls == std::vector<std::string>{"http://status.test/"});
}

// -- a stop in between --

CAF_TEST(a stop while a question is open is obeyed at once) {
  for (auto when : {0, 1, 2}) {
    asking_pair x{when == 0 ? credential_source::prompt
                            : credential_source::given};
    x.saw().mood = prompter_mood::silent;
    if (when == 1)
      x.policy().before_push = {challenge};
    if (when == 2) {
      x.policy().before_push = {"INFO_PRE,CR_TEXT:R:What is your colour"};
      x.policy().challenge_response = secret{"blue"};
    }
    x.start();
    x.drive(3s);
    CAF_CHECK_EQUAL(x.saw().questions.size(), 1u);
    x.stop(x.client);
    x.check_ended(reason::terminated, 100ms);
    x.stop(x.server);
  }
}
