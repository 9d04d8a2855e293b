// The decisions of a server about its client: who is let in, what both can do,
// what is pushed.
// spec: openvpn-wire 7.1, 7.6, 7.7, 8

#define CAF_SUITE protocol.session_server

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
using server = server_told;

keys_exchanged client_with(const std::string& peer_info) {
  auto result = usual_client();
  result.remote_peer_info = peer_info;
  return result;
}

constexpr const char* our_push
  = "PUSH_REPLY,topology subnet,ifconfig 10.8.0.2 255.255.255.0,peer-id 7,"
    "cipher AES-256-GCM,protocol-flags cc-exit tls-ekm";

} // namespace

// -- a server and its client --

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

// -- bits of newer clients --

CAF_TEST(a client that can renegotiate under its own key is told so) {
  struct row {
    uint32_t bits;
    bool allowed;
    bool expected;
  };
  constexpr auto ekm = iv_proto::tls_key_export;
  constexpr auto dyn = iv_proto::dynamic_tls_crypt;
  for (auto [bits, allowed, expected] :
       {row{2 | ekm | dyn, true, true}, row{2 | ekm | dyn, false, false},
        row{2 | ekm, true, false}, row{2 | dyn, true, false}}) {
    auto cfg = server_session_config();
    cfg.dynamic_tls_crypt = allowed;
    server x{usual_client(bits), cfg};
    auto first = x.actions();
    CAF_CHECK_EQUAL(first.find("control key; ") != std::string::npos, expected);
    x.connect();
    x.text("PUSH_REQUEST");
    auto said = x.actions();
    CAF_CHECK_EQUAL(
      said.find("protocol-flags dyn-tls-crypt") != std::string::npos, expected);
    CAF_CHECK_EQUAL(said.find("allow 1; ") != std::string::npos, !expected);
    x.install_control_key();
    CAF_CHECK_EQUAL(x.actions(), expected ? "allow 1; " : "");
  }
}

CAF_TEST(a client that knows epoch keys gets them) {
  struct row {
    uint32_t bits;
    bool allowed;
    bool expected;
  };
  constexpr auto ekm = iv_proto::tls_key_export;
  constexpr auto epoch = iv_proto::data_epoch;
  for (auto [bits, allowed, expected] :
       {row{2 | ekm | epoch, true, true}, row{2 | ekm | epoch, false, false},
        row{ekm | epoch, true, false}, row{2 | epoch, true, false},
        row{2 | ekm, true, false}}) {
    auto cfg = server_session_config();
    cfg.epoch = allowed;
    server x{usual_client(bits), cfg};
    auto key = x.take<derive_key>();
    CAF_REQUIRE(key);
    CAF_CHECK_EQUAL(key->epoch, expected);
    x.connect();
    x.forget();
    x.text("PUSH_REQUEST");
    CAF_CHECK_EQUAL(x.actions().find("aead-epoch") != std::string::npos,
                    expected);
  }
}

CAF_TEST(all flags go in one option) {
  server x{
    usual_client(0x19e | iv_proto::dynamic_tls_crypt | iv_proto::data_epoch)};
  x.forget();
  x.connect();
  CAF_CHECK_EQUAL(x.actions(), std::string{"text 0 "} + our_push
                                 + " dyn-tls-crypt aead-epoch; ");
}

// -- questions and updates --

CAF_TEST(texts go out before the push) {
  auto cfg = server_session_config();
  cfg.server.before_push = {"AUTH_PENDING,timeout 60", "INFO_PRE,hello"};
  server x{usual_client(), cfg};
  CAF_CHECK_EQUAL(
    x.actions().substr(0, 59),
    "text 0 AUTH_PENDING,timeout 60; text 0 INFO_PRE,hello; data");
  CAF_CHECK(x.session.state() == state::assigning);
}

CAF_TEST(texts are not for those who are refused) {
  auto cfg = server_session_config();
  cfg.server.before_push = {"INFO_PRE,OPEN_URL:https://sso.example/1"};
  server x{keys_exchanged{}, cfg};
  CAF_CHECK_EQUAL(x.actions(),
                  "text 0 AUTH_FAILED; "
                  "end auth_failed 'wrong user name or password'; ");
}

namespace {

session_config asking_server() {
  auto cfg = server_session_config();
  cfg.server.before_push = {"INFO_PRE,CR_TEXT:R,E:Your code"};
  cfg.server.challenge_response = secret{std::string_view{"123456"}};
  return cfg;
}

} // namespace

CAF_TEST(the right response is let in) {
  server x{usual_client(), asking_server()};
  CAF_CHECK_EQUAL(x.actions(), "text 0 INFO_PRE,CR_TEXT:R,E:Your code; ");
  CAF_CHECK(x.session.state() == state::configuring);
  x.text("PUSH_REQUEST");
  CAF_CHECK_EQUAL(x.actions(), "");
  x.text("CR_RESPONSE,MTIzNDU2");
  CAF_CHECK(x.session.state() == state::assigning);
  x.connect();
  x.forget();
  x.run_for(1000s);
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(any other response is refused) {
  for (auto text : {"CR_RESPONSE,", "CR_RESPONSE", "CR_RESPONSE,MTIzNDU3",
                    "CR_RESPONSE,MTIzNDU2MA=="}) {
    server x{usual_client(), asking_server()};
    x.forget();
    x.text(text);
    CAF_CHECK_EQUAL(x.actions(),
                    "text 0 AUTH_FAILED; "
                    "end auth_failed 'wrong user name or password'; ");
  }
}

CAF_TEST(a response that does not come ends the session) {
  server x{usual_client(), asking_server()};
  x.forget();
  x.run_for(60s);
  CAF_CHECK_EQUAL(x.actions(), "end auth_pending 'nobody logged in in time'; ");
}

CAF_TEST(a response that nobody asked for is ignored) {
  server x{usual_client()};
  x.connect();
  x.forget();
  x.text("CR_RESPONSE,MTIzNDU2");
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(an update goes to a client that knows it) {
  for (auto knows : {false, true}) {
    auto cfg = server_session_config();
    cfg.server.update = {"-route", "block-ipv6"};
    server x{usual_client(0x19e | (knows ? iv_proto::push_update : 0u)), cfg};
    x.connect();
    x.forget();
    x.run_for(5s - 1ns);
    CAF_CHECK_EQUAL(x.actions(), "");
    x.run_for(1ns);
    CAF_CHECK_EQUAL(x.actions(),
                    knows ? "text 0 PUSH_UPDATE,-route,block-ipv6; " : "");
    x.run_for(100s);
    CAF_CHECK_EQUAL(x.actions(), "");
  }
}

CAF_TEST(a long update is understood by a client of ours) {
  auto cfg = server_session_config();
  for (int i = 0; i < 100; ++i)
    cfg.server.update.push_back("route 10." + std::to_string(i)
                                + ".0.0 255.255.0.0");
  server x{usual_client(0x19e | iv_proto::push_update), cfg};
  x.connect();
  x.forget();
  x.run_for(5s);
  client y{state::connected};
  size_t parts = 0;
  while (auto text = x.take<send_text>()) {
    y.text(text->text);
    ++parts;
  }
  CAF_CHECK(parts > 2);
  auto tunnel = y.take<apply_tunnel>();
  CAF_REQUIRE(tunnel);
  CAF_CHECK_EQUAL(tunnel->config.routes.size(), 100u);
}
