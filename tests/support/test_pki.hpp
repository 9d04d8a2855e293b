// A throw-away PKI for tests: two authorities and what they signed, made in
// memory once per process.
#pragma once

#include "vpn/protocol/tls_engine.hpp"

#include <cstdint>
#include <string>

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

/// The private key `key` behind a pass phrase.
std::string encrypt_key(const std::string& key, const std::string& passphrase);

/// Configurations of two ends that accept each other.
protocol::tls_config client_tls_config();
protocol::tls_config server_tls_config();

/// A loaded context; aborts when the configuration is refused.
std::shared_ptr<const protocol::tls_context>
make_tls(const protocol::tls_config& cfg);

} // namespace vpn::test
