// A session from its reset to its end, action by action, as SUPERVISOR plays
// it: the handshake, its time limits, renegotiation, and every way to stop.
// spec: openvpn-wire 7.1, 11.3, 12

#define CAF_SUITE protocol.session

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

/// Every fact a layer can tell, at once.
void tell_everything(session_driver& x) {
  x.start();
  x.answer();
  for (uint8_t id = 0; id < 8; ++id) {
    x.session.handle_soft_reset(id, x.now());
    x.establish(id);
    x.exchange(id);
    x.text(usual_push, id);
    x.text("PUSH_REQUEST", id);
    x.text("AUTH_FAILED", id);
    x.text("INFO,hello", id);
    x.text("INFO_PRE,OPEN_URL:https://sso.example/1", id);
    x.text("INFO_PRE,CR_TEXT:R,E:code", id);
    x.text("CR_RESPONSE,Y29kZQ==", id);
    x.text("PUSH_UPDATE,route 10.9.0.0 255.255.0.0", id);
    x.install(id);
    x.session.handle_negotiation(id, negotiation_failed{}, x.now());
    x.lose_layers(id);
  }
  x.apply();
  x.session.handle_data_event(peer_silent{}, x.now());
  x.session.handle_data_event(rekey_needed{0}, x.now());
  x.session.handle_data_event(key_confirmed{0}, x.now());
  x.tell(tunnel_inactive{});
  x.tell(peer_exit{});
  x.install_control_key();
  x.judge(true);
  x.judge(false);
  x.respond("code");
  x.say_nothing();
  x.fail(reason::internal, "once more");
  x.session.handle_timeout(x.now());
}

} // namespace

// -- the handshake --

CAF_TEST(a client opens with a hard reset) {
  session_driver x{client_session_config()};
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(x.timer(), -1);
  x.start();
  CAF_CHECK_EQUAL(x.actions(), "open 0 client; ");
  CAF_CHECK_EQUAL(joined(x.reports()), "[WAIT [AF_INET]192.0.2.1:1194]; ");
  CAF_CHECK(x.session.state() == state::resetting);
}

CAF_TEST(a client connects action by action) {
  client x{state::resetting};
  x.answer();
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "TLS: Initial packet from [AF_INET]192.0.2.1:1194, "
                  "sid=bb08090a 0b0c0d0e; [AUTH]; ");
  x.establish(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "VERIFY OK: depth=1, CN=Authority; "
                                       "VERIFY OK: depth=0, CN=peer.example; "
                                       "Control Channel: TLSv1.3; ");
  x.exchange(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "[peer.example] Peer Connection Initiated with "
                  "[AF_INET]192.0.2.1:1194; [GET_CONFIG]; ");
  x.run_for(1s);
  CAF_CHECK_EQUAL(x.actions(), "text 0 PUSH_REQUEST; ");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "SENT CONTROL [peer.example]: 'PUSH_REQUEST' (status=1); ");
  x.text(usual_push);
  CAF_CHECK_EQUAL(x.actions(), "data ping 10 restart 60; "
                               "derive 0 AES-256-GCM ekm peer-id 5 aa/bb; "
                               "tunnel 10.8.0.2/24; ");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "Data Channel: cipher 'AES-256-GCM', peer-id: 5; "
                  "[ASSIGN_IP 10.8.0.2]; ");
  CAF_CHECK(x.session.state() == state::assigning);
  x.install(0);
  x.apply();
  CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "TUN/TAP device tun0 opened; "
                  "Initialization Sequence Completed; [CONNECTED 10.8.0.2]; ");
  CAF_CHECK(x.session.state() == state::connected);
}

CAF_TEST(a server waits for a reset and answers it) {
  session_driver x{server_session_config()};
  x.start();
  CAF_CHECK_EQUAL(x.actions(), "open 0 server; ");
  CAF_CHECK_EQUAL(x.timer(), -1);
  x.answer();
  x.establish(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.exchange(0, usual_client());
  CAF_CHECK_EQUAL(x.actions(), "data ping 0 restart 0; "
                               "derive 0 AES-256-GCM ekm peer-id 7 bb/aa; "
                               "tunnel 10.8.0.1/24; ");
}

CAF_TEST(key and tunnel may be ready in either order) {
  for (auto key_first : {true, false}) {
    client x{state::assigning};
    if (key_first)
      x.install(0);
    else
      x.apply();
    CAF_CHECK(x.session.state() == state::assigning);
    CAF_CHECK(!x.has_told("Initialization Sequence Completed"));
    if (key_first)
      x.apply();
    else
      x.install(0);
    CAF_CHECK(x.session.state() == state::connected);
    CAF_CHECK(x.has_told("Initialization Sequence Completed"));
    CAF_CHECK_EQUAL(x.actions(), "allow 1; ");
  }
}

CAF_TEST(facts that come twice count once) {
  client x{state::idle};
  x.start();
  x.start();
  CAF_CHECK_EQUAL(x.actions(), "open 0 client; ");
  x.answer();
  x.forget();
  x.answer();
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  x.establish(0);
  x.exchange(0);
  x.text(usual_push);
  x.forget();
  x.exchange(0);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.install(0);
  x.apply();
  x.forget();
  x.apply();
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
}

CAF_TEST(a tunnel that nobody asked for is not believed) {
  for (auto s : {state::idle, state::resetting, state::negotiating,
                 state::configuring, state::connected}) {
    client x{s};
    x.apply();
    CAF_CHECK(x.session.state() == s);
    CAF_CHECK_EQUAL(joined(x.reports()), "");
  }
}

CAF_TEST(an answer for another key id than the first is none) {
  client x{state::resetting};
  x.session.handle_peer_answered(1, x.now());
  CAF_CHECK(x.session.state() == state::resetting);
}

CAF_TEST(an IPv6 server is named with its family) {
  auto cfg = client_session_config();
  cfg.remote.address = *parse_ip("2001:db8::1");
  session_driver x{cfg};
  x.start();
  CAF_CHECK_EQUAL(joined(x.reports()), "[WAIT [AF_INET6][2001:db8::1]:1194]; ");
}

// -- time limits --

CAF_TEST(a server that never answers is given up) {
  auto cfg = client_session_config();
  cfg.connect_timeout = 20s;
  client x{state::resetting, cfg};
  CAF_CHECK_EQUAL(x.timer(), 20);
  x.run_for(20s - 1ns);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(1ns);
  CAF_CHECK_EQUAL(x.actions(),
                  "end no_answer 'Server poll timeout, no answer from "
                  "[AF_INET]192.0.2.1:1194' at once; ");
  CAF_CHECK_EQUAL(x.timer(), -1);
}

CAF_TEST(an answer ends the wait for it) {
  client x{state::negotiating};
  CAF_CHECK_EQUAL(x.timer(), -1);
  x.run_for(3600s);
  CAF_CHECK(x.session.state() == state::negotiating);
}

CAF_TEST(a push is asked for after a second and every five seconds) {
  auto cfg = client_session_config();
  cfg.hand_window = 22s;
  client x{state::configuring, cfg};
  x.run_for(1s - 1ns);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(1ns);
  CAF_CHECK_EQUAL(x.actions(), "text 0 PUSH_REQUEST; ");
  for (int i = 0; i < 4; ++i) {
    CAF_CHECK_EQUAL(x.timer(), 5);
    x.run_for(5s - 1ns);
    CAF_CHECK_EQUAL(x.actions(), "");
    x.run_for(1ns);
    CAF_CHECK_EQUAL(x.actions(), "text 0 PUSH_REQUEST; ");
  }
  CAF_CHECK_EQUAL(x.timer(), 1);
  x.run_for(1s);
  CAF_CHECK_EQUAL(x.actions(),
                  "end no_answer 'No reply from server to push requests'; ");
}

CAF_TEST(a push that comes by itself is not asked for) {
  client x{state::configuring};
  x.pass(500ms);
  x.text(usual_push);
  x.forget();
  x.run_for(100s);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK(x.session.state() == state::assigning);
}

CAF_TEST(a late timer sends one request and not many) {
  auto cfg = client_session_config();
  cfg.hand_window = 600s;
  client x{state::configuring, cfg};
  x.pass(100s);
  x.session.handle_timeout(x.now());
  CAF_CHECK_EQUAL(x.actions(), "text 0 PUSH_REQUEST; ");
  CAF_CHECK_EQUAL(x.timer(), 5);
}

CAF_TEST(a timer that is early does nothing) {
  client x{state::configuring};
  x.session.handle_timeout(x.now());
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(x.timer(), 1);
}

// -- silence --

CAF_TEST(a silent peer restarts the session) {
  client x{state::connected};
  x.session.handle_data_event(peer_silent{}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "end peer_silent; ");
  CAF_CHECK(x.has_told(
    "[peer.example] Inactivity timeout (--ping-restart), restarting"));
}

CAF_TEST(a silent peer ends the session with ping exit) {
  client x{state::configuring};
  x.text("PUSH_REPLY,ping 10,ping-exit 30,cipher AES-256-GCM");
  CAF_CHECK_EQUAL(x.actions().substr(0, 26), "data ping 10 restart 30; d");
  x.install(0);
  x.apply();
  x.forget();
  x.session.handle_data_event(peer_silent{}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "end peer_silent final; ");
  CAF_CHECK(
    x.has_told("[peer.example] Inactivity timeout (--ping-exit), exiting"));
}

CAF_TEST(silence counts while the host is slow) {
  client x{state::assigning};
  x.session.handle_data_event(peer_silent{}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "end peer_silent; ");
}

CAF_TEST(a confirmed key changes nothing) {
  client x{state::connected};
  x.session.handle_data_event(key_confirmed{0}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(a peer that moved is followed) {
  endpoint there{*parse_ip("192.0.2.99"), 1195, 0};
  for (auto s : {state::assigning, state::connected}) {
    client x{s};
    x.session.handle_data_event(peer_floated{there}, x.now());
    CAF_CHECK_EQUAL(x.actions(), "socket remote 192.0.2.99:1195; ");
    CAF_CHECK(
      x.has_told("[peer.example] Peer has moved to [AF_INET]192.0.2.99:1195"));
  }
  // What leads into the tunnel is not followed.
  for (auto push : {"redirect-gateway def1", "route 192.0.2.0 255.255.255.0"}) {
    client z{state::configuring};
    z.text(std::string{"PUSH_REPLY,"} + push
           + ",ifconfig 10.8.0.2 10.8.0.1,cipher AES-256-GCM");
    z.install(0);
    z.apply();
    z.forget();
    z.session.handle_data_event(peer_floated{there}, z.now());
    CAF_CHECK_EQUAL(z.actions(), "");
    CAF_CHECK(z.has_told(
      "!Peer seems to be at [AF_INET]192.0.2.99:1195 now, which lies "
      "in the tunnel: not followed"));
  }
  // Not before there is a key that could prove anything.
  client y{state::configuring};
  y.session.handle_data_event(peer_floated{there}, y.now());
  CAF_CHECK_EQUAL(y.actions(), "");
}

CAF_TEST(a tunnel that is hardly used is left) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  for (auto s : {state::assigning, state::connected}) {
    client x{s, cfg};
    x.tell(tunnel_inactive{});
    CAF_CHECK_EQUAL(x.actions(), "text 0 EXIT; end none 'inactive' final; ");
    CAF_CHECK(
      x.has_told("[peer.example] Inactivity timeout (--inactive), exiting"));
  }
}

CAF_TEST(a session ends when its time is over) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{std::string{usual_push} + ",session-timeout 90", cfg};
  x.run_for(90s - 1ns);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.run_for(1ns);
  CAF_CHECK_EQUAL(x.actions(),
                  "text 0 EXIT; end none 'session-timeout' final; ");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "Session timeout, exiting; [EXITING session-timeout]; ");
  CAF_CHECK_EQUAL(x.timer(), -1);
}

CAF_TEST(a peer that leaves inside the tunnel has left) {
  for (auto s : {state::assigning, state::connected}) {
    client x{s};
    x.tell(peer_exit{});
    CAF_CHECK_EQUAL(x.actions(), "end server_stopped 'the peer left'; ");
    CAF_CHECK(x.has_told("Remote exit"));
  }
}

CAF_TEST(a broken TCP connection is told in the usual words) {
  for (auto tcp : {false, true}) {
    auto cfg = client_session_config();
    cfg.tcp = tcp;
    client x{state::connected, cfg};
    x.fail(reason::transport_failed, "connection reset by peer");
    CAF_CHECK_EQUAL(x.has_told("Connection reset, restarting [0]"), tcp);
  }
}

// -- tls-verify --

CAF_TEST(a command decides before credentials leave) {
  auto cfg = client_session_config();
  cfg.asks_about_peer = true;
  client x{state::negotiating, cfg};
  x.establish(0);
  CAF_CHECK_EQUAL(x.actions(), "judge 2; ");
  x.judge(true);
  CAF_CHECK_EQUAL(x.actions(), "accept 0; ");
  x.judge(false);
  CAF_CHECK_EQUAL(x.actions(), "");
  x.exchange(0);
  CAF_CHECK(x.session.state() == state::configuring);
}

CAF_TEST(a peer that the command refuses is not let in) {
  auto cfg = client_session_config();
  cfg.asks_about_peer = true;
  client x{state::negotiating, cfg};
  x.establish(0);
  x.forget();
  x.judge(false);
  CAF_CHECK_EQUAL(x.actions(), "end certificate_rejected 'VERIFY SCRIPT ERROR: "
                               "tls-verify refuses the peer'; ");
  x.judge(true);
  CAF_CHECK_EQUAL(x.actions(), "");
}

CAF_TEST(keys that come before the verdict are none) {
  auto cfg = client_session_config();
  cfg.asks_about_peer = true;
  client x{state::negotiating, cfg};
  x.establish(0);
  x.forget();
  x.exchange(0);
  CAF_CHECK_EQUAL(x.actions().substr(0, 12), "end internal");
}

CAF_TEST(a verdict that nobody asked for counts for nothing) {
  for (auto s : before_closed)
    for (auto accepted : {false, true}) {
      client x{s};
      x.judge(accepted);
      CAF_CHECK_EQUAL(x.actions(), "");
      CAF_CHECK(x.session.state() == s);
    }
}

// -- the end --

CAF_TEST(a stop is obeyed in every state) {
  for (auto s : before_closed)
    for (auto why : {reason::none, reason::interrupted, reason::terminated}) {
      client x{s};
      x.session.stop(why, x.now());
      CAF_CHECK_EQUAL(x.actions(), "end " + to_string(why) + " final; ");
      CAF_CHECK_EQUAL(joined(x.reports()),
                      "[EXITING " + to_string(why) + "]; ");
      CAF_CHECK(x.session.state() == state::closed);
    }
}

CAF_TEST(a server obeys a stop too) {
  for (auto s : {state::idle, state::resetting, state::negotiating,
                 state::assigning, state::connected}) {
    server x{s};
    x.session.stop(reason::terminated, x.now());
    CAF_CHECK_EQUAL(x.actions(), "end terminated final; ");
  }
}

CAF_TEST(the peer is told only when that was agreed) {
  for (auto notify : {0u, 1u})
    for (auto agreed : {false, true})
      for (auto tcp : {false, true}) {
        auto cfg = client_session_config();
        cfg.exit_notify = notify;
        cfg.tcp = tcp;
        client x{state::configuring, cfg};
        x.text(agreed ? usual_push : "PUSH_REPLY,cipher AES-256-GCM");
        x.install(0);
        x.apply();
        x.forget();
        x.session.stop(reason::interrupted, x.now());
        std::string told;
        if (notify > 0 && !tcp)
          told = agreed ? "text 0 EXIT; " : "data exit; ";
        CAF_CHECK_EQUAL(x.actions(), told + "end interrupted final; ");
      }
}

CAF_TEST(the peer is told once however often we stop) {
  for (auto push : {usual_push, "PUSH_REPLY,cipher AES-256-GCM"}) {
    auto cfg = client_session_config();
    cfg.exit_notify = 3;
    client x{push, cfg};
    x.session.stop(reason::interrupted, x.now());
    x.forget();
    x.session.stop(reason::terminated, x.now());
    CAF_CHECK_EQUAL(x.actions(), "");
  }
}

CAF_TEST(a peer that is not told needs a key for the tunnel) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::configuring, cfg};
  x.text("PUSH_REPLY,cipher AES-256-GCM");
  x.forget();
  x.session.stop(reason::interrupted, x.now());
  CAF_CHECK_EQUAL(x.actions(), "end interrupted final; ");
}

CAF_TEST(a peer hears of our leaving while the host is still at work) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::assigning, cfg};
  x.session.stop(reason::interrupted, x.now());
  CAF_CHECK_EQUAL(x.actions(), "text 0 EXIT; end interrupted final; ");
}

CAF_TEST(the server may say whether it wants to be told) {
  for (auto wanted : {0u, 1u}) {
    auto cfg = client_session_config();
    cfg.exit_notify = 1 - wanted;
    client x{state::configuring, cfg};
    x.text(std::string{usual_push} + ",explicit-exit-notify "
           + std::to_string(wanted));
    x.install(0);
    x.apply();
    x.forget();
    x.session.stop(reason::interrupted, x.now());
    CAF_CHECK_EQUAL(x.actions(), std::string{wanted ? "text 0 EXIT; " : ""}
                                   + "end interrupted final; ");
  }
}

CAF_TEST(the peer is told on the newest key) {
  auto cfg = client_session_config();
  cfg.exit_notify = 1;
  client x{state::connected, cfg};
  x.session.handle_soft_reset(1, x.now());
  x.renegotiate_to(1);
  x.forget();
  x.session.stop(reason::none, x.now());
  CAF_CHECK_EQUAL(x.actions(), "text 1 EXIT; end none final; ");
}

CAF_TEST(a failure of any layer ends the session in every state) {
  for (auto s : before_closed) {
    client x{s};
    x.fail(reason::host_failed, "no device");
    CAF_CHECK_EQUAL(x.actions(), "end host_failed 'no device'; ");
    CAF_CHECK_EQUAL(joined(x.reports()), "!no device; ");
    CAF_CHECK(x.session.state() == state::closed);
  }
}

CAF_TEST(a failed handshake ends the session with its reason) {
  client x{state::negotiating};
  x.session.handle_negotiation(
    0, negotiation_failed{{reason::certificate_rejected, "expired"}}, x.now());
  CAF_CHECK_EQUAL(x.actions(), "end certificate_rejected 'expired'; ");
}

CAF_TEST(a closed session does nothing more) {
  for (auto s : before_closed)
    for (auto stopped : {true, false}) {
      client x{s};
      if (stopped)
        x.session.stop(reason::none, x.now());
      else
        x.fail(reason::peer_silent);
      x.forget();
      CAF_CHECK_EQUAL(x.timer(), -1);
      x.pass(24h);
      tell_everything(x);
      x.session.stop(reason::none, x.now());
      CAF_CHECK_EQUAL(x.actions(), "");
      CAF_CHECK_EQUAL(joined(x.reports()), "");
      CAF_CHECK(x.session.state() == state::closed);
    }
}

CAF_TEST(a session ends exactly once whatever is told) {
  for (auto s : before_closed)
    for (auto as_server : {false, true}) {
      if (as_server && s == state::configuring)
        continue;
      session_driver x{as_server ? server_session_config()
                                 : client_session_config()};
      bring_to(x, s, as_server);
      tell_everything(x);
      tell_everything(x);
      auto ends = 0;
      while (auto action = x.session.poll_action())
        if (std::holds_alternative<end_session>(*action))
          ++ends;
        else
          CAF_CHECK_EQUAL(ends, 0);
      CAF_CHECK_EQUAL(ends, 1);
    }
}
