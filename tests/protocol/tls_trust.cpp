// Whom an end believes: authorities, revocation lists, fingerprints, digests,
// usages and names; each option that asks for them, kept and broken.
// spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_trust

#include "protocol/tls_trust.hpp"

#include "tests/support/tls_pair.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

/// One authority with what it signs, and two ends that trust it.
struct world {
  authority ca{"test ca"};
  wanted_certificate wanted = [] {
    wanted_certificate x;
    x.common_name = "server";
    x.extended_key_usage = for_server;
    return x;
  }();

  tls_config client() const {
    auto cfg = client_tls_config();
    cfg.ca = ca.cert();
    cfg.usage = peer_usage::any;
    return cfg;
  }
  /// A server that takes any client.
  static tls_config server(const identity& id) {
    auto cfg = with(server_tls_config(), id);
    return cfg;
  }
};

/// What the client says of the server: "ok" or its failure.
std::string verdict(const tls_config& client, const tls_config& server,
                    int version = tls13) {
  tls_pair x{only(client, version), server};
  x.drive();
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  if (!x.client.failed())
    return x.client.established() ? "ok" : "not up";
  CAF_CHECK(x.client.failed()->why == reason::certificate_rejected);
  CAF_CHECK(!x.client.established());
  // The server learns that it is about its certificate.
  CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                        {"the client does not accept our certificate"}));
  return x.client.failed()->text;
}

/// True when all parts are in it.
bool says(const std::string& text,
          std::initializer_list<std::string_view> parts) {
  auto ok = true;
  for (auto part : parts)
    ok = ok && has(text, part);
  if (!ok)
    CAF_MESSAGE(text);
  return ok;
}

std::string loading(const tls_config& cfg) {
  ERR_raise(ERR_LIB_SSL, 1);
  auto result = tls_context::make(cfg);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  return result ? "ok" : result.error().text;
}

} // namespace

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

// -- revocation --

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
