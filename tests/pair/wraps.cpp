// Every wrapping of the control channel, on links that lose, double and
// reorder, and the keys of dynamic tls-crypt for each renegotiation.
#define CAF_SUITE pair.wraps
#include "vpn/protocol/key_method.hpp"

#include "tests/support/crypt_v2_keys.hpp"
#include "tests/support/pair.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

#include <set>

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::opcode;
using protocol::wrap_mode;

namespace {

constexpr wrap_mode all_wraps[]
  = {wrap_mode::none, wrap_mode::tls_auth, wrap_mode::tls_crypt,
     wrap_mode::tls_crypt_v2};

pair_config with(wrap_mode wrap, uint64_t seed = 1) {
  pair_config cfg;
  cfg.wrap = wrap;
  cfg.client_direction = protocol::key_direction::inverse;
  cfg.seed = seed;
  return cfg;
}

link_faults bad_link() {
  link_faults result;
  result.lose = 150;
  result.duplicate = 100;
  result.jitter = 40ms;
  return result;
}

void connect(vpn_pair& x, duration limit = 3s) {
  x.start();
  if (!x.drive_to_connected(limit))
    CAF_FAIL(x.story());
}

/// Which control packets were seen: opcode, key id, size.
struct control_log {
  explicit control_log(vpn_pair& x) : x_(x) {
    x.tap = [this](const vpn_pair::side& from, byte_view datagram) {
      if (protocol::is_data(datagram[0]))
        return;
      opcodes.insert(static_cast<opcode>(datagram[0] >> 3));
      if (datagram[0] >> 3 == static_cast<int>(opcode::control_soft_reset_v1))
        soft_resets.insert(datagram.size());
      if (&from == &x_.client && first == 0)
        first = datagram.size();
    };
  }
  ~control_log() { x_.tap = nullptr; }
  control_log(const control_log&) = delete;
  control_log& operator=(const control_log&) = delete;

  std::set<opcode> opcodes;
  std::set<size_t> soft_resets;
  size_t first = 0;

private:
  vpn_pair& x_;
};

} // namespace

// -- tls-crypt-v2 --

CAF_TEST(tls crypt v2 brings the client key along) {
  vpn_pair x{with(wrap_mode::tls_crypt_v2)};
  control_log log{x};
  connect(x);
  CAF_CHECK(x.elapsed() < 500ms);
  CAF_CHECK_EQUAL(log.first, 54u + 299u);
  CAF_CHECK_EQUAL(log.opcodes.count(opcode::control_hard_reset_client_v3), 1u);
  CAF_CHECK_EQUAL(log.opcodes.count(opcode::control_hard_reset_client_v2), 0u);
  // Nobody asked for the key a second time.
  CAF_CHECK_EQUAL(log.opcodes.count(opcode::control_wkc_v1), 0u);
  CAF_CHECK(x.carries());
}

CAF_TEST(tls crypt v2 brings the client key along again when asked to) {
  auto cfg = with(wrap_mode::tls_crypt_v2);
  cfg.force_cookie = true;
  vpn_pair x{cfg};
  control_log log{x};
  connect(x);
  CAF_CHECK_EQUAL(log.opcodes.count(opcode::control_wkc_v1), 1u);
  CAF_CHECK(x.carries());
}

CAF_TEST(tls crypt v2 connects over a lossy link) {
  for (auto force_cookie : {false, true}) {
    size_t retried = 0;
    for (uint64_t seed = 1; seed <= 25; ++seed) {
      auto cfg = with(wrap_mode::tls_crypt_v2, seed);
      cfg.force_cookie = force_cookie;
      cfg.faults = bad_link();
      cfg.faults.lose = 250;
      cfg.shuffle = seed % 2 == 0;
      cfg.restart_server = true;
      vpn_pair x{cfg};
      connect(x, 5min);
      retried += x.client.sockets > 1 ? 1 : 0;
      x.set_faults({});
      x.drive(1s);
      if (!x.carries())
        CAF_FAIL("seed " << seed << ": " << x.story());
    }
    CAF_CHECK(retried <= 3);
  }
}

CAF_TEST(tls crypt v2 tolerates corruption on the way) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    auto cfg = with(wrap_mode::tls_crypt_v2, seed);
    cfg.force_cookie = seed % 2 == 0;
    cfg.faults.corrupt = 60;
    vpn_pair x{cfg};
    connect(x, 1min);
    CAF_CHECK_EQUAL(x.client.sockets, 1u);
  }
}

CAF_TEST(a client whose key another server wrapped hears nothing) {
  vpn_pair x{with(wrap_mode::tls_crypt_v2)};
  x.server.settings().wrap = crypt_v2_keys{77}.server();
  x.client.cfg->plan.max_tries = 1;
  x.start();
  x.drive(3min);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "no_answer");
  CAF_CHECK_EQUAL(x.server.link.sent(), 0u);
}

CAF_TEST(a session after another takes the key of its own client) {
  auto cfg = with(wrap_mode::tls_crypt_v2);
  cfg.restart_server = true;
  vpn_pair x{cfg};
  x.client.settings().exit_notify = 1;
  connect(x);
  x.stop(x.client);
  x.drive(5s);
  crypt_v2_keys same{1};
  x.client.settings().wrap = crypt_v2_keys{50, same}.client();
  x.client.saw.phases.clear();
  x.start(x.client);
  if (!x.drive_to_connected(5s))
    CAF_FAIL(x.story());
  CAF_CHECK(x.carries());
}

// -- tls-auth --

CAF_TEST(tls auth with other digests than SHA1) {
  for (auto digest : {std::pair{"SHA1", 42u}, {"SHA256", 54u}, {"SHA512", 86u}})
    for (auto direction : {protocol::key_direction::inverse,
                           protocol::key_direction::bidirectional}) {
      auto cfg = with(wrap_mode::tls_auth);
      cfg.client_direction = direction;
      cfg.wrap_digest = digest.first;
      cfg.faults = bad_link();
      cfg.restart_server = true;
      vpn_pair x{cfg};
      control_log log{x};
      connect(x, 5min);
      CAF_CHECK_EQUAL(log.first, size_t{digest.second});
      x.set_faults({});
      x.drive(1s);
      CAF_CHECK(x.carries());
    }
}

CAF_TEST(with two digests of tls auth there is no answer) {
  auto cfg = with(wrap_mode::tls_auth);
  cfg.wrap_digest = "SHA256";
  vpn_pair x{cfg};
  x.server.settings().wrap.digest = "SHA512";
  x.client.cfg->plan.max_tries = 1;
  x.start();
  x.drive(3min);
  CAF_REQUIRE_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "no_answer");
}

// -- dynamic tls-crypt --

CAF_TEST(renegotiations have a wrapping of their own) {
  for (auto wrap : all_wraps)
    for (auto by_client : {true, false}) {
      vpn_pair x{with(wrap)};
      x.client.cfg->session.reneg_after = by_client ? 10s : 0s;
      x.server.cfg->session.reneg_after = by_client ? 0s : 10s;
      control_log log{x};
      connect(x);
      // Past key id 7, after which 1 comes again.
      x.drive(95s);
      CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 9u);
      CAF_CHECK_EQUAL(vpn_pair::new_keys(x.server), 9u);
      // Whatever the first wrapping was, these are tls-crypt; some of the
      // answers carry an ack of their own.
      CAF_REQUIRE(!log.soft_resets.empty());
      CAF_CHECK_EQUAL(*log.soft_resets.begin(), 54u);
      if (!x.carries())
        CAF_FAIL(x.story());
    }
}

CAF_TEST(without dynamic tls crypt renegotiations are wrapped as before) {
  for (auto expected : {std::pair{wrap_mode::none, size_t{14}},
                        {wrap_mode::tls_auth, size_t{42}},
                        {wrap_mode::tls_crypt, size_t{54}}})
    // One that cannot is enough.
    for (auto who : {0, 1}) {
      auto cfg = with(expected.first);
      vpn_pair x{cfg};
      (who == 0 ? x.server : x.client).cfg->session.dynamic_tls_crypt = false;
      if (who == 1) {
        protocol::peer_info_config info;
        info.version = "2.5.0";
        info.ciphers = {"AES-256-GCM"};
        info.proto &= ~protocol::iv_proto::dynamic_tls_crypt;
        x.client.cfg->session.peer_info = protocol::make_peer_info(info);
      }
      x.client.cfg->session.reneg_after = 10s;
      control_log log{x};
      connect(x);
      x.drive(25s);
      CAF_CHECK_EQUAL(vpn_pair::new_keys(x.client), 2u);
      CAF_REQUIRE(!log.soft_resets.empty());
      CAF_CHECK_EQUAL(*log.soft_resets.begin(), expected.second);
      CAF_CHECK(x.carries());
    }
}

CAF_TEST(dynamic tls crypt survives a lossy link) {
  size_t lame = 0;
  for (auto wrap : all_wraps)
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      auto cfg = with(wrap, seed);
      cfg.shuffle = seed % 2 == 0;
      vpn_pair x{cfg};
      // Sometimes one asks, sometimes the other, sometimes both at once.
      x.client.cfg->session.reneg_after = seed % 3 == 1 ? 0s : 90s;
      x.server.cfg->session.reneg_after = seed % 3 == 2 ? 0s : 90s;
      connect(x);
      x.set_faults(bad_link());
      x.drive(10min);
      x.set_faults({});
      x.drive(20s);
      auto unlucky = x.client.saw.noted("the old key goes on")
                     || x.server.saw.noted("the old key goes on");
      lame += unlucky ? 1 : 0;
      if ((!unlucky && vpn_pair::new_keys(x.client) < 4)
          || x.client.sockets != 1 || !x.carries())
        CAF_FAIL("seed " << seed << ": " << x.story());
    }
  CAF_CHECK(lame <= 2);
}

CAF_TEST(a foreign key does not wrap a renegotiation) {
  // Somebody who knows the key of tls-crypt, as each client of a server does,
  // cannot make a soft reset that is heard.
  vpn_pair x{with(wrap_mode::tls_crypt)};
  x.client.cfg->session.reneg_after = 0s;
  x.server.cfg->session.reneg_after = 0s;
  bytes from_client;
  x.tap = [&](const vpn_pair::side& from, byte_view datagram) {
    if (&from == &x.client && from_client.empty())
      from_client = datagram.copy();
  };
  connect(x);
  x.tap = nullptr;
  auto wrap = protocol::control_wrap::make(x.client.settings().wrap,
                                           protocol::role::client);
  CAF_REQUIRE(wrap);
  protocol::control_packet reset;
  reset.op = opcode::control_soft_reset_v1;
  reset.key_id = 1;
  std::copy_n(from_client.begin() + 1, 8, reset.source.value.begin());
  auto now = instant{};
  now.unix_seconds = 2'000'000'000;
  x.inject(x.server, wrap->seal(reset, now));
  x.drive(5s);
  CAF_CHECK(!x.server.saw.noted("soft reset"));
  CAF_CHECK(x.carries());
}
