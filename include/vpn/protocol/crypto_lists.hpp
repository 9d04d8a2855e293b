// The ciphers, digests and curves that can be named in a profile, for
// `--show-ciphers` and its like. Only computed here, printed elsewhere.
// spec: openvpn-wire 5.1, 8
#pragma once

#include "vpn/protocol/tls_engine.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace vpn::protocol {

/// One name a profile may use.
struct listed_algorithm {
  std::string name;
  /// Of a cipher the key, of a digest the output, of a group the strength; in
  /// bits. Zero where it means nothing.
  size_t bits = 0;
  /// Of a cipher; zero for a stream cipher.
  size_t block_bits = 0;
  /// When to use it or not; often empty.
  std::string note;
};

/// `--show-ciphers`: what `data-ciphers` may name, best first.
std::vector<listed_algorithm> show_ciphers();

/// `--show-digests`: what `auth` may name, by name.
std::vector<listed_algorithm> show_digests();

/// `--show-tls`: the suites that would be offered, in order of preference.
struct tls_cipher_list {
  /// For `tls-ciphersuites`, as in "TLS_AES_256_GCM_SHA384".
  std::vector<std::string> tls13;
  /// For `tls-cipher`, as in "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384"; OpenSSL's
  /// name where the registry has none.
  std::vector<std::string> tls12;
};

/// As restricted by `tls-cert-profile`, `tls-cipher` and `tls-ciphersuites` of
/// `cfg`; a failure names the option that cannot be used.
expected<tls_cipher_list, failure> show_tls(const tls_config& cfg = {});

/// `--show-curves` and `--show-groups`: what `tls-groups` may name.
std::vector<listed_algorithm> show_groups();

/// `--show-engines`: OpenSSL has providers instead, and these are loaded.
std::vector<listed_algorithm> show_engines();

} // namespace vpn::protocol
