// TLS 1.2 and 1.3 on memory: bytes in, bytes out. Both roles.
// spec: openvpn-wire 5.1
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/secret.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vpn::protocol {

/// How the name in the peer's certificate is compared. Option
/// `verify-x509-name`.
enum class name_check : uint8_t { none, subject, name, name_prefix };

/// What the peer's certificate may be used for. Option `remote-cert-tls`.
enum class peer_usage : uint8_t { any, server, client };

/// In `key_usages`: any usage will do, but the extension must be there.
constexpr uint32_t key_usage_required = 0xffff;

struct tls_config {
  role self = role::client;
  /// PEM texts. `ca` may hold several certificates.
  std::string ca;
  std::string cert;
  /// Intermediate certificates to send; PEM. Option `extra-certs`.
  std::string extra_certs;
  secret key;
  /// Pass phrase of `key` or of `pkcs12`, empty when it has none.
  secret key_passphrase;
  /// Certificate, key and authorities in one DER file; instead of `cert` and
  /// `key`. Its authorities are trusted only if `ca` is empty.
  secret pkcs12;
  peer_usage usage = peer_usage::any;
  /// `remote-cert-ku`: the certificate's key usage must hold all bits of one
  /// of these (0x80 digitalSignature ... 0x01 encipherOnly); empty: not
  /// checked. The option without words is `key_usage_required`.
  /// `remote-cert-eku`: an OID or a name.
  std::vector<uint32_t> key_usages;
  std::string extended_usage;
  /// `peer-fingerprint`: SHA-256 of acceptable peer certificates. With some and
  /// no `ca`, no authority, date, purpose or `crl` is asked: the fingerprint
  /// says it all.
  std::vector<std::array<uint8_t, 32>> fingerprints;
  /// `verify-hash`: digest of the certificate that signed the peer's own (level
  /// 1), or several that will do, one behind the other, and the digest's name,
  /// SHA1 or SHA256; empty: not checked.
  bytes verify_hash;
  std::string verify_hash_digest = "SHA256";
  /// `crl-verify`: revocation lists, PEM; empty: not checked. Authorities
  /// without a list pass; one whose list has expired does not, as upstream.
  std::string crl;
  /// `tls-cert-profile`: OpenSSL's security levels 0, 1 and 2, and Suite B,
  /// which works in TLS 1.2 if both ends have it: in TLS 1.3 OpenSSL 3.0 shows
  /// no client certificate then, for upstream neither.
  enum class profile : uint8_t { insecure, legacy, preferred, suiteb };
  profile certificates = profile::legacy;
  name_check check = name_check::none;
  std::string expected_name;
  /// 0x0303 is TLS 1.2, 0x0304 is TLS 1.3. `max` 0: whatever the library has.
  int min_version = 0x0303;
  int max_version = 0;
  /// Lists in OpenSSL's spelling or the registry's with hyphens; empty means
  /// the default. Options `tls-cipher`, `tls-ciphersuites`.
  std::string ciphers;
  std::string ciphersuites;
  /// `tls-groups`.
  std::string groups;
  /// `x509-username-field`: what counts as the peer's name. Fields of the
  /// subject, "ext:subjectAltName" for its mail address, or "serialNumber";
  /// several, separated by blanks, are joined with '_'. A peer without is
  /// refused.
  std::string username_field = "CN";
  /// The server asks for a certificate; false for verify-client-cert none.
  bool require_peer_certificate = true;
};

/// True when the key or `pkcs12` opens only with a pass phrase, whether
/// `key_passphrase` has one or not: to be asked before a context is made.
bool key_needs_passphrase(const tls_config& cfg);

/// Certificates and keys, loaded and checked once; shared by all sessions.
/// Immutable after `make`.
class tls_context {
public:
  /// A failure names the option that is wrong: "ca", "cert", "key".
  static expected<std::shared_ptr<const tls_context>, failure>
  make(const tls_config& cfg);
  ~tls_context();
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;

private:
  friend class tls_engine;
  struct impl;
  explicit tls_context(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

/// One certificate of the peer's chain, as it was verified.
struct peer_certificate {
  /// 0 is the peer's own certificate.
  int depth = 0;
  std::string subject;
  /// What `username_field` makes of it, control characters as '_'.
  std::string common_name;
  /// For scripts: decimal and hex serial number, fingerprints in hex with
  /// colons (lower case, as upstream's tls_digest_N), and the subject's fields
  /// in order ("CN", "server").
  std::string serial, serial_hex;
  std::string sha1, sha256;
  std::vector<std::pair<std::string, std::string>> fields;
};

/// One TLS connection on memory BIOs. After each call: drain `poll_output`,
/// then `poll_record`.
class tls_engine {
public:
  /// `unix_seconds` is the time certificates are checked against.
  tls_engine(std::shared_ptr<const tls_context> ctx, int64_t unix_seconds);
  ~tls_engine();
  tls_engine(tls_engine&&) noexcept;
  tls_engine& operator=(tls_engine&&) noexcept;

  // -- commands --
  /// A client sends its ClientHello.
  void start();
  /// One TLS application record (at most 16 KiB). `wrong_state` before the
  /// handshake is done.
  expected<done_t> send(byte_view plaintext);

  // -- handlers --
  /// TLS bytes of the peer, cut anywhere.
  void handle_input(byte_view tls_bytes);

  // -- polls --
  /// TLS bytes for the peer, alerts included.
  std::optional<bytes> poll_output();
  /// One application record of the peer.
  std::optional<secret> poll_record();

  // -- observers --
  /// The handshake was finished; stays true when the connection breaks later.
  bool established() const noexcept;
  /// Set once and for good when the connection is broken. Tells a certificate
  /// problem (ours or theirs) from any other TLS failure.
  const std::optional<failure>& failed() const noexcept;
  /// The peer's chain as it was verified, own certificate first; filled by the
  /// handshake.
  const std::vector<peer_certificate>& peer_chain() const noexcept;
  /// "TLSv1.3, cipher TLS_AES_256_GCM_SHA384, peer certificate 2048 bits RSA".
  std::string description() const;
  /// RFC 5705 exporter without context.
  expected<done_t> export_key(const char* label, uint8_t* out,
                              size_t size) const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace vpn::protocol
