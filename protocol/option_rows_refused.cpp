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
  = "keys on tokens are not supported yet; give `cert` and `key`";
constexpr const char* no_proxies
  = "proxies are not supported yet; connect directly";
constexpr const char* no_static_keys
  = "static key mode is insecure; use certificates (`client`, `ca`)";
constexpr const char* a_command
  = "it is a command of openvpn, not a setting of a tunnel";

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
  server_only("dh", 1, 1, inline_block),
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
  server_only("tcp-nodelay", 0, 0),
  server_only("tcp-queue-limit", 1, 1),
  server_only("tls-crypt-v2-max-age", 1, 1),
  server_only("tls-crypt-v2-verify", 1, 1),
  server_only("tls-server", 0, 0),
  server_only("username-as-common-name", 0, 0),
  server_only("verify-client-cert", 0, 1),
  server_only("vlan-accept", 1, 1),
  server_only("vlan-pvid", 1, 1),
  server_only("vlan-tagging", 0, 0),
  server_only("x509-username-field", 1, any_words),

  // Without these the tunnel would be less safe than its owner asked for, or
  // would not work.
  refused("allow-deprecated-insecure-static-crypto", 0, 0, no_static_keys),
  refused("bind-dev", 1, 2,
          "binding to a device is not supported yet; use `local`"),
  refused("block-ipv6", 0, 0,
          "it is not supported yet; block IPv6 in the host's firewall",
          by_push),
  refused("capath", 1, 1,
          "directories are not supported yet; put all authorities into `ca`"),
  refused("cd", 1, 1, "give the names of files with their directories"),
  refused("client-nat", 4, 4,
          "address translation is not supported; use the host's firewall",
          by_push),
  refused("comp-lzo", 0, 1,
          "compression framing is not supported, not even `comp-lzo no`; "
          "remove it here and on the server, or use `compress stub-v2` on both",
          by_push),
  refused("crl-verify", 1, 2,
          "revocation lists are not supported yet; use `verify-x509-name`, or "
          "a new authority",
          inline_block),
  refused("cryptoapicert", 1, 1, "it is for Windows; give `cert` and `key`"),
  refused("engine", 0, 1,
          "OpenSSL engines are not supported; give `cert` and `key`"),
  refused("fragment", 1, 2,
          "fragmentation is not supported; remove it here and on the server, "
          "and use `mssfix`"),
  refused("genkey", 0, 3, a_command),
  refused("help", 0, 0, a_command),
  refused("http-proxy", 1, 4, no_proxies),
  refused("http-proxy-override", 2, 3, no_proxies),
  refused("http-proxy-user-pass", 1, 1, no_proxies, inline_block),
  refused("ifconfig-noexec", 0, 0, "the device is always configured", by_push),
  refused("ipchange", 1, 1, "use `up` and `down`"),
  refused("management-external-cert", 1, 1, no_tokens),
  refused("management-external-key", 0, any_words, no_tokens),
  refused("management-query-proxy", 0, 0, no_proxies),
  refused("mark", 1, 1,
          "marked packets are not supported yet; routing that relies on them "
          "would break"),
  refused("mktun", 0, 0, a_command),
  refused("mtu-dynamic", 0, 2, "fragmentation is not supported; use `mssfix`"),
  refused("no-name-remapping", 0, 0,
          "names in certificates are always compared as they are; remove it"),
  refused("ns-cert-type", 1, 1, "it is obsolete; use `remote-cert-tls server`"),
  refused(
    "peer-fingerprint", 1, 1,
    "fingerprints are not supported yet; use `ca` with `verify-x509-name`",
    inline_block),
  refused("pkcs11-cert-private", 0, any_words, no_tokens),
  refused("pkcs11-id", 1, 1, no_tokens),
  refused("pkcs11-id-management", 0, 0, no_tokens),
  refused("pkcs11-pin-cache", 1, 1, no_tokens),
  refused("pkcs11-private-mode", 0, any_words, no_tokens),
  refused("pkcs11-protected-authentication", 0, any_words, no_tokens),
  refused("pkcs11-providers", 0, any_words, no_tokens),
  refused("pkcs12", 1, 1,
          "PKCS #12 is not supported yet; turn it into `ca`, `cert` and `key` "
          "with `openssl pkcs12`",
          inline_block),
  refused("plugin", 1, any_words, "plugins are not supported"),
  refused(
    "proto-force", 1, 1,
    "it is not supported; remove the `remote` lines of the other protocol"),
  refused("remote-cert-eku", 1, 1, "use `remote-cert-tls server`"),
  refused("remote-cert-ku", 0, any_words, "use `remote-cert-tls server`"),
  refused("rmtun", 0, 0, a_command),
  refused("route-noexec", 0, 0, "use `route-nopull` and no `route`"),
  refused("route-pre-down", 1, 1, "use `down`"),
  refused("route-table", 1, 1, "only the main routing table is supported yet"),
  refused("route-up", 1, 1, "use `up`"),
  refused("secret", 1, 2, no_static_keys, inline_block),
  refused("show-adapters", 0, 0, a_command),
  refused("show-ciphers", 0, 0, a_command),
  refused("show-curves", 0, 0, a_command),
  refused("show-digests", 0, 0, a_command),
  refused("show-engines", 0, 0, a_command),
  refused("show-gateway", 0, 1, a_command),
  refused("show-groups", 0, 0, a_command),
  refused("show-net", 0, 0, a_command),
  refused("show-pkcs11-ids", 0, 2, a_command),
  refused("show-tls", 0, 0, a_command),
  refused("show-valid-subnets", 0, 0, a_command),
  refused("test-crypto", 0, 0, a_command),
  refused("version", 0, 0, a_command),
  refused("socks-proxy", 1, 3, no_proxies),
  refused("static-challenge", 2, 3, "a static challenge is not supported yet"),
  refused("tls-cert-profile", 1, 1,
          "certificate profiles are not supported yet; remove it to get the "
          "library's own"),
  refused("tls-crypt-v2", 1, 2,
          "it is not supported yet; ask the server's owner for a `tls-crypt` "
          "or `tls-auth` key",
          inline_block),
  refused("tls-verify", 1, 1, "use `verify-x509-name`"),
  refused(
    "verify-hash", 1, 2,
    "fingerprints are not supported yet; use `ca` with `verify-x509-name`",
    inline_block),

  // OpenVPN 2.6 refuses these as well.
  removed("client-cert-not-required", 0, 0,
          "a server uses `verify-client-cert none`"),
  removed("compat-names", 0, 1,
          "names in certificates are always compared as they are"),
  removed("foreign-option", 1, any_words, "use `dhcp-option` or `dns`"),
  removed("ifconfig-pool-linear", 0, 0, "a server uses `topology p2p`"),
  removed("inetd", 0, 2, "use a socket of the service manager"),
  removed("management-client-pf", 0, 0, "there is no packet filter any more"),
  removed("ncp-disable", 0, 0,
          "ciphers are always negotiated; see `data-ciphers`"),
  removed("no-iv", 0, 0, "packets always have an IV"),
  removed("no-replay", 0, 0, "replay protection is always on"),
};

} // namespace

option_range refused_option_rows() {
  return {std::begin(rows), std::end(rows)};
}

} // namespace vpn::protocol
