// Keys, certificates, whom to trust, logging in, ciphers and compression.
#define CAF_SUITE protocol.profile_trust

#include "tests/support/profile_texts.hpp"
#include "tests/support/pushed.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/evp.h>
#include <openssl/pkcs12.h>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

profile parse(const std::string& text) {
  CAF_MESSAGE(text);
  auto result = try_profile(text);
  if (!result)
    CAF_FAIL(text_of(result.error()));
  return std::move(*result);
}

profile parse_with(const std::string& lines) {
  return parse(minimal_profile_with(lines));
}

void check_error_of(const std::string& text, const std::string& expected) {
  CAF_MESSAGE(text);
  auto result = try_profile(text);
  CAF_REQUIRE(!result);
  CAF_CHECK_EQUAL(result.error().size(), 1u);
  if (text_of(result.error()).find(expected) == std::string::npos)
    CAF_ERROR("instead of \"" << expected << "\": " << text_of(result.error()));
}

void check_error(const std::string& lines, const std::string& expected) {
  check_error_of(minimal_profile_with(lines), expected);
}

/// A new key as PKCS #12 in base64, with or without a password.
std::string pkcs12_text(bool with_password) {
  auto key = EVP_EC_gen("P-256");
  auto file = PKCS12_create(with_password ? "hunter2" : "", "x", key, nullptr,
                            nullptr, 0, 0, 1, 1, 0);
  CAF_REQUIRE(file != nullptr);
  uint8_t* der = nullptr;
  auto size = i2d_PKCS12(file, &der);
  std::string result(static_cast<size_t>(size) / 3 * 4 + 5, '\0');
  auto written
    = EVP_EncodeBlock(reinterpret_cast<uint8_t*>(result.data()), der, size);
  result.resize(static_cast<size_t>(written));
  OPENSSL_free(der);
  PKCS12_free(file);
  EVP_PKEY_free(key);
  return result + "\n";
}

} // namespace

// -- certificates --

CAF_TEST(the servers certificate can be bound to its use) {
  auto x = parse_with("remote-cert-ku a0 0x88 08\n"
                      "remote-cert-eku \"TLS Web Server Authentication\"");
  CAF_CHECK((x.tls.key_usages == std::vector<uint32_t>{0xa0, 0x88, 0x08}));
  CAF_CHECK_EQUAL(x.tls.extended_usage, "TLS Web Server Authentication");
  // Without words any key usage will do, but one there must be.
  CAF_CHECK((parse_with("remote-cert-ku").tls.key_usages
             == std::vector<uint32_t>{key_usage_required}));
}

CAF_TEST(each form of a name) {
  auto check = [](const std::string& line, name_check what) {
    auto x = parse_with("verify-x509-name \"C=DE, CN=vpn\" " + line);
    CAF_CHECK(x.tls.check == what);
    CAF_CHECK_EQUAL(x.tls.expected_name, "C=DE, CN=vpn");
  };
  check("", name_check::subject);
  check("subject", name_check::subject);
  check("name", name_check::name);
  check("name-prefix", name_check::name_prefix);
}

CAF_TEST(fingerprints come one by one or in a block) {
  auto line = "peer-fingerprint " + fingerprint_text(32, "ab") + "\n";
  auto x = parse_with(
    line
    + block("peer-fingerprint", "# one\n\n  " + fingerprint_text(32, "CD")
                                  + "  \r\n; two\n" + fingerprint_text(32, "01")
                                  + "\n"));
  CAF_REQUIRE_EQUAL(x.tls.fingerprints.size(), 3u);
  CAF_CHECK_EQUAL(x.tls.fingerprints[0][31], 0xab);
  CAF_CHECK_EQUAL(x.tls.fingerprints[1][0], 0xcd);
  CAF_CHECK_EQUAL(x.tls.fingerprints[2][7], 0x01);
  // They stand for the authority, and for its name.
  auto y = parse("client\nremote a\ncert client.pem\nkey client.key\n" + line);
  CAF_CHECK(y.tls.ca.empty());
  CAF_CHECK_EQUAL(y.warnings, strings{});
}

CAF_TEST(the digest of the authoritys certificate) {
  auto x = parse_with("verify-hash " + fingerprint_text(20, "0f"));
  CAF_CHECK_EQUAL(x.tls.verify_hash.size(), 20u);
  CAF_CHECK_EQUAL(x.tls.verify_hash_digest, "SHA1");
  auto y = parse_with("verify-hash " + fingerprint_text(32, "0f") + " SHA256");
  CAF_CHECK_EQUAL(y.tls.verify_hash.size(), 32u);
  CAF_CHECK_EQUAL(y.tls.verify_hash_digest, "SHA256");
  auto z = parse_with(block("verify-hash", fingerprint_text(32, "0f") + "\n"));
  CAF_CHECK_EQUAL(z.tls.verify_hash_digest, "SHA256");
  // Any of several will do.
  auto several
    = parse_with(block("verify-hash", fingerprint_text(32, "0f") + "\n"
                                        + fingerprint_text(32, "10") + "\n"));
  CAF_REQUIRE_EQUAL(several.tls.verify_hash.size(), 64u);
  CAF_CHECK_EQUAL(several.tls.verify_hash[32], 0x10);
}

CAF_TEST(bad fingerprints are refused) {
  auto good = fingerprint_text(32, "ab");
  const strings bad{"",
                    "ab",
                    good + ":ab",
                    good.substr(3),
                    good.substr(1),
                    good + ":",
                    fingerprint_text(32, "ag"),
                    fingerprint_text(20, "ab"),
                    "SHA256 Fingerprint=" + good,
                    std::string(1000, 'a')};
  for (auto& x : bad) {
    check_error("peer-fingerprint \"" + x + "\"",
                x.empty() ? "no fingerprint" : "32 bytes");
    check_error("verify-hash \"" + x + "\" SHA256",
                x.empty() ? "no fingerprint" : "32 bytes");
  }
  for (size_t n = 1; n < good.size(); ++n)
    CAF_CHECK(!try_profile(
      minimal_profile_with("peer-fingerprint " + good.substr(0, n))));
  check_error("verify-hash " + good + " MD5", "neither SHA1 nor SHA256");
  check_error("verify-hash " + good + " SHA256\npeer-fingerprint " + good,
              "excludes");
  check_error("peer-fingerprint " + good + "\nverify-hash " + good + " SHA256",
              "excludes");
  check_error("verify-hash " + good + " SHA256\nverify-hash "
                + fingerprint_text(20, "ab"),
              "another kind of digest");
  check_error(block("peer-fingerprint", "# none\n"), "no fingerprint");
  check_error("peer-fingerprint [inline]", "without its block");
}

CAF_TEST(revoked certificates) {
  CAF_CHECK_EQUAL(parse_with("crl-verify crl.pem").tls.crl, revocation_text());
  CAF_CHECK_EQUAL(parse_with(block("crl-verify", revocation_text())).tls.crl,
                  revocation_text());
  check_error("crl-verify ca.pem", "'ca.pem' holds no PEM of a revocation");
  check_error("crl-verify missing", "cannot read");
  check_error("crl-verify crls dir", "directories of revoked certificates");
  check_error("crl-verify crls file", "'file' is not known here");
}

CAF_TEST(strength and parameters of TLS) {
  using strength = tls_config::profile;
  for (auto& [word, what] : std::vector<std::pair<std::string, strength>>{
         {"insecure", strength::insecure},
         {"legacy", strength::legacy},
         {"preferred", strength::preferred},
         {"suiteb", strength::suiteb}})
    CAF_CHECK(parse_with("tls-cert-profile " + word).tls.certificates == what);
  check_error("tls-cert-profile weak", "neither insecure nor");
  auto x = parse_with("tls-groups X25519:no-such-group:P-256");
  CAF_CHECK_EQUAL(x.tls.groups, "X25519:P-256");
  CAF_CHECK(mentions(x.warnings, "no-such-group"));
  check_error("tls-groups no-such-group", "names no group");
  check_error("tls-groups \"\"", "names no group");
  CAF_CHECK_EQUAL(parse_with("tls-version-min 1.9 or-highest").tls.min_version,
                  0x0304);
  CAF_CHECK_EQUAL(parse_with("tls-version-min 1.3").tls.max_version, 0);
}

CAF_TEST(the field that has the name) {
  auto field = [](const std::string& word) {
    return parse_with("x509-username-field " + word).tls.username_field;
  };
  CAF_CHECK_EQUAL(field("ou"), "OU");
  CAF_CHECK_EQUAL(field("emailAddress"), "emailAddress");
  CAF_CHECK_EQUAL(field("ext:subjectAltName"), "ext:subjectAltName");
  check_error("x509-username-field ext:nonsense", "not an extension");
  check_error("x509-username-field \"a b\"", "not the name of a field");
  CAF_CHECK_EQUAL(field("cn serialNumber"), "CN serialNumber");
}

// -- keys --

CAF_TEST(an encrypted key needs a pass phrase) {
  fake_files files;
  files["client.key"] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                        "-----END ENCRYPTED PRIVATE KEY-----\n";
  auto parse_encrypted = [&](const std::string& lines) {
    auto result
      = parse_profile(minimal_profile_with(lines), "x", files.reader());
    CAF_REQUIRE(result);
    return std::move(*result);
  };
  CAF_CHECK(parse_encrypted("").asks_passphrase);
  CAF_CHECK(parse_encrypted("askpass").asks_passphrase);
  auto x = parse_encrypted("askpass phrase");
  CAF_CHECK(!x.asks_passphrase);
  CAF_CHECK_EQUAL(std::string{x.tls.key_passphrase.text()}, "hunter2hunter2");
  // Nothing to ask for when the key is not encrypted.
  CAF_CHECK(!parse_with("askpass").asks_passphrase);
  files["client.key"] = "-----BEGIN RSA PRIVATE KEY-----\n"
                        "Proc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAAAA\n"
                        "-----END RSA PRIVATE KEY-----\n";
  CAF_CHECK(parse_encrypted("").asks_passphrase);
}

CAF_TEST(one file with certificate key and authorities) {
  const std::string lines = "client\nremote a\nremote-cert-tls server\n";
  auto x = parse(lines + block("pkcs12", pkcs12_text(false)));
  CAF_CHECK(!x.tls.pkcs12.empty() && x.tls.ca.empty());
  CAF_CHECK(!x.asks_passphrase);
  CAF_CHECK(parse(lines + block("pkcs12", pkcs12_text(true))).asks_passphrase);
  fake_files files;
  files["id.p12"] = std::string{x.tls.pkcs12.text()};
  auto y = parse_profile(lines + "pkcs12 id.p12\n", "x", files.reader());
  CAF_REQUIRE(y);
  CAF_CHECK(y->tls.pkcs12.view() == x.tls.pkcs12.view());
  check_error(block("pkcs12", pkcs12_text(false)), "excludes `cert`");
  check_error_of(lines + "pkcs12 ca.pem\n", "'ca.pem' holds no PKCS #12");
  check_error_of(lines + block("pkcs12", "***\n"), "not base64");
  check_error_of(lines + block("pkcs12", "AAAA\n"), "holds no PKCS #12");
  auto text = pkcs12_text(true);
  for (size_t n = 0; n < text.size(); n += 7)
    CAF_CHECK(!try_profile(lines + block("pkcs12", text.substr(0, n) + "\n")));
}

CAF_TEST(a key for a server is not one for a client) {
  fake_files files;
  files["server.key"] = "-----BEGIN OpenVPN tls-crypt-v2 server key-----\n"
                        + std::string(168, 'A') + "AAA=\n"
                        + "-----END OpenVPN tls-crypt-v2 server key-----\n";
  auto result = parse_profile(minimal_profile_with("tls-crypt-v2 server.key"),
                              "x", files.reader());
  CAF_REQUIRE(!result);
  CAF_CHECK(mentions({text_of(result.error())}, "a server's tls-crypt-v2 key"));
  CAF_CHECK(mentions(parse_with("tls-crypt ta.key 1").warnings, "direction"));
}

// -- logging in --

CAF_TEST(logging in) {
  auto x = parse_with("auth-user-pass login\nauth-nocache\n"
                      "auth-retry interact\n"
                      "static-challenge \"Your PIN\" 1 concat")
             .credentials;
  CAF_CHECK(x.source == credential_source::given && x.forget);
  CAF_CHECK(x.retry == auth_retry::interact);
  CAF_CHECK_EQUAL(x.static_challenge, "Your PIN");
  CAF_CHECK(x.static_challenge_echo && x.static_challenge_concat);
  auto y = parse_with("auth-user-pass stdin\nauth-retry nointeract\n"
                      "static-challenge PIN 0 scrv1")
             .credentials;
  CAF_CHECK(y.source == credential_source::prompt);
  CAF_CHECK(y.retry == auth_retry::nointeract);
  CAF_CHECK(!y.static_challenge_echo && !y.static_challenge_concat);
  auto z = parse_with(block("auth-user-pass", "alice\n")).credentials;
  CAF_CHECK(z.source == credential_source::given && z.password.empty());
  auto name = parse_with("auth-user-pass username-only");
  CAF_CHECK(name.credentials.source == credential_source::prompt);
  CAF_CHECK_EQUAL(name.warnings.size(), 1u);
  check_error("auth-retry always", "neither none nor interact");
  check_error("static-challenge PIN", "at least 2 words");
  check_error("static-challenge PIN 2", "not a number from 0 to 1");
  check_error("static-challenge PIN 1 crv1", "neither scrv1 nor concat");
  check_error("static-challenge \"\" 1", "is empty");
  check_error("static-challenge \"a\x07\" 1", "control characters");
  check_error(block("auth-user-pass", "al\x01ice\nx\n"), "control characters");
  check_error(block("auth-user-pass", std::string(1025, 'a') + "\nx\n"),
              "too long");
}

// -- ciphers and compression --

CAF_TEST(ciphers of old servers can be allowed) {
  auto x = parse_with("data-ciphers AES-256-GCM:aes-128-cbc:none\n"
                      "data-ciphers-fallback AES-192-CBC");
  CAF_CHECK(
    (x.pull.ciphers
     == std::vector<data_cipher>{data_cipher::aes_256_gcm,
                                 data_cipher::aes_128_cbc, data_cipher::none}));
  CAF_CHECK(x.pull.fallback == data_cipher::aes_192_cbc);
  CAF_CHECK(mentions(x.warnings, "readable for everybody"));
  CAF_CHECK(parse_with("data-ciphers-fallback none").pull.fallback
            == data_cipher::none);
  check_error("auth SHAKE128", "'SHAKE128' is unknown");
  check_error("data-ciphers ?XYZ:?ABC", "names no cipher this program has");
}

CAF_TEST(an old server may be named by its version) {
  auto with = [](const std::string& version) {
    return parse_with("cipher AES-256-CBC\ncompat-mode " + version);
  };
  auto x = with("2.4.9").pull;
  CAF_CHECK(x.ciphers.back() == data_cipher::aes_256_cbc);
  CAF_CHECK(x.fallback == data_cipher::aes_256_cbc);
  CAF_CHECK(x.allow_compressed);
  auto y = with("2.5.0");
  CAF_CHECK(!y.pull.fallback && y.pull.ciphers.size() == 3);
  CAF_CHECK(y.pull.allow_compressed);
  CAF_CHECK(mentions(y.warnings, "data-ciphers-fallback AES-256-CBC"));
  CAF_CHECK(!with("2.6.0").pull.allow_compressed);
  for (auto version : {"2.4", "2.4.x", "2.4.1.1", "x", ".2.4.1", "2..1"})
    check_error(std::string{"compat-mode "} + version, "not a version");
}

CAF_TEST(each framing of compressed packets) {
  using framing = compression_framing;
  const std::vector<std::tuple<std::string, framing, bool>> lines{
    {"comp-lzo", framing::lzo, true},
    {"comp-lzo yes", framing::lzo, true},
    {"comp-lzo adaptive", framing::lzo, true},
    {"comp-lzo no", framing::lzo_stub, false},
    {"compress", framing::stub, false},
    {"compress stub", framing::stub, false},
    {"compress stub-v2", framing::stub_v2, false},
    {"compress lzo", framing::lzo, true},
    {"compress lz4", framing::lz4, true},
    {"compress lz4-v2", framing::lz4_v2, true},
  };
  for (auto& [line, what, opens] : lines) {
    auto x = parse_with(line);
    CAF_CHECK(x.pull.framing == what);
    CAF_CHECK_EQUAL(x.pull.allow_compressed, opens);
    CAF_CHECK_EQUAL(x.warnings.size(), opens ? 1u : 0u);
    for (auto no :
         {line + "\nallow-compression no", "allow-compression no\n" + line})
      if (opens)
        check_error(no, "`allow-compression no` contradicts");
      else
        CAF_CHECK(!parse_with(no).pull.allow_compressed);
  }
  check_error("compress snappy", "'snappy' is none of stub");
  check_error("comp-lzo maybe", "'maybe' is neither yes nor no");
  CAF_CHECK(parse_with("compress migrate").pull.framing == framing::none);
}

CAF_TEST(whether a server may push compression) {
  CAF_CHECK(parse_with("allow-compression asym").pull.allow_compressed);
  auto x = parse_with("allow-compression yes");
  CAF_CHECK(x.pull.allow_compressed && x.warnings.size() == 1);
  CAF_CHECK(!parse_with("allow-compression no").pull.allow_compressed);
  CAF_CHECK(!parse_with("allow-compression asym\nallow-compression no")
               .pull.allow_compressed);
  check_error("allow-compression no\nallow-compression asym", "was `no` above");
}
