// Loading certificates and keys, and the words for what is wrong with them.

#define CAF_SUITE protocol.tls_context

#include "vpn/protocol/tls_engine.hpp"

#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::client_tls_config;
using vpn::test::encrypt_key;
using vpn::test::pki;
using vpn::test::server_tls_config;

namespace {

/// The failure's text, or "ok".
std::string loading(const tls_config& cfg) {
  // Whatever is in the thread's queue must not be taken for our error.
  ERR_raise(ERR_LIB_SSL, 1);
  auto result = tls_context::make(cfg);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  if (result)
    return "ok";
  CAF_CHECK(result.error().why == reason::bad_config);
  return result.error().text;
}

bool starts(const std::string& text, std::string_view part) {
  if (text.rfind(part, 0) == 0)
    return true;
  CAF_MESSAGE(text);
  return false;
}

secret as_secret(const std::string& x) {
  return secret{std::string_view{x}};
}

} // namespace

CAF_TEST(good configurations load) {
  CAF_CHECK_EQUAL(loading(client_tls_config()), "ok");
  CAF_CHECK_EQUAL(loading(server_tls_config()), "ok");
}

CAF_TEST(text around the certificates is ignored) {
  auto cfg = client_tls_config();
  cfg.ca = "# the authority\n" + cfg.ca + "\ntrailing words\n";
  cfg.cert = "Certificate:\n    Data:\n" + cfg.cert;
  CAF_CHECK_EQUAL(loading(cfg), "ok");
}

CAF_TEST(a missing or broken ca is named) {
  auto cfg = client_tls_config();
  cfg.ca.clear();
  CAF_CHECK_EQUAL(loading(cfg), "ca: is missing");
  cfg.ca = "hello";
  CAF_CHECK(starts(loading(cfg), "ca: holds no certificate"));
  cfg.ca = pki().ca;
  cfg.ca[100] = '!';
  CAF_CHECK(starts(loading(cfg), "ca: certificate 1 cannot be read ("));
  cfg.ca = pki().ca + pki().foreign_ca.substr(0, 200);
  CAF_CHECK(starts(loading(cfg), "ca: certificate 2 cannot be read ("));
}

CAF_TEST(only a server that asks for no certificate needs no ca) {
  auto cfg = server_tls_config();
  cfg.ca.clear();
  CAF_CHECK_EQUAL(loading(cfg), "ca: is missing");
  cfg.require_peer_certificate = false;
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  cfg = client_tls_config();
  cfg.ca.clear();
  cfg.require_peer_certificate = false;
  CAF_CHECK_EQUAL(loading(cfg), "ca: is missing");
}

CAF_TEST(a missing or broken certificate is named) {
  auto cfg = client_tls_config();
  cfg.cert.clear();
  CAF_CHECK_EQUAL(loading(cfg), "cert: is missing");
  cfg.cert = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  CAF_CHECK(starts(loading(cfg), "cert: certificate 1 cannot be read ("));
  cfg.cert = pki().client.key;
  CAF_CHECK(starts(loading(cfg), "cert: holds no certificate"));
  cfg = client_tls_config();
  cfg.extra_certs = "nothing here";
  CAF_CHECK(starts(loading(cfg), "extra-certs: holds no certificate"));
}

CAF_TEST(a client may have no certificate but a server may not ) {
  auto cfg = client_tls_config();
  cfg.cert.clear();
  cfg.key.clear();
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  cfg = server_tls_config();
  cfg.cert.clear();
  cfg.key.clear();
  CAF_CHECK_EQUAL(loading(cfg), "cert: is missing");
}

CAF_TEST(a missing or broken key is named) {
  auto cfg = client_tls_config();
  cfg.key.clear();
  CAF_CHECK_EQUAL(loading(cfg), "key: is missing");
  cfg.key = as_secret("hello");
  CAF_CHECK(starts(loading(cfg), "key: holds no private key"));
  cfg.key = as_secret(pki().client.cert);
  CAF_CHECK(starts(loading(cfg), "key: holds no private key"));
  auto text = pki().client.key;
  text.resize(text.size() / 2);
  cfg.key = as_secret(text);
  CAF_CHECK(starts(loading(cfg), "key: holds no private key"));
}

CAF_TEST(a key of another certificate is noticed) {
  auto cfg = client_tls_config();
  cfg.key = as_secret(pki().other_client.key);
  CAF_CHECK_EQUAL(loading(cfg), "key: does not belong to the certificate "
                                "'C=DE, O=vpn tests, CN=client'");
}

CAF_TEST(an encrypted key needs its pass phrase and nobody is asked for it) {
  auto cfg = client_tls_config();
  cfg.key = as_secret(encrypt_key(pki().client.key, "open sesame"));
  CAF_CHECK_EQUAL(loading(cfg),
                  "key: is encrypted and there is no pass phrase for it");
  cfg.key_passphrase = as_secret("open barley");
  CAF_CHECK_EQUAL(loading(cfg), "key: the pass phrase does not open it");
  cfg.key_passphrase = as_secret(std::string(5000, 'x'));
  CAF_CHECK_EQUAL(loading(cfg), "key: the pass phrase does not open it");
  cfg.key_passphrase = as_secret("open sesame");
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  cfg.key = as_secret(pki().client.key);
  CAF_CHECK_EQUAL(loading(cfg), "ok");
}

CAF_TEST(an encrypted certificate does not ask for a pass phrase either) {
  auto cfg = client_tls_config();
  auto head = cfg.cert.find('\n') + 1;
  cfg.cert.insert(head, "Proc-Type: 4,ENCRYPTED\n"
                        "DEK-Info: AES-128-CBC,"
                        "00112233445566778899AABBCCDDEEFF\n\n");
  CAF_CHECK(starts(loading(cfg), "cert: certificate 1 cannot be read ("));
}

CAF_TEST(versions and ciphers are checked) {
  auto cfg = client_tls_config();
  cfg.min_version = 0x0304;
  cfg.max_version = 0x0303;
  CAF_CHECK(starts(loading(cfg), "tls-version-max: "));
  cfg = client_tls_config();
  cfg.max_version = 0x0302;
  CAF_CHECK(starts(loading(cfg), "tls-version-max: "));
  cfg = client_tls_config();
  cfg.min_version = 0x0399;
  CAF_CHECK(starts(loading(cfg), "tls-version-min: "));
  cfg = client_tls_config();
  cfg.min_version = 0;
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  cfg.ciphers = "NO-SUCH-CIPHER";
  CAF_CHECK(starts(loading(cfg), "tls-cipher: "));
  cfg = client_tls_config();
  cfg.ciphersuites = "TLS-NO-SUCH-SUITE";
  CAF_CHECK(starts(loading(cfg), "tls-ciphersuites: "));
}

CAF_TEST(an unknown group is named) {
  auto cfg = client_tls_config();
  for (auto good : {"P-256", "prime256v1", "secp256r1:X25519:secp384r1"}) {
    cfg.groups = good;
    CAF_CHECK_EQUAL(loading(cfg), "ok");
  }
  cfg.groups = "X25519:nonsense\n:secp384r1";
  CAF_CHECK_EQUAL(loading(cfg),
                  "tls-groups: 'nonsense_' is no group that TLS can use here");
  for (auto bad : {":", "X25519:", ":X25519"}) {
    cfg.groups = bad;
    CAF_CHECK(starts(loading(cfg), "tls-groups: "));
  }
}

CAF_TEST(cipher lists may hold both spellings and OpenSSLs own words) {
  auto cfg = client_tls_config();
  for (auto good :
       {"TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS-NO-SUCH-CIPHER:ECDHE-RSA-AES256-GCM-SHA384",
        "DEFAULT:!TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384", "DEFAULT:@SECLEVEL=0",
        "HIGH:+aRSA"}) {
    cfg.ciphers = good;
    CAF_CHECK_EQUAL(loading(cfg), "ok");
  }
  for (auto bad : {"TLS-NO-SUCH-CIPHER", ":", "!ALL", "@SECLEVEL=9"}) {
    cfg.ciphers = bad;
    CAF_CHECK(starts(loading(cfg), "tls-cipher: "));
  }
}

CAF_TEST(an empty name to verify is refused) {
  auto cfg = client_tls_config();
  cfg.check = name_check::name_prefix;
  CAF_CHECK(starts(loading(cfg), "verify-x509-name: "));
}
