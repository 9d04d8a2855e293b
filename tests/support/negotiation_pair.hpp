// Two negotiations back to back, one against a bare TLS engine, and a line of
// text for each of their events. Include it after CAF_SUITE is defined.
#pragma once

#include "vpn/protocol/negotiation.hpp"

#include "tests/support/test_pki.hpp"

#include "caf/test/unit_test.hpp"

#include <openssl/err.h>

#include <random>

namespace vpn::test::negotiations {

using namespace std::chrono_literals;

using protocol::key_method_record;
using protocol::keys_exchanged;
using protocol::negotiation;
using protocol::negotiation_config;
using protocol::negotiation_failed;
using protocol::role;
using protocol::session_id;
using protocol::text_received;
using protocol::tls_engine;
using protocol::tls_established;

inline instant at(duration since_start) {
  return {time_point{} + 1000h + since_start, pki_now};
}

inline random_source seeded(unsigned seed) {
  return [rng = std::mt19937{seed}](uint8_t* out, size_t n) mutable {
    for (size_t i = 0; i < n; ++i)
      out[i] = static_cast<uint8_t>(rng());
  };
}

struct versions {
  int min = 0x0303;
  int max = 0;
};
constexpr versions tls12{0x0303, 0x0303};
constexpr versions tls13{0x0304, 0x0304};

inline negotiation_config config(role self, versions v = {}) {
  negotiation_config cfg;
  cfg.self = self;
  auto tls = self == role::client ? client_tls_config() : server_tls_config();
  tls.min_version = v.min;
  tls.max_version = v.max;
  cfg.tls = make_tls(tls);
  cfg.options = protocol::make_options_string({self});
  if (self == role::client) {
    cfg.username = "alice";
    cfg.password = secret{std::string_view{"wonderland"}};
    cfg.peer_info = "IV_VER=test\nIV_PROTO=14\n";
  }
  return cfg;
}

inline const session_id client_sid{{1, 2, 3, 4, 5, 6, 7, 8}};
inline const session_id server_sid{{9, 8, 7, 6, 5, 4, 3, 2}};

/// A line per event, so that order and content are compared at once.
struct describe_event {
  std::string operator()(const tls_established& x) const {
    return "established "
           + (x.peer.empty() ? "nobody" : x.peer.front().common_name);
  }
  std::string operator()(const keys_exchanged& x) const {
    return "exchanged " + x.username + ":" + std::string{x.password.text()};
  }
  std::string operator()(const text_received& x) const {
    return "text " + x.text;
  }
  std::string operator()(const negotiation_failed& x) const {
    return "failed " + to_string(x.what.why) + " " + x.what.text;
  }
};

using events = std::vector<std::string>;
inline events events_of(negotiation& x) {
  events result;
  while (auto e = x.poll_event())
    result.push_back(std::visit(describe_event{}, *e));
  return result;
}

inline std::string joined(const events& xs) {
  std::string result;
  for (auto& x : xs)
    result += x + "; ";
  return result;
}

struct negotiation_pair {
  negotiation client;
  negotiation server;

  explicit negotiation_pair(versions v = {})
    : negotiation_pair(config(role::client, v), config(role::server)) {}
  negotiation_pair(negotiation_config c, negotiation_config s)
    : client(std::move(c), seeded(1), at(0s)),
      server(std::move(s), seeded(2), at(0s)) {
    server.start(at(0s));
    client.start(at(0s));
  }
  template <class From, class To>
  static bool carry(From& from, To& to, size_t piece) {
    auto any = false;
    while (auto xs = from.poll_tls()) {
      any = true;
      for (byte_view rest{*xs}; !rest.empty(); rest = rest.from(piece))
        to.handle_tls(rest.first(piece), at(1s));
    }
    return any;
  }
  /// Until both are silent.
  static void exchange(negotiation& x, negotiation& y, size_t piece) {
    for (auto busy = true; busy;) {
      busy = carry(x, y, piece);
      busy = carry(y, x, piece) || busy;
    }
    CAF_REQUIRE_EQUAL(ERR_peek_error(), 0u);
  }
  void drive(size_t piece = 100000) { exchange(client, server, piece); }
};

/// A bare TLS engine on the other side, to say what no negotiation would say.
struct bare_pair {
  negotiation x;
  tls_engine peer;

  explicit bare_pair(role self)
    : x(config(self), seeded(1), at(0s)),
      peer(make_tls(self == role::client ? server_tls_config()
                                         : client_tls_config()),
           pki_now) {
    x.start(at(0s));
    peer.start();
    drive();
  }
  void drive() {
    for (auto busy = true; busy;) {
      busy = false;
      while (auto xs = x.poll_tls()) {
        peer.handle_input(*xs);
        busy = true;
      }
      while (auto xs = peer.poll_output()) {
        x.handle_tls(*xs, at(1s));
        busy = true;
      }
    }
  }
  void say(byte_view record) {
    CAF_REQUIRE(peer.send(record));
    drive();
  }
  void say(std::string_view record) { say(byte_view{record}); }
};

inline key_method_record record_of(role from) {
  key_method_record x;
  seeded(77)(x.source.random1.data(), 32);
  x.options = protocol::make_options_string({from});
  return x;
}

} // namespace vpn::test::negotiations
