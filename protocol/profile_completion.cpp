// What several options of a profile say together: remotes with their ports,
// defaults that depend on others, and everything that is missing.
// spec: openvpn-wire 13.3, 14
#include <algorithm>

#include "profile_builder.hpp"

namespace vpn::protocol {

namespace {

using builder = profile_builder;

constexpr uint32_t default_mtu = 1500;
constexpr uint32_t default_max_mtu = 1600;

void complete_role(builder& b) {
  if (!b.is_client || !b.pulls)
    b.fail("no `client`: this program is the client of a server that pushes");
}

void complete_remotes(builder& b) {
  for (auto& x : b.remotes) {
    remote_entry entry;
    entry.host = x.host;
    if (auto& port = x.port ? x.port : b.global_defaults.port)
      entry.port = *port;
    if (auto& proto = x.proto ? x.proto : b.global_defaults.proto) {
      entry.tcp = proto->tcp;
      entry.kind = proto->kind;
    }
    b.result.remotes.push_back(std::move(entry));
  }
  if (b.remotes.empty() && !b.was_given("remote") && !b.was_given("connection"))
    b.fail("no `remote`: there is nobody to connect to");
}

void complete_local(builder& b) {
  auto has_local = b.result.local_address.defined() || b.local_port;
  if (b.nobind && has_local)
    b.fail("`nobind` contradicts `bind`, `local` and `lport`");
  else if (!b.nobind)
    b.result.local_port = b.local_port.value_or(0);
}

void complete_certificates(builder& b) {
  auto& tls = b.result.tls;
  if (tls.ca.empty() && !b.was_given("ca"))
    b.fail("no `ca`: the server could not be recognised");
  auto has_cert = b.was_given("cert");
  auto has_key = b.was_given("key");
  if (has_cert && !has_key)
    b.fail("`cert` without `key`: the certificate cannot be used");
  if (has_key && !has_cert)
    b.fail("`key` without `cert`: the key cannot be used");
  if (!has_cert && !has_key && !b.was_given("auth-user-pass"))
    b.fail("neither `cert` with `key` nor `auth-user-pass`: the server could "
           "not recognise us");
  // A placeholder whose block never came.
  for (auto& [name, is_missing] : {std::pair{"ca", tls.ca.empty()},
                                   {"cert", tls.cert.empty()},
                                   {"key", tls.key.empty()}})
    if (is_missing && b.was_given(name) && b.errors.empty())
      b.fail(std::string{"`"} + name + " [inline]` without its block");
  if (b.was_given("auth-user-pass") && b.errors.empty()
      && b.result.credentials == credential_source::none)
    b.fail("`auth-user-pass [inline]` without its block");
  if (tls.usage == peer_usage::any && tls.check == name_check::none)
    b.warn("any certificate of the authority passes for the server's; add "
           "`remote-cert-tls server` or `verify-x509-name`");
  constexpr auto oldest = 0x0303;
  if (tls.max_version != 0 && tls.max_version < oldest)
    b.fail("`tls-version-max` is below TLS 1.2, the oldest version in use");
  else if (tls.max_version != 0 && tls.min_version > tls.max_version)
    b.fail("`tls-version-min` is above `tls-version-max`");
}

void complete_wrap(builder& b) {
  auto& wrap = b.result.wrap;
  if (b.was_given("tls-auth") && b.was_given("tls-crypt"))
    b.fail("`tls-auth` and `tls-crypt` exclude each other");
  else if (b.has_tls_auth) {
    wrap.mode = wrap_mode::tls_auth;
    wrap.key = b.tls_auth_key;
    wrap.direction = b.direction.value_or(key_direction::bidirectional);
    wrap.digest = b.result.auth;
    if (wrap.digest == "none")
      b.fail("`tls-auth` needs a digest, and `auth none` is none");
  } else if (b.has_tls_crypt) {
    wrap.mode = wrap_mode::tls_crypt;
    wrap.key = b.tls_crypt_key;
  } else if ((b.was_given("tls-auth") || b.was_given("tls-crypt"))
             && b.errors.empty()) {
    b.fail("`tls-auth` or `tls-crypt` without its key");
  }
}

void complete_ciphers(builder& b) {
  auto& pull = b.result.pull;
  pull.ciphers = b.ciphers.value_or(
    std::vector<data_cipher>{data_cipher::aes_256_gcm, data_cipher::aes_128_gcm,
                             data_cipher::chacha20_poly1305});
  if (!pull.fallback)
    pull.fallback = b.old_cipher;
}

void complete_tunnel(builder& b) {
  auto& pull = b.result.pull;
  auto& device = b.draft.tunnel.device;
  if (device != "null" && device.compare(0, 3, "tun") != 0 && !b.has_dev_type)
    b.fail("the type of the device " + quoted(device)
           + " is not known: add `dev-type tun`");
  auto mtu = b.draft.tunnel.mtu;
  pull.max_tun_mtu = b.max_tun_mtu.value_or(std::max(mtu, default_max_mtu));
  if (pull.max_tun_mtu < mtu)
    b.fail("`tun-mtu` is above `tun-mtu-max`");
  // Without a word about it, segments are made to fit the path for the usual
  // MTU, and the device for any other.
  if (!b.was_given("mssfix") && mtu != default_mtu) {
    b.result.mssfix = profile::mssfix_kind::fixed;
    b.result.mssfix_size = mtu;
  }
  pull.route_metric = b.draft.route_metric.value_or(0);
  auto finished = finish(std::move(b.draft));
  if (!finished.problem.empty())
    b.fail("option 'ifconfig': " + finished.problem);
  pull.tunnel = std::move(finished.tunnel);
}

void complete_timers(builder& b) {
  auto& remotes = b.result.remotes;
  auto has_udp = std::any_of(remotes.begin(), remotes.end(), [](auto& x) {
    return !x.tcp;
  });
  // A silent UDP server cannot be told from a dead one.
  if (has_udp && !b.was_given("ping-restart") && !b.was_given("ping-exit")
      && !b.was_given("keepalive"))
    b.result.pull.ping_restart = std::chrono::seconds{120};
}

void complete_scripts(builder& b) {
  auto& x = b.result;
  if ((!x.up.empty() || !x.down.empty()) && x.script_security < 2)
    b.warn("`up` and `down` are not run without `script-security 2`");
}

} // namespace

void complete_profile(profile_builder& builder) {
  complete_role(builder);
  complete_remotes(builder);
  complete_local(builder);
  complete_certificates(builder);
  complete_wrap(builder);
  complete_ciphers(builder);
  complete_tunnel(builder);
  complete_timers(builder);
  complete_scripts(builder);
}

profile_handler find_profile_handler(std::string_view name) {
  for (auto& range : {general_profile_options(), network_profile_options(),
                      tls_profile_options()})
    for (auto& x : range)
      if (x.name == name)
        return x.apply;
  return nullptr;
}

} // namespace vpn::protocol
