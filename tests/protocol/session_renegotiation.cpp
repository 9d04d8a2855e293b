// One key after the other: who begins, when, and what a failure leaves.
// spec: openvpn-wire 2.10, 12.2, 12.3, 12.5

#define CAF_SUITE protocol.session_renegotiation

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

} // namespace

// -- renegotiation --

CAF_TEST(a key is renewed when it is old enough) {
  auto cfg = client_session_config();
  cfg.reneg_after = 100s;
  client x{state::connected, cfg};
  CAF_CHECK_EQUAL(x.timer(), 100);
  x.run_for(100s);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  CAF_CHECK(x.has_told("TLS: soft reset, key id 1"));
  CAF_CHECK_EQUAL(x.timer(), -1);
  x.establish(1);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.exchange(1);
  CAF_CHECK_EQUAL(x.actions(), "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; ");
  x.pass(3s);
  x.install(1);
  CAF_CHECK_EQUAL(x.actions(), "allow 2; ");
  CAF_CHECK(x.has_told("Data Channel: new key, key id 1"));
  // The age counts from the installation of the new key.
  CAF_CHECK_EQUAL(x.timer(), 100);
  CAF_CHECK(x.session.state() == state::connected);
}

CAF_TEST(a renewed key brings no second start message) {
  client x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  x.renegotiate_to(1);
  auto told = x.reports();
  CAF_CHECK(!mentions(told, "Initialization Sequence Completed"));
  CAF_CHECK(!mentions(told, "Peer Connection Initiated"));
  CAF_CHECK(mentions(told, "VERIFY OK: depth=0, CN=peer.example"));
}

CAF_TEST(with no age limit a key is kept) {
  auto cfg = client_session_config();
  cfg.reneg_after = 0s;
  client x{state::connected, cfg};
  CAF_CHECK_EQUAL(x.timer(), -1);
}

CAF_TEST(a key that ran out of packet ids is renewed) {
  client x{state::connected};
  x.pass(2s);
  x.session.handle_data_event(rekey_needed{0}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  x.session.handle_data_event(rekey_needed{0}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(the peer may begin) {
  client x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 responder; ");
  CAF_CHECK(x.has_told("TLS: soft reset by the peer, key id 1"));
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
}

CAF_TEST(both may begin at once) {
  auto cfg = client_session_config();
  cfg.reneg_after = 100s;
  client x{state::connected, cfg};
  x.run_for(100s);
  x.session.handle_soft_reset(1, x.now());
  x.session.handle_data_event(rekey_needed{0}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
}

CAF_TEST(the key of a peer that began is not renewed by its old age) {
  auto cfg = client_session_config();
  cfg.reneg_after = 100s;
  client x{state::connected, cfg};
  x.run_for(99s);
  x.session.handle_soft_reset(1, x.now());
  x.forget();
  CAF_CHECK_EQUAL(x.timer(), -1);
  x.run_for(50s);
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(key ids go from seven to one) {
  client x{state::connected};
  uint8_t current = 0;
  for (auto id : {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 1}) {
    auto next = static_cast<uint8_t>(id);
    x.pass(2s);
    x.session.handle_data_event(rekey_needed{current}, x.now());
    CAF_CHECK_EQUAL(x.actions(), "close " + std::to_string(current) + "; open "
                                   + std::to_string(next) + " initiator; ");
    x.renegotiate_to(next);
    auto after = next == 7 ? 1 : next + 1;
    CAF_CHECK_EQUAL(x.actions(), "derive " + std::to_string(next)
                                   + " AES-256-GCM ekm peer-id 5 aa/bb; allow "
                                   + std::to_string(after) + "; ");
    current = next;
  }
}

CAF_TEST(a soft reset of any other key id is ignored) {
  client x{state::connected};
  for (auto id : {0, 2, 3, 4, 5, 6, 7, 8, 255})
    x.session.handle_soft_reset(static_cast<uint8_t>(id), x.now());
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(nothing is renewed before the session is connected) {
  for (auto s : before_closed) {
    if (s == state::connected)
      continue;
    client x{s};
    x.session.handle_soft_reset(1, x.now());
    x.session.handle_data_event(rekey_needed{0}, x.now());
    CAF_CHECK_EQUAL(x.actions(), "");
  }
}

CAF_TEST(a soft reset is welcome only when it would be answered) {
  // MUXER passes on one reset and no more, so it must not come too early.
  auto cfg = client_session_config();
  cfg.reneg_after = 5s;
  client x{state::assigning, cfg};
  x.install(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(60s);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.apply();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  CAF_CHECK_EQUAL(x.timer(), 5);
}

CAF_TEST(facts of a closed negotiation are ignored) {
  client x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  x.forget();
  x.text("AUTH_FAILED", 0);
  x.text("HALT", 0);
  x.exchange(0);
  x.session.handle_negotiation(
    0, negotiation_failed{{reason::tls_failed, "late"}}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  x.renegotiate_to(1);
  x.forget();
  for (auto id : {0, 2, 7}) {
    auto stale = static_cast<uint8_t>(id);
    x.text("HALT", stale);
    x.exchange(stale);
    x.install(stale);
  }
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  CAF_CHECK(x.session.state() == state::connected);
}

CAF_TEST(text of the new negotiation counts) {
  client x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  x.establish(1);
  x.forget();
  x.text("AUTH_FAILED,no longer welcome", 1);
  CAF_CHECK_EQUAL(x.actions(), "end auth_failed 'no longer welcome'; ");
}

CAF_TEST(the old key goes on when a renegotiation fails) {
  auto cfg = client_session_config();
  cfg.transition_window = 300s;
  client x{state::connected, cfg};
  x.soft_reset(1);
  x.forget();
  x.run_for(60s);
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  // The window began with the soft reset.
  CAF_CHECK_EQUAL(x.actions(), "close 1; end tls_failed 'too late' at once "
                               "again data until 300; ");
  CAF_CHECK_EQUAL(joined(x.reports()), "!TLS Error: TLS handshake failed, the "
                                       "old key goes on: too late; ");
}

CAF_TEST(a failure that comes early waits for the hand window) {
  // The peer is still at it, and would not hear of another session.
  client x{state::connected};
  x.soft_reset(1);
  x.run_for(20s);
  x.forget();
  x.break_negotiation(1, {reason::tls_failed, "broken"});
  CAF_CHECK_EQUAL(x.actions(), "close 1; ");
  CAF_CHECK_EQUAL(joined(x.reports()), "!TLS Error: TLS handshake failed, the "
                                       "old key goes on: broken; ");
  CAF_CHECK(x.session.state() == state::connected);
  CAF_CHECK_EQUAL(x.timer(), 40);
  x.run_for(40s - 1ns);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(1ns);
  CAF_CHECK_EQUAL(x.actions(),
                  "end tls_failed 'broken' at once again data until 3600; ");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
}

CAF_TEST(a server lives on with the old key as long as it is good) {
  server x{state::connected};
  x.soft_reset(1);
  x.run_for(61s);
  x.forget();
  x.break_negotiation(1, {reason::no_answer, "too late"});
  CAF_CHECK_EQUAL(x.actions(), "close 1; ");
  x.run_for(3538s);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(1s);
  CAF_CHECK_EQUAL(x.actions(), "end no_answer 'too late' at once again; ");
}

CAF_TEST(no old key goes on beyond its window) {
  auto cfg = client_session_config();
  cfg.transition_window = 30s;
  client x{state::connected, cfg};
  x.soft_reset(1);
  x.forget();
  x.break_negotiation(1, {reason::tls_failed, "broken"});
  CAF_CHECK_EQUAL(x.actions(), "close 1; ");
  // It ran out while we waited.
  x.run_for(60s);
  CAF_CHECK_EQUAL(x.actions(), "end tls_failed 'broken' at once again; ");
  client y{state::connected, cfg};
  y.soft_reset(1);
  y.run_for(60s);
  y.forget();
  y.break_negotiation(1, {reason::tls_failed, "broken"});
  CAF_CHECK_EQUAL(y.actions(), "end tls_failed 'broken' at once again; ");
  CAF_CHECK_EQUAL(joined(y.reports()), "!broken; ");
}

CAF_TEST(a failed renegotiation leaves no control channel) {
  client x{state::connected};
  x.soft_reset(1);
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  x.forget();
  for (uint8_t id = 0; id < 8; ++id) {
    x.soft_reset(id);
    x.text("HALT", id);
    x.establish(id);
    x.exchange(id);
    x.install(id);
    x.break_negotiation(id, {reason::tls_failed, "again"});
  }
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  CAF_CHECK(x.session.state() == state::connected);
  // What DATA CHANNEL tells still counts.
  x.tell(peer_silent{});
  CAF_CHECK_EQUAL(x.actions(), "end peer_silent; ");
}

CAF_TEST(an old key that runs out ends the session) {
  client x{state::connected};
  x.soft_reset(1);
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  x.forget();
  x.tell(rekey_needed{1});
  CAF_CHECK_EQUAL(x.actions(), "");
  x.tell(rekey_needed{0});
  CAF_CHECK_EQUAL(x.actions(),
                  "end tls_failed 'too late' at once again data until 60; ");
}

CAF_TEST(a limit reached in a renegotiation that fails is not forgotten) {
  // DATA CHANNEL tells it once.
  client x{state::connected};
  x.soft_reset(1);
  x.run_for(30s);
  x.tell(rekey_needed{0});
  x.run_for(30s);
  x.forget();
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  CAF_CHECK_EQUAL(x.actions(), "close 1; end tls_failed 'too late' at once "
                               "again data until 120; ");
  // With the new key it means nothing any more.
  client y{state::connected};
  y.soft_reset(1);
  y.tell(rekey_needed{0});
  y.renegotiate_to(1);
  y.forget();
  CAF_CHECK_EQUAL(y.timer(), 3600);
}

CAF_TEST(a key at its limit is not kept for the whole window) {
  client x{state::connected};
  x.pass(2s);
  x.tell(rekey_needed{0});
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  x.forget();
  CAF_CHECK_EQUAL(x.timer(), 60);
  x.run_for(60s);
  CAF_CHECK_EQUAL(x.actions(),
                  "end tls_failed 'too late' at once again data until 122; ");
}

CAF_TEST(without a transition window a failure ends the session) {
  auto cfg = client_session_config();
  cfg.transition_window = 0s;
  client x{state::connected, cfg};
  x.soft_reset(1);
  x.forget();
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  CAF_CHECK_EQUAL(x.actions(), "end tls_failed 'too late' at once again; ");
}

CAF_TEST(a failed renegotiation is tried again whatever it was) {
  // A certificate that does not verify, and an alert in clear, can come from
  // anybody where nothing wraps the control channel.
  for (auto why : {reason::internal, reason::certificate_rejected,
                   reason::auth_failed, reason::no_answer}) {
    client x{state::connected};
    x.soft_reset(1);
    x.break_negotiation(1, {why, "no good"});
    x.forget();
    x.run_for(3600s);
    auto told = is_transient(why) ? why : reason::tls_failed;
    CAF_CHECK_EQUAL(x.actions(),
                    "end " + to_string(told)
                      + " 'no good' at once again data until 3600; ");
  }
}

CAF_TEST(a first negotiation that fails ends the session) {
  for (auto s : {state::negotiating, state::configuring, state::assigning,
                 state::connected}) {
    client x{s};
    x.break_negotiation(0, {reason::tls_failed, "broken"});
    CAF_CHECK_EQUAL(x.actions(), "end tls_failed 'broken'; ");
  }
}

CAF_TEST(another certificate is not let in by a renegotiation) {
  client x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  x.forget();
  x.establish(1, "another.example");
  CAF_CHECK_EQUAL(x.actions(),
                  "end certificate_rejected 'the peer came back with another "
                  "certificate'; ");
  x.exchange(1);
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(a certificate with the same name is another certificate) {
  for (auto digest : {"", "of another certificate"}) {
    client x{state::connected};
    x.session.handle_soft_reset(1, x.now());
    tls_established again;
    again.peer.resize(2);
    again.peer[0].subject = "CN=peer.example";
    again.peer[0].common_name = "peer.example";
    again.peer[0].sha256 = digest;
    again.peer[1].depth = 1;
    again.peer[1].subject = "CN=Authority";
    again.peer[1].common_name = "Authority";
    x.session.handle_negotiation(1, again, x.now());
    // The first one had no digest at all.
    CAF_CHECK_EQUAL(x.session.state() == state::closed, *digest != '\0');
  }
}

CAF_TEST(a renegotiation without certificates is not let in either) {
  client x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  x.forget();
  x.session.handle_negotiation(1, tls_established{}, x.now());
  CAF_CHECK(x.session.state() == state::closed);
}

CAF_TEST(credentials are checked again by a server) {
  server x{state::connected};
  x.session.handle_soft_reset(1, x.now());
  x.establish(1);
  x.forget();
  auto stranger = usual_client();
  stranger.password = secret{std::string_view{"looking glass"}};
  x.exchange(1, stranger);
  CAF_CHECK_EQUAL(x.actions(),
                  "text 1 AUTH_FAILED; "
                  "end auth_failed 'wrong user name or password'; ");
}

CAF_TEST(a server renews its keys alike) {
  server x{state::connected};
  CAF_CHECK_EQUAL(x.timer(), 3600);
  x.run_for(3600s);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "derive 1 AES-256-GCM ekm peer-id 7 bb/aa; allow 2; ");
}

// -- when the last messages are under way --

CAF_TEST(we do not begin while our last messages may be under way) {
  client x{state::connected};
  x.tell(rekey_needed{0});
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(x.timer(), 2);
  x.run_for(2s);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
}

CAF_TEST(a text of ours puts our own beginning off) {
  auto cfg = client_session_config();
  cfg.reneg_after = 100s;
  client x{state::connected, cfg};
  x.text("INFO,CR_TEXT:R:code");
  x.run_for(99s);
  x.forget();
  x.respond("123456");
  CAF_CHECK_EQUAL(x.actions(), "text 0 CR_RESPONSE,MTIzNDU2; ");
  x.run_for(2s - 1ns);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(1ns);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
}

CAF_TEST(the peer need not wait for us to be quiet) {
  client x{state::connected};
  x.soft_reset(1);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 responder; ");
}

CAF_TEST(a limit reached before the session is connected is not forgotten) {
  client x{state::assigning};
  x.install(0);
  x.tell(rekey_needed{0});
  x.apply();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  x.run_for(2s);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
}

CAF_TEST(the limit of an old key asks for nothing) {
  client x{state::connected};
  x.soft_reset(1);
  x.renegotiate_to(1);
  x.pass(10s);
  x.forget();
  x.tell(rekey_needed{0});
  CAF_CHECK_EQUAL(x.actions(), "");
  x.tell(rekey_needed{1});
  CAF_CHECK_EQUAL(x.actions(), "close 1; open 2 initiator; ");
}

CAF_TEST(a key that nobody asked for is not believed) {
  client x{state::connected};
  x.soft_reset(1);
  x.forget();
  x.install(1);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.establish(1);
  x.install(1);
  CAF_CHECK_EQUAL(x.actions(), "");
  for (auto s : {state::idle, state::resetting, state::negotiating,
                 state::configuring}) {
    client y{s};
    y.install(0);
    y.forget();
    bring_to(y, state::assigning);
    CAF_CHECK(y.session.state() != state::connected);
  }
}

// -- the age of a key --

namespace {

/// The age at which a new session would renew its first key, in milliseconds.
long age(session_config cfg, uint32_t draw) {
  cfg.reneg_draw = draw;
  auto as_server = cfg.self == role::server;
  session_driver x{std::move(cfg)};
  bring_to(x, state::connected, as_server);
  auto due = x.session.poll_timeout();
  CAF_REQUIRE(due);
  return static_cast<long>(
    std::chrono::duration_cast<std::chrono::milliseconds>(*due - x.now().steady)
      .count());
}

} // namespace

CAF_TEST(a server takes up to a tenth off the age of its keys) {
  auto cfg = server_session_config();
  CAF_CHECK_EQUAL(age(cfg, 0), 3600'000);
  CAF_CHECK_EQUAL(age(cfg, 0x80000000), 3420'000);
  CAF_CHECK_EQUAL(age(cfg, 0xffffffff), 3240'005);
  cfg.reneg_after = 10s;
  CAF_CHECK_EQUAL(age(cfg, 0x40000000), 9'750);
}

CAF_TEST(a client renews its keys at the exact age) {
  for (uint32_t draw : {0u, 0x80000000u, 0xffffffffu})
    CAF_CHECK_EQUAL(age(client_session_config(), draw), 3600'000);
}

CAF_TEST(the least age bounds the drawn one on both sides) {
  for (auto cfg : {client_session_config(), server_session_config()}) {
    cfg.reneg_min = 1800s;
    CAF_CHECK_EQUAL(age(cfg, 0), 3600'000);
    CAF_CHECK_EQUAL(age(cfg, 0x80000000), 2700'000);
    CAF_CHECK_EQUAL(age(cfg, 0xffffffff), 1800'027);
    // One that is none, or above the longest, takes nothing off.
    for (auto least : {3600s, 3601s, 2147483647s}) {
      cfg.reneg_min = least;
      CAF_CHECK_EQUAL(age(cfg, 0xffffffff), 3600'000);
    }
    cfg.reneg_after = 2147483647s;
    cfg.reneg_min = 0s;
    CAF_CHECK(age(cfg, 0xffffffff) > 0);
  }
}

CAF_TEST(with no age limit nothing is drawn) {
  for (auto cfg : {client_session_config(), server_session_config()})
    for (auto least : {0s, 100s}) {
      cfg.reneg_after = 0s;
      cfg.reneg_min = least;
      cfg.reneg_draw = 0xffffffff;
      auto as_server = cfg.self == role::server;
      session_driver x{cfg};
      bring_to(x, state::connected, as_server);
      CAF_CHECK_EQUAL(x.timer(), -1);
    }
}

CAF_TEST(the age is drawn once per session) {
  auto cfg = server_session_config();
  cfg.reneg_draw = 0x80000000;
  server x{state::connected, cfg};
  uint8_t id = 1;
  for (auto i = 0; i < 3; ++i, ++id) {
    CAF_CHECK_EQUAL(x.timer(), 3420);
    x.run_for(3421s);
    x.renegotiate_to(id);
  }
}

// -- the goodbye --

CAF_TEST(a goodbye is not lost in a renegotiation) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  std::string quiet_push = usual_push;
  quiet_push.replace(quiet_push.find("cc-exit "), 8, "");
  // The control channel of the old key id is refused, that of the new one is
  // not there yet: inside the tunnel it is heard whatever the peer agreed to.
  for (auto& push : {std::string{usual_push}, quiet_push}) {
    auto cc_exit = push == usual_push;
    for (auto steps = 0; steps <= 3; ++steps) {
      // Stopped after the reset, after TLS, after key method 2, with the key.
      client x{push, cfg};
      x.soft_reset(1);
      if (steps >= 1)
        x.establish(1);
      if (steps >= 2)
        x.exchange(1);
      if (steps >= 3)
        x.install(1);
      x.forget();
      x.session.stop(reason::terminated, x.now());
      auto in_text = steps == 3 && cc_exit;
      CAF_CHECK_EQUAL(x.actions(),
                      std::string{in_text ? "text 1 EXIT; " : "data exit; "}
                        + "end terminated final; ");
    }
  }
}

CAF_TEST(a goodbye of our own renegotiation goes inside the tunnel) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::connected, cfg};
  x.run_for(3600s);
  x.forget();
  x.session.stop(reason::terminated, x.now());
  CAF_CHECK_EQUAL(x.actions(), "data exit; end terminated final; ");
}

CAF_TEST(a goodbye is owed beyond the end of the session) {
  // Its data keys live on, and whoever stops them is to say it.
  for (auto notify : {0u, 1u})
    for (auto tcp : {false, true}) {
      auto cfg = client_session_config();
      cfg.exit_notify = notify;
      cfg.tcp = tcp;
      client x{state::configuring, cfg};
      CAF_CHECK(!x.session.owes_goodbye());
      x.text(usual_push);
      x.install(0);
      x.apply();
      x.soft_reset(1);
      x.run_for(60s);
      x.break_negotiation(1, {reason::tls_failed, "too late"});
      CAF_CHECK(x.session.state() == state::closed);
      CAF_CHECK_EQUAL(x.session.owes_goodbye(), notify == 1 && !tcp);
    }
}

CAF_TEST(a goodbye goes inside the tunnel when nothing else is left) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::connected, cfg};
  x.soft_reset(1);
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  x.forget();
  x.session.stop(reason::terminated, x.now());
  CAF_CHECK_EQUAL(x.actions(), "data exit; end terminated final; ");
}

// -- dynamic tls-crypt --

namespace {

const std::string dynamic_push = std::string{usual_push} + " dyn-tls-crypt";

} // namespace

CAF_TEST(no soft reset before the control channel has its key) {
  auto cfg = client_session_config();
  cfg.reneg_after = 100s;
  client x{state::configuring, cfg};
  x.text(dynamic_push);
  CAF_CHECK_EQUAL(x.actions(), "data ping 10 restart 60; "
                               "derive 0 AES-256-GCM ekm peer-id 5 aa/bb; "
                               "control key; tunnel 10.8.0.2/24; ");
  x.install(0);
  x.apply();
  CAF_CHECK(x.session.state() == state::connected);
  x.tell(rekey_needed{0});
  x.soft_reset(1);
  x.run_for(500s);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.install_control_key();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  // The limit was reached in the meantime.
  x.run_for(2s);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
}

CAF_TEST(a control key that comes early opens nothing early) {
  client x{state::configuring};
  x.text(dynamic_push);
  x.forget();
  x.install_control_key();
  CAF_CHECK_EQUAL(x.actions(), "");
  x.install(0);
  x.apply();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  x.install_control_key();
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(the control key is derived once) {
  client x{dynamic_push, client_session_config()};
  x.install_control_key();
  x.forget();
  x.soft_reset(1);
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "close 0; open 1 responder; "
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
}

CAF_TEST(a control key is not wanted against our settings) {
  auto cfg = client_session_config();
  cfg.dynamic_tls_crypt = false;
  client x{state::configuring, cfg};
  x.text(dynamic_push);
  CAF_CHECK_EQUAL(x.actions(), "data ping 10 restart 60; "
                               "derive 0 AES-256-GCM ekm peer-id 5 aa/bb; "
                               "tunnel 10.8.0.2/24; ");
  x.install(0);
  x.apply();
  x.install_control_key();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
}
