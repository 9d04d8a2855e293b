// The states of one session as a table.
// spec: openvpn-wire 12.1
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vpn::protocol {

enum class session_state : uint8_t {
  /// Nothing sent yet.
  idle,
  /// Hard reset sent (client) or awaited (server).
  resetting,
  /// The peer answered; TLS and key method 2 are under way.
  negotiating,
  /// Client: waits for PUSH_REPLY. Server: decides about the credentials.
  configuring,
  /// Data keys and device are being set up.
  assigning,
  /// Traffic flows.
  connected,
  closed,
};

enum class session_event : uint8_t {
  start,
  peer_answered,
  keys_exchanged,
  configured,
  ready,
  stop,
  failed,
};

struct session_transition {
  session_state from;
  session_event on;
  session_state to;
};

/// The whole machine. tests/protocol/session_state.cpp prints it.
constexpr session_transition session_transitions[] = {
  {session_state::idle, session_event::start, session_state::resetting},
  {session_state::resetting, session_event::peer_answered,
   session_state::negotiating},
  {session_state::negotiating, session_event::keys_exchanged,
   session_state::configuring},
  {session_state::configuring, session_event::configured,
   session_state::assigning},
  {session_state::assigning, session_event::ready, session_state::connected},
  {session_state::idle, session_event::stop, session_state::closed},
  {session_state::resetting, session_event::stop, session_state::closed},
  {session_state::negotiating, session_event::stop, session_state::closed},
  {session_state::configuring, session_event::stop, session_state::closed},
  {session_state::assigning, session_event::stop, session_state::closed},
  {session_state::connected, session_event::stop, session_state::closed},
  {session_state::idle, session_event::failed, session_state::closed},
  {session_state::resetting, session_event::failed, session_state::closed},
  {session_state::negotiating, session_event::failed, session_state::closed},
  {session_state::configuring, session_event::failed, session_state::closed},
  {session_state::assigning, session_event::failed, session_state::closed},
  {session_state::connected, session_event::failed, session_state::closed},
};

/// The state after `e`, or nothing if `e` is illegal in `s`.
constexpr std::optional<session_state> next(session_state s, session_event e) {
  for (const auto& t : session_transitions)
    if (t.from == s && t.on == e)
      return t.to;
  return std::nullopt;
}

static_assert(next(session_state::idle, session_event::start)
              == session_state::resetting);
static_assert(!next(session_state::resetting, session_event::ready));
static_assert(!next(session_state::closed, session_event::start));

std::string to_string(session_state x);
std::string to_string(session_event x);
/// The table as a graph in dot.
std::string session_states_as_dot();

/// What users see of a session: the state names of OpenVPN's management
/// interface.
enum class phase : uint8_t {
  connecting,
  resolve,
  tcp_connect,
  wait,
  auth,
  auth_pending,
  get_config,
  assign_ip,
  add_routes,
  connected,
  reconnecting,
  exiting,
};

/// "GET_CONFIG".
std::string to_string(phase x);

} // namespace vpn::protocol
