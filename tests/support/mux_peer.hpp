// A control_mux and the packets of its peer, for tests of MUXER's decisions.
// Include it after CAF_SUITE is defined.
#pragma once

#include "vpn/protocol/control_mux.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

namespace vpn::test::mux {

using protocol::control_mux;
using protocol::control_packet;
using protocol::mux_config;
using protocol::mux_delivery;
using protocol::mux_peer_known;
using protocol::opcode;
using protocol::role;
using protocol::session_id;

constexpr auto client_v2 = opcode::control_hard_reset_client_v2;
constexpr auto client_v3 = opcode::control_hard_reset_client_v3;
constexpr auto server_v2 = opcode::control_hard_reset_server_v2;
constexpr auto soft = opcode::control_soft_reset_v1;
constexpr auto data = opcode::control_v1;

inline const session_id peer_id{{9, 8, 7, 6, 5, 4, 3, 2}};
inline const session_id foreign_id{{1, 1, 1, 1, 1, 1, 1, 1}};

inline instant at(int64_t seconds) {
  instant result;
  result.unix_seconds = seconds;
  return result;
}
inline const instant now = at(0x61d3bf6c);

inline control_mux make(const mux_config& cfg, uint64_t seed = 1) {
  auto result = control_mux::make(cfg, seeded{seed}.source());
  CAF_REQUIRE(result);
  return std::move(*result);
}

inline control_mux make(role self) {
  mux_config cfg;
  cfg.self = self;
  return make(cfg);
}

/// A packet of the peer, plain, that answers `mux`.
inline control_packet packet(const control_mux& mux, opcode op, uint32_t id = 0,
                             std::vector<uint32_t> acks = {}) {
  control_packet x;
  x.op = op;
  x.source = peer_id;
  x.id = id;
  x.acks = std::move(acks);
  if (!x.acks.empty())
    x.destination = mux.local();
  return x;
}

inline control_packet with_key_id(control_packet x, uint8_t key_id) {
  x.key_id = key_id;
  return x;
}

inline bool takes(control_mux& mux, const control_packet& x) {
  return static_cast<bool>(mux.handle_datagram(write_plain(x)));
}

inline bool refuses(control_mux& mux, const control_packet& x, errc wanted) {
  auto result = mux.handle_datagram(write_plain(x));
  return !result && result.error() == wanted && !mux.poll_event();
}

template <class T>
std::optional<T> next(control_mux& mux) {
  auto x = mux.poll_event();
  if (!x || !std::holds_alternative<T>(*x))
    return std::nullopt;
  return std::get<T>(std::move(*x));
}

/// True when the only event is the delivery of `x`.
inline bool delivers(control_mux& mux, const control_packet& x) {
  auto y = next<mux_delivery>(mux);
  return y && y->packet == x && !mux.poll_event();
}

/// A mux of either role that knows its peer and has key id 0.
inline control_mux known(const mux_config& cfg) {
  auto mux = make(cfg);
  auto self = cfg.self;
  mux.attach(0);
  auto first = self == role::client ? packet(mux, server_v2, 0, {0})
                                    : packet(mux, client_v2);
  CAF_REQUIRE(takes(mux, first));
  auto peer = next<mux_peer_known>(mux);
  CAF_REQUIRE(peer);
  CAF_CHECK(peer->local == mux.local());
  CAF_CHECK(peer->remote == peer_id);
  CAF_CHECK(delivers(mux, first));
  return mux;
}

inline control_mux known(role self) {
  mux_config cfg;
  cfg.self = self;
  return known(cfg);
}

} // namespace vpn::test::mux
