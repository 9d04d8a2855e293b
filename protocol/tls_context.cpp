// Certificates and keys: loaded from PEM text, checked once, and what a peer's
// certificate has to say for itself.
// spec: openvpn-wire 5.1

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <climits>

#include "protocol/tls_internal.hpp"

namespace vpn::protocol {

using namespace tls_internal;

namespace {

using problem = std::optional<failure>;

failure bad_config(std::string text) {
  return {reason::bad_config, std::move(text)};
}

/// Names the part of the configuration that OpenSSL refused, and why.
failure refused(const std::string& part, const std::string& what) {
  auto text = part + ": " + what;
  if (auto code = ERR_peek_error(); code != 0)
    text += " (" + error_words(code) + ")";
  return bad_config(std::move(text));
}

bio_ptr open_text(std::string_view text) {
  if (text.size() > INT_MAX)
    return nullptr;
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// What the pass phrase callback is given, and whether it was asked at all.
struct passphrase_request {
  const secret* passphrase = nullptr;
  bool asked = false;
};

/// Always handed to OpenSSL, which would ask on the terminal otherwise.
int give_passphrase(char* buf, int size, int /*writing*/, void* arg) {
  auto* req = static_cast<passphrase_request*>(arg);
  if (req == nullptr)
    return -1;
  req->asked = true;
  if (req->passphrase == nullptr || req->passphrase->empty() || size < 0
      || req->passphrase->size() > static_cast<size_t>(size))
    return -1;
  std::memcpy(buf, req->passphrase->view().data(), req->passphrase->size());
  return static_cast<int>(req->passphrase->size());
}

/// Every certificate of a PEM text, in order.
expected<std::vector<x509_ptr>, failure>
read_certificates(const std::string& part, std::string_view pem) {
  std::vector<x509_ptr> result;
  auto in = open_text(pem);
  if (!in)
    return refused(part, "cannot be read");
  passphrase_request none;
  ERR_clear_error();
  while (auto* x = PEM_read_bio_X509(in.get(), nullptr, give_passphrase, &none))
    result.emplace_back(x);
  // The text ends with "no start line"; any other error is a broken block.
  auto last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM
      || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return refused(part, "certificate " + std::to_string(result.size() + 1)
                           + " cannot be read");
  ERR_clear_error();
  if (result.empty())
    return bad_config(part + ": holds no certificate in PEM form");
  return result;
}

problem set_versions(SSL_CTX* ctx, const tls_config& cfg) {
  // Nothing older than TLS 1.2, whatever was asked for: stricter is harmless.
  auto min = std::max(cfg.min_version, TLS1_2_VERSION);
  if (cfg.max_version != 0 && cfg.max_version < min)
    return bad_config("tls-version-max: is below the minimum version");
  if (SSL_CTX_set_min_proto_version(ctx, min) != 1)
    return refused("tls-version-min", "is not supported");
  if (SSL_CTX_set_max_proto_version(ctx, cfg.max_version) != 1)
    return refused("tls-version-max", "is not supported");
  return {};
}

/// Configurations also use the registry's cipher names with hyphens, such as
/// TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384; OpenSSL has names of its own.
std::string openssl_cipher_list(const std::string& list) {
  std::string result;
  for (size_t pos = 0; pos <= list.size();) {
    auto end = std::min(list.find(':', pos), list.size());
    auto name = list.substr(pos, end - pos);
    if (name.rfind("TLS-", 0) == 0) {
      auto standard = name;
      std::replace(standard.begin(), standard.end(), '-', '_');
      // The function answers "(NONE)" for what it does not know.
      if (std::string own = OPENSSL_cipher_name(standard.c_str());
          own.front() != '(')
        name = own;
    }
    result += (pos == 0 ? "" : ":") + name;
    pos = end + 1;
  }
  return result;
}

problem set_ciphers(SSL_CTX* ctx, const tls_config& cfg) {
  // Only forward-secret suites with certificates on both ends.
  auto list = cfg.ciphers.empty()
                ? std::string{"HIGH:!aNULL:!eNULL:!aDSS:!kRSA:!kPSK:!SRP"}
                : openssl_cipher_list(cfg.ciphers);
  if (SSL_CTX_set_cipher_list(ctx, list.c_str()) != 1)
    return refused("tls-cipher", "no usable cipher in '" + list + "'");
  if (!cfg.ciphersuites.empty()) {
    auto suites = cfg.ciphersuites;
    std::replace(suites.begin(), suites.end(), '-', '_');
    if (SSL_CTX_set_ciphersuites(ctx, suites.c_str()) != 1)
      return refused("tls-ciphersuites", "unknown suite in '" + suites + "'");
  }
  return {};
}

problem load_ca(SSL_CTX* ctx, const tls_config& cfg) {
  // Only a server that asks for no certificate can do without.
  if (cfg.ca.empty() && cfg.self == role::server
      && !cfg.require_peer_certificate)
    return {};
  if (cfg.ca.empty())
    return bad_config("ca: is missing");
  auto certs = read_certificates("ca", cfg.ca);
  if (!certs)
    return certs.error();
  for (auto& x : *certs) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x.get()) != 1)
      return refused("ca", "cannot be used");
    if (cfg.self == role::server && SSL_CTX_add_client_CA(ctx, x.get()) != 1)
      return refused("ca", "cannot be announced");
  }
  return {};
}

problem add_chain(SSL_CTX* ctx, const std::string& part,
                  std::vector<x509_ptr>& certs, size_t first) {
  for (auto i = first; i < certs.size(); ++i)
    if (SSL_CTX_add1_chain_cert(ctx, certs[i].get()) != 1)
      return refused(part, "certificate " + std::to_string(i + 1)
                             + " cannot be used");
  return {};
}

expected<pkey_ptr, failure> read_key(const tls_config& cfg) {
  auto in = open_text(cfg.key.text());
  if (!in)
    return refused("key", "cannot be read");
  passphrase_request req{&cfg.key_passphrase, false};
  pkey_ptr key{
    PEM_read_bio_PrivateKey(in.get(), nullptr, give_passphrase, &req)};
  if (key)
    return key;
  if (!req.asked)
    return refused("key", "holds no private key in PEM form");
  return bad_config(cfg.key_passphrase.empty()
                      ? "key: is encrypted and there is no pass phrase for it"
                      : "key: the pass phrase does not open it");
}

problem load_identity(SSL_CTX* ctx, const tls_config& cfg) {
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
  auto* own = certs->front().get();
  if (X509_check_private_key(own, key->get()) != 1)
    return bad_config("key: does not belong to the certificate "
                      + quoted(subject_of(own)));
  if (SSL_CTX_use_certificate(ctx, own) != 1)
    return refused("cert", "cannot be used");
  if (SSL_CTX_use_PrivateKey(ctx, key->get()) != 1)
    return refused("key", "cannot be used");
  if (auto x = add_chain(ctx, "cert", *certs, 1))
    return x;
  if (cfg.extra_certs.empty())
    return {};
  auto extra = read_certificates("extra-certs", cfg.extra_certs);
  if (!extra)
    return extra.error();
  return add_chain(ctx, "extra-certs", *extra, 0);
}

problem check_names(const tls_config& cfg) {
  // An empty prefix would fit every peer.
  if (cfg.check != name_check::none && cfg.expected_name.empty())
    return bad_config("verify-x509-name: the name is empty");
  return {};
}

} // namespace

// -- the context --

tls_context::tls_context(std::unique_ptr<impl> p) : impl_(std::move(p)) {
  // nop
}

tls_context::~tls_context() = default;

expected<std::shared_ptr<const tls_context>, failure>
tls_context::make(const tls_config& cfg) {
  error_queue_guard guard;
  auto p = std::make_unique<impl>();
  p->self = cfg.self;
  p->usage = cfg.usage;
  p->check = cfg.check;
  p->expected_name = cfg.expected_name;
  p->require_peer_certificate = cfg.require_peer_certificate;
  p->ctx.reset(SSL_CTX_new(cfg.self == role::client ? TLS_client_method()
                                                    : TLS_server_method()));
  auto* ctx = p->ctx.get();
  if (ctx == nullptr)
    return failure{reason::internal, "no TLS context"};
  // Each key has a handshake of its own: nothing is resumed or renegotiated.
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION
                             | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  // A finished handshake idles for an hour; its buffers need not.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(ctx, give_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(ctx, nullptr);
  if (auto x = set_versions(ctx, cfg))
    return *x;
  if (auto x = set_ciphers(ctx, cfg))
    return *x;
  if (auto x = load_ca(ctx, cfg))
    return *x;
  if (auto x = load_identity(ctx, cfg))
    return *x;
  if (auto x = check_names(cfg))
    return *x;
  return std::shared_ptr<const tls_context>{new tls_context(std::move(p))};
}

// -- questions to a certificate --

std::optional<peer_objection> tls_context::impl::object_to(X509* cert) const {
  if (usage != peer_usage::any) {
    auto is_server = usage == peer_usage::server;
    // The library has checked the bits against the purpose already, but it
    // lets a certificate pass that has no such extension.
    if (X509_get_key_usage(cert) == UINT32_MAX)
      return peer_objection{X509_V_ERR_INVALID_PURPOSE,
                            "it has no key usage extension"};
    auto bits = X509_get_extended_key_usage(cert);
    auto wanted = is_server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    if (bits == UINT32_MAX || (bits & static_cast<uint32_t>(wanted)) == 0)
      return peer_objection{X509_V_ERR_INVALID_PURPOSE,
                            is_server ? "it is not meant for a TLS server"
                                      : "it is not meant for a TLS client"};
  }
  auto fits = true;
  switch (check) {
    case name_check::none:
      break;
    case name_check::subject:
      fits = subject_of(cert) == expected_name;
      break;
    case name_check::name:
      fits = common_name_of(cert) == expected_name;
      break;
    case name_check::name_prefix:
      fits = common_name_of(cert).rfind(expected_name, 0) == 0;
      break;
  }
  if (!fits)
    return peer_objection{X509_V_ERR_HOSTNAME_MISMATCH,
                          "its name is not the expected "
                            + quoted(expected_name)};
  return {};
}

namespace tls_internal {

std::string error_words(unsigned long code) {
  if (const auto* words = ERR_reason_error_string(code))
    return words;
  return "OpenSSL error " + std::to_string(code);
}

std::string subject_of(const X509* cert) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  auto* name = X509_get_subject_name(cert);
  constexpr unsigned long style = XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN
                                  | ASN1_STRFLGS_UTF8_CONVERT
                                  | ASN1_STRFLGS_ESC_CTRL;
  if (!out || name == nullptr
      || X509_NAME_print_ex(out.get(), name, 0, style) < 0)
    return {};
  char* data = nullptr;
  auto size = BIO_get_mem_data(out.get(), &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size))
                  : std::string{};
}

std::string common_name_of(const X509* cert) {
  auto* name = X509_get_subject_name(cert);
  if (name == nullptr)
    return {};
  auto last = -1;
  for (auto i = last;
       (i = X509_NAME_get_index_by_NID(name, NID_commonName, i)) >= 0;)
    last = i;
  if (last < 0)
    return {};
  auto* data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
  unsigned char* text = nullptr;
  auto size = ASN1_STRING_to_UTF8(&text, data);
  if (size < 0)
    return {};
  // With its length: a NUL inside must not end the comparison early.
  auto result = std::string{byte_view{text, static_cast<size_t>(size)}.text()};
  OPENSSL_free(text);
  return result;
}

std::string without_control_characters(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '_';
  return text;
}

std::string quoted(std::string_view text) {
  constexpr size_t limit = 200;
  auto result = std::string{text.substr(0, limit)};
  if (text.size() > limit)
    result += "...";
  return "'" + without_control_characters(std::move(result)) + "'";
}

} // namespace tls_internal

} // namespace vpn::protocol
