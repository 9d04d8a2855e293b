// Pushed options applied to a tunnel: what the server may set, and what comes
// of it.
// spec: openvpn-wire 7.1, 7.2
#pragma once

#include "vpn/protocol/data_channel.hpp"
#include "vpn/protocol/key_derivation.hpp"
#include "vpn/protocol/reason.hpp"
#include "vpn/protocol/tunnel_config.hpp"

#include <string>
#include <vector>

namespace vpn::protocol {

/// One rule of `pull-filter`; the first whose prefix matches decides.
struct pull_filter {
  enum class action : uint8_t { accept, ignore, reject };
  action what = action::accept;
  std::string prefix;
};

/// The client's own settings, before anything is pushed.
struct pull_config {
  tunnel_config tunnel;
  /// `route-nopull`: no routes and no DNS from the server.
  bool route_nopull = false;
  std::vector<pull_filter> filters;
  duration ping{};
  duration ping_restart{};
  duration ping_exit{};
  uint32_t route_metric = 0;
  /// Upper bound for a pushed tun-mtu.
  uint32_t max_tun_mtu = 1600;
  /// Ciphers we accept, in our order (`data-ciphers`).
  std::vector<data_cipher> ciphers;
  std::optional<data_cipher> fallback;
  /// Our own framing, and whether a server may push one under which packets
  /// come compressed (`allow-compression` asym or yes, or an own `comp-lzo`).
  compression_framing framing = compression_framing::none;
  bool allow_compressed = false;
  duration inactive{};
  uint64_t inactive_bytes = 0;
  duration session_timeout{};
  std::vector<nat_rule> nat;
};

/// Everything agreed upon with the server.
struct negotiated_options {
  tunnel_config tunnel;
  std::optional<data_cipher> cipher;
  std::optional<uint32_t> peer_id;
  key_derivation derivation = key_derivation::legacy_prf;
  /// The peer understands the EXIT control message.
  bool cc_exit = false;
  duration ping{};
  duration ping_restart{};
  duration ping_exit{};
  /// The peer understands a renegotiation under a key of its own.
  bool dynamic_tls_crypt = false;
  /// Epoch data keys. spec: openvpn-wire 9.9
  bool epoch = false;
  compression_framing framing = compression_framing::none;
  bool decompress = false;
  duration inactive{};
  uint64_t inactive_bytes = 0;
  duration session_timeout{};
  std::vector<nat_rule> nat;
  /// Socket buffers and TCP_NODELAY, when the server wants them.
  std::optional<uint32_t> sndbuf, rcvbuf;
  bool tcp_nodelay = false;
  std::optional<int> verbosity;
  /// The server wants the device kept over reconnects.
  bool persist_tun = false;
  /// `setenv-safe`: name, without OPENVPN_, and value; for scripts.
  std::vector<std::pair<std::string, std::string>> environment;
  /// `echo`, for whoever listens.
  std::vector<std::string> echoes;
  /// explicit-exit-notify, when the server wants it.
  std::optional<uint32_t> exit_notify;
  secret auth_token;
  std::string auth_token_user;
  /// Options that were skipped, each with why; for a warning.
  std::vector<std::string> warnings;
};

/// Applies the pushed options in order to the client's own settings. An unknown
/// or malformed option is skipped with a warning. Fails with
/// `reason::push_refused` when a pull filter rejects, the cipher is none of
/// ours, or compression is forced on us. `remote_options` is the server's
/// options string, for a server that pushes no cipher.
/// The tunnel's MTU before the push is `own.tunnel.mtu`.
/// What `remote_host` stands for in routes is `own.tunnel.server`.
expected<negotiated_options, failure>
apply_push(const pull_config& own, const std::vector<std::string>& pushed,
           const std::string& remote_options);

/// Changes the list of options of an established session, as PUSH_UPDATE says:
/// "-name" takes all of that name away, the first occurrence of a list's name
/// in `update` replaces all old ones, any other is replaced or added. `update`
/// is the whole sequence, continuations joined. Fails with
/// `reason::push_refused` for a mandatory option that cannot be updated; then
/// `current` is as before. Texts of skipped optional ones come back.
/// spec: openvpn-wire 7.8
expected<std::vector<std::string>, failure>
apply_update(std::vector<std::string>& current,
             const std::vector<std::string>& update);

/// SHA-256 in hex over the options that shape the tunnel: equal when a device
/// kept over a reconnect needs no change. spec: openvpn-wire 7.1
std::string digest_of(const std::vector<std::string>& pushed);

} // namespace vpn::protocol
