// Options a client's profile may not hold: those of servers, those whose effect
// would be missed, and those OpenVPN itself has given up.
#include <iterator>

#include "option_rows.hpp"

namespace vpn::protocol {

namespace {

constexpr option_info server_only(const char* name, int min_words,
                                  int max_words, int ways = by_line) {
  return row(option_class::server_only, name, min_words, max_words, ways,
             "only a server understands it");
}
constexpr option_info refused(const char* name, int min_words, int max_words,
                              const char* note, int ways = by_line) {
  return row(option_class::refused, name, min_words, max_words, ways, note);
}
constexpr option_info removed(const char* name, int min_words, int max_words,
                              const char* note) {
  return row(option_class::removed, name, min_words, max_words, by_line, note);
}

constexpr const char* no_tokens
  = "keys on tokens are not supported; give `cert` and `key`, or `pkcs12`";
constexpr const char* no_static_keys
  = "static key mode is insecure; use certificates (`client`, `ca`, `cert`, "
    "`key`) on both ends, or `peer-fingerprint` with self-signed ones";
constexpr const char* a_command
  = "it is a command of openvpn, not a setting of a tunnel";
constexpr const char* our_command
  = "it is a command of this program, not a setting of a tunnel";

constexpr option_info rows[] = {
  server_only("auth-gen-token", 0, 3),
  server_only("auth-gen-token-secret", 1, 1, inline_block),
  server_only("auth-user-pass-optional", 0, 0),
  server_only("auth-user-pass-verify", 1, 2),
  server_only("ccd-exclusive", 0, 0),
  server_only("client-config-dir", 1, 1),
  server_only("client-connect", 1, 1),
  server_only("client-crresponse", 1, 1),
  server_only("client-disconnect", 1, 1),
  server_only("client-to-client", 0, 0),
  server_only("connect-freq", 2, 2),
  server_only("connect-freq-initial", 2, 2),
  server_only("disable", 0, 0),
  server_only("duplicate-cn", 0, 0),
  server_only("force-tls-key-material-export", 0, 0),
  server_only("ifconfig-ipv6-pool", 1, 1),
  server_only("ifconfig-ipv6-push", 1, 2),
  server_only("ifconfig-pool", 2, 3),
  server_only("ifconfig-pool-persist", 1, 2),
  server_only("ifconfig-push", 2, 3),
  server_only("ifconfig-push-constraint", 2, 2),
  server_only("iroute", 1, 2),
  server_only("iroute-ipv6", 1, 1),
  server_only("learn-address", 1, 1),
  server_only("management-client-auth", 0, 0),
  server_only("max-clients", 1, 1),
  server_only("max-routes-per-client", 1, 1),
  server_only("mode", 1, 1),
  server_only("override-username", 1, 1),
  server_only("port-share", 2, 3),
  server_only("push", 1, 1),
  server_only("push-remove", 1, 1),
  server_only("push-reset", 0, 0),
  server_only("server", 2, 3),
  server_only("server-bridge", 0, 4),
  server_only("server-ipv6", 1, 1),
  server_only("stale-routes-check", 1, 2),
  server_only("tcp-queue-limit", 1, 1),
  server_only("tls-crypt-v2-max-age", 1, 1),
  server_only("tls-crypt-v2-verify", 1, 1),
  server_only("tls-server", 0, 0),
  server_only("username-as-common-name", 0, 0),
  server_only("verify-client-cert", 0, 1),
  server_only("vlan-accept", 1, 1),
  server_only("vlan-pvid", 1, 1),
  server_only("vlan-tagging", 0, 0),

  // Without these the tunnel would be less safe than its owner asked for, or
  // would not work.
  refused("allow-deprecated-insecure-static-crypto", 0, 0, no_static_keys),
  refused("capath", 1, 1,
          "directories of authorities are not read; name one file that holds "
          "them all with `ca`"),
  refused("cleanup", 0, 1, our_command, by_ours),
  refused("cryptoapicert", 1, 1,
          "it is for Windows; give `cert` and `key`, or `pkcs12`"),
  refused("engine", 0, 1,
          "OpenSSL engines are not supported; give `cert` and `key`"),
  refused("genkey", 0, 3, a_command),
  refused("help", 0, 0, a_command),
  refused("http-proxy-override", 2, 3,
          "it is for a management interface; use `http-proxy`"),
  refused("management-external-cert", 1, 1, no_tokens),
  refused("management-external-key", 0, any_words, no_tokens),
  refused("management-query-proxy", 0, 0,
          "there is nobody to ask; use `http-proxy` or `socks-proxy`"),
  refused("mktun", 0, 0, a_command),
  refused("pkcs11-cert-private", 0, any_words, no_tokens),
  refused("pkcs11-id", 1, 1, no_tokens),
  refused("pkcs11-id-management", 0, 0, no_tokens),
  refused("pkcs11-pin-cache", 1, 1, no_tokens),
  refused("pkcs11-private-mode", 0, any_words, no_tokens),
  refused("pkcs11-protected-authentication", 0, any_words, no_tokens),
  refused("pkcs11-providers", 0, any_words, no_tokens),
  refused("plugin", 1, any_words,
          "plugins are not loaded; use `up`, `down`, `route-up` or "
          "`tls-verify` with `script-security 2`"),
  refused("rmtun", 0, 0, a_command),
  refused("route-table", 1, 1,
          "routes go into the main table; use `route-noexec` and `route-up`"),
  refused("secret", 1, 2, no_static_keys, inline_block),
  refused("show-adapters", 0, 0, a_command),
  refused("show-ciphers", 0, 0, a_command),
  refused("show-curves", 0, 0, a_command),
  refused("show-digests", 0, 0, a_command),
  refused("show-engines", 0, 0, a_command),
  refused("show-faults", 0, 0, our_command, by_ours),
  refused("show-gateway", 0, 1, a_command),
  refused("show-groups", 0, 0, a_command),
  refused("show-net", 0, 0, a_command),
  refused("show-pkcs11-ids", 0, 2, a_command),
  refused("show-tls", 0, 0, a_command),
  refused("show-valid-subnets", 0, 0, a_command),
  refused("test-crypto", 0, 0, a_command),
  refused("version", 0, 0, a_command),

  // OpenVPN refuses these as well, or is about to.
  removed("client-cert-not-required", 0, 0,
          "a server uses `verify-client-cert none`"),
  removed("compat-names", 0, 1,
          "names in certificates are always compared as they are"),
  removed("foreign-option", 1, any_words, "use `dhcp-option` or `dns`"),
  removed("ifconfig-pool-linear", 0, 0, "a server uses `topology p2p`"),
  removed("inetd", 0, 2, "use a socket of the service manager"),
  removed("keysize", 1, 1, "the cipher's name says it; see `data-ciphers`"),
  removed("management-client-pf", 0, 0, "there is no packet filter any more"),
  removed("mtu-dynamic", 0, 2, "use `fragment` on both ends, or `mssfix`"),
  removed("ncp-disable", 0, 0,
          "ciphers are always negotiated; see `data-ciphers`"),
  removed("no-iv", 0, 0, "packets always have an IV"),
  removed("no-name-remapping", 0, 0,
          "names in certificates are always compared as they are"),
  removed("no-replay", 0, 0, "replay protection is always on"),
  removed("ns-cert-type", 1, 1, "use `remote-cert-tls server`"),
  removed("remote-ip-hint", 0, 1, "names are looked up when they are needed"),
  removed("tls-remote", 1, 1, "use `verify-x509-name`"),
};

} // namespace

option_range refused_option_rows() {
  return {std::begin(rows), std::end(rows)};
}

} // namespace vpn::protocol
