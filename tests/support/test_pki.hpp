// A throw-away PKI for tests: two authorities and what they signed, made in
// memory once per process, and the parts to make any other certificate.
#pragma once

#include "vpn/protocol/tls_engine.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vpn::test {

/// The tests' "now"; every certificate that is not expired is valid then.
constexpr int64_t pki_now = 1'700'000'000;

/// PEM texts.
struct identity {
  std::string cert;
  std::string key;
};

struct test_pki {
  /// The authority both ends trust.
  std::string ca;
  /// C=DE, O=vpn tests, CN=server. For TLS servers.
  identity server;
  /// C=DE, O=vpn tests, CN=client. For TLS clients.
  identity client;
  /// CN=client-2: another client.
  identity other_client;
  /// CN=server, valid until `pki_now` - 1000 only.
  identity expired_server;
  identity expired_client;
  /// CN=server, neither key usage nor extended key usage.
  identity plain_server;
  /// CN=server, extended key usage, but no key usage.
  identity server_without_key_usage;
  /// CN="server" with a NUL and ".evil" behind it.
  identity nul_server;
  /// CN=server, signed by `intermediate`, which `ca` has signed.
  identity deep_server;
  std::string intermediate;
  /// An authority that nobody trusts, with the same kinds of certificates.
  std::string foreign_ca;
  identity foreign_server;
  identity foreign_client;
};

const test_pki& pki();

// -- any other certificate --

/// RSA keys are made once per size and process: making one takes long.
enum class key_kind { p256, p384, ed25519, rsa_1024, rsa_2048 };

constexpr const char* for_server = "serverAuth";
constexpr const char* for_client = "clientAuth";

struct wanted_certificate {
  std::string common_name;
  /// Extensions as OpenSSL's configuration language has them; null for none.
  const char* extended_key_usage = nullptr;
  const char* key_usage = "critical,digitalSignature,keyEncipherment";
  const char* alternative_name = nullptr;
  key_kind kind = key_kind::p256;
  bool is_ca = false;
  int64_t not_before = pki_now - 100'000'000;
  int64_t not_after = pki_now + 200'000'000;
  /// Hex digits; empty for the next free number.
  std::string serial;
  /// The subject before the common name, which is left out when empty.
  std::vector<std::pair<std::string, std::string>> fields
    = {{"C", "DE"}, {"O", "vpn tests"}};
  /// What the issuer signs with; not for Ed25519.
  const char* digest = "SHA256";
};

/// An authority that signs what it is asked to.
class authority {
public:
  explicit authority(const std::string& name, key_kind kind = key_kind::p256);
  ~authority();
  authority(authority&&) noexcept;

  /// Its certificate.
  std::string cert() const;
  identity issue(const wanted_certificate& x) const;
  /// An authority below this one.
  authority below(const std::string& name, int64_t not_after
                                           = pki_now + 1000) const;
  /// The list of these revoked certificates.
  std::string revoke(const std::vector<std::string>& certs,
                     int64_t next_update = pki_now + 1000) const;

private:
  struct impl;
  explicit authority(std::unique_ptr<impl> x);
  std::unique_ptr<impl> impl_;
};

/// A certificate that nobody else has signed.
identity self_signed(const wanted_certificate& x);

/// The private key `key` behind a pass phrase: as PKCS#8, and in the older way
/// with "Proc-Type: 4,ENCRYPTED".
std::string encrypt_key(const std::string& key, const std::string& passphrase);
std::string encrypt_key_traditional(const std::string& key,
                                    const std::string& passphrase);
/// The public half alone, as PEM.
std::string public_key(const std::string& key);

/// A PKCS#12 file; without a pass phrase when that is empty.
secret make_pkcs12(const identity& id, const std::vector<std::string>& cas,
                   const std::string& passphrase);

/// "SHA256" or "SHA1" of a PEM certificate.
bytes fingerprint(const std::string& cert, const char* digest = "SHA256");
std::array<uint8_t, 32> sha256_fingerprint(const std::string& cert);

// -- configurations --

/// Configurations of two ends that accept each other.
protocol::tls_config client_tls_config();
protocol::tls_config server_tls_config();

/// A loaded context; aborts when the configuration is refused.
std::shared_ptr<const protocol::tls_context>
make_tls(const protocol::tls_config& cfg);

} // namespace vpn::test
