// Whom an end believes: authorities, usages, names and strength; each option
// that asks for them, kept and broken. spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_trust

#include "protocol/tls_trust.hpp"

#include "tests/support/trust_world.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;
using namespace vpn::test::trust;

// -- what failures say --

CAF_TEST(a failure names what is wrong and with which certificate) {
  world w;
  auto late = w.wanted;
  late.not_after = pki_now - 1000;
  auto text = verdict(w.client(), world::server(w.ca.issue(late)));
  CAF_CHECK(says(text, {"certificate has expired", "valid until 2023-11-14",
                        "depth 0", "CN=server", "clock"}));
  auto early = w.wanted;
  early.not_before = pki_now + 1000;
  text = verdict(w.client(), world::server(w.ca.issue(early)));
  CAF_CHECK(says(text, {"not yet valid", "valid from 2023-11-14", "clock"}));
  text = verdict(w.client(), world::server(pki().foreign_server));
  CAF_CHECK(says(text, {"unable to get local issuer certificate",
                        "`ca` has no 'C=DE, O=vpn tests, CN=foreign ca'",
                        "is `ca` the authority"}));
  text = verdict(w.client(), world::server(pki().client));
  CAF_CHECK(says(text, {"CN=client"}));
  text = verdict(w.client(), world::server(self_signed(w.wanted)));
  CAF_CHECK(says(text, {"self-signed certificate", "`peer-fingerprint`"}));
}

CAF_TEST(an intermediate that is wrong is named instead of the server) {
  world w;
  auto middle = w.ca.below("middle ca", pki_now - 1000);
  auto server = world::server(middle.issue(w.wanted));
  server.extra_certs = middle.cert();
  CAF_CHECK(says(verdict(w.client(), server),
                 {"certificate has expired", "depth 1", "CN=middle ca"}));
}

// -- usages --

CAF_TEST(remote cert ku wants all bits of one of its masks) {
  world w;
  struct row {
    const char* usage;
    std::vector<uint32_t> masks;
    bool fits;
  };
  row rows[] = {
    {"digitalSignature,keyEncipherment", {0xa0}, true},
    {"digitalSignature,keyEncipherment", {0x80}, true},
    {"digitalSignature,keyEncipherment", {0x88}, false},
    {"digitalSignature,keyEncipherment", {0x88, 0xa0}, true},
    {"digitalSignature,keyEncipherment", {0x88, 0x08}, false},
    {"digitalSignature,keyAgreement", {0xa0, 0x88}, true},
    {"digitalSignature", {0xa0, 0x88}, false},
    // A zero asks for nothing, and is passed over.
    {"digitalSignature", {0, 0x20}, false},
    // The ninth bit is in no mask.
    {"digitalSignature,keyAgreement,decipherOnly", {0x88}, true},
    {"digitalSignature,keyAgreement,decipherOnly", {0x8088}, false},
    {"digitalSignature", {key_usage_required}, true},
    {nullptr, {key_usage_required}, false},
    {nullptr, {0x80}, false},
    {nullptr, {}, true},
  };
  for (auto& x : rows) {
    auto wanted = w.wanted;
    wanted.key_usage = x.usage;
    auto client = w.client();
    client.key_usages = x.masks;
    auto text = verdict(client, world::server(w.ca.issue(wanted)));
    CAF_CHECK_EQUAL(text == "ok", x.fits);
    if (!x.fits)
      CAF_CHECK(says(text, {"key usage", "depth 0", "CN=server"}));
  }
  auto client = w.client();
  client.key_usages = {0x88, 0x04};
  CAF_CHECK(says(verdict(client, world::server(w.ca.issue(w.wanted))),
                 {"its key usage is a0", "all bits of 88 or 4"}));
  client.key_usages = {0};
  CAF_CHECK_EQUAL(loading(client), "remote-cert-ku: names no key usage");
}

CAF_TEST(remote cert eku takes an OID or a name) {
  world w;
  auto wanted = w.wanted;
  wanted.extended_key_usage = "serverAuth,1.3.6.1.5.5.8.2.2";
  auto server = world::server(w.ca.issue(wanted));
  auto client = w.client();
  for (auto good : {"TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1",
                    "serverAuth", "1.3.6.1.5.5.8.2.2"}) {
    client.extended_usage = good;
    CAF_CHECK_EQUAL(verdict(client, server), "ok");
  }
  for (auto bad :
       {"TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2", "1.2.3.4"}) {
    client.extended_usage = bad;
    CAF_CHECK(says(verdict(client, server),
                   {"extended key usage does not name", bad, "CN=server"}));
  }
  auto plain = w.wanted;
  plain.extended_key_usage = nullptr;
  client.extended_usage = "serverAuth";
  CAF_CHECK(says(verdict(client, world::server(w.ca.issue(plain))),
                 {"extended key usage does not name"}));
  client.extended_usage = "no such usage\n";
  CAF_CHECK_EQUAL(loading(client), "remote-cert-eku: 'no such usage_' is "
                                   "neither an OID nor the name of a usage");
}

// -- names --

CAF_TEST(the field that counts as the name can be chosen) {
  world w;
  auto wanted = w.wanted;
  wanted.fields = {{"C", "KG"},
                   {"O", "Example, Inc."},
                   {"OU", "first"},
                   {"OU", "second"},
                   {"emailAddress", "me@example.org"}};
  wanted.serial = "0A1B";
  wanted.alternative_name
    = "email:first@example.org,DNS:vpn.example.org,email:last@example.org";
  auto server = world::server(w.ca.issue(wanted));
  std::pair<const char*, const char*> rows[] = {
    {"CN", "server"},           {"commonName", "server"},
    {"2.5.4.3", "server"},      {"OU", "second"},
    {"O", "Example, Inc."},     {"emailAddress", "me@example.org"},
    {"CN C", "server_KG"},      {"ext:subjectAltName", "last@example.org"},
    {"serialNumber", "0x0A1B"},
  };
  for (auto [field, name] : rows) {
    auto client = w.client();
    client.username_field = field;
    client.check = name_check::name;
    client.expected_name = name;
    tls_pair x{client, server};
    x.drive();
    CAF_CHECK(x.both_up());
    if (x.both_up())
      CAF_CHECK_EQUAL(x.client.peer_chain()[0].common_name, name);
    client.expected_name = "other";
    CAF_CHECK(says(verdict(client, server),
                   {"its name is not the expected 'other'", name}));
  }
}

CAF_TEST(a peer without the field that counts is refused) {
  world w;
  auto wanted = w.wanted;
  wanted.common_name.clear();
  auto nameless = world::server(w.ca.issue(wanted));
  CAF_CHECK(says(verdict(w.client(), nameless),
                 {"it has no 'CN'", "`x509-username-field`"}));
  auto client = w.client();
  client.username_field = "O";
  CAF_CHECK_EQUAL(verdict(client, nameless), "ok");
  for (auto field : {"emailAddress", "O emailAddress", "ext:subjectAltName",
                     "ext:issuerAltName"}) {
    client.username_field = field;
    CAF_CHECK(says(verdict(client, nameless), {"it has no", field}));
  }
}

CAF_TEST(unknown fields are refused before anybody connects) {
  auto cfg = client_tls_config();
  cfg.username_field.clear();
  CAF_CHECK_EQUAL(loading(cfg), "x509-username-field: is empty");
  cfg.username_field = "CN nickname";
  CAF_CHECK_EQUAL(loading(cfg),
                  "x509-username-field: 'nickname' is no field of a subject");
  for (auto field : {"ext:", "ext:keyUsage", "ext:nothing"}) {
    cfg.username_field = field;
    CAF_CHECK(has(loading(cfg), "is none of the extensions that hold a name"));
  }
}

CAF_TEST(control characters of a name are compared as scripts see them) {
  world w;
  auto wanted = w.wanted;
  wanted.common_name = "ser\nver";
  auto server = world::server(w.ca.issue(wanted));
  auto client = w.client();
  client.check = name_check::name;
  client.expected_name = "ser_ver";
  CAF_CHECK_EQUAL(verdict(client, server), "ok");
  client.expected_name = "ser\nver";
  auto text = verdict(client, server);
  CAF_CHECK(text != "ok");
  CAF_CHECK(!has(text, "\n"));
  client.check = name_check::subject;
  client.expected_name = "C=DE, O=vpn tests, CN=ser\\0Aver";
  CAF_CHECK_EQUAL(verdict(client, server), "ok");
}

CAF_TEST(each connection is checked anew) {
  // Not only the first one of a process: a server that was right once may be
  // another one later.
  world w;
  auto client = w.client();
  client.check = name_check::name;
  client.expected_name = "server";
  auto ctx = make_tls(client);
  auto other = w.wanted;
  other.common_name = "other";
  auto right = make_tls(world::server(w.ca.issue(w.wanted)));
  auto wrong = make_tls(world::server(w.ca.issue(other)));
  for (auto round = 0; round < 3; ++round) {
    tls_pair x{ctx, right};
    x.drive();
    CAF_CHECK(x.both_up());
    tls_pair y{ctx, wrong};
    y.drive();
    CAF_CHECK(failed_with(y.client, reason::certificate_rejected,
                          {"its name is not the expected 'server'"}));
  }
}

// -- strength --

CAF_TEST(the profile decides which certificates are strong enough) {
  using profile = tls_config::profile;
  struct row {
    key_kind kind;
    const char* digest;
    profile limit;
    bool fits;
  };
  row rows[] = {
    {key_kind::rsa_1024, "SHA256", profile::insecure, true},
    {key_kind::rsa_1024, "SHA256", profile::legacy, true},
    {key_kind::rsa_1024, "SHA256", profile::preferred, false},
    {key_kind::rsa_2048, "SHA256", profile::preferred, true},
    {key_kind::p256, "SHA1", profile::insecure, true},
    {key_kind::p256, "SHA1", profile::legacy, false},
    {key_kind::p256, "SHA256", profile::legacy, true},
    {key_kind::p256, "SHA256", profile::preferred, true},
  };
  world w;
  for (auto& x : rows) {
    auto wanted = w.wanted;
    wanted.kind = x.kind;
    wanted.digest = x.digest;
    auto server = world::server(w.ca.issue(wanted));
    server.certificates = profile::insecure;
    auto client = w.client();
    client.certificates = x.limit;
    tls_pair y{client, server};
    y.drive();
    CAF_CHECK_EQUAL(y.both_up(), x.fits);
    if (!y.both_up() && y.client.failed())
      CAF_MESSAGE(y.client.failed()->text);
  }
}

CAF_TEST(Suite B is spoken in TLS 1 2 by two ends that both want it) {
  using profile = tls_config::profile;
  world w;
  for (auto kind : {key_kind::p256, key_kind::rsa_2048}) {
    auto own = w.wanted;
    own.extended_key_usage = for_client;
    auto client = with(w.client(), w.ca.issue(own));
    auto wanted = w.wanted;
    wanted.kind = kind;
    auto server = world::server(w.ca.issue(wanted));
    server.ca = client.ca;
    client.certificates = profile::suiteb;
    server.certificates
      = kind == key_kind::rsa_2048 ? profile::legacy : profile::suiteb;
    tls_pair x{only(client, tls12), server};
    x.drive();
    CAF_CHECK_EQUAL(x.both_up(), kind != key_kind::rsa_2048);
    if (x.both_up())
      CAF_CHECK(has(x.client.description(), "ECDHE-ECDSA-AES"));
    else
      CAF_MESSAGE(x.server.failed()->text);
  }
}

CAF_TEST(a server that is too weak is told what could be done) {
  world w;
  auto wanted = w.wanted;
  wanted.kind = key_kind::rsa_1024;
  auto client = w.client();
  client.certificates = tls_config::profile::preferred;
  CAF_CHECK(says(verdict(client, world::server(w.ca.issue(wanted)), tls12),
                 {"EE certificate key too weak", "`tls-cert-profile`"}));
}

CAF_TEST(a security level in the cipher list has the last word) {
  world w;
  auto wanted = w.wanted;
  wanted.digest = "SHA1";
  auto id = w.ca.issue(wanted);
  auto server = world::server(id);
  server.certificates = tls_config::profile::insecure;
  auto client = w.client();
  CAF_CHECK(says(verdict(client, server), {"CA signature digest"}));
  client.ciphers = "DEFAULT:@SECLEVEL=0";
  CAF_CHECK_EQUAL(verdict(client, server), "ok");
}
