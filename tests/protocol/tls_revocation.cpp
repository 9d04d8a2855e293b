// Certificates that an authority has taken back, at any depth, and the lists
// that say so. spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_revocation

#include "vpn/protocol/tls_engine.hpp"

#include "tests/support/trust_world.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace vpn::test::trust;

CAF_TEST(a revoked certificate is rejected at any depth) {
  world w;
  auto middle = w.ca.below("middle ca");
  auto bad = w.wanted;
  bad.serial = "0A1B";
  auto revoked = middle.issue(bad);
  auto server = world::server(revoked);
  server.extra_certs = middle.cert();
  auto good = world::server(middle.issue(w.wanted));
  good.extra_certs = middle.cert();
  auto client = w.client();
  client.crl = w.ca.revoke({}) + middle.revoke({revoked.cert});
  for (auto version : {tls12, tls13}) {
    CAF_CHECK(says(
      verdict(client, server, version),
      {"certificate revoked", "serial number 2587", "depth 0", "CN=server"}));
    CAF_CHECK_EQUAL(verdict(client, good, version), "ok");
  }
  client.crl = w.ca.revoke({middle.cert()}) + middle.revoke({});
  CAF_CHECK(says(verdict(client, good),
                 {"certificate revoked", "depth 1", "CN=middle ca"}));
}

CAF_TEST(a revoked client is rejected and learns it) {
  world w;
  auto wanted = w.wanted;
  wanted.common_name = "client";
  wanted.extended_key_usage = for_client;
  auto id = w.ca.issue(wanted);
  auto server = server_tls_config();
  server.ca = w.ca.cert();
  server.crl = w.ca.revoke({id.cert});
  tls_pair x{with(client_tls_config(), id), server};
  x.drive();
  CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                        {"the client's certificate", "revoked", "CN=client"}));
  CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                        {"does not accept our certificate", "revoked"}));
}

CAF_TEST(an authority without a list passes and one with an old list fails) {
  world w;
  auto id = w.ca.issue(w.wanted);
  auto client = w.client();
  authority other{"other ca"};
  client.crl = other.revoke({});
  CAF_CHECK_EQUAL(verdict(client, world::server(id)), "ok");
  client.crl = w.ca.revoke({}, pki_now - 1000);
  CAF_CHECK(says(verdict(client, world::server(id)),
                 {"CRL has expired", "`crl-verify`", "CN=server"}));
  // A list of the same name that somebody else has signed.
  authority forger{"test ca"};
  client.crl = forger.revoke({});
  tls_pair x{client, world::server(id)};
  x.drive();
  CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                        {"CRL signature failure", "CN=server"}));
}

CAF_TEST(a broken list is named and no truncation of it is accepted) {
  world w;
  auto list = w.ca.revoke({w.ca.issue(w.wanted).cert});
  auto client = w.client();
  client.crl = list;
  CAF_CHECK_EQUAL(loading(client), "ok");
  client.crl = "junk";
  CAF_CHECK_EQUAL(loading(client),
                  "crl-verify: holds no revocation list in PEM form");
  client.crl = w.ca.cert();
  CAF_CHECK_EQUAL(loading(client),
                  "crl-verify: holds no revocation list in PEM form");
  for (size_t n = 1; n + 1 < list.size(); ++n) {
    client.crl = list.substr(0, n);
    CAF_CHECK(has(loading(client), "crl-verify: "));
    client.crl = list + list.substr(0, n);
    // Less than a line that begins a block is text around the blocks.
    auto begun = n >= std::string_view{"-----BEGIN X509 CRL-----"}.size();
    CAF_CHECK_EQUAL(loading(client) == "ok", !begun);
  }
}
