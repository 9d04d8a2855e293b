// The states of a session: the whole table, written down a second time, and its
// picture in docs/session.dot.
// spec: openvpn-wire 12.1

#define CAF_SUITE protocol.session_state

#include "vpn/protocol/session_state.hpp"

#include "caf/test/unit_test.hpp"

#include <fstream>
#include <iterator>
#include <set>

using namespace vpn::protocol;

namespace {

using state = session_state;
using event = session_event;

constexpr state all_states[]
  = {state::idle,      state::resetting, state::negotiating, state::configuring,
     state::assigning, state::connected, state::closed};
constexpr event all_events[] = {
  event::start, event::peer_answered, event::keys_exchanged, event::configured,
  event::ready, event::stop,          event::failed};

constexpr auto none = std::optional<state>{};
constexpr auto closed = std::optional<state>{state::closed};

/// A row per state, a column per event, in the order of the lists above.
constexpr std::optional<state> table[7][7] = {
  // start, peer_answered, keys_exchanged, configured, ready, stop, failed
  {state::resetting, none, none, none, none, closed, closed},
  {none, state::negotiating, none, none, none, closed, closed},
  {none, none, state::configuring, none, none, closed, closed},
  {none, none, none, state::assigning, none, closed, closed},
  {none, none, none, none, state::connected, closed, closed},
  {none, none, none, none, none, closed, closed},
  {none, none, none, none, none, none, none},
};

std::string golden() {
  // This file is tests/protocol/session_state.cpp of the source tree.
  std::string path = __FILE__;
  for (int i = 0; i < 3; ++i) {
    auto slash = path.find_last_of('/');
    path = slash == std::string::npos ? "." : path.substr(0, slash);
  }
  std::ifstream in{path + "/docs/session.dot"};
  CAF_REQUIRE(in);
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

CAF_TEST(each pair of state and event does what the table says) {
  for (size_t s = 0; s < std::size(all_states); ++s)
    for (size_t e = 0; e < std::size(all_events); ++e) {
      auto to = next(all_states[s], all_events[e]);
      CAF_MESSAGE(to_string(all_states[s])
                  << " on " << to_string(all_events[e]));
      CAF_CHECK(to == table[s][e]);
    }
}

CAF_TEST(no pair has two transitions) {
  std::set<std::pair<int, int>> seen;
  for (const auto& t : session_transitions)
    CAF_CHECK(
      seen.emplace(static_cast<int>(t.from), static_cast<int>(t.on)).second);
}

CAF_TEST(every state is reached and only the last one is never left) {
  std::set<int> reached{static_cast<int>(state::idle)};
  std::set<int> left;
  for (const auto& t : session_transitions) {
    reached.insert(static_cast<int>(t.to));
    left.insert(static_cast<int>(t.from));
  }
  CAF_CHECK_EQUAL(reached.size(), std::size(all_states));
  CAF_CHECK_EQUAL(left.size(), std::size(all_states) - 1);
  CAF_CHECK_EQUAL(left.count(static_cast<int>(state::closed)), 0u);
}

CAF_TEST(nothing leads back) {
  for (const auto& t : session_transitions)
    CAF_CHECK(t.from < t.to);
}

CAF_TEST(a value outside the lists goes nowhere) {
  auto s = static_cast<state>(200);
  auto e = static_cast<event>(200);
  CAF_CHECK(next(s, event::stop) == none);
  CAF_CHECK(next(state::idle, e) == none);
  CAF_CHECK_EQUAL(to_string(s), "?");
  CAF_CHECK_EQUAL(to_string(e), "?");
  CAF_CHECK_EQUAL(to_string(static_cast<phase>(200)), "?");
}

CAF_TEST(the picture in the documentation is the table) {
  CAF_CHECK_EQUAL(session_states_as_dot(), golden());
}

CAF_TEST(states and events have words of their own) {
  std::set<std::string> words;
  for (auto s : all_states)
    CAF_CHECK(words.insert(to_string(s)).second);
  for (auto e : all_events)
    CAF_CHECK(words.insert(to_string(e)).second);
  CAF_CHECK_EQUAL(words.count("?"), 0u);
}

CAF_TEST(phases have the names of the management interface) {
  constexpr std::pair<phase, const char*> names[] = {
    {phase::connecting, "CONNECTING"},
    {phase::resolve, "RESOLVE"},
    {phase::tcp_connect, "TCP_CONNECT"},
    {phase::wait, "WAIT"},
    {phase::auth, "AUTH"},
    {phase::auth_pending, "AUTH_PENDING"},
    {phase::get_config, "GET_CONFIG"},
    {phase::assign_ip, "ASSIGN_IP"},
    {phase::add_routes, "ADD_ROUTES"},
    {phase::connected, "CONNECTED"},
    {phase::reconnecting, "RECONNECTING"},
    {phase::exiting, "EXITING"},
  };
  CAF_CHECK_EQUAL(std::size(names), static_cast<size_t>(phase::exiting) + 1);
  for (auto [x, name] : names)
    CAF_CHECK_EQUAL(to_string(x), name);
}
