// What becomes of each remote: what may be set for it alone, defaults that
// depend on its protocol and sizes, settings that contradict each other.
// spec: openvpn-wire 13.3, 13.4, 14
#include <algorithm>
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using builder = profile_builder;

/// What may stand in a <connection> block.
constexpr std::string_view connection_options[] = {"bind",
                                                   "connect-retry",
                                                   "connect-retry-max",
                                                   "connect-timeout",
                                                   "explicit-exit-notify",
                                                   "float",
                                                   "fragment",
                                                   "http-proxy",
                                                   "http-proxy-option",
                                                   "http-proxy-retry",
                                                   "http-proxy-timeout",
                                                   "http-proxy-user-pass",
                                                   "key-direction",
                                                   "link-mtu",
                                                   "local",
                                                   "lport",
                                                   "max-packet-size",
                                                   "mssfix",
                                                   "mtu-disc",
                                                   "mtu-dynamic",
                                                   "nobind",
                                                   "port",
                                                   "proto",
                                                   "remote",
                                                   "rport",
                                                   "server-poll-timeout",
                                                   "socks-proxy",
                                                   "socks-proxy-retry",
                                                   "tls-auth",
                                                   "tls-crypt",
                                                   "tls-crypt-v2",
                                                   "tun-mtu",
                                                   "tun-mtu-extra",
                                                   "tun-mtu-max",
                                                   "udp-mtu"};
constexpr uint32_t default_mtu = 1500;
constexpr uint32_t default_max_mtu = 1600;

void complete_local(builder& b, connection_draft& x) {
  auto wants_port = x.binds || x.has_local_address || x.has_local_port;
  if (x.nobind && wants_port)
    b.fail_once("`nobind` contradicts `bind`, `local` and `lport`");
  x.settings.local_port = wants_port ? x.local_port : uint16_t{0};
}

void complete_proxy(builder& b, connection_draft& x) {
  auto has_http = x.http.kind != proxy_kind::none;
  auto has_socks = x.socks.kind != proxy_kind::none;
  if (has_http && has_socks)
    b.fail_once("`http-proxy` and `socks-proxy` exclude each other");
  else if (has_http && !x.proto.tcp)
    b.fail_once("`http-proxy` carries TCP only: add `proto tcp-client`, or use "
                "`socks-proxy`");
  else if (x.has_http_options && !has_http)
    b.fail_once("settings of an HTTP proxy without `http-proxy`");
  if (has_http) {
    auto& http = x.http;
    auto needs_login = http.auth != proxy_auth::none;
    if (needs_login && http.username.empty())
      b.warn_once("nobody is asked for the password of the HTTP proxy: if it "
                  "wants one, name a file with `http-proxy-user-pass`");
    x.settings.proxy = http;
  } else if (has_socks) {
    x.settings.proxy = x.socks;
    // Relayed datagrams have room for an IPv4 address only.
    if (!x.proto.tcp && x.proto.kind == family::v6)
      b.warn_once("UDP through `socks-proxy` works with IPv4 only, which is "
                  "used instead of IPv6");
    if (!x.proto.tcp)
      x.proto.kind = family::v4;
  }
}

void complete_sizes(builder& b, connection_draft& x) {
  auto& settings = x.settings;
  auto max_mtu
    = x.max_tun_mtu.value_or(std::max(settings.tun_mtu, default_max_mtu));
  if (max_mtu < settings.tun_mtu)
    b.fail_once("`tun-mtu` is above `tun-mtu-max`");
  auto& pull = b.result.pull;
  pull.max_tun_mtu = std::max(pull.max_tun_mtu, max_mtu);
  if (settings.fragment.size > 0 && x.proto.tcp)
    b.fail_once("`fragment` works with UDP only; TCP needs none");
  // Without a word about it, segments are made to fit into one fragment, or
  // the path for the usual MTU, and the device for any other.
  if (x.has_mssfix)
    return;
  if (settings.fragment.size > 0)
    settings.mssfix.size = settings.fragment.size;
  else if (settings.tun_mtu != default_mtu)
    settings.mssfix = {mssfix_kind::fixed, settings.tun_mtu};
}

/// The keys of a remote are its own, or else those of the profile.
void complete_wrap(builder& b, connection_draft& x) {
  auto& keys = x.wrap.names_any() ? x.wrap : b.defaults.wrap;
  auto& wrap = x.settings.wrap;
  wrap = {};
  auto count = keys.names_auth + keys.names_crypt + keys.names_crypt_v2;
  if (count > 1)
    return b.fail_once("`tls-auth`, `tls-crypt` and `tls-crypt-v2` exclude "
                       "each other");
  if (keys.auth) {
    wrap.mode = wrap_mode::tls_auth;
    wrap.key = *keys.auth;
    wrap.direction = keys.direction.value_or(key_direction::bidirectional);
    wrap.digest = b.result.auth;
    if (wrap.digest == "none")
      b.fail_once("`tls-auth` needs a digest, and `auth none` is none");
  } else if (keys.crypt) {
    wrap.mode = wrap_mode::tls_crypt;
    wrap.key = *keys.crypt;
  } else if (keys.crypt_v2) {
    wrap.mode = wrap_mode::tls_crypt_v2;
    wrap.key = keys.crypt_v2->key;
    wrap.wrapped_key = keys.crypt_v2->wrapped;
  } else if (count > 0 && b.errors.empty()) {
    b.fail("`tls-auth`, `tls-crypt` or `tls-crypt-v2` without its key");
  }
}

void complete_connection(builder& b, connection_draft x) {
  complete_local(b, x);
  complete_proxy(b, x);
  complete_sizes(b, x);
  complete_wrap(b, x);
  if (x.proto.tcp && x.settings.exit_notify > 0) {
    // The end of the connection says it.
    b.warn_once("`explicit-exit-notify` has no effect over TCP");
    x.settings.exit_notify = 0;
  }
  remote_entry entry;
  entry.host = x.host.value_or("");
  entry.port = x.port;
  entry.tcp = x.proto.tcp;
  entry.kind = x.proto.kind;
  entry.settings = std::move(x.settings);
  b.result.remotes.push_back(std::move(entry));
}

} // namespace

bool may_stand_in_block(std::string_view name) {
  return std::find(std::begin(connection_options), std::end(connection_options),
                   name)
         != std::end(connection_options);
}

void complete_remotes(profile_builder& b) {
  // Blocks are all there is when there is one, as in OpenVPN.
  if (!b.connections.empty() && !b.remotes.empty())
    b.warn("a `remote` outside of the <connection> blocks is not used");
  auto drafts = b.connections;
  if (drafts.empty())
    for (auto& remote : b.remotes) {
      auto& draft = drafts.emplace_back(b.defaults);
      load_remote(draft, remote);
    }
  b.result.pull.max_tun_mtu = 0;
  for (auto& draft : drafts)
    if (!b.forced_tcp || *b.forced_tcp == draft.proto.tcp)
      complete_connection(b, std::move(draft));
  if (!drafts.empty() && b.result.remotes.empty())
    b.fail("`proto-force` leaves no `remote`");
  if (drafts.empty()) {
    b.result.pull.max_tun_mtu = default_max_mtu;
    if (!b.was_given("remote") && !b.was_given("connection"))
      b.fail("no `remote`: there is nobody to connect to");
  }
}

} // namespace vpn::protocol
