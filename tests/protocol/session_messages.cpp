// What a peer says to a session and what comes of it: pushes, orders to leave,
// information, and hostile text. spec: openvpn-wire 7.1, 7.5

#define CAF_SUITE protocol.session_messages

#include "vpn/protocol/session.hpp"

#include "tests/support/seeded.hpp"
#include "tests/support/session_driver.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace std::chrono_literals;

namespace {

using state = session_state;
using client = client_at;

/// Without control characters; bytes of UTF-8 do no harm here, and negotiation
/// lets none through.
bool is_clean(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (c >= 0 && c < 0x20) || c == 0x7f;
  });
}

} // namespace

// -- PUSH_REPLY --

CAF_TEST(a push before the keys are exchanged changes nothing) {
  for (auto s : {state::idle, state::resetting, state::negotiating}) {
    client x{s};
    x.text(usual_push);
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK_EQUAL(joined(x.reports()), "");
    CAF_CHECK(x.session.state() == s);
    CAF_CHECK(!x.session.options());
  }
}

CAF_TEST(an early push leaves no options behind) {
  client x{state::negotiating};
  x.text("PUSH_REPLY,topology subnet,ifconfig 10.66.0.2 "
         "255.255.255.0,push-continuation 2");
  x.establish(0);
  x.exchange(0);
  x.text("PUSH_REPLY,cipher AES-256-GCM");
  CAF_REQUIRE(x.session.options());
  CAF_CHECK(!x.session.options()->tunnel.address4);
}

CAF_TEST(a second push changes nothing) {
  for (auto s : {state::assigning, state::connected}) {
    client x{s};
    x.text("PUSH_REPLY,ifconfig 10.66.0.2 255.255.255.0,cipher AES-128-GCM,"
           "peer-id 9,redirect-gateway def1");
    x.text("PUSH_REPLY,cipher BF-CBC");
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK_EQUAL(joined(x.reports()), "");
    CAF_CHECK(x.session.state() == s);
    CAF_CHECK(x.session.options()->cipher == data_cipher::aes_256_gcm);
    CAF_CHECK_EQUAL(*x.session.options()->peer_id, 5u);
  }
}

CAF_TEST(a push in parts counts when its last part is there) {
  client x{state::configuring};
  x.text("PUSH_REPLY,topology subnet,push-continuation 2");
  x.text("PUSH_REPLY,ifconfig 10.8.0.9 255.255.255.0,push-continuation 2");
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK(x.session.state() == state::configuring);
  x.text("PUSH_REPLY,cipher AES-128-GCM,peer-id 3,push-continuation 1");
  CAF_CHECK_EQUAL(x.actions(), "data ping 0 restart 120; "
                               "derive 0 AES-128-GCM prf peer-id 3 aa/bb; "
                               "tunnel 10.8.0.9/24; ");
}

CAF_TEST(a push that began is not asked for again but keeps its deadline) {
  client x{state::configuring};
  x.text("PUSH_REPLY,topology subnet,push-continuation 2");
  CAF_CHECK_EQUAL(x.timer(), 60);
  x.run_for(60s);
  CAF_CHECK_EQUAL(x.actions(),
                  "end no_answer 'No reply from server to push requests'; ");
}

CAF_TEST(parts without end do not grow without a bound) {
  client x{state::configuring};
  std::string part = "PUSH_REPLY";
  for (int i = 0; i < 200; ++i)
    part += ",echo x";
  for (int i = 0; i < 500; ++i)
    x.text(part + ",push-continuation 2");
  x.text("PUSH_REPLY,cipher AES-256-GCM");
  // The cipher came beyond the bound, so there is none.
  CAF_CHECK_EQUAL(x.actions().substr(0, 16), "end push_refused");
  CAF_CHECK(x.reports().size() < 100);
}

CAF_TEST(a bare push brings the tunnel up with what the client has) {
  auto cfg = client_session_config();
  cfg.pull.fallback = data_cipher::aes_256_gcm;
  client x{state::configuring, cfg};
  x.text("PUSH_REPLY");
  CAF_CHECK_EQUAL(x.actions(), "data ping 0 restart 120; "
                               "derive 0 AES-256-GCM prf aa/bb; tunnel none; ");
}

CAF_TEST(a cipher that is none of ours refuses the push) {
  client x{state::configuring};
  x.text("PUSH_REPLY,cipher BF-CBC");
  CAF_CHECK_EQUAL(x.actions().substr(0, 16), "end push_refused");
  auto told = x.reports();
  CAF_REQUIRE(!told.empty());
  CAF_CHECK_EQUAL(told[0].substr(0, 30), "!Failed to apply push options:");
}

CAF_TEST(a skipped option is a warning and no end) {
  client x{state::configuring};
  x.text(std::string{usual_push} + ",no-such-option 1");
  CAF_CHECK(mentions(x.reports(), "no-such-option"));
  CAF_CHECK(x.session.state() == state::assigning);
}

CAF_TEST(a second push renews the token and nothing else) {
  client x{state::configuring};
  x.text(std::string{usual_push} + ",auth-token first");
  CAF_CHECK(x.session.options()->auth_token.text() == "first");
  x.install(0);
  x.apply();
  x.forget();
  x.text("PUSH_REPLY,auth-token second,cipher AES-128-GCM");
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  CAF_CHECK(x.session.options()->auth_token.text() == "second");
  for (auto text : {"PUSH_REPLY,auth-token", "PUSH_REPLY,auth-token ",
                    "PUSH_REPLY,auth-tokens third", "PUSH_REPLY"})
    x.text(text);
  CAF_CHECK(x.session.options()->auth_token.text() == "second");
}

// -- RESTART, HALT, EXIT, INFO --

CAF_TEST(a server that restarts is tried again) {
  for (auto s : {state::configuring, state::connected}) {
    client x{s};
    x.text("RESTART,[N]maintenance");
    CAF_CHECK_EQUAL(x.actions(),
                    "end server_stopped 'maintenance' next remote; ");
    CAF_CHECK(x.has_told(
      "Connection reset command was pushed by server ('maintenance')"));
  }
}

CAF_TEST(a server that says halt is not tried again) {
  client x{state::connected};
  x.text("HALT,closing time");
  CAF_CHECK_EQUAL(x.actions(), "end server_stopped 'closing time' final; ");
  CAF_CHECK(x.has_told("Halt command was pushed by server ('closing time')"));
}

CAF_TEST(what a server says in leaving is handed on) {
  for (auto text : {"RESTART", "RESTART,[P]", "RESTART,[PN]bye", "HALT,[P]"}) {
    client x{state::connected};
    x.text(text);
    auto end = x.take<end_session>();
    CAF_REQUIRE(end && end->stopped);
    auto said = std::string{text};
    CAF_CHECK_EQUAL(end->stopped->halt, said[0] == 'H');
    CAF_CHECK_EQUAL(end->final, said[0] == 'H');
    CAF_CHECK_EQUAL(end->stopped->keep_credentials,
                    said.find('P') != std::string::npos);
    CAF_CHECK_EQUAL(end->where.has_value(),
                    said.find('N') != std::string::npos);
    CAF_CHECK(!end->refused);
  }
}

CAF_TEST(a peer that leaves is tried again) {
  client x{state::connected};
  x.text("EXIT");
  CAF_CHECK_EQUAL(x.actions(), "end server_stopped 'the peer left'; ");
  CAF_CHECK(x.has_told("Remote exit"));
}

CAF_TEST(information is handed on and changes nothing) {
  for (auto text : {"INFO,OPEN_URL:https://sso.example/1",
                    "INFO_PRE,OPEN_URL:https://sso.example/1"}) {
    client x{state::configuring};
    x.text(text);
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK(x.has_told("Info command was pushed by server "
                         "('OPEN_URL:https://sso.example/1')"));
    CAF_CHECK(x.session.state() == state::configuring);
  }
}

CAF_TEST(an unknown message is a warning) {
  for (auto text : {"PUSH_UPDATES,ifconfig 1.2.3.4 5.6.7.8", "ACC,x",
                    "RESTARTED", "AUTH_FAILEDX", "PUSH_REPLYX", "exit"}) {
    client x{state::connected};
    x.text(text);
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK(x.has_told("!WARNING: Received unknown control message: "
                         + std::string{text}));
  }
}

CAF_TEST(a client gives no push) {
  client x{state::connected};
  x.text("PUSH_REQUEST");
  CAF_CHECK_EQUAL(x.actions(), "");
}

// -- hostile text --

CAF_TEST(control characters never reach a reader) {
  for (std::string bad : {"\x1b[2J", "\n", "\r\n", "\t", "\x7f", "\x01", "\xff",
                          "\xc2\x9b", "\x80"})
    for (auto head :
         {"AUTH_FAILED,", "AUTH_FAILED,TEMP:", "AUTH_FAILED,TEMP[",
          "AUTH_PENDING,", "INFO,", "INFO_PRE,", "RESTART,", "RESTART,[P]",
          "HALT,", "PUSH_REPLY,", "PUSH_REPLY,route ", "PUSH_REPLY,cipher ",
          "PUSH_REPLY,cipher AES-256-GCM,dev ", "PUSH_REPLY,\"", "EXIT", ""})
      for (auto s : {state::configuring, state::connected}) {
        client x{s};
        x.text(head + bad + "boo");
        for (auto& line : x.reports())
          CAF_CHECK(is_clean(line));
        while (auto action = x.session.poll_action())
          if (auto* end = std::get_if<end_session>(&*action))
            CAF_CHECK(is_clean(end->what.text));
      }
}

CAF_TEST(a long text is cut before a person reads it) {
  for (std::string head : {"INFO,", "RESTART,", "AUTH_FAILED,", ""}) {
    client x{state::connected};
    x.text(head + std::string(16000, 'x'));
    for (auto& line : x.reports())
      CAF_CHECK(line.size() < 3000);
  }
}

CAF_TEST(every message in every state leaves a session that can end) {
  const strings messages{"AUTH_FAILED",
                         "AUTH_FAILED,CRV1:R:x:YQ==:code",
                         "AUTH_FAILED,TEMP[advance addr]:no",
                         "PUSH_REQUEST",
                         usual_push,
                         "PUSH_REPLY",
                         "PUSH_REPLY,push-continuation 2",
                         "PUSH_REPLY,auth-token x",
                         "PUSH_UPDATE,block-ipv6",
                         "PUSH_UPDATE,push-continuation 2",
                         "PUSH_UPDATE,cipher none",
                         "AUTH_PENDING,timeout 0",
                         "INFO,hello",
                         "INFO_PRE,OPEN_URL:https://a.example/",
                         "INFO_PRE,WEB_AUTH:x:https://a.example/",
                         "INFO_PRE,CR_TEXT:R:code",
                         "INFO_PRE,CR_TEXT:E:look",
                         "CR_RESPONSE,Y29kZQ==",
                         "CR_RESPONSE,?",
                         "RESTART,[N]",
                         "HALT",
                         "EXIT",
                         "",
                         "nonsense"};
  for (auto as_server : {false, true})
    for (auto renegotiating : {false, true})
      for (auto s : before_closed)
        for (auto& first : messages)
          for (auto& second : messages) {
            session_driver x{as_server ? server_session_config()
                                       : client_session_config()};
            bring_to(x, s, as_server);
            uint8_t key = 0;
            if (renegotiating && s == state::connected) {
              x.soft_reset(1);
              key = 1;
            }
            x.text(first, key);
            x.text(second, key);
            x.run_for(10s);
            // It either ended by itself, with one end, or still obeys.
            auto closed = x.session.state() == state::closed;
            x.session.stop(reason::none, x.now());
            CAF_REQUIRE(x.session.state() == state::closed);
            CAF_REQUIRE(x.timer() == -1);
            auto ends = 0;
            while (auto action = x.session.poll_action())
              if (auto* end = std::get_if<end_session>(&*action)) {
                ++ends;
                CAF_REQUIRE(closed == (end->what.why != reason::none));
              }
            CAF_REQUIRE(ends == 1);
          }
}

CAF_TEST(a client that is told nothing more ends by itself) {
  // Whatever came before: no state without a limit waits for the peer.
  for (auto text :
       {"AUTH_PENDING", "INFO_PRE,CR_TEXT:R:code", "PUSH_UPDATE,block-ipv6",
        "INFO_PRE,OPEN_URL:https://a.example/", "CR_RESPONSE,YQ==", "x",
        "PUSH_REPLY,push-continuation 2"}) {
    client x{state::configuring};
    x.text(text);
    x.run_for(1h);
    CAF_CHECK(x.session.state() == state::closed);
  }
}

CAF_TEST(random text ends a session at most once and prints cleanly) {
  seeded random{5};
  const strings words{"AUTH_FAILED",
                      "PUSH_REPLY",
                      "PUSH_REQUEST",
                      "RESTART",
                      "HALT",
                      "INFO",
                      "INFO_PRE",
                      "EXIT",
                      "AUTH_PENDING",
                      ",",
                      "[",
                      "]",
                      "TEMP",
                      ":",
                      "backoff ",
                      "timeout ",
                      "PUSH_UPDATE",
                      "-route",
                      "?",
                      "block-ipv6",
                      "route 10.9.0.0 255.255.0.0",
                      "CR_TEXT:R:",
                      "WEB_AUTH:",
                      "OPEN_URL:",
                      "https://a.example/",
                      "CR_RESPONSE,",
                      "CRV1:",
                      "YQ==",
                      "advance ",
                      "remote",
                      "push-continuation 2",
                      "4294967296",
                      "-1",
                      "cipher ",
                      "AES-256-GCM",
                      "ifconfig ",
                      "10.8.0.1 ",
                      "\"",
                      "\\",
                      "'",
                      "\x1b",
                      "\xff"};
  for (int i = 0; i < 3000; ++i) {
    session_driver x{i % 2 ? client_session_config() : server_session_config()};
    bring_to(x, i % 4 < 2 ? state::configuring : state::connected, i % 2 == 0);
    auto ends = 0;
    for (int k = 0; k < 8; ++k) {
      std::string text;
      for (auto n = random.below(12); n > 0; --n)
        text += random.one_in(8)
                  ? std::string(1, static_cast<char>(random.byte()))
                  : words[random.below(static_cast<uint32_t>(words.size()))];
      x.text(text);
      for (auto& line : x.reports())
        CAF_REQUIRE(is_clean(line));
      while (auto action = x.session.poll_action())
        if (std::holds_alternative<end_session>(*action))
          ++ends;
    }
    CAF_REQUIRE(ends <= 1);
    CAF_REQUIRE((ends == 1) == (x.session.state() == state::closed));
  }
}
