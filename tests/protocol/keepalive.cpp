// The clocks of a tunnel.
// spec: openvpn-wire 7.2 (inactive), 11.1
#define CAF_SUITE protocol.keepalive

#include "vpn/protocol/keepalive.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace std::chrono_literals;

namespace {

instant at(duration x) {
  instant result;
  result.steady = time_point{1h} + x;
  return result;
}

keepalive running(const keepalive_config& cfg) {
  keepalive result;
  result.configure(cfg, at(0s));
  return result;
}

} // namespace

CAF_TEST(nothing runs before it is started) {
  keepalive x;
  x.configure({10s, 60s, 100s, 0});
  CAF_CHECK(!x.poll_timeout(true));
  CAF_CHECK(!x.ping_due(at(1000s)));
  CAF_CHECK(!x.poll_silent(at(1000s)));
  CAF_CHECK(!x.poll_inactive(at(1000s)));
  x.start(at(0s));
  x.start(at(5s)); // only the first one counts
  CAF_CHECK(x.poll_timeout(true) == at(10s).steady);
  CAF_CHECK(x.poll_timeout(false) == at(60s).steady);
}

CAF_TEST(what is zero never happens) {
  auto x = running({});
  CAF_CHECK(!x.poll_timeout(true));
  CAF_CHECK(!x.ping_due(at(100h)));
  CAF_CHECK(!x.poll_silent(at(100h)));
  CAF_CHECK(!x.poll_inactive(at(100h)));
}

CAF_TEST(a ping is due when nothing was sent) {
  auto x = running({10s, 0s, 0s, 0});
  CAF_CHECK(!x.ping_due(at(9s)));
  CAF_CHECK(x.ping_due(at(10s)));
  x.handle_sent(at(10s));
  CAF_CHECK(!x.ping_due(at(19s)));
  CAF_CHECK(x.last_sent() == at(10s).steady);
  CAF_CHECK(x.poll_timeout(true) == at(20s).steady);
}

CAF_TEST(silence is told once until the peer is heard) {
  auto x = running({0s, 60s, 0s, 0});
  x.handle_heard(at(30s));
  CAF_CHECK(!x.poll_silent(at(89s)));
  CAF_CHECK(x.poll_silent(at(90s)));
  CAF_CHECK(!x.poll_silent(at(91s)));
  CAF_CHECK(!x.poll_timeout(true));
  x.handle_heard(at(100s));
  CAF_CHECK(x.poll_silent(at(160s)));
}

CAF_TEST(any traffic keeps a tunnel active when no amount is asked for) {
  auto x = running({0s, 0s, 100s, 0});
  x.handle_traffic(1, at(99s));
  x.handle_traffic(0, at(198s));
  CAF_CHECK(!x.poll_inactive(at(198s)));
  CAF_CHECK(x.poll_timeout(true) == at(199s).steady);
  CAF_CHECK(x.poll_inactive(at(199s)));
  CAF_CHECK(!x.poll_inactive(at(200s)));
  CAF_CHECK(!x.poll_timeout(true));
}

CAF_TEST(too little traffic is none) {
  auto x = running({0s, 0s, 100s, 1000});
  x.handle_traffic(999, at(50s));
  CAF_CHECK(x.poll_timeout(true) == at(100s).steady);
  x.handle_traffic(1, at(60s));
  CAF_CHECK(x.poll_timeout(true) == at(160s).steady);
  // What is above the amount does not count for the next time.
  x.handle_traffic(5000, at(70s));
  x.handle_traffic(999, at(80s));
  CAF_CHECK(!x.poll_inactive(at(169s)));
  CAF_CHECK(x.poll_inactive(at(170s)));
}

CAF_TEST(pings and words of the peer are no traffic) {
  auto x = running({10s, 60s, 100s, 0});
  for (auto i = 0s; i < 100s; i += 10s) {
    x.handle_sent(at(i));
    x.handle_heard(at(i));
  }
  CAF_CHECK(x.poll_inactive(at(100s)));
}

CAF_TEST(configuring starts everything anew) {
  keepalive_config cfg{0s, 60s, 100s, 1000};
  auto x = running(cfg);
  x.handle_traffic(999, at(99s));
  CAF_CHECK(x.poll_silent(at(100s)));
  CAF_CHECK(x.poll_inactive(at(100s)));
  x.configure(cfg, at(100s));
  x.handle_traffic(999, at(101s));
  CAF_CHECK(x.poll_silent(at(160s)));
  CAF_CHECK(x.poll_inactive(at(200s)));
}
