// Certificates for tests, signed here with OpenSSL.

#include "tests/support/test_pki.hpp"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
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
using crl_ptr = std::unique_ptr<X509_CRL, freeing<X509_CRL_free>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, freeing<EVP_PKEY_free>>;
using ext_ptr = std::unique_ptr<X509_EXTENSION, freeing<X509_EXTENSION_free>>;
using p12_ptr = std::unique_ptr<PKCS12, freeing<PKCS12_free>>;
using time_ptr = std::unique_ptr<ASN1_TIME, freeing<ASN1_STRING_free>>;

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

pkey_ptr make_rsa(unsigned bits) {
  static pkey_ptr small{EVP_RSA_gen(1024)};
  static pkey_ptr large{EVP_RSA_gen(2048)};
  auto& x = bits == 1024 ? small : large;
  EVP_PKEY_up_ref(x.get());
  return pkey_ptr{x.get()};
}

pkey_ptr make_key(key_kind kind) {
  switch (kind) {
    case key_kind::p384:
      return pkey_ptr{EVP_EC_gen("P-384")};
    case key_kind::ed25519:
      return pkey_ptr{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
    case key_kind::rsa_1024:
      return make_rsa(1024);
    case key_kind::rsa_2048:
      return make_rsa(2048);
    default:
      return pkey_ptr{EVP_EC_gen("P-256")};
  }
}

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

void set_serial(X509* cert, const std::string& hex) {
  static long serial = 1000;
  if (hex.empty()) {
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    return;
  }
  BIGNUM* number = nullptr;
  require(BN_hex2bn(&number, hex.c_str()) != 0, "serial");
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
  BN_free(number);
}

/// Ed25519 has its digest inside.
const EVP_MD* digest_for(EVP_PKEY* key, const char* digest) {
  return EVP_PKEY_is_a(key, "ED25519") ? nullptr : EVP_get_digestbyname(digest);
}

issued make_certificate(const wanted_certificate& req, const issued* by) {
  issued result{x509_ptr{X509_new()}, make_key(req.kind)};
  auto* cert = result.cert.get();
  require(cert && result.key, "key");
  X509_set_version(cert, X509_VERSION_3);
  set_serial(cert, req.serial);
  ASN1_TIME_set(X509_getm_notBefore(cert), req.not_before);
  ASN1_TIME_set(X509_getm_notAfter(cert), req.not_after);
  auto* name = X509_get_subject_name(cert);
  for (auto& [field, value] : req.fields)
    add_name(name, field.c_str(), value);
  if (!req.common_name.empty())
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
  extend(cert, ctx, NID_subject_alt_name, req.alternative_name);
  auto* key = by != nullptr ? by->key.get() : result.key.get();
  require(X509_sign(cert, key, digest_for(key, req.digest)) > 0, "signature");
  return result;
}

issued make_authority(const std::string& name, key_kind kind, const issued* by,
                      int64_t not_after) {
  wanted_certificate req;
  req.common_name = name;
  req.kind = kind;
  req.is_ca = true;
  req.not_after = not_after;
  return make_certificate(req, by);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

bio_ptr empty_text() {
  return bio_ptr{BIO_new(BIO_s_mem())};
}

std::string pem(X509* cert) {
  auto out = empty_text();
  require(PEM_write_bio_X509(out.get(), cert) == 1, "certificate text");
  return text_of(out.get());
}

identity pem(const issued& x) {
  auto out = empty_text();
  require(PEM_write_bio_PKCS8PrivateKey(out.get(), x.key.get(), nullptr,
                                        nullptr, 0, nullptr, nullptr)
            == 1,
          "key text");
  return {pem(x.cert.get()), text_of(out.get())};
}

x509_ptr parse_cert(const std::string& text) {
  bio_ptr in{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  x509_ptr result{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)};
  require(result != nullptr, "certificate");
  return result;
}

pkey_ptr parse_key(const std::string& text) {
  bio_ptr in{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  pkey_ptr result{PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr)};
  require(result != nullptr, "private key");
  return result;
}

wanted_certificate leaf(const std::string& name, const char* usage) {
  wanted_certificate result;
  result.common_name = name;
  result.extended_key_usage = usage;
  return result;
}

wanted_certificate expired(wanted_certificate x) {
  x.not_before = pki_now - 200'000'000;
  x.not_after = pki_now - 1000;
  return x;
}

test_pki make_pki() {
  authority ca{"test ca"};
  authority foreign{"foreign ca"};
  auto middle = ca.below("middle ca", pki_now + 200'000'000);
  auto bare = leaf("server", for_server);
  bare.key_usage = nullptr;
  auto plain = bare;
  plain.extended_key_usage = nullptr;
  auto server = leaf("server", for_server);
  auto client = leaf("client", for_client);
  test_pki x;
  x.ca = ca.cert();
  x.server = ca.issue(server);
  x.client = ca.issue(client);
  x.other_client = ca.issue(leaf("client-2", for_client));
  x.expired_server = ca.issue(expired(server));
  x.expired_client = ca.issue(expired(client));
  x.plain_server = ca.issue(plain);
  x.server_without_key_usage = ca.issue(bare);
  x.nul_server = ca.issue(leaf(std::string("server\0.evil", 12), for_server));
  x.deep_server = middle.issue(server);
  x.intermediate = middle.cert();
  x.foreign_ca = foreign.cert();
  x.foreign_server = foreign.issue(server);
  x.foreign_client = foreign.issue(client);
  return x;
}

} // namespace

const test_pki& pki() {
  static const test_pki instance = make_pki();
  return instance;
}

// -- authorities --

struct authority::impl {
  issued own;
};

authority::authority(std::unique_ptr<impl> x) : impl_(std::move(x)) {
  // nop
}

authority::authority(const std::string& name, key_kind kind)
  : impl_(
    new impl{make_authority(name, kind, nullptr, pki_now + 200'000'000)}) {
  // nop
}

authority::~authority() = default;
authority::authority(authority&&) noexcept = default;

std::string authority::cert() const {
  return pem(impl_->own.cert.get());
}

identity authority::issue(const wanted_certificate& x) const {
  return pem(make_certificate(x, &impl_->own));
}

authority authority::below(const std::string& name, int64_t not_after) const {
  return authority{std::unique_ptr<impl>{
    new impl{make_authority(name, key_kind::p256, &impl_->own, not_after)}}};
}

std::string authority::revoke(const std::vector<std::string>& certs,
                              int64_t next_update) const {
  crl_ptr crl{X509_CRL_new()};
  require(crl != nullptr, "list");
  auto* own = impl_->own.cert.get();
  X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(own));
  time_ptr from{ASN1_TIME_set(nullptr, pki_now - 100'000'000)};
  time_ptr until{ASN1_TIME_set(nullptr, next_update)};
  X509_CRL_set1_lastUpdate(crl.get(), from.get());
  X509_CRL_set1_nextUpdate(crl.get(), until.get());
  for (auto& cert : certs) {
    auto* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(
      entry, X509_get_serialNumber(parse_cert(cert).get()));
    X509_REVOKED_set_revocationDate(entry, from.get());
    require(X509_CRL_add0_revoked(crl.get(), entry) == 1, "revocation");
  }
  X509_CRL_sort(crl.get());
  auto* key = impl_->own.key.get();
  require(X509_CRL_sign(crl.get(), key, digest_for(key, "SHA256")) > 0,
          "list's signature");
  auto out = empty_text();
  require(PEM_write_bio_X509_CRL(out.get(), crl.get()) == 1, "list's text");
  return text_of(out.get());
}

identity self_signed(const wanted_certificate& x) {
  return pem(make_certificate(x, nullptr));
}

// -- keys and files --

std::string encrypt_key(const std::string& key, const std::string& passphrase) {
  auto parsed = parse_key(key);
  auto out = empty_text();
  require(PEM_write_bio_PKCS8PrivateKey(
            out.get(), parsed.get(), EVP_aes_256_cbc(), passphrase.data(),
            static_cast<int>(passphrase.size()), nullptr, nullptr)
            == 1,
          "encrypted key");
  return text_of(out.get());
}

std::string encrypt_key_traditional(const std::string& key,
                                    const std::string& passphrase) {
  auto parsed = parse_key(key);
  auto out = empty_text();
  require(PEM_write_bio_PrivateKey_traditional(
            out.get(), parsed.get(), EVP_aes_256_cbc(),
            reinterpret_cast<const unsigned char*>(passphrase.data()),
            static_cast<int>(passphrase.size()), nullptr, nullptr)
            == 1,
          "encrypted key");
  return text_of(out.get());
}

std::string public_key(const std::string& key) {
  auto out = empty_text();
  require(PEM_write_bio_PUBKEY(out.get(), parse_key(key).get()) == 1,
          "public key");
  return text_of(out.get());
}

secret make_pkcs12(const identity& id, const std::vector<std::string>& cas,
                   const std::string& passphrase) {
  auto* more = sk_X509_new_null();
  for (auto& ca : cas)
    sk_X509_push(more, parse_cert(ca).release());
  auto cert = id.cert.empty() ? nullptr : parse_cert(id.cert);
  auto key = id.key.empty() ? nullptr : parse_key(id.key);
  const auto* phrase = passphrase.empty() ? nullptr : passphrase.c_str();
  // Few iterations: the tests open it often.
  p12_ptr file{
    PKCS12_create(phrase, "vpn", key.get(), cert.get(), more, 0, 0, 10, 10, 0)};
  sk_X509_pop_free(more, X509_free);
  require(file != nullptr, "PKCS#12");
  unsigned char* der = nullptr;
  auto size = i2d_PKCS12(file.get(), &der);
  require(size > 0, "PKCS#12 bytes");
  secret result{byte_view{der, static_cast<size_t>(size)}};
  OPENSSL_free(der);
  return result;
}

bytes fingerprint(const std::string& cert, const char* digest) {
  bytes result(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  require(X509_digest(parse_cert(cert).get(), EVP_get_digestbyname(digest),
                      result.data(), &size)
            == 1,
          "fingerprint");
  result.resize(size);
  return result;
}

std::array<uint8_t, 32> sha256_fingerprint(const std::string& cert) {
  std::array<uint8_t, 32> result{};
  auto digest = fingerprint(cert);
  std::copy(digest.begin(), digest.end(), result.begin());
  return result;
}

// -- configurations --

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
