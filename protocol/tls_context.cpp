// What both ends of all sessions share: versions, ciphers, groups, and the
// certificates that were loaded for them.
// spec: openvpn-wire 5.1

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "protocol/tls_certificates.hpp"
#include "protocol/tls_identity.hpp"
#include "protocol/tls_internal.hpp"

namespace vpn::protocol {

using namespace tls_internal;

namespace {

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
/// TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384; OpenSSL has names of its own. What
/// is neither, such as "!aNULL" or "@SECLEVEL=0", stays as it is.
std::string openssl_cipher_list(const std::string& list) {
  std::string result;
  for (size_t pos = 0; pos <= list.size();) {
    auto end = std::min(list.find(':', pos), list.size());
    auto name = list.substr(pos, end - pos);
    auto sign = std::string{};
    if (!name.empty() && std::strchr("!+-", name.front()) != nullptr) {
      sign = name.substr(0, 1);
      name.erase(0, 1);
    }
    if (name.rfind("TLS-", 0) == 0) {
      auto standard = name;
      std::replace(standard.begin(), standard.end(), '-', '_');
      // The function answers "(NONE)" for what it does not know.
      if (std::string own = OPENSSL_cipher_name(standard.c_str());
          own.front() != '(')
        name = own;
    }
    if (pos != 0)
      result += ':';
    result += sign;
    result += name;
    pos = end + 1;
  }
  return result;
}

problem set_profile(SSL_CTX* ctx, tls_config::profile x) {
  switch (x) {
    case tls_config::profile::insecure:
      SSL_CTX_set_security_level(ctx, 0);
      break;
    case tls_config::profile::legacy:
      SSL_CTX_set_security_level(ctx, 1);
      break;
    case tls_config::profile::preferred:
      SSL_CTX_set_security_level(ctx, 2);
      break;
    case tls_config::profile::suiteb:
      SSL_CTX_set_security_level(ctx, 3);
      // OpenSSL remembers the word, whatever list is set later.
      if (SSL_CTX_set_cipher_list(ctx, "SUITEB128") != 1)
        return refused("tls-cert-profile", "suiteb is not supported");
      break;
  }
  return {};
}

problem set_groups(SSL_CTX* ctx, const std::string& groups) {
  if (groups.empty() || SSL_CTX_set1_groups_list(ctx, groups.c_str()) == 1)
    return {};
  // One of them is the culprit, and people want to know which.
  for (size_t pos = 0; pos <= groups.size();) {
    auto end = std::min(groups.find(':', pos), groups.size());
    auto name = groups.substr(pos, end - pos);
    if (name.empty() || SSL_CTX_set1_groups_list(ctx, name.c_str()) != 1)
      return bad_config("tls-groups: " + quoted(name)
                        + " is no group that TLS can use here");
    pos = end + 1;
  }
  return refused("tls-groups", quoted(groups) + " cannot be used");
}

/// Option ca; `certs` are the authorities of `pkcs12`, for a configuration
/// without that option.
problem load_authorities(SSL_CTX* ctx, const tls_config& cfg,
                         std::vector<x509_ptr> certs) {
  if (!cfg.ca.empty()) {
    auto read = read_certificates("ca", cfg.ca);
    if (!read)
      return read.error();
    certs = std::move(*read);
  }
  // Only a server that asks for no certificate can do without, and whoever
  // knows the fingerprint.
  auto needed = cfg.self == role::client || cfg.require_peer_certificate;
  if (needed && certs.empty() && cfg.fingerprints.empty())
    return bad_config(cfg.pkcs12.empty()
                        ? "ca: is missing"
                        : "ca: is missing, and `pkcs12` has no authority");
  for (auto& x : certs) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x.get()) != 1)
      return refused("ca", "cannot be used");
    if (cfg.self == role::server && SSL_CTX_add_client_CA(ctx, x.get()) != 1)
      return refused("ca", "cannot be announced");
  }
  return {};
}

/// Option crl-verify.
problem load_revocations(SSL_CTX* ctx, const tls_config& cfg) {
  if (cfg.crl.empty())
    return {};
  auto in = open_text(cfg.crl);
  if (!in)
    return refused("crl-verify", "cannot be read");
  auto* store = SSL_CTX_get_cert_store(ctx);
  size_t count = 0;
  passphrase_request none;
  ERR_clear_error();
  while (crl_ptr crl{
    PEM_read_bio_X509_CRL(in.get(), nullptr, give_passphrase, &none)}) {
    ++count;
    if (X509_STORE_add_crl(store, crl.get()) != 1)
      return refused("crl-verify",
                     "list " + std::to_string(count) + " cannot be used");
  }
  auto last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM
      || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
    return refused("crl-verify",
                   "list " + std::to_string(count + 1) + " cannot be read");
  ERR_clear_error();
  if (count == 0)
    return bad_config("crl-verify: holds no revocation list in PEM form");
  if (X509_STORE_set_flags(store,
                           X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)
      != 1)
    return refused("crl-verify", "cannot be used");
  return {};
}

} // namespace

problem tls_internal::set_strength(SSL_CTX* ctx, const tls_config& cfg) {
  if (auto x = set_profile(ctx, cfg.certificates))
    return x;
  // Only forward-secret suites with certificates on both ends. After the
  // profile, as "@SECLEVEL" in the list has the last word.
  auto list = cfg.ciphers.empty()
                ? std::string{"DEFAULT:!LOW:!MEDIUM:!aNULL:!eNULL:!aDSS:!kRSA:"
                              "!kDHr:!kDHd:!kECDHr:!kECDHe:!kPSK:!aPSK:!SRP"}
                : openssl_cipher_list(cfg.ciphers);
  if (SSL_CTX_set_cipher_list(ctx, list.c_str()) != 1)
    return refused("tls-cipher", "no usable cipher in " + quoted(list));
  if (cfg.ciphersuites.empty())
    return {};
  auto suites = cfg.ciphersuites;
  std::replace(suites.begin(), suites.end(), '-', '_');
  if (SSL_CTX_set_ciphersuites(ctx, suites.c_str()) != 1)
    return refused("tls-ciphersuites", "unknown suite in " + quoted(suites));
  return {};
}

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
  SSL_CTX_set_cert_verify_callback(ctx, chain_judge::verify, nullptr);
  if (auto x = set_versions(ctx, cfg))
    return *x;
  // Before the certificates: the profile decides which may be loaded.
  if (auto x = set_strength(ctx, cfg))
    return *x;
  if (auto x = set_groups(ctx, cfg.groups))
    return *x;
  auto rules = trust_rules::make(cfg);
  if (!rules)
    return rules.error();
  p->rules = std::move(*rules);
  auto authorities = load_identity(ctx, cfg);
  if (!authorities)
    return authorities.error();
  if (auto x = load_authorities(ctx, cfg, std::move(*authorities)))
    return *x;
  if (auto x = load_revocations(ctx, cfg))
    return *x;
  return std::shared_ptr<const tls_context>{new tls_context(std::move(p))};
}

} // namespace vpn::protocol
