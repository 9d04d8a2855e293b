// RELIABLE, CONTROL or TLS died, and what the session makes of it: another key,
// the old one, or another session.
// spec: design 6

#define CAF_SUITE protocol.session_layers_lost

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
using server = server_at;

const std::string dynamic_push = std::string{usual_push} + " dyn-tls-crypt";

/// What may still be under way from the layers of a key id.
void tell_late_facts(session_driver& x, uint8_t id) {
  x.establish(id);
  x.exchange(id, x.identity);
  x.text("HALT", id);
  x.text("AUTH_FAILED", id);
  x.install(id);
  x.break_negotiation(id, {reason::tls_failed, "late"});
  x.lose_layers(id);
  x.judge(false);
  x.say_nothing();
  x.install_control_key();
  x.session.handle_peer_answered(id, x.now());
}

} // namespace

// -- of the first negotiation --

CAF_TEST(without its first layers a session begins anew at once) {
  for (auto s : before_closed) {
    if (s == state::idle || s == state::connected)
      continue;
    client x{s};
    x.lose_layers(0);
    CAF_CHECK_EQUAL(x.actions(),
                    "end internal 'died' same address at once again; ");
    CAF_CHECK_EQUAL(joined(x.reports()), "!died; ");
    CAF_CHECK_EQUAL(x.timer(), -1);
    // Its reason is told as it is, even if it is no reason to try again.
    CAF_CHECK(!is_transient(reason::internal));
  }
}

CAF_TEST(a server whose first layers die ends as well) {
  for (auto s : {state::resetting, state::negotiating, state::assigning}) {
    server x{s};
    x.lose_layers(0);
    CAF_CHECK_EQUAL(x.actions(),
                    "end internal 'died' same address at once again; ");
  }
}

CAF_TEST(layers that do not exist cannot be lost) {
  client idle{state::idle};
  for (uint8_t id = 0; id < 8; ++id)
    idle.lose_layers(id);
  CAF_CHECK_EQUAL(idle.actions(), "");
  CAF_CHECK(idle.session.state() == state::idle);
  for (auto s : before_closed)
    for (auto id : {1, 2, 7, 8, 255}) {
      client x{s};
      auto before = x.session.poll_timeout();
      x.lose_layers(static_cast<uint8_t>(id));
      CAF_CHECK_EQUAL(x.actions(), "");
      CAF_CHECK_EQUAL(joined(x.reports()), "");
      CAF_CHECK(x.session.poll_timeout() == before);
      CAF_CHECK(x.session.state() == s);
    }
  client closed{state::connected};
  closed.fail(reason::peer_silent);
  closed.forget();
  closed.lose_layers(0);
  CAF_CHECK_EQUAL(closed.actions(), "");
  CAF_CHECK_EQUAL(joined(closed.reports()), "");
}

// -- of a key that works --

CAF_TEST(without the layers of the current key there is a soft reset) {
  client x{state::connected};
  // At once: nobody is left whose last words could be acknowledged.
  x.lose_layers(0);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  CAF_CHECK_EQUAL(joined(x.reports()), "!died; TLS: soft reset, key id 1; ");
  CAF_CHECK(x.session.state() == state::connected);
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
  CAF_CHECK_EQUAL(x.timer(), 3600);
}

CAF_TEST(the layers of each key id may be lost) {
  client x{state::connected};
  uint8_t current = 0;
  for (auto id : {1, 2, 3, 4, 5, 6, 7, 1, 2}) {
    auto next = static_cast<uint8_t>(id);
    x.lose_layers(current);
    CAF_CHECK_EQUAL(x.actions(), "close " + std::to_string(current) + "; open "
                                   + std::to_string(next) + " initiator; ");
    x.renegotiate_to(next);
    x.forget();
    current = next;
  }
  // Those of an old key were closed long ago.
  x.lose_layers(1);
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(layers are lost once) {
  client x{state::connected};
  x.lose_layers(0);
  x.forget();
  for (auto i = 0; i < 100; ++i)
    x.lose_layers(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
}

CAF_TEST(facts of lost layers come too late) {
  client x{state::connected};
  x.lose_layers(0);
  x.forget();
  tell_late_facts(x, 0);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  CAF_CHECK(x.session.state() == state::connected);
  // The data key lives on; what is told about it counts.
  x.tell(rekey_needed{0});
  CAF_CHECK_EQUAL(x.actions(), "");
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
}

CAF_TEST(a server with lost layers sends a soft reset when it has pushed) {
  server x{state::connected};
  x.lose_layers(0);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  // A client that does not ask in its peer info asks with a message; until
  // then it drops our reset.
  for (auto asked : {false, true}) {
    auto bits = 0x19eu & ~iv_proto::request_push;
    server_told y{usual_client(bits)};
    y.connect();
    CAF_REQUIRE(y.session.state() == state::connected);
    if (asked)
      y.text("PUSH_REQUEST");
    y.forget();
    y.lose_layers(0);
    CAF_CHECK_EQUAL(y.actions(),
                    asked ? "close 0; open 1 initiator; "
                          : "end internal 'died' same address at once again; ");
  }
}

CAF_TEST(without the key of dynamic tls crypt there is no soft reset) {
  for (auto there : {false, true}) {
    client x{dynamic_push, client_session_config()};
    if (there)
      x.install_control_key();
    x.forget();
    x.lose_layers(0);
    CAF_CHECK_EQUAL(x.actions(),
                    there ? "close 0; open 1 initiator; "
                          : "end internal 'died' same address at once again; ");
  }
}

CAF_TEST(the answer to a question goes to the new layers) {
  client x{state::connected};
  x.text("INFO,CR_TEXT:R:code");
  x.lose_layers(0);
  x.forget();
  x.respond("123456");
  CAF_CHECK_EQUAL(x.actions(), "text 1 CR_RESPONSE,MTIzNDU2; ");
}

CAF_TEST(half an update is lost with its layers) {
  client x{state::connected};
  x.text("PUSH_UPDATE,route 10.1.0.0 255.255.0.0,push-continuation 2");
  x.lose_layers(0);
  x.renegotiate_to(1);
  x.forget();
  x.text("PUSH_UPDATE,route 10.2.0.0 255.255.0.0", 1);
  auto tunnel = x.take<apply_tunnel>();
  CAF_REQUIRE(tunnel);
  CAF_REQUIRE_EQUAL(tunnel->config.routes.size(), 1u);
  CAF_CHECK_EQUAL(to_string(tunnel->config.routes[0].destination),
                  "10.2.0.0/16");
}

// -- of a renegotiation --

CAF_TEST(without the layers of a renegotiation the old key goes on) {
  for (auto by_us : {false, true}) {
    auto cfg = client_session_config();
    cfg.reneg_after = 100s;
    client x{state::connected, cfg};
    if (by_us)
      x.run_for(100s);
    else
      x.soft_reset(1);
    auto began = by_us ? 100 : 0;
    x.run_for(20s);
    x.forget();
    x.lose_layers(1);
    CAF_CHECK_EQUAL(x.actions(), "close 1; ");
    CAF_CHECK_EQUAL(joined(x.reports()), "!TLS Error: TLS handshake failed, "
                                         "the old key goes on: died; ");
    CAF_CHECK(x.session.state() == state::connected);
    // The peer gives it up then as well.
    CAF_CHECK_EQUAL(x.timer(), 40);
    x.run_for(40s - 1ns);
    CAF_CHECK_EQUAL(x.actions(), "");
    x.run_for(1ns);
    CAF_CHECK_EQUAL(x.actions(), "end internal 'died' same address at once "
                                 "again data until "
                                   + std::to_string(began + 3600) + "; ");
  }
}

CAF_TEST(a negotiation that is lost late is followed at once) {
  auto cfg = client_session_config();
  cfg.hand_window = 10s;
  client x{state::connected, cfg};
  x.soft_reset(1);
  x.pass(11s);
  x.forget();
  x.lose_layers(1);
  CAF_CHECK_EQUAL(x.actions(), "close 1; end internal 'died' same address at "
                               "once again data until 3600; ");
}

CAF_TEST(the layers of the old key are not lost in a renegotiation) {
  client x{state::connected};
  x.soft_reset(1);
  x.forget();
  x.lose_layers(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
}

CAF_TEST(layers that are lost twice in a row leave the old key) {
  client x{state::connected};
  x.lose_layers(0);
  x.forget();
  x.lose_layers(1);
  CAF_CHECK_EQUAL(x.actions(), "close 1; ");
  x.run_for(60s);
  CAF_CHECK_EQUAL(x.actions(), "end internal 'died' same address at once again "
                               "data until 3600; ");
}

CAF_TEST(facts of a lost renegotiation come too late) {
  // However far it had come: reset, TLS, key method 2 with the key asked for.
  for (auto steps : {0, 1, 2}) {
    client x{state::connected};
    x.soft_reset(1);
    if (steps >= 1)
      x.establish(1);
    if (steps >= 2)
      x.exchange(1);
    x.lose_layers(1);
    x.forget();
    auto before = x.session.poll_timeout();
    for (uint8_t id = 0; id < 8; ++id) {
      tell_late_facts(x, id);
      x.soft_reset(id);
    }
    x.tell(rekey_needed{1});
    CAF_CHECK_EQUAL(x.actions(), "");
    CAF_CHECK_EQUAL(joined(x.reports()), "");
    CAF_CHECK(x.session.poll_timeout() == before);
    x.run_for(60s);
    CAF_CHECK_EQUAL(x.actions(), "end internal 'died' same address at once "
                                 "again data until 3600; ");
    tell_late_facts(x, 1);
    CAF_CHECK_EQUAL(x.actions(), "");
  }
}

CAF_TEST(while the old key goes on the session still obeys) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::connected, cfg};
  x.soft_reset(1);
  x.lose_layers(1);
  x.forget();
  x.session.stop(reason::terminated, x.now());
  CAF_CHECK_EQUAL(x.actions(), "data exit; end terminated final; ");
  client y{state::connected, cfg};
  y.soft_reset(1);
  y.lose_layers(1);
  y.forget();
  y.tell(peer_exit{});
  CAF_CHECK_EQUAL(y.actions(), "end server_stopped 'the peer left'; ");
}

CAF_TEST(a goodbye after lost layers goes inside the tunnel) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::connected, cfg};
  x.lose_layers(0);
  x.forget();
  x.session.stop(reason::terminated, x.now());
  CAF_CHECK_EQUAL(x.actions(), "data exit; end terminated final; ");
}
