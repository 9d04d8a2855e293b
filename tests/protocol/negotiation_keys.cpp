// The keys that come out of a negotiation: those of the data channel by either
// derivation, and that of dynamic tls-crypt. spec: openvpn-wire 2.10, 5.4, 5.5

#define CAF_SUITE protocol.negotiation_keys

#include "vpn/protocol/negotiation.hpp"

#include "tests/support/negotiation_pair.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace vpn::test::negotiations;
using namespace std::chrono_literals;

CAF_TEST(both derivations give both ends the same keys) {
  for (auto v : {tls12, tls13}) {
    for (auto how : {key_derivation::legacy_prf, key_derivation::tls_ekm}) {
      negotiation_pair x{v};
      auto early = x.client.derive(how, client_sid, server_sid);
      CAF_CHECK(!early && early.error() == errc::wrong_state);
      x.drive();
      auto a = x.client.derive(how, client_sid, server_sid);
      auto b = x.server.derive(how, client_sid, server_sid);
      CAF_REQUIRE(a);
      CAF_REQUIRE(b);
      CAF_CHECK(a->view() == b->view());
      CAF_CHECK(!(a->view() == key_block{}.view()));
      // The randomness is gone.
      auto again = x.client.derive(how, client_sid, server_sid);
      CAF_CHECK(!again && again.error() == errc::wrong_state);
    }
  }
}

CAF_TEST(the legacy keys are those of the records on the wire) {
  bare_pair x{role::server};
  auto theirs = record_of(role::client);
  seeded(5)(theirs.source.pre_master.data(), 48);
  x.say(write_key_method(theirs, role::client).view());
  auto ours = x.peer.poll_record();
  CAF_REQUIRE(ours);
  auto parsed = read_key_method(ours->view(), role::server);
  CAF_REQUIRE(parsed);
  auto expected
    = derive_by_prf(theirs.source, parsed->source, client_sid, server_sid);
  auto keys = x.x.derive(key_derivation::legacy_prf, client_sid, server_sid);
  CAF_REQUIRE(keys);
  CAF_CHECK(keys->view() == expected->view());
}

CAF_TEST(both ends export the same control channel key) {
  for (auto v : {tls12, tls13}) {
    negotiation_pair x{v};
    auto early = x.client.export_control_key();
    CAF_CHECK(!early && early.error() == errc::wrong_state);
    x.drive();
    auto a = x.client.export_control_key();
    auto b = x.server.export_control_key();
    CAF_REQUIRE(a);
    CAF_REQUIRE(b);
    CAF_CHECK(a->view() == b->view());
    auto keys
      = x.client.derive(key_derivation::tls_ekm, client_sid, server_sid);
    CAF_REQUIRE(keys);
    CAF_CHECK(!(a->view() == keys->view()));
    // The data key may have been taken before.
    auto again = x.client.export_control_key();
    CAF_REQUIRE(again);
    CAF_CHECK(again->view() == a->view());
    x.client.handle_tls(bytes(100, 0x16), at(2s));
    CAF_CHECK(!x.client.export_control_key());
  }
}
