// One function per option: role, what is pulled, timers and the rest.
// spec: openvpn-wire 7.2, 14
#include <algorithm>
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

/// A ping interval of more than a day is none.
constexpr uint32_t max_ping = 86400;
constexpr size_t max_filters = 256;

template <auto Member, uint32_t Min = 1>
outcome set_seconds(builder& b, const use& x) {
  return read_seconds(b.result.*Member, x.words[1], Min);
}

template <auto Member>
outcome set_flag(builder& b, const use&) {
  b.result.*Member = true;
  return {};
}

// -- role --

outcome set_client(builder& b, const use&) {
  b.is_client = true;
  b.pulls = true;
  return {};
}
outcome set_tls_client(builder& b, const use&) {
  b.is_client = true;
  return {};
}
outcome set_pull(builder& b, const use&) {
  b.pulls = true;
  return {};
}

// -- what is pulled --

outcome set_route_nopull(builder& b, const use&) {
  b.result.pull.route_nopull = true;
  return {};
}

outcome add_pull_filter(builder& b, const use& x) {
  pull_filter filter;
  auto& word = x.words[1];
  if (word == "accept")
    filter.what = pull_filter::action::accept;
  else if (word == "ignore")
    filter.what = pull_filter::action::ignore;
  else if (word == "reject")
    filter.what = pull_filter::action::reject;
  else
    return bad(quoted(word) + " is neither accept nor ignore nor reject");
  filter.prefix = x.words[2];
  if (b.result.pull.filters.size() == max_filters)
    return bad("more than 256 filters");
  b.result.pull.filters.push_back(std::move(filter));
  return {};
}

// -- timers --

outcome set_ping(builder& b, const use& x) {
  return read_seconds(b.result.pull.ping, x.words[1], 0, max_ping);
}
// There is one time limit for silence, and the later option decides what
// happens then.
outcome set_ping_restart(builder& b, const use& x) {
  auto result = read_seconds(b.result.pull.ping_restart, x.words[1], 0);
  if (result.error.empty())
    b.result.pull.ping_exit = {};
  return result;
}
outcome set_ping_exit(builder& b, const use& x) {
  auto result = read_seconds(b.result.pull.ping_exit, x.words[1], 0);
  if (result.error.empty())
    b.result.pull.ping_restart = {};
  return result;
}

outcome set_keepalive(builder& b, const use& x) {
  duration ping{}, restart{};
  auto result = read_seconds(ping, x.words[1], 1, max_ping);
  if (result.error.empty())
    result = read_seconds(restart, x.words[2], 1);
  if (!result.error.empty())
    return result;
  if (restart < 2 * ping)
    return bad("the second number must be at least twice the first");
  b.result.pull.ping = ping;
  b.result.pull.ping_restart = restart;
  b.result.pull.ping_exit = {};
  return {};
}

/// Without a number of bytes any packet keeps the tunnel up.
outcome set_inactive(builder& b, const use& x) {
  auto& pull = b.result.pull;
  duration limit{};
  uint64_t size = 0;
  auto result = read_seconds(limit, x.words[1], 0);
  if (x.count() > 1 && result.error.empty())
    result
      = read_number(size, x.words[2], 0, std::numeric_limits<int64_t>::max());
  if (!result.error.empty())
    return result;
  pull.inactive = limit;
  pull.inactive_bytes = size;
  return {};
}

outcome set_session_timeout(builder& b, const use& x) {
  return read_seconds(b.result.pull.session_timeout, x.words[1], 0);
}

// -- reading --

outcome set_ignore_unknown(builder& b, const use& x) {
  for (auto i = x.words.begin() + 1; i != x.words.end(); ++i)
    b.may_be_unknown.insert(i->compare(0, 2, "--") == 0 ? i->substr(2) : *i);
  return {};
}

outcome set_config(builder& b, const use& x) {
  b.include = x.words[1];
  return {};
}

constexpr profile_option options[] = {
  {"client", set_client},
  {"config", set_config},
  {"hand-window", set_seconds<&profile::hand_window>},
  {"ignore-unknown-option", set_ignore_unknown},
  {"inactive", set_inactive},
  {"keepalive", set_keepalive},
  {"persist-tun", set_flag<&profile::persist_tun>},
  {"ping", set_ping},
  {"ping-exit", set_ping_exit},
  {"ping-restart", set_ping_restart},
  {"pull", set_pull},
  {"pull-filter", add_pull_filter},
  {"push-peer-info", set_flag<&profile::push_peer_info>},
  {"route-nopull", set_route_nopull},
  {"session-timeout", set_session_timeout},
  {"single-session", set_flag<&profile::single_session>},
  {"tls-client", set_tls_client},
  {"tls-exit", set_flag<&profile::single_session>},
  {"tls-timeout", set_seconds<&profile::tls_timeout>},
  {"tran-window", set_seconds<&profile::transition_window>},
};

} // namespace

profile_option_range general_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
