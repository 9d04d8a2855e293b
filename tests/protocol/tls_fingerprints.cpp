// Certificates known by their digests: the peer's own by fingerprint, the one
// above it by verify-hash. spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_fingerprints

#include "vpn/protocol/tls_engine.hpp"

#include "tests/support/trust_world.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace vpn::test::trust;

// -- fingerprints --

CAF_TEST(a known fingerprint needs no authority) {
  world w;
  auto wanted = w.wanted;
  // Whoever knows the fingerprint has decided already.
  for (auto life : {int64_t{1000}, int64_t{-1000}}) {
    wanted.not_after = pki_now + life;
    auto self = self_signed(wanted);
    auto client = w.client();
    client.ca.clear();
    client.fingerprints
      = {sha256_fingerprint(pki().client.cert), sha256_fingerprint(self.cert)};
    for (auto version : {tls12, tls13})
      CAF_CHECK_EQUAL(verdict(client, world::server(self), version), "ok");
    CAF_CHECK_EQUAL(verdict(client, world::server(pki().client)), "ok");
    auto other = verdict(client, world::server(pki().server));
    CAF_CHECK(says(other, {"its fingerprint", "is none of `peer-fingerprint`",
                           "depth 0", "CN=server"}));
  }
}

CAF_TEST(a chain that only hangs on a fingerprint is told as one certificate) {
  world w;
  auto server = world::server(w.ca.issue(w.wanted));
  server.extra_certs = w.ca.cert();
  auto client = w.client();
  client.ca.clear();
  client.fingerprints = {sha256_fingerprint(server.cert)};
  tls_pair x{client, server};
  x.drive();
  CAF_REQUIRE(x.both_up());
  CAF_REQUIRE_EQUAL(x.client.peer_chain().size(), 1u);
  CAF_CHECK_EQUAL(x.client.peer_chain()[0].common_name, "server");
  // The authority's own fingerprint is not the server's.
  client.fingerprints = {sha256_fingerprint(w.ca.cert())};
  CAF_CHECK(says(verdict(client, server), {"is none of `peer-fingerprint`"}));
}

CAF_TEST(the other checks remain beside a fingerprint) {
  world w;
  auto plain = w.wanted;
  plain.key_usage = nullptr;
  auto self = self_signed(plain);
  auto client = w.client();
  client.ca.clear();
  client.fingerprints = {sha256_fingerprint(self.cert)};
  CAF_CHECK_EQUAL(verdict(client, world::server(self)), "ok");
  auto strict = client;
  strict.usage = peer_usage::server;
  CAF_CHECK(says(verdict(strict, world::server(self)),
                 {"it has no key usage extension"}));
  strict = client;
  strict.check = name_check::name;
  strict.expected_name = "other";
  CAF_CHECK(says(verdict(strict, world::server(self)),
                 {"its name is not the expected 'other'"}));
}

CAF_TEST(a fingerprint beside an authority asks for both) {
  world w;
  auto good = w.ca.issue(w.wanted);
  auto late = w.wanted;
  late.not_after = pki_now - 1000;
  auto old = w.ca.issue(late);
  auto self = self_signed(w.wanted);
  auto client = w.client();
  client.fingerprints
    = {sha256_fingerprint(good.cert), sha256_fingerprint(old.cert),
       sha256_fingerprint(self.cert)};
  CAF_CHECK_EQUAL(verdict(client, world::server(good)), "ok");
  CAF_CHECK(says(verdict(client, world::server(old)), {"has expired"}));
  CAF_CHECK(says(verdict(client, world::server(self)), {"self-signed"}));
  CAF_CHECK(says(verdict(client, world::server(w.ca.issue(w.wanted))),
                 {"is none of `peer-fingerprint`"}));
}

CAF_TEST(a server can know its clients by fingerprint) {
  auto server = server_tls_config();
  server.ca.clear();
  server.fingerprints = {sha256_fingerprint(pki().foreign_client.cert)};
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(with(client_tls_config(), pki().foreign_client), version),
               server};
    x.drive();
    CAF_CHECK(x.both_up());
    tls_pair y{only(client_tls_config(), version), server};
    y.drive();
    CAF_CHECK(failed_with(y.server, reason::certificate_rejected,
                          {"the client's certificate is not accepted",
                           "is none of `peer-fingerprint`"}));
  }
}

// -- verify-hash --

CAF_TEST(verify hash is about the certificate above the servers) {
  world w;
  auto middle = w.ca.below("middle ca");
  auto server = world::server(middle.issue(w.wanted));
  server.extra_certs = middle.cert();
  auto client = w.client();
  for (auto digest : {"SHA256", "SHA1"}) {
    client.verify_hash_digest = digest;
    client.verify_hash = fingerprint(middle.cert(), digest);
    CAF_CHECK_EQUAL(verdict(client, server), "ok");
    // Several that will do stand one behind the other.
    auto right = client.verify_hash;
    auto wrong = fingerprint(w.ca.cert(), digest);
    client.verify_hash = wrong;
    client.verify_hash.insert(client.verify_hash.end(), right.begin(),
                              right.end());
    CAF_CHECK_EQUAL(verdict(client, server), "ok");
    client.verify_hash = wrong;
    CAF_CHECK(says(verdict(client, server), {"is not the one of `verify-hash`",
                                             "depth 1", "CN=middle ca"}));
    client.verify_hash = fingerprint(server.cert, digest);
    CAF_CHECK(says(verdict(client, server), {"`verify-hash`"}));
    client.verify_hash.pop_back();
    CAF_CHECK(has(loading(client), "verify-hash: is not as long as a SHA"));
  }
  client.verify_hash_digest = "MD5";
  CAF_CHECK(has(loading(client), "verify-hash: the digest 'MD5'"));
}

CAF_TEST(verify hash fails where nothing is above the servers certificate) {
  world w;
  auto self = self_signed(w.wanted);
  auto client = w.client();
  // The certificate is its own authority.
  client.ca = self.cert;
  CAF_CHECK_EQUAL(verdict(client, world::server(self)), "ok");
  client.verify_hash = fingerprint(self.cert);
  CAF_CHECK(says(verdict(client, world::server(self)),
                 {"no other certificate signed it", "`verify-hash`"}));
}
