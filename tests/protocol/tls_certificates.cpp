// Which certificates of a peer are accepted, and what both ends say when one is
// not.
// spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_certificates

#include "vpn/protocol/tls_engine.hpp"

#include "tests/support/tls_pair.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

CAF_TEST(a server of a foreign authority is rejected and learns it) {
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client_tls_config(), version),
               with(server_tls_config(), pki().foreign_server)};
    x.drive();
    CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                          {"the server's certificate is not accepted",
                           "depth 0", "C=DE, O=vpn tests, CN=server",
                           "unable to get local issuer certificate"}));
    CAF_CHECK(failed_with(
      x.server, reason::certificate_rejected,
      {"the client does not accept our certificate", "unknown CA", "48"}));
    CAF_CHECK(!x.client.established());
    CAF_CHECK(!x.server.established());
    CAF_CHECK(x.client.send(bytes(1)).error() == errc::wrong_state);
  }
}

CAF_TEST(a client of a foreign authority is rejected and learns it) {
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(with(client_tls_config(), pki().foreign_client), version),
               server_tls_config()};
    x.drive();
    CAF_CHECK(
      failed_with(x.server, reason::certificate_rejected,
                  {"the client's certificate is not accepted", "CN=client"}));
    CAF_CHECK(failed_with(
      x.client, reason::certificate_rejected,
      {"the server does not accept our certificate", "unknown CA"}));
    CAF_CHECK(!x.server.established());
    // In TLS 1.3 a client is done before its certificate has been looked at.
    CAF_CHECK_EQUAL(x.client.established(), version == tls13);
  }
}

CAF_TEST(a client without a certificate is rejected and learns it) {
  auto client = only(client_tls_config(), tls13);
  client.cert.clear();
  client.key.clear();
  tls_pair x{client, server_tls_config()};
  x.drive();
  CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                        {"the client sent no certificate"}));
  CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                        {"the server does not accept our certificate",
                         "certificate required", "116"}));
}

CAF_TEST(expired certificates are rejected at the given time only) {
  for (auto version : {tls12, tls13}) {
    auto server = with(server_tls_config(), pki().expired_server);
    tls_pair x{only(client_tls_config(), version), server};
    x.drive();
    CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                          {"certificate has expired", "depth 0"}));
    CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                          {"certificate expired"}));
    tls_pair earlier{only(client_tls_config(), version), server,
                     pki_now - 2000};
    earlier.drive();
    CAF_CHECK(earlier.both_up());
    tls_pair y{only(with(client_tls_config(), pki().expired_client), version),
               server_tls_config()};
    y.drive();
    CAF_CHECK(failed_with(y.server, reason::certificate_rejected,
                          {"certificate has expired"}));
    CAF_CHECK(failed_with(y.client, reason::certificate_rejected,
                          {"certificate expired"}));
  }
}

CAF_TEST(certificates that are not valid yet are rejected) {
  tls_pair x{client_tls_config(), server_tls_config(), pki_now - 150'000'000};
  x.drive();
  CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                        {"certificate is not yet valid"}));
}

CAF_TEST(a clients certificate cannot play the server) {
  for (auto usage : {peer_usage::any, peer_usage::server}) {
    auto client = client_tls_config();
    client.usage = usage;
    tls_pair x{client, with(server_tls_config(), pki().client)};
    x.drive();
    CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                          {"purpose", "CN=client"}));
    CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                          {"does not accept our certificate"}));
  }
}

CAF_TEST(a servers certificate cannot play a client) {
  tls_pair x{with(client_tls_config(), pki().server), server_tls_config()};
  x.drive();
  CAF_CHECK(failed_with(x.server, reason::certificate_rejected, {"purpose"}));
}

CAF_TEST(remote cert tls wants both usage extensions) {
  auto client = client_tls_config();
  for (auto id : {&pki().plain_server, &pki().server_without_key_usage}) {
    client.usage = peer_usage::server;
    tls_pair x{client, with(server_tls_config(), *id)};
    x.drive();
    CAF_CHECK(
      failed_with(x.client, reason::certificate_rejected,
                  {"it has no key usage extension", "depth 0", "CN=server"}));
    CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                          {"unsupported certificate"}));
    client.usage = peer_usage::any;
    tls_pair y{client, with(server_tls_config(), *id)};
    y.drive();
    CAF_CHECK(y.both_up());
  }
}

CAF_TEST(the peers name is compared as asked for) {
  struct row {
    name_check check;
    const char* expected;
    bool fits;
  };
  row rows[] = {
    {name_check::subject, "C=DE, O=vpn tests, CN=server", true},
    {name_check::subject, "C=DE, O=vpn tests, CN=serve", false},
    {name_check::subject, "server", false},
    {name_check::name, "server", true},
    {name_check::name, "serve", false},
    {name_check::name, "server2", false},
    {name_check::name, "Server", false},
    {name_check::name, "CN=server", false},
    {name_check::name_prefix, "server", true},
    {name_check::name_prefix, "ser", true},
    {name_check::name_prefix, "erver", false},
    {name_check::name_prefix, "server-", false},
    {name_check::none, "whatever", true},
  };
  for (auto& x : rows) {
    auto client = client_tls_config();
    client.check = x.check;
    client.expected_name = x.expected;
    tls_pair y{client, server_tls_config()};
    y.drive();
    CAF_CHECK_EQUAL(y.both_up(), x.fits);
    if (x.fits)
      continue;
    CAF_CHECK(
      failed_with(y.client, reason::certificate_rejected,
                  {"its name is not the expected", x.expected, "CN=server"}));
    CAF_CHECK(
      failed_with(y.server, reason::certificate_rejected, {"bad certificate"}));
  }
}

CAF_TEST(a NUL in a name does not end the comparison) {
  auto server = with(server_tls_config(), pki().nul_server);
  auto client = client_tls_config();
  tls_pair x{client, server};
  x.drive();
  CAF_REQUIRE(x.both_up());
  CAF_CHECK_EQUAL(x.client.peer_chain().at(0).common_name, "server_.evil");
  client.check = name_check::name;
  for (auto name : {"server", "server_.evil"}) {
    client.expected_name = name;
    tls_pair y{client, server};
    y.drive();
    CAF_CHECK(failed_with(y.client, reason::certificate_rejected,
                          {"its name is not the expected"}));
  }
}

// -- what scripts are told --

CAF_TEST(a certificate is described as scripts expect it) {
  authority ca{"test ca"};
  wanted_certificate wanted;
  wanted.common_name = "server";
  wanted.extended_key_usage = for_server;
  wanted.serial = "56E38DA9512CD4BD856D1D373BAADF2BA411EFAB";
  // Both spellings of an unprintable value, and a field without a name.
  wanted.fields = {{"C", "KG"},
                   {"OU", "a"},
                   {"OU", "b\r\nX"},
                   {"O", "K\xc3\xb6ln"},
                   {"1.2.3.4.5", "unknown"},
                   {"emailAddress", "me@x"}};
  auto server = with(server_tls_config(), ca.issue(wanted));
  auto client = client_tls_config();
  client.ca = ca.cert();
  client.usage = peer_usage::any;
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client, version), server};
    x.drive();
    CAF_REQUIRE(x.both_up());
    CAF_REQUIRE_EQUAL(x.client.peer_chain().size(), 2u);
    auto& cert = x.client.peer_chain()[0];
    CAF_CHECK_EQUAL(cert.depth, 0);
    CAF_CHECK_EQUAL(cert.subject,
                    "C=KG, OU=a, OU=b\\0D\\0AX, O=K\xc3\xb6ln, "
                    "1.2.3.4.5=unknown, emailAddress=me@x, CN=server");
    // As upstream's tls_serial_0 and tls_serial_hex_0 have it.
    CAF_CHECK_EQUAL(cert.serial,
                    "496047815898853281977162305477684723936966864811");
    CAF_CHECK_EQUAL(
      cert.serial_hex,
      "56:e3:8d:a9:51:2c:d4:bd:85:6d:1d:37:3b:aa:df:2b:a4:11:ef:ab");
    auto same_digits = [](std::string text, const bytes& digest) {
      CAF_CHECK_EQUAL(text.size(), digest.size() * 3 - 1);
      text.erase(std::remove(text.begin(), text.end(), ':'), text.end());
      CAF_CHECK_EQUAL(text, to_hex(digest));
    };
    same_digits(cert.sha1, fingerprint(server.cert, "SHA1"));
    same_digits(cert.sha256, fingerprint(server.cert));
    std::string fields;
    for (auto& [name, value] : cert.fields)
      fields += name + "=" + value + ";";
    CAF_CHECK_EQUAL(fields, "C=KG;OU=a;OU=b__X;O=K\xc3\xb6ln;"
                            "emailAddress=me@x;CN=server;");
    auto& issuer = x.client.peer_chain()[1];
    CAF_CHECK_EQUAL(issuer.depth, 1);
    CAF_CHECK_EQUAL(issuer.common_name, "test ca");
    CAF_CHECK_EQUAL(issuer.sha256.size(), 95u);
  }
}

CAF_TEST(small serial numbers have a decimal and a hex form) {
  authority ca{"test ca"};
  std::array<const char*, 3> rows[]
    = {{"00", "0", "00"}, {"7F", "127", "7f"}, {"0100", "256", "01:00"}};
  for (auto& row : rows) {
    wanted_certificate wanted;
    wanted.common_name = "server";
    wanted.extended_key_usage = for_server;
    wanted.serial = row[0];
    auto client = client_tls_config();
    client.ca = ca.cert();
    tls_pair x{client, with(server_tls_config(), ca.issue(wanted))};
    x.drive();
    CAF_REQUIRE(x.both_up());
    CAF_CHECK_EQUAL(x.client.peer_chain()[0].serial, row[1]);
    CAF_CHECK_EQUAL(x.client.peer_chain()[0].serial_hex, row[2]);
  }
}
