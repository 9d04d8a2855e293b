// A proxy on the way to the server, as the profile names it.
// spec: openvpn-wire 1.3, 1.4
#pragma once

#include "vpn/protocol/secret.hpp"

#include <string>
#include <utility>
#include <vector>

namespace vpn::protocol {

enum class proxy_kind : uint8_t { none, http, socks5 };

/// How an HTTP proxy is told who we are. The word after the credentials of
/// `http-proxy`.
enum class proxy_auth : uint8_t {
  none,
  basic,
  digest,
  /// Whatever the proxy asks for: `auto`.
  automatic,
  /// Whatever it asks for, but never the password in clear: `auto-nct`.
  no_clear_text,
};

struct proxy_config {
  proxy_kind kind = proxy_kind::none;
  std::string host;
  /// Number or service name.
  std::string port;
  proxy_auth auth = proxy_auth::none;
  /// Credentials, from the file that the option names. Empty without one.
  std::string username;
  secret password;
  /// `http-proxy-option`.
  std::string http_version = "1.0";
  std::string user_agent;
  std::vector<std::pair<std::string, std::string>> headers;
};

} // namespace vpn::protocol
