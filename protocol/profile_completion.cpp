// What several options of a profile say together: defaults that depend on
// others, and everything that is missing.
// spec: openvpn-wire 8, 10.4, 14
#include <openssl/pkcs12.h>

#include <algorithm>
#include <memory>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using builder = profile_builder;

void complete_role(builder& b) {
  if (!b.is_client || !b.pulls)
    b.fail("no `client`: this program is the client of a server that pushes; "
           "tunnels between two equal ends and static keys are not supported");
}

// -- certificates --

bool opens_without_password(const secret& pkcs12) {
  auto begin = pkcs12.view().data();
  auto size = static_cast<long>(pkcs12.size());
  std::unique_ptr<PKCS12, void (*)(PKCS12*)> file{
    d2i_PKCS12(nullptr, &begin, size), PKCS12_free};
  return file != nullptr
         && (PKCS12_verify_mac(file.get(), "", 0) == 1
             || PKCS12_verify_mac(file.get(), nullptr, 0) == 1);
}

/// An encrypted key without a word about its pass phrase: a person is asked.
void complete_passphrase(builder& b) {
  auto& tls = b.result.tls;
  auto is_encrypted
    = tls.key.text().find("ENCRYPTED") != std::string_view::npos
      || (!tls.pkcs12.empty() && !opens_without_password(tls.pkcs12));
  if (!is_encrypted)
    b.result.asks_passphrase = false;
  else if (!b.was_given("askpass"))
    b.result.asks_passphrase = true;
}

/// A placeholder whose block never came.
void find_missing_blocks(builder& b) {
  auto& tls = b.result.tls;
  const std::pair<const char*, bool> parts[] = {
    {"ca", tls.ca.empty()},
    {"cert", tls.cert.empty()},
    {"key", tls.key.empty()},
    {"pkcs12", tls.pkcs12.empty()},
    {"crl-verify", tls.crl.empty()},
    {"peer-fingerprint", tls.fingerprints.empty()},
    {"verify-hash", tls.verify_hash.empty()},
    {"extra-certs", tls.extra_certs.empty()},
    {"auth-user-pass", b.result.credentials.source == credential_source::none},
  };
  for (auto& [name, is_missing] : parts)
    if (is_missing && b.was_given(name) && b.errors.empty())
      b.fail(std::string{"`"} + name + " [inline]` without its block");
}

void complete_identity(builder& b) {
  auto has_cert = b.was_given("cert");
  auto has_key = b.was_given("key");
  if (b.was_given("pkcs12")) {
    if ((has_cert || has_key) && !b.result.tls.pkcs12.empty())
      b.fail("`pkcs12` holds certificate and key: it excludes `cert` and "
             "`key`");
    return;
  }
  if (has_cert && !has_key)
    b.fail("`cert` without `key`: the certificate cannot be used");
  if (has_key && !has_cert)
    b.fail("`key` without `cert`: the key cannot be used");
  if (!has_cert && !has_key && !b.was_given("auth-user-pass"))
    b.fail("neither `cert` with `key` nor `pkcs12` nor `auth-user-pass`: the "
           "server could not recognise us");
}

void complete_trust(builder& b) {
  auto& tls = b.result.tls;
  if (!b.was_given("ca") && !b.was_given("pkcs12")
      && !b.was_given("peer-fingerprint"))
    b.fail("no `ca`: the server could not be recognised; a `peer-fingerprint` "
           "would do as well");
  if (tls.usage == peer_usage::any && tls.check == name_check::none
      && tls.fingerprints.empty() && tls.extended_usage.empty()
      && b.result.scripts.tls_verify.empty()
      && !b.was_given("peer-fingerprint"))
    b.warn("any certificate of the authority passes for the server's; add "
           "`remote-cert-tls server` or `verify-x509-name`");
  constexpr auto oldest = 0x0303;
  if (tls.max_version != 0 && tls.max_version < oldest)
    b.fail("`tls-version-max` is below TLS 1.2, the oldest version in use");
  else if (tls.max_version != 0 && tls.min_version > tls.max_version) {
    // Without a word about it the oldest version follows the newest.
    if (b.was_given("tls-version-min"))
      b.fail("`tls-version-min` is above `tls-version-max`");
    else
      tls.min_version = tls.max_version;
  }
}

// -- data channel --

bool is_compatible_before(const builder& b, uint32_t version) {
  return b.compatible_with != 0 && b.compatible_with < version;
}

void complete_ciphers(builder& b) {
  auto& pull = b.result.pull;
  auto& ciphers = pull.ciphers;
  ciphers = b.ciphers.value_or(
    std::vector<data_cipher>{data_cipher::aes_256_gcm, data_cipher::aes_128_gcm,
                             data_cipher::chacha20_poly1305});
  if (!b.old_cipher)
    return;
  auto has = [&](data_cipher x) {
    return std::find(ciphers.begin(), ciphers.end(), x) != ciphers.end();
  };
  // Servers before 2.5 know nothing but one cipher, those before 2.4 do not
  // even say which.
  if (is_compatible_before(b, 20500) && !has(*b.old_cipher))
    ciphers.push_back(*b.old_cipher);
  if (pull.fallback)
    return;
  if (has(*b.old_cipher)) {
    pull.fallback = b.old_cipher;
    return;
  }
  b.warn("`cipher " + to_string(*b.old_cipher)
         + "` has no effect: it is not in `data-ciphers`; for a server that "
           "cannot negotiate add `data-ciphers-fallback "
         + to_string(*b.old_cipher) + "`");
}

void complete_compression(builder& b) {
  auto& pull = b.result.pull;
  auto opens = may_compress(pull.framing);
  if (opens && b.compression == compression_policy::no)
    b.fail("`allow-compression no` contradicts `" + to_string(pull.framing)
           + "`: remove one of them");
  pull.allow_compressed = opens || b.compression == compression_policy::asym
                          || (b.compression == compression_policy::unset
                              && is_compatible_before(b, 20600));
}

// -- tunnel --

void complete_tunnel(builder& b) {
  auto& pull = b.result.pull;
  auto& device = b.draft.tunnel.device;
  if (device != "null" && device.compare(0, 3, "tun") != 0 && !b.has_dev_type)
    b.fail("the type of the device " + quoted(device)
           + " is not known: add `dev-type tun`");
  // Each remote has its own; this one is for whoever asks without one.
  b.draft.tunnel.mtu = b.result.remotes.empty()
                         ? b.defaults.settings.tun_mtu
                         : b.result.remotes[0].settings.tun_mtu;
  // Whoever has an `up` command may well set the names of the tunnel in there.
  auto& scripts = b.result.scripts;
  if (!scripts.up.empty() && b.result.script_security >= 2 && !b.has_dns_updown)
    b.draft.tunnel.dns_noexec = true;
  pull.route_metric = b.draft.route_metric.value_or(0);
  auto finished = finish(std::move(b.draft));
  if (!finished.problem.empty())
    b.fail("option 'ifconfig': " + finished.problem);
  if (!finished.dns_problem.empty())
    b.fail("option 'dns': " + finished.dns_problem);
  pull.tunnel = std::move(finished.tunnel);
  pull.nat = std::move(finished.nat);
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

// -- process --

void complete_scripts(builder& b) {
  auto& x = b.result.scripts;
  if (b.result.script_security >= 2)
    return;
  // Nobody would notice that certificates are not judged.
  if (!x.tls_verify.empty())
    b.fail("`tls-verify` is not run without `script-security 2`");
  // Without it openvpn ends when the device is there.
  if (!x.up.empty())
    b.fail("`up` is not run without `script-security 2`");
  std::string names;
  const std::pair<const char*, bool> commands[] = {
    {"down", !x.down.empty()},
    {"route-up", !x.route_up.empty()},
    {"route-pre-down", !x.route_pre_down.empty()},
    {"ipchange", !x.ipchange.empty()},
    {"dns-updown", !x.dns_updown.empty()},
  };
  for (auto& [name, is_there] : commands)
    if (is_there)
      names += (names.empty() ? "`" : ", `") + std::string{name} + "`";
  if (!names.empty())
    b.warn("without `script-security 2` these commands are not run: " + names);
}

void complete_process(builder& b) {
  // A file is named for messages to go there.
  auto& process = b.result.process;
  if (!process.log_file.empty())
    process.syslog = false;
}

/// Nobody is to find a tunnel disturbed by a line that came with a profile.
void complete_faults(builder& b) {
  if (!b.result.faults.empty() && !b.result.allow_faults)
    b.fail("`fault` is refused without `allow-faults`: add --allow-faults, or "
           "the line `allow-faults`, if this program is to disturb its own "
           "tunnel");
}

} // namespace

void complete_profile(profile_builder& b) {
  complete_role(b);
  complete_remotes(b);
  complete_identity(b);
  complete_trust(b);
  find_missing_blocks(b);
  complete_passphrase(b);
  complete_ciphers(b);
  complete_compression(b);
  complete_tunnel(b);
  complete_timers(b);
  complete_scripts(b);
  complete_process(b);
  complete_faults(b);
}

} // namespace vpn::protocol
