// Our own certificate and private key: from PEM texts or from a PKCS#12 file,
// behind a pass phrase or not. No message repeats what a file holds.
// spec: openvpn-wire 5.1

#include "protocol/tls_identity.hpp"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <string_view>

#include "protocol/tls_certificates.hpp"

namespace vpn::protocol {

namespace tls_internal {

namespace {

using pkcs12_ptr = handle<PKCS12, PKCS12_free>;

/// A pass phrase as the C text that OpenSSL's PKCS#12 functions want.
class c_text {
public:
  explicit c_text(const secret& x) : text_(x.view().copy()) {
    text_.push_back(0);
  }
  c_text(const c_text&) = delete;
  c_text& operator=(const c_text&) = delete;
  ~c_text() { wipe(text_.data(), text_.size()); }
  const char* get() const {
    return reinterpret_cast<const char*>(text_.data());
  }
  bool has_nul() const { return std::strlen(get()) + 1 != text_.size(); }

private:
  bytes text_;
};

/// Whether an error of the queue says that an algorithm is not there, as with
/// files of old programs. Empties the queue.
bool lacks_algorithm() {
  auto result = false;
  while (auto code = ERR_get_error()) {
    auto why = ERR_GET_REASON(code);
    auto is_evp = ERR_GET_LIB(code) == ERR_LIB_EVP;
    // A pass phrase that does not fit is never a matter of the algorithm.
    if (is_evp && why == EVP_R_BAD_DECRYPT)
      return ERR_clear_error(), false;
    result
      = result
        || (is_evp
            && (why == ERR_R_UNSUPPORTED || why == EVP_R_UNSUPPORTED_ALGORITHM
                || why == EVP_R_UNSUPPORTED_CIPHER
                || why == EVP_R_UNKNOWN_PBE_ALGORITHM
                || why == EVP_R_UNKNOWN_CIPHER));
  }
  return result;
}

constexpr const char* old_algorithm
  = "is encrypted in an old way that this OpenSSL does not have; write it anew "
    "with `openssl pkcs8 -topk8` or `openssl pkcs12 -export`";

// -- PEM --

pkey_ptr parse_key(const secret& pem, passphrase_request& req) {
  auto in = open_text(pem.text());
  if (!in)
    return nullptr;
  pkey_ptr key{
    PEM_read_bio_PrivateKey(in.get(), nullptr, give_passphrase, &req)};
  return key;
}

expected<pkey_ptr, failure> read_key(const tls_config& cfg) {
  passphrase_request req{&cfg.key_passphrase, false};
  if (auto key = parse_key(cfg.key, req))
    return key;
  if (!req.asked)
    return refused("key", "holds no private key in PEM form");
  if (cfg.key_passphrase.empty())
    return bad_config("key: is encrypted and there is no pass phrase for it");
  if (lacks_algorithm())
    return bad_config(std::string{"key: "} + old_algorithm);
  return bad_config("key: the pass phrase does not open it");
}

problem add_chain(SSL_CTX* ctx, const std::string& part,
                  std::vector<x509_ptr>& certs, size_t first) {
  for (auto i = first; i < certs.size(); ++i)
    if (SSL_CTX_add1_chain_cert(ctx, certs[i].get()) != 1)
      return refused(part, "certificate " + std::to_string(i + 1)
                             + " cannot be used");
  return {};
}

problem use_pair(SSL_CTX* ctx, const std::string& cert_part,
                 const std::string& key_part, X509* cert, EVP_PKEY* key) {
  if (X509_check_private_key(cert, key) != 1)
    return bad_config(key_part + ": does not belong to the certificate "
                      + quoted(subject_of(cert)));
  if (SSL_CTX_use_certificate(ctx, cert) != 1)
    return refused(cert_part, quoted(subject_of(cert)) + " cannot be used");
  if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
    return refused(key_part, "cannot be used");
  return {};
}

problem load_pem(SSL_CTX* ctx, const tls_config& cfg) {
  if (cfg.cert.empty() && cfg.key.empty() && cfg.self == role::client)
    return {};
  if (cfg.cert.empty())
    return bad_config("cert: is missing");
  if (cfg.key.empty())
    return bad_config("key: is missing");
  auto certs = read_certificates("cert", cfg.cert);
  if (!certs)
    return certs.error();
  auto key = read_key(cfg);
  if (!key)
    return key.error();
  if (auto x = use_pair(ctx, "cert", "key", certs->front().get(), key->get()))
    return x;
  return add_chain(ctx, "cert", *certs, 1);
}

// -- PKCS#12 --

struct pkcs12_content {
  pkey_ptr key;
  x509_ptr cert;
  std::vector<x509_ptr> authorities;
};

pkcs12_ptr parse_pkcs12(const secret& der) {
  if (der.size() > LONG_MAX)
    return nullptr;
  const auto* data = der.view().data();
  return pkcs12_ptr{d2i_PKCS12(nullptr, &data, static_cast<long>(der.size()))};
}

bool open_pkcs12(PKCS12* file, const char* passphrase, pkcs12_content& out) {
  EVP_PKEY* key = nullptr;
  X509* cert = nullptr;
  STACK_OF(X509)* more = nullptr;
  auto ok = PKCS12_parse(file, passphrase, &key, &cert, &more) == 1;
  out.key.reset(key);
  out.cert.reset(cert);
  while (more != nullptr && sk_X509_num(more) > 0)
    out.authorities.emplace_back(sk_X509_shift(more));
  sk_X509_free(more);
  return ok;
}

/// Whether the file's checksum fits the pass phrase.
bool fits(PKCS12* file, const char* passphrase) {
  return PKCS12_mac_present(file) == 1
         && PKCS12_verify_mac(file, passphrase, -1) == 1;
}

/// "No pass phrase" has two spellings in such files.
bool fits_nothing(PKCS12* file) {
  return fits(file, "") || fits(file, nullptr);
}

expected<pkcs12_content, failure> read_pkcs12(const tls_config& cfg) {
  auto file = parse_pkcs12(cfg.pkcs12);
  if (!file)
    return refused("pkcs12", "is no PKCS#12 file");
  pkcs12_content result;
  ERR_clear_error();
  auto open = open_pkcs12(file.get(), "", result);
  c_text passphrase{cfg.key_passphrase};
  if (!open && !cfg.key_passphrase.empty() && !passphrase.has_nul()) {
    result = {};
    ERR_clear_error();
    open = open_pkcs12(file.get(), passphrase.get(), result);
  }
  if (!open) {
    auto is_right
      = fits_nothing(file.get())
        || (!passphrase.has_nul() && fits(file.get(), passphrase.get()));
    if (is_right || lacks_algorithm())
      return bad_config(std::string{"pkcs12: "} + old_algorithm);
    return bad_config(
      cfg.key_passphrase.empty()
        ? "pkcs12: is encrypted and there is no pass phrase for it"
        : "pkcs12: the pass phrase does not open it");
  }
  if (!result.key)
    return bad_config("pkcs12: holds no private key");
  if (!result.cert)
    return bad_config("pkcs12: holds no certificate for its private key");
  return expected<pkcs12_content, failure>{std::move(result)};
}

problem load_pkcs12(SSL_CTX* ctx, const tls_config& cfg,
                    std::vector<x509_ptr>& authorities) {
  if (!cfg.cert.empty() || !cfg.key.empty())
    return bad_config("pkcs12: replaces `cert` and `key`; leave them out");
  auto content = read_pkcs12(cfg);
  if (!content)
    return content.error();
  if (auto x = use_pair(ctx, "pkcs12", "pkcs12", content->cert.get(),
                        content->key.get()))
    return x;
  if (!cfg.ca.empty())
    return add_chain(ctx, "pkcs12", content->authorities, 0);
  authorities = std::move(content->authorities);
  return {};
}

} // namespace

expected<std::vector<x509_ptr>, failure> load_identity(SSL_CTX* ctx,
                                                       const tls_config& cfg) {
  std::vector<x509_ptr> authorities;
  if (auto x = cfg.pkcs12.empty() ? load_pem(ctx, cfg)
                                  : load_pkcs12(ctx, cfg, authorities))
    return *x;
  if (!cfg.extra_certs.empty()) {
    auto extra = read_certificates("extra-certs", cfg.extra_certs);
    if (!extra)
      return extra.error();
    // Without a certificate of our own there is nothing to complete.
    if (SSL_CTX_get0_certificate(ctx) != nullptr)
      if (auto x = add_chain(ctx, "extra-certs", *extra, 0))
        return *x;
  }
  return expected<std::vector<x509_ptr>, failure>{std::move(authorities)};
}

} // namespace tls_internal

bool key_needs_passphrase(const tls_config& cfg) {
  using namespace tls_internal;
  error_queue_guard guard;
  if (!cfg.pkcs12.empty()) {
    auto file = parse_pkcs12(cfg.pkcs12);
    if (!file)
      return false;
    if (PKCS12_mac_present(file.get()) == 1)
      return !fits_nothing(file.get());
    pkcs12_content content;
    return !open_pkcs12(file.get(), "", content);
  }
  // Decoding takes longer than all the rest of a start; every encrypted PEM
  // says so in words.
  constexpr std::string_view word = "ENCRYPTED";
  auto text = cfg.key.view();
  if (std::search(text.begin(), text.end(), word.begin(), word.end())
      == text.end())
    return false;
  passphrase_request req;
  parse_key(cfg.key, req);
  return req.asked;
}

} // namespace vpn::protocol
