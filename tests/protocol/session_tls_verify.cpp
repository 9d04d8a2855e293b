// A command that judges the peer of each key: what waits for its verdict, and
// what comes of it. spec: openvpn-wire 5.1

#define CAF_SUITE protocol.session_tls_verify

#include "vpn/protocol/session.hpp"

#include "tests/support/session_driver.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

using state = session_state;

session_config asking() {
  auto cfg = client_session_config();
  cfg.asks_about_peer = true;
  return cfg;
}

/// A client whose command took the peer of the first key, when the peer asks
/// for the next one.
struct renegotiating_client : client_at {
  renegotiating_client() : client_at(state::negotiating, asking()) {
    establish(0);
    judge(true);
    exchange(0);
    text(usual_push);
    install(0);
    apply();
    soft_reset(1);
    forget();
  }
};

} // namespace

CAF_TEST(the command is asked for each key) {
  renegotiating_client x;
  x.establish(1);
  CAF_CHECK_EQUAL(x.actions(), "judge 2; ");
  x.judge(true);
  CAF_CHECK_EQUAL(x.actions(), "accept 1; ");
  x.exchange(1);
  x.install(1);
  x.soft_reset(2);
  x.establish(2);
  x.forget();
  x.judge(false);
  CAF_CHECK_EQUAL(x.actions().substr(0, 24), "end certificate_rejected");
}

CAF_TEST(a verdict on a failed renegotiation comes too late) {
  renegotiating_client x;
  x.establish(1);
  x.break_negotiation(1, {reason::tls_failed, "too late"});
  x.forget();
  x.judge(false);
  CAF_CHECK_EQUAL(x.actions(), "");
  CAF_CHECK(x.session.state() == state::connected);
}
