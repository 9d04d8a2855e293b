// Whom to believe: what a peer's chain and its own certificate must say, and
// the judgement in a handshake.
// spec: openvpn-wire 5.1

#include "protocol/tls_trust.hpp"

#include "vpn/protocol/readable_text.hpp"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "protocol/tls_certificates.hpp"

namespace vpn::protocol::tls_internal {

namespace {

using usages_ptr = handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;

peer_objection bad_purpose(std::string text) {
  return {X509_V_ERR_INVALID_PURPOSE, std::move(text)};
}

std::string hex_of(uint32_t x) {
  constexpr const char* digits = "0123456789abcdef";
  std::string result;
  for (auto shift = 12; shift >= 0; shift -= 4)
    if (auto digit = (x >> shift) & 15; digit != 0 || !result.empty())
      result += digits[digit];
  return result.empty() ? "0" : result;
}

bool names_usage(const X509* cert, const ASN1_OBJECT* wanted) {
  usages_ptr usages{static_cast<EXTENDED_KEY_USAGE*>(
    X509_get_ext_d2i(cert, NID_ext_key_usage, nullptr, nullptr))};
  for (auto i = 0; usages && i < sk_ASN1_OBJECT_num(usages.get()); ++i)
    if (OBJ_cmp(sk_ASN1_OBJECT_value(usages.get(), i), wanted) == 0)
      return true;
  return false;
}

/// All digests are looked at, so that time does not tell which one is close.
template <class Digests>
bool is_among(byte_view digest, const Digests& accepted) {
  auto result = false;
  for (const auto& x : accepted)
    result = equal_in_constant_time(digest, {x.data(), x.size()}) || result;
  return result;
}

/// Nothing but the date is told with some errors.
std::string details(int code, const X509* cert) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return ": it was valid until " + date_text(X509_get0_notAfter(cert));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return ": it is valid from " + date_text(X509_get0_notBefore(cert));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return ": `ca` has no " + quoted(issuer_of(cert));
    case X509_V_ERR_CERT_REVOKED:
      return ": `crl-verify` lists its serial number "
             + describe(0, cert, "CN").serial;
    default:
      return {};
  }
}

/// What to try, for people; empty when there is nothing to say.
std::string remedy_for(int code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "check this machine's clock, or have the certificate renewed";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "is `ca` the authority of this very peer?";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "a certificate that nobody else signed is accepted by "
             "`peer-fingerprint` only";
    case X509_V_ERR_INVALID_PURPOSE:
      return "a server needs a certificate for TLS servers, a client one for "
             "TLS clients";
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
      return "fetch a current list for `crl-verify`, or check this machine's "
             "clock";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return "have it replaced by a stronger one, or lower `tls-cert-profile`";
    default:
      return {};
  }
}

/// The digests of option verify-hash, which stand one behind the other.
expected<std::vector<bytes>, failure> split_digests(byte_view all,
                                                    const std::string& name) {
  std::vector<bytes> result;
  if (all.empty())
    return result;
  if (name != "SHA1" && name != "SHA256")
    return bad_config("verify-hash: the digest " + quoted(name)
                      + " is neither SHA1 nor SHA256");
  auto size = name == "SHA1" ? size_t{20} : size_t{32};
  if (all.size() % size != 0)
    return bad_config("verify-hash: is not as long as a " + name + " digest");
  for (; !all.empty(); all = all.from(size))
    result.push_back(all.first(size).copy());
  return result;
}

/// Option remote-cert-ku on the key usage `bits` of a certificate.
std::optional<peer_objection> check_masks(uint32_t bits,
                                          const std::vector<uint32_t>& masks) {
  // Only the first eight bits count: nobody writes the ninth in a mask.
  bits &= 0xff;
  auto fits = [bits](uint32_t mask) {
    return mask == key_usage_required || (bits & mask) == mask;
  };
  if (masks.empty() || std::any_of(masks.begin(), masks.end(), fits))
    return {};
  std::string list;
  for (auto mask : masks)
    list += (list.empty() ? "" : " or ") + hex_of(mask);
  return bad_purpose("its key usage is " + hex_of(bits)
                     + ", and `remote-cert-ku` wants all bits of " + list);
}

chain_judge* judge_of(X509_STORE_CTX* store) {
  auto* ssl = static_cast<SSL*>(
    X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return ssl != nullptr ? static_cast<chain_judge*>(SSL_get_app_data(ssl))
                        : nullptr;
}

} // namespace

// -- rules --

expected<trust_rules, failure> trust_rules::make(const tls_config& cfg) {
  trust_rules x;
  x.usage_ = cfg.usage;
  // An empty mask asks for nothing and would fit every certificate.
  for (auto mask : cfg.key_usages)
    if (mask != 0)
      x.key_usages_.push_back(mask);
  if (x.key_usages_.empty() && !cfg.key_usages.empty())
    return bad_config("remote-cert-ku: names no key usage");
  x.extended_usage_ = cfg.extended_usage;
  if (!cfg.extended_usage.empty()) {
    x.extended_usage_id_.reset(OBJ_txt2obj(cfg.extended_usage.c_str(), 0));
    if (!x.extended_usage_id_)
      return bad_config("remote-cert-eku: " + quoted(cfg.extended_usage)
                        + " is neither an OID nor the name of a usage");
  }
  x.fingerprints_ = cfg.fingerprints;
  x.asks_no_authority_ = !cfg.fingerprints.empty() && cfg.ca.empty();
  x.issuer_digest_name_ = cfg.verify_hash_digest;
  auto digests = split_digests(cfg.verify_hash, cfg.verify_hash_digest);
  if (!digests)
    return digests.error();
  x.issuer_digests_ = std::move(*digests);
  x.check_ = cfg.check;
  x.expected_name_ = cfg.expected_name;
  // An empty prefix would fit every peer.
  if (cfg.check != name_check::none && cfg.expected_name.empty())
    return bad_config("verify-x509-name: the name is empty");
  x.username_field_ = cfg.username_field;
  if (auto wrong = check_username_fields(cfg.username_field))
    return *wrong;
  return expected<trust_rules, failure>{std::move(x)};
}

std::optional<peer_objection>
trust_rules::object_to(const std::vector<X509*>& chain) const {
  if (chain.empty())
    return peer_objection{X509_V_ERR_UNSPECIFIED, "there is none"};
  if (auto x = check_digests(chain))
    return x;
  if (auto x = check_usage(chain.front()))
    return x;
  return check_name(chain.front());
}

std::optional<peer_objection>
trust_rules::check_digests(const std::vector<X509*>& chain) const {
  if (!fingerprints_.empty()) {
    auto digest = digest_of(chain.front(), "SHA256");
    if (!is_among(digest, fingerprints_))
      return peer_objection{X509_V_ERR_CERT_REJECTED,
                            "its fingerprint " + hex_with_colons(digest)
                              + " is none of `peer-fingerprint`"};
  }
  if (issuer_digests_.empty())
    return {};
  if (chain.size() < 2)
    return peer_objection{X509_V_ERR_CERT_REJECTED,
                          "no other certificate signed it that `verify-hash` "
                          "could be compared with"};
  auto digest = digest_of(chain[1], issuer_digest_name_);
  if (!is_among(digest, issuer_digests_))
    return peer_objection{X509_V_ERR_CERT_REJECTED,
                          "its digest " + hex_with_colons(digest)
                            + " is not the one of `verify-hash`",
                          1};
  return {};
}

std::optional<peer_objection> trust_rules::check_usage(X509* cert) const {
  auto bits = X509_get_key_usage(cert);
  auto has_bits = bits != UINT32_MAX;
  // The library has checked the bits against the purpose already, but it lets
  // a certificate pass that has no such extension.
  if (!has_bits && (usage_ != peer_usage::any || !key_usages_.empty()))
    return bad_purpose("it has no key usage extension");
  if (usage_ != peer_usage::any) {
    auto is_server = usage_ == peer_usage::server;
    auto named = X509_get_extended_key_usage(cert);
    auto wanted = is_server ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
    if (named == UINT32_MAX || (named & static_cast<uint32_t>(wanted)) == 0)
      return bad_purpose(is_server ? "it is not meant for a TLS server"
                                   : "it is not meant for a TLS client");
  }
  if (auto x = check_masks(bits, key_usages_))
    return x;
  if (extended_usage_id_ && !names_usage(cert, extended_usage_id_.get()))
    return bad_purpose("its extended key usage does not name "
                       + quoted(extended_usage_) + " of `remote-cert-eku`");
  return {};
}

std::optional<peer_objection> trust_rules::check_name(X509* cert) const {
  auto name = username_of(cert, username_field_);
  // Without a name nobody could tell later whose session this is.
  if (!name)
    return peer_objection{X509_V_ERR_CERT_REJECTED,
                          "it has no " + quoted(username_field_)
                            + ", which is to be the peer's name; see "
                              "`x509-username-field`"};
  if (check_ == name_check::none)
    return {};
  // Scripts see the name like this, and so do the options.
  auto has_nul = name->find('\0') != std::string::npos;
  auto text = make_readable(*name);
  auto fits = false;
  switch (check_) {
    case name_check::none:
      break;
    case name_check::subject:
      text = make_readable(subject_of(cert));
      fits = text == expected_name_;
      break;
    case name_check::name:
      fits = !has_nul && text == expected_name_;
      break;
    case name_check::name_prefix:
      fits = !has_nul && text.rfind(expected_name_, 0) == 0;
      break;
  }
  if (fits)
    return {};
  return peer_objection{X509_V_ERR_HOSTNAME_MISMATCH,
                        "its name is not the expected " + quoted(expected_name_)
                          + " of `verify-x509-name` " + "but " + quoted(text)};
}

// -- judging --

void chain_judge::reject(int depth, const X509* cert, const std::string& why,
                         const std::string& remedy) {
  rejection = "the " + peer + "'s certificate is not accepted: " + why
              + " (depth " + std::to_string(depth) + ", subject "
              + quoted(cert != nullptr ? subject_of(cert) : "") + ")";
  if (!remedy.empty())
    *rejection += "; " + remedy;
}

int chain_judge::note_error(int ok, X509_STORE_CTX* store) {
  if (ok != 0)
    return ok;
  error_mark mark;
  auto* self = judge_of(store);
  auto code = X509_STORE_CTX_get_error(store);
  // A list need not be there for every authority of the chain; upstream takes
  // it so as well.
  if (self != nullptr && code == X509_V_ERR_UNABLE_TO_GET_CRL) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  if (self != nullptr) {
    auto* cert = X509_STORE_CTX_get_current_cert(store);
    std::string why = X509_verify_cert_error_string(code);
    if (cert != nullptr)
      why += details(code, cert);
    self->reject(X509_STORE_CTX_get_error_depth(store), cert, why,
                 remedy_for(code));
  }
  return 0;
}

int chain_judge::verify(X509_STORE_CTX* store, void*) {
  error_mark mark;
  auto* self = judge_of(store);
  if (self == nullptr || self->rules == nullptr)
    return 0;
  self->rejection.reset();
  if (self->accepts(store))
    return 1;
  // Whoever failed without a word must not look like a success.
  if (X509_STORE_CTX_get_error(store) == X509_V_OK)
    X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
  if (!self->rejection)
    self->reject(0, X509_STORE_CTX_get0_cert(store),
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)),
                 {});
  return 0;
}

bool chain_judge::accepts(X509_STORE_CTX* store) {
  std::vector<X509*> chain;
  if (rules->asks_no_authority()) {
    // What else the peer sent is vouched for by nobody.
    if (auto* cert = X509_STORE_CTX_get0_cert(store))
      chain.push_back(cert);
  } else {
    if (X509_verify_cert(store) != 1)
      return false;
    const auto* certs = X509_STORE_CTX_get0_chain(store);
    for (auto i = 0; certs != nullptr && i < sk_X509_num(certs); ++i)
      chain.push_back(sk_X509_value(certs, i));
  }
  auto objection = rules->object_to(chain);
  if (!objection) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return true;
  }
  X509_STORE_CTX_set_error(store, objection->code);
  auto index = static_cast<size_t>(objection->depth);
  reject(objection->depth, index < chain.size() ? chain[index] : nullptr,
         objection->text, {});
  return false;
}

} // namespace vpn::protocol::tls_internal
