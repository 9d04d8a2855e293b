// Our own certificate and key: all kinds of keys, locked keys, PKCS#12 files,
// and what is broken about them.
// spec: openvpn-wire 5.1

#define CAF_SUITE protocol.tls_identity

#include "protocol/tls_identity.hpp"

#include "tests/support/tls_pair.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

using namespace vpn;
using namespace vpn::protocol;
using namespace vpn::test;

namespace {

const std::string phrase = "open sesame";
const std::string wrong_phrase = "open barley";

secret as_secret(std::string_view x) {
  return secret{x};
}

/// The failure's text, or "ok". Leaves nothing behind and tells no secret.
std::string loading(const tls_config& cfg) {
  ERR_raise(ERR_LIB_SSL, 1);
  auto result = tls_context::make(cfg);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  if (result)
    return "ok";
  auto& text = result.error().text;
  CAF_CHECK(result.error().why == reason::bad_config);
  CAF_CHECK(!has(text, phrase));
  CAF_CHECK(!has(text, wrong_phrase));
  CAF_CHECK(!has(text, "PRIVATE KEY"));
  return text;
}

bool needs_passphrase(const tls_config& cfg) {
  ERR_raise(ERR_LIB_SSL, 1);
  auto result = key_needs_passphrase(cfg);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  return result;
}

bool starts(const std::string& text, std::string_view part) {
  if (text.rfind(part, 0) == 0)
    return true;
  CAF_MESSAGE(text);
  return false;
}

constexpr key_kind all_kinds[]
  = {key_kind::p256, key_kind::p384, key_kind::ed25519, key_kind::rsa_1024,
     key_kind::rsa_2048};

wanted_certificate leaf(const char* name, const char* usage, key_kind kind) {
  wanted_certificate x;
  x.common_name = name;
  x.extended_key_usage = usage;
  x.kind = kind;
  return x;
}

/// A client whose identity is the PKCS#12 file alone.
tls_config with_pkcs12(secret file, const std::string& passphrase = {}) {
  auto cfg = client_tls_config();
  cfg.ca.clear();
  cfg.cert.clear();
  cfg.key.clear();
  cfg.pkcs12 = std::move(file);
  cfg.key_passphrase = as_secret(passphrase);
  return cfg;
}

/// A library of its own that still has the ciphers of the nineties.
class old_library {
public:
  old_library()
    : ctx_(OSSL_LIB_CTX_new()),
      now_(OSSL_PROVIDER_load(ctx_, "default")),
      old_(OSSL_PROVIDER_load(ctx_, "legacy")) {}
  ~old_library() {
    OSSL_PROVIDER_unload(old_);
    OSSL_PROVIDER_unload(now_);
    OSSL_LIB_CTX_free(ctx_);
  }
  old_library(const old_library&) = delete;
  old_library& operator=(const old_library&) = delete;

  /// With RC2 of 40 bits, as Windows wrote it for long.
  secret pkcs12(const identity& id, const std::string& passphrase) {
    auto* cert_in = BIO_new_mem_buf(id.cert.data(), -1);
    auto* key_in = BIO_new_mem_buf(id.key.data(), -1);
    auto* cert = PEM_read_bio_X509(cert_in, nullptr, nullptr, nullptr);
    auto* key = PEM_read_bio_PrivateKey(key_in, nullptr, nullptr, nullptr);
    constexpr auto rc2 = NID_pbe_WithSHA1And40BitRC2_CBC;
    auto* file = PKCS12_create_ex(passphrase.c_str(), "old", key, cert, nullptr,
                                  rc2, rc2, 10, 10, 0, ctx_, nullptr);
    CAF_REQUIRE(file != nullptr);
    unsigned char* der = nullptr;
    auto size = i2d_PKCS12(file, &der);
    secret result{byte_view{der, static_cast<size_t>(size)}};
    OPENSSL_free(der);
    PKCS12_free(file);
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_in);
    BIO_free(cert_in);
    return result;
  }

private:
  OSSL_LIB_CTX* ctx_;
  OSSL_PROVIDER* now_;
  OSSL_PROVIDER* old_;
};

} // namespace

// -- kinds of keys --

CAF_TEST(every kind of key serves both ends in both versions) {
  for (auto kind : all_kinds) {
    authority ca{"any ca", kind};
    auto client
      = with(client_tls_config(), ca.issue(leaf("client", for_client, kind)));
    auto server
      = with(server_tls_config(), ca.issue(leaf("server", for_server, kind)));
    client.ca = server.ca = ca.cert();
    for (auto version : {tls12, tls13}) {
      tls_pair x{only(client, version), server};
      x.drive();
      CAF_CHECK(x.both_up());
      if (x.client.failed())
        CAF_MESSAGE(x.client.failed()->text);
    }
  }
}

CAF_TEST(the ends may have different kinds of keys) {
  authority ec{"ec ca", key_kind::p384};
  authority rsa{"rsa ca", key_kind::rsa_2048};
  auto client = with(client_tls_config(),
                     rsa.issue(leaf("client", for_client, key_kind::ed25519)));
  auto server = with(server_tls_config(),
                     ec.issue(leaf("server", for_server, key_kind::rsa_2048)));
  client.ca = ec.cert();
  server.ca = rsa.cert();
  for (auto version : {tls12, tls13}) {
    tls_pair x{only(client, version), server};
    x.drive();
    CAF_CHECK(x.both_up());
    CAF_CHECK(has(x.client.description(), "peer certificate 2048 bits RSA"));
  }
}

CAF_TEST(parameters of a curve before the key are passed over) {
  auto cfg = client_tls_config();
  // The name of P-256 as `openssl ecparam -genkey` writes it.
  cfg.key = as_secret("-----BEGIN EC PARAMETERS-----\n"
                      "BggqhkjOPQMBBw==\n"
                      "-----END EC PARAMETERS-----\n"
                      + pki().client.key);
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  CAF_CHECK(!needs_passphrase(cfg));
}

CAF_TEST(a public key is no private key) {
  auto cfg = client_tls_config();
  cfg.key = as_secret(public_key(pki().client.key));
  CAF_CHECK(starts(loading(cfg), "key: holds no private key"));
}

CAF_TEST(certificates too weak for the profile are refused with advice) {
  authority ca{"weak ca", key_kind::rsa_1024};
  auto cfg = with(client_tls_config(),
                  ca.issue(leaf("client", for_client, key_kind::rsa_1024)));
  cfg.ca = ca.cert();
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  cfg.certificates = tls_config::profile::preferred;
  auto text = loading(cfg);
  CAF_CHECK(starts(text, "cert: 'C=DE, O=vpn tests, CN=client' cannot be used "
                         "(ee key too small); "));
  CAF_CHECK(has(text, "`tls-cert-profile`"));
}

// -- pass phrases --

CAF_TEST(both forms of encrypted keys open with their pass phrase only) {
  for (auto kind : {key_kind::p256, key_kind::ed25519, key_kind::rsa_2048}) {
    authority ca{"any ca"};
    auto id = ca.issue(leaf("client", for_client, kind));
    std::vector<std::string> locked{encrypt_key(id.key, phrase)};
    // The older way has no form for keys of this kind.
    if (kind != key_kind::ed25519)
      locked.push_back(encrypt_key_traditional(id.key, phrase));
    for (auto& key : locked) {
      auto cfg = with(client_tls_config(), id);
      cfg.key = as_secret(key);
      CAF_CHECK(needs_passphrase(cfg));
      CAF_CHECK_EQUAL(loading(cfg),
                      "key: is encrypted and there is no pass phrase for it");
      cfg.key_passphrase = as_secret(wrong_phrase);
      CAF_CHECK_EQUAL(loading(cfg), "key: the pass phrase does not open it");
      CAF_CHECK(needs_passphrase(cfg));
      cfg.key_passphrase = as_secret(phrase);
      CAF_CHECK_EQUAL(loading(cfg), "ok");
    }
  }
}

CAF_TEST(open keys and broken ones need no pass phrase) {
  auto cfg = client_tls_config();
  CAF_CHECK(!needs_passphrase(cfg));
  cfg.key_passphrase = as_secret(phrase);
  CAF_CHECK(!needs_passphrase(cfg));
  cfg.key = as_secret("nonsense");
  CAF_CHECK(!needs_passphrase(cfg));
  cfg.key.clear();
  CAF_CHECK(!needs_passphrase(cfg));
  cfg.pkcs12 = as_secret("nonsense");
  CAF_CHECK(!needs_passphrase(cfg));
}

CAF_TEST(a key locked in a forgotten way is told from a wrong pass phrase) {
  auto text = encrypt_key_traditional(pki().client.key, phrase);
  auto name = text.find("AES-256-CBC,");
  CAF_REQUIRE(name != std::string::npos);
  text.replace(name, 11, "ROT-13-CBC ");
  auto cfg = client_tls_config();
  cfg.key = as_secret(text);
  cfg.key_passphrase = as_secret(phrase);
  CAF_CHECK(starts(loading(cfg), "key: holds no private key"));
}

// -- PKCS#12 --

CAF_TEST(a PKCS12 file brings certificate and key and authorities) {
  for (auto& passphrase : {std::string{}, phrase}) {
    auto cfg = with_pkcs12(make_pkcs12(pki().client, {pki().ca}, passphrase),
                           passphrase);
    CAF_CHECK_EQUAL(needs_passphrase(cfg), !passphrase.empty());
    CAF_CHECK_EQUAL(loading(cfg), "ok");
    for (auto version : {tls12, tls13}) {
      tls_pair x{only(cfg, version), server_tls_config()};
      x.drive();
      CAF_CHECK(x.both_up());
      CAF_CHECK_EQUAL(x.server.peer_chain().at(0).common_name, "client");
    }
  }
}

CAF_TEST(an open PKCS12 file does not mind a pass phrase) {
  auto cfg = with_pkcs12(make_pkcs12(pki().client, {pki().ca}, {}), phrase);
  CAF_CHECK(!needs_passphrase(cfg));
  CAF_CHECK_EQUAL(loading(cfg), "ok");
}

CAF_TEST(a PKCS12 file opens with its pass phrase only) {
  auto file = make_pkcs12(pki().client, {pki().ca}, phrase);
  CAF_CHECK(needs_passphrase(with_pkcs12(file)));
  CAF_CHECK_EQUAL(loading(with_pkcs12(file)),
                  "pkcs12: is encrypted and there is no pass phrase for it");
  CAF_CHECK_EQUAL(loading(with_pkcs12(file, wrong_phrase)),
                  "pkcs12: the pass phrase does not open it");
  // A NUL does not cut the phrase short.
  auto cfg = with_pkcs12(file);
  cfg.key_passphrase = as_secret(phrase + std::string(1, '\0') + "x");
  CAF_CHECK_EQUAL(loading(cfg), "pkcs12: the pass phrase does not open it");
}

CAF_TEST(authorities of a PKCS12 file are trusted only without another ca) {
  auto file = make_pkcs12(pki().client, {pki().foreign_ca}, {});
  auto alone = with_pkcs12(file);
  tls_pair x{alone, server_tls_config()};
  x.drive();
  CAF_CHECK(failed_with(x.client, reason::certificate_rejected,
                        {"CN=test ca", "is `ca` the authority"}));
  auto both = alone;
  both.ca = pki().ca;
  tls_pair y{both, server_tls_config()};
  y.drive();
  CAF_CHECK(y.both_up());
  tls_pair z{both, with(server_tls_config(), pki().foreign_server)};
  z.drive();
  CAF_CHECK(z.client.failed());
}

CAF_TEST(intermediates of a PKCS12 file are sent to the server) {
  authority root{"root"};
  auto middle = root.below("middle");
  auto id = middle.issue(leaf("client", for_client, key_kind::p256));
  auto server = server_tls_config();
  server.ca = root.cert();
  for (auto has_ca : {false, true}) {
    auto cfg = with_pkcs12(
      make_pkcs12(id, {middle.cert(), root.cert(), pki().ca}, {}));
    if (has_ca)
      cfg.ca = pki().ca;
    tls_pair x{cfg, server};
    x.drive();
    CAF_CHECK(x.both_up());
    CAF_CHECK_EQUAL(x.server.peer_chain().size(), 3u);
  }
}

CAF_TEST(what a PKCS12 file lacks is named) {
  CAF_CHECK_EQUAL(loading(with_pkcs12(make_pkcs12(pki().client, {}, {}))),
                  "ca: is missing, and `pkcs12` has no authority");
  CAF_CHECK_EQUAL(
    loading(with_pkcs12(make_pkcs12({pki().client.cert, {}}, {}, {}))),
    "pkcs12: holds no private key");
  CAF_CHECK_EQUAL(
    loading(with_pkcs12(make_pkcs12({{}, pki().client.key}, {pki().ca}, {}))),
    "pkcs12: holds no certificate for its private key");
  auto cfg = with_pkcs12(make_pkcs12(pki().client, {pki().ca}, {}));
  cfg.cert = pki().client.cert;
  CAF_CHECK_EQUAL(loading(cfg),
                  "pkcs12: replaces `cert` and `key`; leave them out");
}

CAF_TEST(a PKCS12 file of an old program is told from a wrong pass phrase) {
  old_library old;
  auto file = old.pkcs12(pki().client, phrase);
  auto text = loading(with_pkcs12(file, phrase));
  CAF_CHECK(starts(text, "pkcs12: is encrypted in an old way"));
  CAF_CHECK(has(text, "openssl pkcs12"));
  CAF_CHECK_EQUAL(loading(with_pkcs12(file, wrong_phrase)),
                  "pkcs12: the pass phrase does not open it");
  CAF_CHECK(needs_passphrase(with_pkcs12(file)));
}

// -- chains --

CAF_TEST(extra certificates need a certificate of our own to complete) {
  auto cfg = client_tls_config();
  cfg.cert.clear();
  cfg.key.clear();
  cfg.extra_certs = pki().intermediate;
  CAF_CHECK_EQUAL(loading(cfg), "ok");
  cfg = client_tls_config();
  cfg.extra_certs = pki().intermediate.substr(0, 150);
  CAF_CHECK(starts(loading(cfg), "extra-certs: certificate 1 cannot be read"));
}

// -- broken files --

CAF_TEST(no truncation of a key or certificate is accepted or crashes) {
  authority rsa{"rsa ca", key_kind::rsa_2048};
  auto big = rsa.issue(leaf("client", for_client, key_kind::rsa_2048));
  for (const identity* id : {&pki().client, &std::as_const(big)}) {
    // The END line may lose its newline, as in files of some editors.
    auto step = size_t{id == &big ? 9u : 1u};
    for (size_t n = 0; n + 1 < id->cert.size(); n += step) {
      auto cfg = client_tls_config();
      cfg.cert = id->cert.substr(0, n);
      cfg.key = as_secret(id->key);
      CAF_CHECK(starts(loading(cfg), "cert: "));
    }
    for (size_t n = 0; n + 1 < id->key.size(); n += step) {
      auto cfg = with(client_tls_config(), *id);
      cfg.key = as_secret(std::string_view{id->key}.substr(0, n));
      CAF_CHECK(starts(loading(cfg), "key: "));
    }
  }
}

CAF_TEST(no truncation of an encrypted key is accepted or crashes) {
  for (auto& key : {encrypt_key_traditional(pki().client.key, phrase),
                    encrypt_key(pki().client.key, phrase)}) {
    // Deriving a key takes thousands of rounds: not every length.
    for (size_t n = 0; n + 1 < key.size(); n += 7) {
      auto cfg = client_tls_config();
      cfg.key = as_secret(std::string_view{key}.substr(0, n));
      cfg.key_passphrase = as_secret(phrase);
      CAF_CHECK(starts(loading(cfg), "key: "));
      needs_passphrase(cfg);
    }
  }
}

CAF_TEST(no truncation of a PKCS12 file is accepted or crashes) {
  auto file = make_pkcs12(pki().client, {pki().ca}, phrase);
  for (size_t n = 1; n < file.size(); ++n) {
    auto cfg = with_pkcs12(secret{file.view().first(n)}, phrase);
    CAF_CHECK(starts(loading(cfg), "pkcs12: is no PKCS#12 file"));
    CAF_CHECK(!needs_passphrase(cfg));
  }
}

CAF_TEST(no changed byte of a PKCS12 file makes another identity or crashes) {
  auto file = make_pkcs12(pki().client, {pki().ca}, phrase);
  std::mt19937 rng{12};
  auto accepted = 0;
  // The number of rounds stands in the last bytes: a larger one would only
  // take longer.
  for (size_t pos = 0; pos + 8 < file.size(); ++pos) {
    auto broken = file.view().copy();
    broken[pos] = static_cast<uint8_t>(broken[pos] ^ (1 + rng() % 255));
    auto cfg = with_pkcs12(secret{broken}, phrase);
    needs_passphrase(cfg);
    if (loading(cfg) != "ok")
      continue;
    // Only the version and the like, which nobody looks at.
    ++accepted;
    tls_pair x{cfg, server_tls_config()};
    x.drive();
    CAF_CHECK(x.both_up());
    CAF_CHECK_EQUAL(x.server.peer_chain().at(0).common_name, "client");
  }
  CAF_CHECK_LESS(accepted, 10);
}

CAF_TEST(random bytes in base64 are no key and no certificate) {
  std::mt19937 rng{99};
  for (auto round = 0; round < 150; ++round) {
    bytes xs(rng() % 200);
    for (auto& x : xs)
      x = static_cast<uint8_t>(rng());
    // Most look like a sequence of the right length.
    if (xs.size() > 4 && rng() % 4 != 0) {
      xs[0] = 0x30;
      xs[1] = 0x81;
      xs[2] = static_cast<uint8_t>(xs.size() - 3);
    }
    std::string base64(300, '\0');
    auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                xs.data(), static_cast<int>(xs.size()));
    base64.resize(static_cast<size_t>(size));
    auto block = [&](const std::string& label) {
      std::string text = "-----BEGIN " + label + "-----\n";
      for (size_t i = 0; i < base64.size(); i += 64)
        text += base64.substr(i, 64) + "\n";
      return text + "-----END " + label + "-----\n";
    };
    auto cfg = client_tls_config();
    cfg.cert = block("CERTIFICATE");
    CAF_CHECK(starts(loading(cfg), "cert: "));
    for (auto label : {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
                       "ENCRYPTED PRIVATE KEY"}) {
      cfg = client_tls_config();
      cfg.key = as_secret(block(label));
      cfg.key_passphrase = as_secret(phrase);
      CAF_CHECK(starts(loading(cfg), "key: "));
    }
    cfg = with_pkcs12(secret{xs});
    if (!xs.empty())
      CAF_CHECK(starts(loading(cfg), "pkcs12: "));
  }
}
