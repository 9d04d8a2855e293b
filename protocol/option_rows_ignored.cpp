// Options a client's profile may hold although they have no effect: harmless
// ones, and those whose owner gets a warning.
#include <iterator>

#include "option_rows.hpp"

namespace vpn::protocol {

namespace {

constexpr option_info silent(const char* name, int min_words, int max_words,
                             const char* note, int ways = by_line) {
  return row(option_class::silent, name, min_words, max_words, ways, note);
}
constexpr option_info ignored(const char* name, int min_words, int max_words,
                              const char* note, int ways = by_line) {
  return row(option_class::ignored, name, min_words, max_words, ways, note);
}

constexpr const char* for_windows = "it is for Windows";
constexpr const char* no_management = "there is no management interface yet";
constexpr const char* server_sets_it
  = "only a server may set it, by pushing it";
constexpr const char* at_servers = "it is for servers";

constexpr option_info rows[] = {
  // No meaning here, or done in any case.
  silent("allow-nonadmin", 0, 1, for_windows),
  silent("bcast-buffers", 1, 1, at_servers),
  silent("comp-noadapt", 0, 0, "nothing is compressed", by_push),
  silent("dhcp-internal", 1, 1, for_windows),
  silent("dhcp-pre-release", 0, 0, for_windows, by_push),
  silent("dhcp-release", 0, 0, for_windows, by_push),
  silent("dhcp-renew", 0, 0, for_windows, by_push),
  silent("disable-dco", 0, 0, "the kernel's data channel is never used"),
  silent("disable-occ", 0, 0, "differing options give a warning only"),
  silent("echo", 0, any_words, "words for whoever listens", by_push),
  silent("errors-to-stderr", 0, 0, "messages have one place"),
  silent("fast-io", 0, 0, "it is always fast"),
  silent("http-proxy-retry", 0, 0, "proxies are always tried again"),
  silent("http-proxy-timeout", 1, 1,
         "a proxy has the time of `connect-timeout`"),
  silent("ifconfig-nowarn", 0, 0, "addresses are not compared", by_push),
  silent("ip-remote-hint", 0, 1, "names are looked up when they are needed"),
  silent("ip-win32", 1, 3, for_windows, by_push),
  silent("max-routes", 0, 1, "there is room for 4096", by_push),
  silent("msg-channel", 1, 1, for_windows),
  silent("mtu-test", 0, 0, "it only tells what is measured"),
  silent("multihome", 0, 1, "a client has one socket"),
  silent("mute", 1, 1, "no message is left out", by_push),
  silent("mute-replay-warnings", 0, 0, "replays are counted, not told"),
  silent("parameter", 0, any_words, "it has no effect in OpenVPN either"),
  silent("pause-exit", 0, 0, for_windows),
  silent("persist-key", 0, 0, "keys are always kept over a reconnect", by_push),
  silent("persist-local-ip", 0, 0, "the local address is always kept"),
  silent("persist-remote-ip", 0, 0,
         "the same address of the server is tried first"),
  silent("ping-timer-rem", 0, 0, "a client always knows its remote", by_push),
  silent("preresolve", 0, 1, "names are looked up when they are needed"),
  silent("prng", 1, 2, "the TLS library's random numbers are used"),
  silent("push-continuation", 0, 1, "it has a meaning in a push only", by_push),
  silent("rdns-internal", 0, 0, for_windows),
  silent("register-dns", 0, 0, for_windows, by_push),
  silent("route-method", 1, 1, for_windows, by_push),
  silent("service", 1, 2, for_windows),
  silent("show-net-up", 0, 0, for_windows),
  silent("socks-proxy-retry", 0, 0, "proxies are always tried again"),
  silent("tap-sleep", 1, 1, for_windows, by_push),
  silent("tmp-dir", 1, 1, "no temporary files are written"),
  silent("tun-ipv6", 0, 0, "a tun device always carries IPv6", by_push),
  silent("up-delay", 0, 0, "`up` always waits for the server's settings"),
  silent("use-prediction-resistance", 0, 0,
         "the TLS library's random numbers are used"),
  silent("win-sys", 1, 1, for_windows),
  silent("windows-driver", 1, 1, for_windows),

  // Harmless to leave out, but its owner should know.
  ignored("allow-pull-fqdn", 0, 0, "pushed routes must be addresses"),
  ignored("allow-recursive-routing", 0, 0,
          "packets to the server itself never go into the tunnel"),
  ignored("auth-token", 1, 1, server_sets_it, by_push),
  ignored("auth-token-user", 1, 1, server_sets_it, by_push),
  ignored("block-outside-dns", 0, 0,
          "other resolvers stay reachable; it is for Windows", by_push),
  ignored("chroot", 1, 1,
          "the file system is not confined; use the service manager"),
  ignored("dev-node", 1, 1, "/dev/net/tun is used"),
  ignored("dh", 1, 1, "only a server has such parameters", inline_block),
  ignored("ecdh-curve", 1, 1, "only a server chooses it; use `tls-groups`"),
  ignored("gremlin", 1, 1, "use the fault injection of this program"),
  ignored("hash-size", 2, 2, "only a server has such a table"),
  ignored("iproute", 1, 1, "the kernel is asked directly"),
  ignored("key-derivation", 1, 1, server_sets_it, by_push),
  ignored("key-method", 1, 1, "only key method 2 is known"),
  ignored("keying-material-exporter", 2, 2, "nothing is exported yet"),
  ignored("link-mtu", 1, 1, "it is obsolete; use `mssfix` or `tun-mtu`"),
  ignored("lladdr", 1, 1, "a tun device has no hardware address", by_push),
  ignored("management", 2, 3, no_management),
  ignored("management-client", 0, 0, no_management),
  ignored("management-client-group", 1, 1, no_management),
  ignored("management-client-user", 1, 1, no_management),
  ignored("management-forget-disconnect", 0, 0, no_management),
  ignored("management-hold", 0, 0,
          "there is no management interface yet; connecting starts at once"),
  ignored("management-log-cache", 1, 1, no_management),
  ignored("management-query-passwords", 0, 0,
          "there is no management interface yet; the terminal is asked"),
  ignored("management-query-remote", 0, 0, no_management),
  ignored("management-signal", 0, 0, no_management),
  ignored("management-up-down", 0, 0, no_management),
  ignored("memstats", 1, 1, "there is no such file yet"),
  ignored("mtu-disc", 1, 1, "packets larger than the path are fragmented"),
  ignored("opt-verify", 0, 0, "differing options give a warning only"),
  ignored("passtos", 0, 0, "the type of service is not copied"),
  ignored("peer-id", 1, 1, server_sets_it, by_push),
  ignored("protocol-flags", 1, any_words, server_sets_it, by_push),
  ignored("providers", 0, any_words,
          "the library's configuration decides about providers"),
  ignored("remote-random-hostname", 0, 0, "the name is used as it is"),
  ignored(
    "replay-persist", 1, 1,
    "the control channel's replay protection begins anew with each start"),
  ignored("replay-window", 0, 2, "the window has its fixed size"),
  ignored("setcon", 1, 1, "use the service manager"),
  ignored("shaper", 1, 1,
          "the sending rate is not limited; use the host's traffic control",
          by_push),
  ignored("tls-export-cert", 1, 1,
          "no certificates are exported; `tls-verify` has their digests"),
  ignored("tun-mtu-extra", 1, 1, "buffers are large enough"),
  ignored("udp-mtu", 1, 1, "it is obsolete; use `mssfix` or `tun-mtu`"),
  ignored("x509-track", 1, 1, "scripts have the subject's fields in any case"),
};

} // namespace

option_range ignored_option_rows() {
  return {std::begin(rows), std::end(rows)};
}

} // namespace vpn::protocol
