// Negotiations that go no further than the certificate until somebody accepts
// the peer. spec: openvpn-wire 5.1, 5.2

#define CAF_SUITE protocol.negotiation_acceptance

#include "vpn/protocol/negotiation.hpp"

#include "tests/support/negotiation_pair.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace vpn::test::negotiations;
using namespace std::chrono_literals;

namespace {

negotiation_config confirming(role self, versions v = {}) {
  auto result = config(self, v);
  result.confirm_peer = true;
  return result;
}

} // namespace

CAF_TEST(a client says nothing before its server is accepted) {
  for (auto v : {tls12, tls13}) {
    negotiation_pair x{confirming(role::client, v), config(role::server)};
    x.client.send_text("early");
    // Acceptance comes after the certificate, never before.
    x.client.accept_peer();
    x.drive();
    CAF_CHECK_EQUAL(joined(events_of(x.client)), "established server; ");
    CAF_CHECK_EQUAL(joined(events_of(x.server)), "established client; ");
    x.client.accept_peer();
    x.drive();
    CAF_CHECK_EQUAL(joined(events_of(x.client)), "exchanged :; ");
    CAF_CHECK_EQUAL(joined(events_of(x.server)),
                    "exchanged alice:wonderland; text early; ");
    x.client.accept_peer();
    x.drive();
    CAF_CHECK(events_of(x.server).empty());
  }
}

CAF_TEST(a server answers nothing before its client is accepted) {
  for (auto v : {tls12, tls13}) {
    negotiation_pair x{config(role::client, v), confirming(role::server)};
    x.drive();
    CAF_CHECK_EQUAL(joined(events_of(x.client)), "established server; ");
    CAF_CHECK_EQUAL(joined(events_of(x.server)), "established client; ");
    CAF_CHECK(!x.server.exchanged());
    x.server.accept_peer();
    x.drive();
    CAF_CHECK_EQUAL(joined(events_of(x.server)),
                    "exchanged alice:wonderland; ");
    CAF_CHECK_EQUAL(joined(events_of(x.client)), "exchanged :; ");
  }
}

CAF_TEST(nobody waits for ever to be accepted) {
  negotiation_pair x{confirming(role::client), config(role::server)};
  x.drive();
  events_of(x.client);
  CAF_CHECK(x.client.poll_timeout() == at(60s).steady);
  x.client.handle_timeout(at(60s));
  CAF_CHECK_EQUAL(joined(events_of(x.client)),
                  "failed tls_failed TLS key negotiation failed to occur "
                  "within 60 seconds; ");
  x.client.accept_peer();
  CAF_CHECK(!x.client.poll_tls());
  CAF_CHECK(events_of(x.client).empty());
}

CAF_TEST(a peer that floods before it is accepted is cut off) {
  for (auto self : {role::client, role::server}) {
    negotiation x{confirming(self), seeded(1), at(0s)};
    tls_engine peer{make_tls(self == role::client ? server_tls_config()
                                                  : client_tls_config()),
                    pki_now};
    x.start(at(0s));
    peer.start();
    auto drive = [&] {
      for (auto busy = true; busy;) {
        busy = false;
        while (auto xs = x.poll_tls()) {
          peer.handle_input(*xs);
          busy = true;
        }
        while (auto xs = peer.poll_output()) {
          x.handle_tls(*xs, at(1s));
          busy = true;
        }
      }
    };
    drive();
    events_of(x);
    for (int i = 0; i < 4; ++i) {
      CAF_REQUIRE(peer.send(byte_view{std::string_view{"noise"}}));
      drive();
      CAF_CHECK(events_of(x).empty());
    }
    CAF_REQUIRE(peer.send(byte_view{std::string_view{"noise"}}));
    drive();
    CAF_CHECK_EQUAL(joined(events_of(x)),
                    "failed tls_failed the peer does not wait until it is "
                    "accepted; ");
  }
}

CAF_TEST(a connection that breaks while it waits is a failure) {
  negotiation_pair x{confirming(role::client), config(role::server)};
  x.drive();
  events_of(x.client);
  x.client.handle_tls(bytes(100, 0x16), at(2s));
  auto xs = events_of(x.client);
  CAF_REQUIRE_EQUAL(xs.size(), 1u);
  CAF_CHECK(xs[0].rfind("failed tls_failed TLS failed: ", 0) == 0);
}
