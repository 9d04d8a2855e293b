// Pushed options applied to a client's usual settings.
#pragma once

#include "vpn/protocol/push_options.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace vpn::test {

using strings = std::vector<std::string>;

inline protocol::pull_config own_pull_config() {
  using protocol::data_cipher;
  protocol::pull_config result;
  result.ciphers = {data_cipher::aes_256_gcm, data_cipher::aes_128_gcm,
                    data_cipher::chacha20_poly1305};
  result.ping_restart = std::chrono::seconds{120};
  return result;
}

/// What comes of a push that is accepted, with a cipher beside it.
inline protocol::negotiated_options apply(const strings& pushed,
                                          const protocol::pull_config& own
                                          = own_pull_config()) {
  auto all = pushed;
  all.emplace_back("cipher AES-256-GCM");
  auto result = protocol::apply_push(own, all, "");
  if (!result)
    throw std::runtime_error("refused: " + result.error().text);
  return *result;
}

/// Why a push is refused.
inline failure refusal(const strings& pushed,
                       const protocol::pull_config& own = own_pull_config(),
                       const std::string& remote_options = "") {
  auto result = protocol::apply_push(own, pushed, remote_options);
  if (result)
    throw std::runtime_error("not refused: " + pushed[0]);
  if (result.error().why != reason::push_refused)
    throw std::runtime_error("refused for another reason");
  return result.error();
}

/// True when two pushes came to the same, warnings aside.
inline bool are_equal(const protocol::negotiated_options& x,
                      const protocol::negotiated_options& y) {
  auto& a = x.tunnel;
  auto& b = y.tunnel;
  return a.device == b.device && a.layout == b.layout
         && a.address4 == b.address4 && a.peer4 == b.peer4
         && a.address6 == b.address6 && a.gateway6 == b.gateway6
         && a.gateway4 == b.gateway4 && a.mtu == b.mtu && a.routes == b.routes
         && a.redirect == b.redirect && a.server == b.server && a.dns == b.dns
         && a.block_ipv6 == b.block_ipv6
         && a.ifconfig_noexec == b.ifconfig_noexec
         && a.route_noexec == b.route_noexec && a.dns_noexec == b.dns_noexec
         && a.route_delay == b.route_delay
         && a.foreign_options == b.foreign_options && x.cipher == y.cipher
         && x.peer_id == y.peer_id && x.derivation == y.derivation
         && x.cc_exit == y.cc_exit && x.ping == y.ping
         && x.ping_restart == y.ping_restart && x.ping_exit == y.ping_exit
         && x.dynamic_tls_crypt == y.dynamic_tls_crypt && x.epoch == y.epoch
         && x.framing == y.framing && x.decompress == y.decompress
         && x.inactive == y.inactive && x.inactive_bytes == y.inactive_bytes
         && x.session_timeout == y.session_timeout
         && x.nat.size() == y.nat.size() && x.sndbuf == y.sndbuf
         && x.rcvbuf == y.rcvbuf && x.tcp_nodelay == y.tcp_nodelay
         && x.verbosity == y.verbosity && x.persist_tun == y.persist_tun
         && x.environment == y.environment && x.echoes == y.echoes
         && x.exit_notify == y.exit_notify
         && x.auth_token.text() == y.auth_token.text()
         && x.auth_token_user == y.auth_token_user;
}

/// True when one of the texts has `text` in it.
inline bool mentions(const strings& xs, const std::string& text) {
  return std::any_of(xs.begin(), xs.end(), [&](auto& x) {
    return x.find(text) != std::string::npos;
  });
}

} // namespace vpn::test
