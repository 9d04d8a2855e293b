// Everything that keeps a client from connecting, and the reason it tells.
#define CAF_SUITE pair.refusals
#include "tests/support/pair.hpp"
#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp" // last: it needs the suite's name

using namespace vpn;
using namespace vpn::test;
using namespace std::chrono_literals;
using protocol::data_cipher;
using protocol::wrap_mode;

namespace {

/// A client that tries once.
struct one_try : vpn_pair {
  explicit one_try(const pair_config& cfg = {}) : vpn_pair(cfg) {
    client.cfg->plan.max_tries = 1;
  }
};

void check_refused(vpn_pair& x, duration limit, reason why) {
  x.start();
  auto ended = x.drive(limit, [&] {
    return !x.client.saw.ended.empty();
  });
  if (!ended)
    CAF_FAIL(x.story());
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended.front().why), to_string(why));
  CAF_CHECK_EQUAL(x.client.saw.ended.size(), 1u);
  CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::connected), 0u);
  CAF_CHECK_EQUAL(x.client.saw.devices, 0u);
  if (x.server.saw.ended.empty())
    x.stop(x.server);
  if (!x.drive_to_end(10s))
    CAF_FAIL(x.story());
}

} // namespace

CAF_TEST(a wrong password is refused) {
  // Even one who may try for ever must not: it could lock the account.
  vpn_pair x;
  x.client.cfg->credentials.password = secret{"looking glass"};
  check_refused(x, 10s, reason::auth_failed);
  CAF_CHECK(x.client.saw.noted("AUTH_FAILED"));
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(a wrong user name is refused) {
  vpn_pair x;
  x.client.cfg->credentials.username = "Alice";
  check_refused(x, 10s, reason::auth_failed);
}

CAF_TEST(the refusal reaches the client over a lossy link) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    pair_config cfg;
    cfg.seed = seed;
    cfg.faults.lose = 100;
    cfg.restart_server = true;
    vpn_pair x{cfg};
    x.client.cfg->credentials.password = secret{"looking glass"};
    x.start();
    auto ended = x.drive(5min, [&] {
      return !x.client.saw.ended.empty();
    });
    if (!ended)
      CAF_FAIL("seed " << seed << ": " << x.story());
    CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "auth_failed");
    if (x.client.sockets > 1)
      CAF_MESSAGE("seed " << seed << ": " << x.client.sockets << " tries");
  }
}

CAF_TEST(a server of another authority is rejected) {
  one_try x;
  auto cfg = client_tls_config();
  cfg.ca = pki().foreign_ca;
  x.client.cfg->tls = make_tls(cfg);
  check_refused(x, 10s, reason::certificate_rejected);
  CAF_CHECK_EQUAL(to_string(x.server.saw.ended.at(0).why),
                  "certificate_rejected");
}

CAF_TEST(a client of another authority is rejected) {
  one_try x;
  auto cfg = client_tls_config();
  cfg.cert = pki().foreign_client.cert;
  cfg.key = secret{pki().foreign_client.key};
  x.client.cfg->tls = make_tls(cfg);
  check_refused(x, 10s, reason::certificate_rejected);
}

CAF_TEST(a server with an expired certificate is rejected) {
  one_try x;
  auto cfg = server_tls_config();
  cfg.cert = pki().expired_server.cert;
  cfg.key = secret{pki().expired_server.key};
  x.server.cfg->tls = make_tls(cfg);
  check_refused(x, 10s, reason::certificate_rejected);
}

CAF_TEST(with another tls crypt key there is no answer) {
  for (auto mode : {wrap_mode::tls_crypt, wrap_mode::tls_auth}) {
    pair_config cfg;
    cfg.wrap = mode;
    one_try x{cfg};
    for (size_t i = 0; i < x.client.settings().wrap.key.size(); ++i)
      x.client.settings().wrap.key.data()[i] ^= 1;
    check_refused(x, 3min, reason::no_answer);
    CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::auth), 0u);
    CAF_CHECK_EQUAL(x.server.saw.count(protocol::phase::auth), 0u);
  }
}

CAF_TEST(with two different wrappings there is no answer) {
  pair_config cfg;
  cfg.wrap = wrap_mode::tls_crypt;
  one_try x{cfg};
  x.client.settings().wrap.mode = wrap_mode::none;
  check_refused(x, 3min, reason::no_answer);
}

CAF_TEST(without a shared cipher the server refuses) {
  one_try x;
  x.server.cfg->session.server.ciphers = {data_cipher::chacha20_poly1305};
  check_refused(x, 10s, reason::auth_failed);
  CAF_CHECK(x.client.saw.noted("no shared cipher"));
}

CAF_TEST(a cipher that was not offered is refused by the client) {
  one_try x;
  x.client.cfg->session.pull.ciphers = {data_cipher::chacha20_poly1305};
  check_refused(x, 10s, reason::push_refused);
}

CAF_TEST(compression is refused by the client) {
  one_try x;
  x.server.cfg->session.server.push.emplace_back("comp-lzo yes");
  check_refused(x, 10s, reason::push_refused);
}

CAF_TEST(a host that cannot be set up ends the session) {
  vpn_pair x;
  x.client.saw.host_answer = {reason::host_failed, "no such device"};
  x.start();
  CAF_REQUIRE(x.drive(10s, [&] {
    return !x.client.saw.ended.empty();
  }));
  CAF_CHECK_EQUAL(to_string(x.client.saw.ended[0].why), "host_failed");
  CAF_CHECK(x.client.saw.noted("no such device"));
  CAF_CHECK(x.client.saw.undone > 0);
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
}

CAF_TEST(a name that does not resolve ends the session) {
  one_try x;
  x.client.saw.resolved = {{}, {reason::resolve_failed, "no such name"}};
  check_refused(x, 10s, reason::resolve_failed);
  CAF_CHECK(x.client.saw.noted("no such name"));
  CAF_CHECK_EQUAL(x.client.sockets, 0u);
}

CAF_TEST(the next server is tried when one does not answer) {
  vpn_pair x;
  auto dead = x.client.saw.resolved.endpoints.front();
  x.client.saw.resolved.endpoints.push_back(dead);
  x.client.settings().connect_timeout = 10s;
  x.server.cfg->session.hand_window = 5min;
  x.set_link_up(false);
  x.start();
  x.drive(9900ms);
  CAF_CHECK_EQUAL(x.client.sockets, 1u);
  x.set_link_up(true);
  if (!x.drive_to_connected(2s))
    CAF_FAIL(x.story());
  CAF_CHECK_EQUAL(x.client.sockets, 2u);
  CAF_CHECK_EQUAL(x.client.saw.count(protocol::phase::resolve), 1u);
}

CAF_TEST(a client that may not try again ends with the last reason) {
  vpn_pair x;
  x.client.cfg->plan.max_tries = 3;
  x.client.settings().connect_timeout = 10s;
  x.set_link_up(false);
  check_refused(x, 40s, reason::no_answer);
  CAF_CHECK_EQUAL(x.client.sockets, 3u);
}
