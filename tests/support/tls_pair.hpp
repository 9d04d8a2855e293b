// Two TLS engines back to back, and the questions tests ask of them. Include it
// after CAF_SUITE is defined.
#pragma once

#include "vpn/protocol/tls_engine.hpp"

#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>

#include <functional>
#include <random>

namespace vpn::test {

constexpr int tls12 = 0x0303;
constexpr int tls13 = 0x0304;

/// How many of `n` pending bytes travel together.
using tls_cutter = std::function<size_t(size_t n)>;
inline size_t whole(size_t n) {
  return n;
}

struct tls_pair {
  protocol::tls_engine client;
  protocol::tls_engine server;

  using context_ptr = std::shared_ptr<const protocol::tls_context>;
  tls_pair(const context_ptr& c, const context_ptr& s, int64_t now = pki_now)
    : client(c, now),
      server(s, now) {
    client.start();
    server.start();
  }
  explicit tls_pair(const protocol::tls_config& c = client_tls_config(),
                    const protocol::tls_config& s = server_tls_config(),
                    int64_t now = pki_now)
    : tls_pair(make_tls(c), make_tls(s), now) {
    // nop
  }

  /// Carries what is pending from one end to the other; false if nothing is.
  static bool carry(protocol::tls_engine& from, protocol::tls_engine& to,
                    const tls_cutter& cut) {
    auto any = false;
    while (auto xs = from.poll_output()) {
      any = true;
      for (size_t pos = 0; pos < xs->size();) {
        auto n = cut(xs->size() - pos);
        to.handle_input(byte_view{*xs}.from(pos).first(n));
        CAF_REQUIRE_EQUAL(ERR_peek_error(), 0u);
        pos += n;
      }
    }
    return any;
  }

  void drive(const tls_cutter& cut = whole) {
    // Ends because a handshake has a finite number of flights.
    for (auto busy = true; busy;) {
      busy = carry(client, server, cut);
      busy = carry(server, client, cut) || busy;
    }
  }

  bool both_up() const {
    return client.established() && server.established() && !client.failed()
           && !server.failed();
  }
};

inline protocol::tls_config only(protocol::tls_config cfg, int version) {
  cfg.min_version = version;
  cfg.max_version = version;
  return cfg;
}

inline protocol::tls_config with(protocol::tls_config cfg, const identity& id) {
  cfg.cert = id.cert;
  cfg.key = secret{id.key};
  return cfg;
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// True when `x` failed for `why` with all of `parts` in its text.
inline bool failed_with(const protocol::tls_engine& x, reason why,
                        std::initializer_list<std::string_view> parts) {
  if (!x.failed()) {
    CAF_MESSAGE("has not failed");
    return false;
  }
  auto ok = x.failed()->why == why;
  for (auto part : parts)
    ok = ok && has(x.failed()->text, part);
  if (!ok)
    CAF_MESSAGE(to_string(x.failed()->why) << ": " << x.failed()->text);
  return ok;
}

inline std::string text_of(const std::optional<secret>& x) {
  return x ? std::string{x->text()} : "nothing";
}

/// Sends one record each way and looks at it.
inline void talk(tls_pair& x) {
  CAF_REQUIRE(x.client.send(byte_view{std::string_view{"ping"}}));
  CAF_REQUIRE(x.server.send(byte_view{std::string_view{"pong"}}));
  x.drive();
  CAF_CHECK_EQUAL(text_of(x.server.poll_record()), "ping");
  CAF_CHECK_EQUAL(text_of(x.client.poll_record()), "pong");
  CAF_CHECK(!x.client.poll_record());
}

} // namespace vpn::test
