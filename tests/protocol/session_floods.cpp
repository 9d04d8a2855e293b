// Resets and exit notifies in a flood: a session takes up the first that counts
// and arms no timer for the others.
// spec: openvpn-wire 11.3, 12.3

#define CAF_SUITE protocol.session_floods

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

constexpr auto flood = 1000;

/// Nothing came of `what`, said a thousand times in `x`.
template <class F>
void check_unmoved(session_driver& x, F what) {
  x.forget();
  auto state_before = x.session.state();
  auto timer_before = x.session.poll_timeout();
  for (auto i = 0; i < flood; ++i)
    what(i);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK_EQUAL(joined(x.reports()), "");
  CAF_CHECK(x.session.state() == state_before);
  CAF_CHECK(x.session.poll_timeout() == timer_before);
}

size_t ends_of(session_driver& x) {
  size_t result = 0;
  while (auto action = x.session.poll_action())
    result += std::holds_alternative<end_session>(*action) ? 1 : 0;
  return result;
}

} // namespace

CAF_TEST(soft resets of the wrong key id change nothing in any state) {
  for (auto s : before_closed)
    for (auto as_server : {false, true}) {
      if (as_server && s == state::configuring)
        continue;
      session_driver x{as_server ? server_session_config()
                                 : client_session_config()};
      bring_to(x, s, as_server);
      check_unmoved(x, [&](int i) {
        auto id = static_cast<uint8_t>(i);
        // The one key id that is right, once there is a key.
        if (id != 1)
          x.soft_reset(id);
      });
    }
}

CAF_TEST(soft resets of any key id change nothing before there is a key) {
  for (auto s : before_closed) {
    if (s == state::connected)
      continue;
    client x{s};
    check_unmoved(x, [&](int i) {
      x.soft_reset(static_cast<uint8_t>(i));
    });
  }
}

CAF_TEST(a soft reset said again and again is taken up once) {
  client x{state::connected};
  for (auto i = 0; i < flood; ++i)
    x.soft_reset(1);
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 responder; ");
  CAF_CHECK_EQUAL(joined(x.reports()),
                  "TLS: soft reset by the peer, key id 1; ");
  CAF_CHECK_EQUAL(x.timer(), -1);
  // While it is under way, no other one counts.
  check_unmoved(x, [&](int i) {
    x.soft_reset(static_cast<uint8_t>(i));
  });
  // Nor the same one when it is done.
  x.renegotiate_to(1);
  check_unmoved(x, [&](int) {
    x.soft_reset(1);
  });
}

CAF_TEST(soft resets do not put the own renegotiation off) {
  auto cfg = client_session_config();
  cfg.reneg_after = 100s;
  client x{state::connected, cfg};
  for (auto i = 0; i < 100; ++i) {
    x.soft_reset(2);
    x.soft_reset(0);
    x.run_for(1s);
  }
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
}

CAF_TEST(soft resets change nothing while the old key goes on) {
  client x{state::connected};
  x.soft_reset(1);
  x.run_for(20s);
  x.break_negotiation(1, {reason::tls_failed, "broken"});
  CAF_CHECK_EQUAL(x.timer(), 40);
  check_unmoved(x, [&](int i) {
    x.soft_reset(static_cast<uint8_t>(i));
  });
}

CAF_TEST(the peer leaves once) {
  for (auto s : {state::assigning, state::connected}) {
    client x{s};
    for (auto i = 0; i < flood; ++i)
      x.tell(peer_exit{});
    CAF_CHECK_EQUAL(x.actions(), "end server_stopped 'the peer left'; ");
    CAF_CHECK_EQUAL(joined(x.reports()), "Remote exit; ");
    CAF_CHECK_EQUAL(x.timer(), -1);
  }
}

CAF_TEST(nobody leaves before there is a key) {
  for (auto s : {state::idle, state::resetting, state::negotiating,
                 state::configuring}) {
    client x{s};
    check_unmoved(x, [&](int) {
      x.tell(peer_exit{});
    });
  }
}

CAF_TEST(orders to leave end the session once) {
  for (auto as_server : {false, true})
    for (auto text : {"EXIT", "RESTART,[N]", "HALT", "AUTH_FAILED,no"}) {
      session_driver x{as_server ? server_session_config()
                                 : client_session_config()};
      bring_to(x, state::connected, as_server);
      x.forget();
      auto before = x.session.poll_timeout();
      for (auto i = 0; i < flood; ++i) {
        x.text(text);
        x.tell(peer_exit{});
        x.tell(peer_silent{});
      }
      CAF_CHECK_EQUAL(ends_of(x), 1u);
      CAF_CHECK(before.has_value());
      CAF_CHECK_EQUAL(x.timer(), -1);
    }
}

CAF_TEST(a peer answers once) {
  client x{state::resetting};
  x.answer();
  x.forget();
  check_unmoved(x, [&](int) {
    x.answer();
  });
  for (auto s : {state::configuring, state::assigning, state::connected}) {
    client y{s};
    check_unmoved(y, [&](int i) {
      y.answer();
      y.session.handle_peer_answered(static_cast<uint8_t>(i), y.now());
    });
  }
}

CAF_TEST(a hard reset of somebody else does not change the keys) {
  client x{state::connected};
  check_unmoved(x, [&](int i) {
    auto byte = static_cast<uint8_t>(i);
    x.session.handle_peer_known({{byte, 1}}, {{byte, 2}});
  });
  x.soft_reset(1);
  x.renegotiate_to(1);
  CAF_CHECK_EQUAL(x.actions(),
                  "close 0; open 1 responder; "
                  "derive 1 AES-256-GCM ekm peer-id 5 aa/bb; allow 2; ");
}

CAF_TEST(limits of a key told again and again ask for one new key) {
  client x{state::connected};
  for (auto i = 0; i < flood; ++i)
    x.tell(rekey_needed{0});
  CAF_CHECK_EQUAL(x.timer(), 2);
  x.run_for(2s);
  for (auto i = 0; i < flood; ++i)
    x.tell(rekey_needed{0});
  CAF_CHECK_EQUAL(x.actions(), "close 0; open 1 initiator; ");
  CAF_CHECK_EQUAL(x.timer(), -1);
}

CAF_TEST(push requests in a flood are answered once) {
  server x{state::connected};
  check_unmoved(x, [&](int) {
    x.text("PUSH_REQUEST");
  });
}
