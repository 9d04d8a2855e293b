// Whom to believe: what a peer's chain and its own certificate must say, and
// the judgement in a handshake.
// spec: openvpn-wire 5.1
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/tls_engine.hpp"

#include <optional>
#include <string>
#include <vector>

#include "protocol/tls_handles.hpp"

namespace vpn::protocol::tls_internal {

/// What is wrong with a peer's certificate beside its chain.
struct peer_objection {
  /// An X509_V_ERR code; it decides which alert the peer gets.
  int code = 0;
  std::string text;
  /// The certificate that is meant; 0 is the peer's own.
  int depth = 0;
};

/// The options that ask something of a verified chain: remote-cert-tls, -ku and
/// -eku, verify-x509-name, peer-fingerprint, verify-hash, x509-username-field.
class trust_rules {
public:
  trust_rules() = default;
  static expected<trust_rules, failure> make(const tls_config& cfg);

  /// The fingerprint alone decides, as there is no `ca`.
  bool asks_no_authority() const noexcept { return asks_no_authority_; }
  const std::string& username_field() const noexcept { return username_field_; }

  /// `chain` starts with the peer's own certificate.
  std::optional<peer_objection>
  object_to(const std::vector<X509*>& chain) const;

private:
  std::optional<peer_objection> check_digests(const std::vector<X509*>&) const;
  std::optional<peer_objection> check_usage(X509* cert) const;
  std::optional<peer_objection> check_name(X509* cert) const;

  peer_usage usage_ = peer_usage::any;
  std::vector<uint32_t> key_usages_;
  std::string extended_usage_;
  object_ptr extended_usage_id_;
  std::vector<std::array<uint8_t, 32>> fingerprints_;
  std::vector<bytes> issuer_digests_;
  std::string issuer_digest_name_;
  bool asks_no_authority_ = false;
  name_check check_ = name_check::none;
  std::string expected_name_;
  std::string username_field_ = "CN";
};

/// Judges the peer's chain in one handshake. It is the SSL object's app data,
/// where OpenSSL's callbacks find it.
struct chain_judge {
  const trust_rules* rules = nullptr;
  /// "server" or "client".
  std::string peer;
  /// Why the chain was refused.
  std::optional<std::string> rejection;

  /// The whole verification; for SSL_CTX_set_cert_verify_callback.
  static int verify(X509_STORE_CTX* store, void*);
  /// Told of each thing that is wrong; for SSL_set_verify.
  static int note_error(int ok, X509_STORE_CTX* store);

private:
  void reject(int depth, const X509* cert, const std::string& why,
              const std::string& remedy);
  bool accepts(X509_STORE_CTX* store);
};

} // namespace vpn::protocol::tls_internal
