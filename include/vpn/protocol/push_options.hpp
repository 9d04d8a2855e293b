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
expected<negotiated_options, failure>
apply_push(const pull_config& own, const std::vector<std::string>& pushed,
           const std::string& remote_options);

} // namespace vpn::protocol
