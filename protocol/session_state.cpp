#include "vpn/protocol/session_state.hpp"

namespace vpn::protocol {

std::string to_string(session_state x) {
  switch (x) {
    case session_state::idle:
      return "idle";
    case session_state::resetting:
      return "resetting";
    case session_state::negotiating:
      return "negotiating";
    case session_state::configuring:
      return "configuring";
    case session_state::assigning:
      return "assigning";
    case session_state::connected:
      return "connected";
    case session_state::closed:
      return "closed";
  }
  return "?";
}

std::string to_string(session_event x) {
  switch (x) {
    case session_event::start:
      return "start";
    case session_event::peer_answered:
      return "peer_answered";
    case session_event::keys_exchanged:
      return "keys_exchanged";
    case session_event::configured:
      return "configured";
    case session_event::ready:
      return "ready";
    case session_event::stop:
      return "stop";
    case session_event::failed:
      return "failed";
  }
  return "?";
}

std::string session_states_as_dot() {
  std::string result = "digraph session {\n";
  for (const auto& t : session_transitions)
    result += "  " + to_string(t.from) + " -> " + to_string(t.to)
              + " [label=" + to_string(t.on) + "];\n";
  return result + "}\n";
}

std::string to_string(phase x) {
  switch (x) {
    case phase::connecting:
      return "CONNECTING";
    case phase::resolve:
      return "RESOLVE";
    case phase::tcp_connect:
      return "TCP_CONNECT";
    case phase::wait:
      return "WAIT";
    case phase::auth:
      return "AUTH";
    case phase::auth_pending:
      return "AUTH_PENDING";
    case phase::get_config:
      return "GET_CONFIG";
    case phase::assign_ip:
      return "ASSIGN_IP";
    case phase::add_routes:
      return "ADD_ROUTES";
    case phase::connected:
      return "CONNECTED";
    case phase::reconnecting:
      return "RECONNECTING";
    case phase::exiting:
      return "EXITING";
  }
  return "?";
}

} // namespace vpn::protocol
