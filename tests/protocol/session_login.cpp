// Logging in, as a session hears of it: refusals, waits for a person, and what
// a person is shown or asked. spec: openvpn-wire 7.5, 7.6

#define CAF_SUITE protocol.session_login

#include "vpn/protocol/session.hpp"

#include "tests/support/session_driver.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

using state = session_state;
using client = client_at;

} // namespace

// -- AUTH_FAILED --

CAF_TEST(a refusal ends the session) {
  for (auto s : {state::configuring, state::assigning, state::connected}) {
    client x{s};
    x.text("AUTH_FAILED");
    CAF_CHECK_EQUAL(x.actions(), "end auth_failed; ");
    CAF_CHECK_EQUAL(joined(x.reports()),
                    "AUTH: Received control message: AUTH_FAILED; ");
  }
}

CAF_TEST(a refusal tells its reason) {
  client x{state::configuring};
  x.text("AUTH_FAILED,SESSION: token expired");
  CAF_CHECK_EQUAL(x.actions(), "end auth_failed 'SESSION: token expired'; ");
  CAF_CHECK(x.has_told("AUTH: Received control message: AUTH_FAILED,SESSION: "
                       "token expired"));
}

CAF_TEST(a refusal for now leads to another try) {
  struct row {
    const char* text;
    const char* end;
  };
  for (auto [text, end] :
       {row{"AUTH_FAILED,TEMP",
            "end server_stopped 'AUTH_FAILED,TEMP ' same address; "},
        row{"AUTH_FAILED,TEMP:busy",
            "end server_stopped 'AUTH_FAILED,TEMP busy' same address; "},
        row{"AUTH_FAILED,TEMP[backoff 42]:busy",
            "end server_stopped 'AUTH_FAILED,TEMP busy' backoff 42 same "
            "address; "},
        row{"AUTH_FAILED,TEMP[advance addr,backoff 7,x]:",
            "end server_stopped 'AUTH_FAILED,TEMP ' backoff 7 next address; "},
        row{"AUTH_FAILED,TEMP[advance remote]:full",
            "end server_stopped 'AUTH_FAILED,TEMP full' next remote; "},
        row{
          "AUTH_FAILED,TEMP[backoff 4294967295]:",
          "end server_stopped 'AUTH_FAILED,TEMP ' backoff 3600 same address; "},
        row{"AUTH_FAILED,TEMP[backoff -1]:",
            "end server_stopped 'AUTH_FAILED,TEMP ' same address; "}}) {
    client x{state::configuring};
    x.text(text);
    CAF_CHECK_EQUAL(x.actions(), end);
    CAF_CHECK(
      mentions(x.reports(), "AUTH: Received control message: AUTH_FAILED"));
  }
  CAF_CHECK(is_transient(reason::server_stopped));
  CAF_CHECK(!is_transient(reason::auth_failed));
}

CAF_TEST(a refusal is handed on as it came) {
  client x{state::configuring};
  x.text("AUTH_FAILED,CRV1:R,E:Om01u7Fh4LrGBS7uh0SWmzwabUiGiW6l:YWxpY2U=:code");
  CAF_CHECK(x.has_told("AUTH: Received control message: AUTH_FAILED,CRV1"));
  auto end = x.take<end_session>();
  CAF_REQUIRE(end && end->refused);
  CAF_CHECK(end->what.why == reason::auth_failed);
  CAF_CHECK_EQUAL(end->what.text, "CRV1");
  CAF_CHECK_EQUAL(end->refused->reason,
                  "CRV1:R,E:Om01u7Fh4LrGBS7uh0SWmzwabUiGiW6l:YWxpY2U=:code");
  CAF_CHECK(!end->where);
  CAF_CHECK(!end->stopped);
}

CAF_TEST(a refusal for now is handed on too) {
  client x{state::configuring};
  x.text("AUTH_FAILED,TEMP[backoff 5]:busy");
  auto end = x.take<end_session>();
  CAF_REQUIRE(end && end->refused);
  CAF_CHECK(end->refused->temporary);
  CAF_CHECK(end->where == advance::no);
}

// -- AUTH_PENDING --

CAF_TEST(a server that waits for a person has more time) {
  client x{state::configuring};
  x.run_for(50s);
  x.forget();
  x.text("AUTH_PENDING,timeout 300");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "AUTH_PENDING received, extending handshake timeout; "
                  "[AUTH_PENDING]; ");
  x.run_for(299s);
  CAF_CHECK(x.session.state() == state::configuring);
  x.forget();
  x.run_for(1s);
  CAF_CHECK_EQUAL(x.actions(), "end auth_pending 'nobody logged in in time'; ");
  CAF_CHECK_EQUAL(exit_code(reason::auth_pending), 7);
}

CAF_TEST(a server that says wait again and again does not hold us) {
  client x{state::configuring};
  for (int i = 0; i < 17; ++i) {
    x.text("AUTH_PENDING,timeout 300");
    x.run_for(100s);
  }
  x.text("AUTH_PENDING,timeout 300");
  x.run_for(100s - 1ns);
  CAF_CHECK(x.session.state() == state::configuring);
  x.run_for(1ns);
  CAF_CHECK(x.session.state() == state::closed);
}

CAF_TEST(a wait for a person is bounded by our own settings) {
  struct row {
    const char* text;
    duration hand_window;
    duration reneg_after;
    int expected;
  };
  for (auto [text, hand_window, reneg_after, expected] :
       {row{"AUTH_PENDING", 60s, 3600s, 60},
        row{"AUTH_PENDING,timeout 90", 60s, 3600s, 90},
        row{"AUTH_PENDING,timeout 999999", 60s, 3600s, 1800},
        row{"AUTH_PENDING,timeout 4294967295", 60s, 3600s, 1800},
        row{"AUTH_PENDING,timeout 100", 60s, 0s, 60},
        row{"AUTH_PENDING,timeout 100", 80s, 100s, 80},
        row{"AUTH_PENDING,timeout x", 60s, 3600s, 60}}) {
    auto cfg = client_session_config();
    cfg.hand_window = hand_window;
    cfg.reneg_after = reneg_after;
    client x{state::configuring, cfg};
    x.text(text);
    x.run_for(std::chrono::seconds{expected} - 1ns);
    CAF_CHECK(x.session.state() == state::configuring);
    x.run_for(1ns);
    CAF_CHECK(x.session.state() == state::closed);
  }
}

CAF_TEST(a push ends the wait for a person) {
  client x{state::configuring};
  x.text("AUTH_PENDING,timeout 300");
  x.text(usual_push);
  x.forget();
  x.run_for(400s);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK(x.session.state() == state::assigning);
}

CAF_TEST(a wait for a person means nothing at any other time) {
  for (auto s : {state::negotiating, state::assigning, state::connected}) {
    client x{s};
    auto before = x.timer();
    x.text("AUTH_PENDING,timeout 300");
    CAF_CHECK_EQUAL(x.timer(), before);
    CAF_CHECK_EQUAL(joined(x.reports()), "");
  }
}

// -- WEB_AUTH, OPEN_URL, CR_TEXT --

CAF_TEST(an address to log in at is offered) {
  struct row {
    const char* text;
    const char* offer;
  };
  for (auto [text, offer] :
       {row{"INFO_PRE,OPEN_URL:https://sso.example/1",
            "<https://sso.example/1>"},
        row{"INFO_PRE,WEB_AUTH:hidden,external:https://sso.example/2?a=b",
            "<https://sso.example/2?a=b hidden,external>"},
        row{"INFO_PRE,WEB_AUTH::http://sso.example/3",
            "<http://sso.example/3>"}}) {
    client x{state::configuring};
    x.text("AUTH_PENDING,timeout 300");
    x.forget();
    x.text(text);
    auto told = x.reports();
    CAF_REQUIRE(told.size() == 2);
    CAF_CHECK_EQUAL(told[1], offer);
    x.text(usual_push);
    CAF_CHECK(x.session.state() == state::assigning);
  }
}

CAF_TEST(an address begins the wait for a person) {
  client x{state::configuring};
  x.text("INFO_PRE,OPEN_URL:https://sso.example/1");
  CAF_CHECK(x.has_told("[AUTH_PENDING]"));
  x.text("INFO_PRE,OPEN_URL:https://sso.example/2");
  x.text("AUTH_PENDING");
  CAF_CHECK(!x.has_told("[AUTH_PENDING]"));
  x.run_for(60s);
  x.reports();
  CAF_CHECK(x.session.state() == state::closed);
  auto end = x.take<end_session>();
  CAF_REQUIRE(end);
  CAF_CHECK(end->what.why == reason::auth_pending);
}

CAF_TEST(an address is offered to a connected session without a wait) {
  client x{state::connected};
  x.text("INFO,OPEN_URL:https://sso.example/1");
  auto told = x.reports();
  CAF_CHECK(mentions(told, "<https://sso.example/1>"));
  CAF_CHECK(!mentions(told, "[AUTH_PENDING]"));
}

CAF_TEST(an address that is none of the web is only shown) {
  for (std::string url :
       {"file:///etc/passwd", "javascript:alert(1)", "-http://x", "http://",
        "https://a b", "https://a;`id`", "HTTPX://a"}) {
    client x{state::configuring};
    x.text("INFO_PRE,OPEN_URL:" + url);
    for (auto& line : x.reports())
      CAF_CHECK(line.front() != '<');
  }
}

CAF_TEST(a question is put to a person and answered) {
  client x{state::configuring};
  x.text("INFO_PRE,CR_TEXT:R,E:Your code");
  CAF_CHECK_EQUAL(x.actions(), "ask 'Your code' echo; ");
  CAF_CHECK(x.has_told("[AUTH_PENDING]"));
  x.respond("123456");
  CAF_CHECK_EQUAL(x.actions(), "text 0 CR_RESPONSE,MTIzNDU2; ");
  x.respond("654321");
  CAF_CHECK_EQUAL(x.actions(), "");
  // The server may ask again.
  x.text("INFO_PRE,CR_TEXT:R:Once more");
  CAF_CHECK_EQUAL(x.actions(), "ask 'Once more'; ");
  x.respond("");
  CAF_CHECK_EQUAL(x.actions(), "text 0 CR_RESPONSE,; ");
}

CAF_TEST(a question to a person says what is asked) {
  client x{state::configuring};
  x.text("INFO_PRE,CR_TEXT:R:Your code");
  auto asked = x.take<ask_person>();
  CAF_REQUIRE(asked);
  CAF_CHECK(asked->what.what == question::kind::text_challenge);
  CAF_CHECK(!asked->what.needs_password);
  CAF_CHECK(!asked->what.echo);
  CAF_CHECK(asked->what.needs_response);
}

CAF_TEST(a question that nobody answers ends the session) {
  client x{state::configuring};
  x.text("INFO_PRE,CR_TEXT:R:Your code");
  x.forget();
  x.say_nothing();
  CAF_CHECK_EQUAL(x.actions(),
                  "end auth_pending 'nobody answered the server's question'; ");
  CAF_CHECK(!is_transient(reason::auth_pending));
}

CAF_TEST(a tunnel that stands outlives a question) {
  client x{state::connected};
  x.text("INFO,CR_TEXT:R:Your code");
  x.forget();
  x.say_nothing();
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK(x.session.state() == state::connected);
}

CAF_TEST(a text that wants no response is only shown) {
  client x{state::configuring};
  x.text("INFO_PRE,CR_TEXT:E:Look at your phone");
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK(x.has_told("Look at your phone"));
}

CAF_TEST(one question is open at a time) {
  client x{state::configuring};
  for (int i = 0; i < 1000; ++i)
    x.text("INFO_PRE,CR_TEXT:R:Your code");
  CAF_CHECK_EQUAL(x.actions(), "ask 'Your code'; ");
}

CAF_TEST(an answer that nobody asked for goes nowhere) {
  for (auto s : before_closed) {
    client x{s};
    x.respond("123456");
    x.say_nothing();
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK(x.session.state() == s);
  }
}

CAF_TEST(a question waits for a person as long as the server does) {
  client x{state::configuring};
  x.text("AUTH_PENDING,timeout 200");
  x.text("INFO_PRE,CR_TEXT:R:Your code");
  x.run_for(200s - 1ns);
  CAF_CHECK(x.session.state() == state::configuring);
  x.run_for(1ns);
  auto end = x.take<end_session>();
  CAF_REQUIRE(end);
  CAF_CHECK(end->what.why == reason::auth_pending);
  x.respond("123456");
  CAF_CHECK_EQUAL(x.actions(), "");
}
