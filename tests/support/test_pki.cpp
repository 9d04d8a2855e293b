// Certificates for tests, signed here with OpenSSL.

#include "tests/support/test_pki.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace vpn::test {

namespace {

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* x) const {
    Free(x);
  }
};
using bio_ptr = std::unique_ptr<BIO, freeing<BIO_free_all>>;
using x509_ptr = std::unique_ptr<X509, freeing<X509_free>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, freeing<EVP_PKEY_free>>;
using ext_ptr = std::unique_ptr<X509_EXTENSION, freeing<X509_EXTENSION_free>>;

void require(bool ok, const char* what) {
  if (!ok) {
    std::fprintf(stderr, "test_pki: %s\n", what);
    std::abort();
  }
}

/// A certificate with its key, before it becomes text.
struct issued {
  x509_ptr cert;
  pkey_ptr key;
};

struct request {
  std::string_view common_name;
  bool is_ca = false;
  /// Extensions as OpenSSL's configuration language has them; null for none.
  const char* key_usage = "critical,digitalSignature,keyEncipherment";
  const char* extended_key_usage = nullptr;
  int64_t not_before = pki_now - 100'000'000;
  int64_t not_after = pki_now + 200'000'000;
};

void extend(X509* cert, X509V3_CTX& ctx, int nid, const char* value) {
  if (value == nullptr)
    return;
  ext_ptr ext{X509V3_EXT_conf_nid(nullptr, &ctx, nid, value)};
  require(ext && X509_add_ext(cert, ext.get(), -1) == 1, "extension");
}

void add_name(X509_NAME* name, const char* field, std::string_view value) {
  require(X509_NAME_add_entry_by_txt(
            name, field, MBSTRING_UTF8,
            reinterpret_cast<const unsigned char*>(value.data()),
            static_cast<int>(value.size()), -1, 0)
            == 1,
          "name");
}

issued issue(const request& req, const issued* by) {
  static long serial = 1000;
  issued result{x509_ptr{X509_new()}, pkey_ptr{EVP_EC_gen("P-256")}};
  auto* cert = result.cert.get();
  require(cert && result.key, "key");
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(cert), req.not_before);
  ASN1_TIME_set(X509_getm_notAfter(cert), req.not_after);
  auto* name = X509_get_subject_name(cert);
  add_name(name, "C", "DE");
  add_name(name, "O", "vpn tests");
  add_name(name, "CN", req.common_name);
  auto* issuer = by != nullptr ? by->cert.get() : cert;
  X509_set_issuer_name(cert, X509_get_subject_name(issuer));
  X509_set_pubkey(cert, result.key.get());
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, cert, nullptr, nullptr, 0);
  extend(cert, ctx, NID_basic_constraints,
         req.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  extend(cert, ctx, NID_subject_key_identifier, "hash");
  extend(cert, ctx, NID_key_usage,
         req.is_ca ? "critical,keyCertSign,cRLSign" : req.key_usage);
  extend(cert, ctx, NID_ext_key_usage, req.extended_key_usage);
  auto* key = by != nullptr ? by->key.get() : result.key.get();
  require(X509_sign(cert, key, EVP_sha256()) > 0, "signature");
  return result;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

std::string pem(X509* cert) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_X509(out.get(), cert) == 1, "certificate text");
  return text_of(out.get());
}

identity pem(const issued& x) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_PKCS8PrivateKey(out.get(), x.key.get(), nullptr,
                                        nullptr, 0, nullptr, nullptr)
            == 1,
          "key text");
  return {pem(x.cert.get()), text_of(out.get())};
}

constexpr const char* for_server = "serverAuth";
constexpr const char* for_client = "clientAuth";

request leaf(std::string_view name, const char* usage) {
  request result{name};
  result.extended_key_usage = usage;
  return result;
}

request expired(request x) {
  x.not_before = pki_now - 200'000'000;
  x.not_after = pki_now - 1000;
  return x;
}

test_pki make_pki() {
  auto authority = [](std::string_view name, const issued* by) {
    request req{name};
    req.is_ca = true;
    return issue(req, by);
  };
  auto ca = authority("test ca", nullptr);
  auto foreign = authority("foreign ca", nullptr);
  auto middle = authority("middle ca", &ca);
  auto bare = leaf("server", for_server);
  bare.key_usage = nullptr;
  auto plain = bare;
  plain.extended_key_usage = nullptr;
  auto server = leaf("server", for_server);
  auto client = leaf("client", for_client);
  test_pki x;
  x.ca = pem(ca.cert.get());
  x.server = pem(issue(server, &ca));
  x.client = pem(issue(client, &ca));
  x.other_client = pem(issue(leaf("client-2", for_client), &ca));
  x.expired_server = pem(issue(expired(server), &ca));
  x.expired_client = pem(issue(expired(client), &ca));
  x.plain_server = pem(issue(plain, &ca));
  x.server_without_key_usage = pem(issue(bare, &ca));
  x.nul_server = pem(issue(leaf({"server\0.evil", 12}, for_server), &ca));
  x.deep_server = pem(issue(server, &middle));
  x.intermediate = pem(middle.cert.get());
  x.foreign_ca = pem(foreign.cert.get());
  x.foreign_server = pem(issue(server, &foreign));
  x.foreign_client = pem(issue(client, &foreign));
  return x;
}

} // namespace

const test_pki& pki() {
  static const test_pki instance = make_pki();
  return instance;
}

std::string encrypt_key(const std::string& key, const std::string& passphrase) {
  bio_ptr in{BIO_new_mem_buf(key.data(), static_cast<int>(key.size()))};
  pkey_ptr parsed{PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr)};
  bio_ptr out{BIO_new(BIO_s_mem())};
  require(parsed
            && PEM_write_bio_PKCS8PrivateKey(
                 out.get(), parsed.get(), EVP_aes_256_cbc(), passphrase.data(),
                 static_cast<int>(passphrase.size()), nullptr, nullptr)
                 == 1,
          "encrypted key");
  return text_of(out.get());
}

protocol::tls_config client_tls_config() {
  protocol::tls_config cfg;
  cfg.self = protocol::role::client;
  cfg.ca = pki().ca;
  cfg.cert = pki().client.cert;
  cfg.key = secret{pki().client.key};
  cfg.usage = protocol::peer_usage::server;
  return cfg;
}

protocol::tls_config server_tls_config() {
  protocol::tls_config cfg;
  cfg.self = protocol::role::server;
  cfg.ca = pki().ca;
  cfg.cert = pki().server.cert;
  cfg.key = secret{pki().server.key};
  cfg.usage = protocol::peer_usage::client;
  return cfg;
}

std::shared_ptr<const protocol::tls_context>
make_tls(const protocol::tls_config& cfg) {
  auto result = protocol::tls_context::make(cfg);
  require(static_cast<bool>(result), result ? "" : result.error().text.c_str());
  return *result;
}

} // namespace vpn::test
