// What a peer says to a session and what comes of it: pushes, refusals,
// orders to leave; and the decisions of a server about its client.
// spec: openvpn-wire 7.1, 7.5, 7.6, 7.7

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

struct client : session_driver {
  explicit client(state to, session_config cfg = client_session_config())
    : session_driver(std::move(cfg)) {
    bring_to(*this, to);
    CAF_REQUIRE(session.state() == to);
    forget();
  }
};

/// A server that has heard key method 2 of its client.
struct server : session_driver {
  explicit server(keys_exchanged said, session_config cfg
                                       = server_session_config())
    : session_driver(std::move(cfg)) {
    bring_to(*this, state::negotiating, true);
    establish(0);
    forget();
    exchange(0, std::move(said));
  }
  void connect() {
    install(0);
    apply();
    CAF_REQUIRE(session.state() == state::connected);
  }
};

keys_exchanged client_with(const std::string& peer_info) {
  auto result = usual_client();
  result.remote_peer_info = peer_info;
  return result;
}

/// Without control characters; bytes of UTF-8 do no harm here, and negotiation
/// lets none through.
bool is_clean(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (c >= 0 && c < 0x20) || c == 0x7f;
  });
}

constexpr const char* our_push
  = "PUSH_REPLY,topology subnet,ifconfig 10.8.0.2 255.255.255.0,peer-id 7,"
    "cipher AES-256-GCM,protocol-flags cc-exit tls-ekm";

} // namespace

// -- PUSH_REPLY ---------------------------------------------------------------

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

// -- AUTH_FAILED --------------------------------------------------------------

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
       {row{"AUTH_FAILED,TEMP", "end server_stopped 'AUTH_FAILED,TEMP '; "},
        row{"AUTH_FAILED,TEMP:busy",
            "end server_stopped 'AUTH_FAILED,TEMP busy'; "},
        row{"AUTH_FAILED,TEMP[backoff 42]:busy",
            "end server_stopped 'AUTH_FAILED,TEMP busy' backoff 42; "},
        row{"AUTH_FAILED,TEMP[advance addr,backoff 7,x]:",
            "end server_stopped 'AUTH_FAILED,TEMP ' backoff 7; "},
        row{"AUTH_FAILED,TEMP[backoff 4294967295]:",
            "end server_stopped 'AUTH_FAILED,TEMP ' backoff 4294967295; "},
        row{"AUTH_FAILED,TEMP[backoff -1]:",
            "end server_stopped 'AUTH_FAILED,TEMP '; "}}) {
    client x{state::configuring};
    x.text(text);
    CAF_CHECK_EQUAL(x.actions(), end);
    CAF_CHECK(
      mentions(x.reports(), "AUTH: Received control message: AUTH_FAILED"));
  }
  CAF_CHECK(is_transient(reason::server_stopped));
  CAF_CHECK(!is_transient(reason::auth_failed));
}

// -- AUTH_PENDING -------------------------------------------------------------

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
  x.run_for(1s);
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

// -- RESTART, HALT, EXIT, INFO ------------------------------------------------

CAF_TEST(a server that restarts is tried again) {
  for (auto s : {state::configuring, state::connected}) {
    client x{s};
    x.text("RESTART,[N]maintenance");
    CAF_CHECK_EQUAL(x.actions(), "end server_stopped 'maintenance'; ");
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
  for (auto text : {"PUSH_UPDATE,ifconfig 1.2.3.4 5.6.7.8", "ACC,x",
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

// -- hostile text -------------------------------------------------------------

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

// -- a server and its client --------------------------------------------------

CAF_TEST(the right password is let in) {
  server x{usual_client()};
  CAF_CHECK(x.session.state() == state::assigning);
}

CAF_TEST(any other credentials are refused) {
  struct row {
    const char* name;
    const char* word;
  };
  for (auto [name, word] :
       {row{"alice", ""}, row{"alice", "wonderlan"}, row{"alice", "wonderlane"},
        row{"alice", "wonderland "}, row{"Alice", "wonderland"},
        row{"", "wonderland"}, row{"", ""}, row{"wonderland", "alice"}}) {
    auto said = usual_client();
    said.username = name;
    said.password = secret{std::string_view{word}};
    server x{std::move(said)};
    CAF_CHECK_EQUAL(x.actions(),
                    "text 0 AUTH_FAILED; "
                    "end auth_failed 'wrong user name or password'; ");
    CAF_CHECK(!mentions(x.reports(), "wonderland"));
  }
}

CAF_TEST(a server without a user name asks nobody) {
  auto cfg = server_session_config();
  cfg.server.username.clear();
  auto said = usual_client();
  said.username = "bob";
  said.password = secret{};
  server x{std::move(said), cfg};
  CAF_CHECK(x.session.state() == state::assigning);
}

CAF_TEST(the order of the server decides on the cipher) {
  auto cfg = server_session_config();
  cfg.server.ciphers = {data_cipher::chacha20_poly1305,
                        data_cipher::aes_128_gcm, data_cipher::aes_256_gcm};
  server x{usual_client(), cfg};
  CAF_CHECK(x.session.options()->cipher == data_cipher::aes_128_gcm);
}

CAF_TEST(a client that names no ciphers but says version two has two) {
  server x{client_with("IV_NCP=2\nIV_PROTO=2\n")};
  CAF_REQUIRE(x.session.options());
  CAF_CHECK(x.session.options()->cipher == data_cipher::aes_256_gcm);
}

CAF_TEST(without a shared cipher nobody is let in) {
  for (auto info :
       {"", "IV_CIPHERS=\n", "IV_CIPHERS=BF-CBC:AES-256-CBC\n",
        "IV_CIPHERS=aes-256-gcm\n", "IV_CIPHERS=AES-256-GCMX:XAES-256-GCM\n",
        "IV_CIPHERS=AES-256-GCM AES-128-GCM\n", "IV_CIPHERS=:::\n",
        "IV_NCP=1\n", "XIV_CIPHERS=AES-256-GCM\n"}) {
    server x{client_with(info)};
    CAF_CHECK_EQUAL(x.actions(),
                    "text 0 AUTH_FAILED,Data channel cipher negotiation failed "
                    "(no shared cipher); end push_refused 'no shared data "
                    "cipher'; ");
  }
}

CAF_TEST(a client that can take it is pushed to unasked) {
  server x{usual_client()};
  x.forget();
  x.connect();
  CAF_CHECK_EQUAL(x.actions(),
                  std::string{"allow 1; text 0 "} + our_push + "; ");
}

CAF_TEST(a client without that bit has to ask) {
  server x{usual_client(0x19e & ~iv_proto::request_push)};
  x.forget();
  x.connect();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  x.text("PUSH_REQUEST");
  CAF_CHECK_EQUAL(x.actions(), std::string{"text 0 "} + our_push + "; ");
  x.text("PUSH_REQUEST");
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(a request is answered by the next one when it comes too early) {
  server x{usual_client(0x19e & ~iv_proto::request_push)};
  x.forget();
  x.text("PUSH_REQUEST");
  CAF_CHECK_EQUAL(x.actions(), "");
  x.connect();
  x.forget();
  x.text("PUSH_REQUEST");
  CAF_CHECK_EQUAL(x.actions(), std::string{"text 0 "} + our_push + "; ");
}

CAF_TEST(each bit of the client adds what it stands for and no more) {
  for (uint32_t bits : {0u, 2u, 8u, 0x80u, 10u, 0x82u, 0x88u, 0x8au}) {
    server x{usual_client(bits)};
    x.connect();
    x.forget();
    x.text("PUSH_REQUEST");
    auto said = x.actions();
    auto has = [&](const char* text) {
      return said.find(text) != std::string::npos;
    };
    auto peer_id = (bits & iv_proto::data_v2) != 0;
    auto ekm = (bits & iv_proto::tls_key_export) != 0;
    auto cc_exit = (bits & iv_proto::cc_exit_notify) != 0;
    CAF_CHECK_EQUAL(has(",peer-id 7"), peer_id);
    CAF_CHECK_EQUAL(has("tls-ekm"), ekm);
    CAF_CHECK_EQUAL(has(",protocol-flags cc-exit"), cc_exit);
    CAF_CHECK_EQUAL(has(",key-derivation tls-ekm"), ekm && !cc_exit);
    CAF_CHECK(x.session.options()->peer_id.has_value() == peer_id);
    CAF_CHECK((x.session.options()->derivation == key_derivation::tls_ekm)
              == ekm);
    CAF_CHECK(x.session.options()->cc_exit == cc_exit);
    CAF_CHECK(has(",cipher AES-256-GCM"));
  }
}

CAF_TEST(bits that are no number are none) {
  for (std::string value : {"", "x", "-2", " 2", "99999999999999999999"}) {
    server x{client_with("IV_CIPHERS=AES-256-GCM\nIV_PROTO=" + value + "\n")};
    CAF_REQUIRE(x.session.options());
    CAF_CHECK(!x.session.options()->peer_id);
  }
}

CAF_TEST(a long push goes out in parts) {
  auto cfg = server_session_config();
  for (int i = 0; i < 100; ++i)
    cfg.server.push.push_back("route 10." + std::to_string(i)
                              + ".0.0 255.255.0.0");
  server x{usual_client(), cfg};
  x.forget();
  x.connect();
  strings texts;
  while (auto action = x.session.poll_action())
    if (auto* text = std::get_if<send_text>(&*action))
      texts.push_back(text->text);
  CAF_REQUIRE(texts.size() > 2);
  // A client of ours puts them together again.
  client y{state::configuring};
  for (auto& text : texts) {
    CAF_CHECK(text.size() <= 1024);
    CAF_CHECK(y.session.state() == state::configuring);
    y.text(text);
  }
  CAF_CHECK(y.session.state() == state::assigning);
  CAF_CHECK_EQUAL(y.session.options()->tunnel.routes.size(), 100u);
}

CAF_TEST(a push that cannot be said ends the session) {
  for (std::string option : {std::string(300, 'x'), std::string{"a,b"}}) {
    auto cfg = server_session_config();
    cfg.server.push.push_back(option);
    server x{usual_client(), cfg};
    x.forget();
    x.install(0);
    x.apply();
    CAF_CHECK_EQUAL(x.actions(),
                    "allow 1; end internal 'a push option is too long'; ");
  }
}

CAF_TEST(a client cannot give orders to a server) {
  for (auto text : {"AUTH_FAILED", "AUTH_FAILED,TEMP[backoff 9]:", "HALT",
                    "RESTART,[N]", "AUTH_PENDING,timeout 9",
                    "PUSH_REPLY,ifconfig 10.66.0.2 255.255.255.0"})
    for (auto connected : {false, true}) {
      server x{usual_client()};
      if (connected)
        x.connect();
      x.forget();
      auto before = x.session.state();
      x.text(text);
      CAF_CHECK_EQUAL(x.actions(), "");
      CAF_CHECK_EQUAL(joined(x.reports()), "");
      CAF_CHECK(x.session.state() == before);
    }
}

CAF_TEST(a client that leaves ends its session) {
  server x{usual_client()};
  x.connect();
  x.forget();
  x.text("EXIT");
  CAF_CHECK_EQUAL(x.actions(), "end server_stopped 'the peer left'; ");
}

CAF_TEST(client and server agree on everything) {
  server s{usual_client()};
  auto opened = s.take<derive_key>();
  s.connect();
  auto pushed = s.take<send_text>();
  CAF_REQUIRE(opened && pushed);
  client c{state::configuring};
  c.text(pushed->text);
  auto mine = c.take<derive_key>();
  CAF_REQUIRE(mine);
  CAF_CHECK(mine->cipher == opened->cipher);
  CAF_CHECK(mine->derivation == opened->derivation);
  CAF_CHECK(mine->peer_id == opened->peer_id);
}
