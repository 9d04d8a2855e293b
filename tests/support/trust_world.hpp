// An authority, a client that trusts it, servers that show what it signed, and
// what the client says of them. Include it after CAF_SUITE is defined.
#pragma once

#include "tests/support/tls_pair.hpp"

namespace vpn::test::trust {

using protocol::peer_usage;
using protocol::tls_config;
using protocol::tls_context;

/// One authority with what it signs, and two ends that trust it.
struct world {
  authority ca{"test ca"};
  wanted_certificate wanted = [] {
    wanted_certificate x;
    x.common_name = "server";
    x.extended_key_usage = for_server;
    return x;
  }();

  tls_config client() const {
    auto cfg = client_tls_config();
    cfg.ca = ca.cert();
    cfg.usage = peer_usage::any;
    return cfg;
  }
  /// A server that takes any client.
  static tls_config server(const identity& id) {
    auto cfg = with(server_tls_config(), id);
    return cfg;
  }
};

/// What the client says of the server: "ok" or its failure.
inline std::string verdict(const tls_config& client, const tls_config& server,
                           int version = tls13) {
  tls_pair x{only(client, version), server};
  x.drive();
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  if (!x.client.failed())
    return x.client.established() ? "ok" : "not up";
  CAF_CHECK(x.client.failed()->why == reason::certificate_rejected);
  CAF_CHECK(!x.client.established());
  // The server learns that it is about its certificate.
  CAF_CHECK(failed_with(x.server, reason::certificate_rejected,
                        {"the client does not accept our certificate"}));
  return x.client.failed()->text;
}

/// True when all parts are in it.
inline bool says(const std::string& text,
                 std::initializer_list<std::string_view> parts) {
  auto ok = true;
  for (auto part : parts)
    ok = ok && has(text, part);
  if (!ok)
    CAF_MESSAGE(text);
  return ok;
}

inline std::string loading(const tls_config& cfg) {
  ERR_raise(ERR_LIB_SSL, 1);
  auto result = tls_context::make(cfg);
  CAF_CHECK_EQUAL(ERR_peek_error(), 0u);
  return result ? "ok" : result.error().text;
}

} // namespace vpn::test::trust
