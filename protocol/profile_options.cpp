// One function per option: role, pulling, timers, scripts and the rest.
// spec: openvpn-wire 14
#include "vpn/protocol/option_lexer.hpp"

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
constexpr size_t max_peer_info = 64;

template <auto Member, uint32_t Min, uint32_t Max>
outcome set_number(builder& b, const use& x) {
  return read_number(b.result.*Member, x.words[1], Min, Max);
}

template <auto Member, uint32_t Min = 1>
outcome set_seconds(builder& b, const use& x) {
  return read_seconds(b.result.*Member, x.words[1], Min);
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

outcome set_allow_compression(builder&, const use& x) {
  if (x.words[1] == "no")
    return {};
  if (x.words[1] == "asym" || x.words[1] == "yes")
    return no_effect("compression is not supported, in neither direction");
  return bad(quoted(x.words[1]) + " is neither no nor asym nor yes");
}

outcome set_compress(builder&, const use& x) {
  // Only packets that begin with 0x50 look different under stub-v2, and no IP
  // packet does.
  if (x.count() == 1 && x.words[1] == "stub-v2")
    return {};
  return bad("compression framing is not supported; remove it here and on the "
             "server, or use `compress stub-v2` on both");
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

outcome set_connect_retry(builder& b, const use& x) {
  auto wait = b.result.connect_retry;
  auto max_wait = b.result.connect_retry_max_wait;
  auto result = read_seconds(wait, x.words[1], 1);
  if (x.count() > 1 && result.error.empty())
    result = read_seconds(max_wait, x.words[2], 1);
  if (!result.error.empty())
    return result;
  b.result.connect_retry = wait;
  b.result.connect_retry_max_wait = std::max(wait, max_wait);
  return {};
}

outcome set_connect_retry_max(builder& b, const use& x) {
  if (x.words[1] == "unlimited") {
    b.result.connect_retry_max = 0;
    return {};
  }
  return read_number(b.result.connect_retry_max, x.words[1], 0, 1000000);
}

outcome set_reneg_sec(builder& b, const use& x) {
  duration ignored{};
  if (x.count() > 1)
    if (auto result = read_seconds(ignored, x.words[2], 0);
        !result.error.empty())
      return result;
  return read_seconds(b.result.reneg_after, x.words[1], 0);
}

outcome set_explicit_exit_notify(builder& b, const use& x) {
  if (x.count() > 0)
    return read_number(b.result.explicit_exit_notify, x.words[1], 0, 100);
  b.result.explicit_exit_notify = 1;
  return {};
}

// -- host --

outcome set_persist_tun(builder& b, const use&) {
  b.result.persist_tun = true;
  return {};
}

outcome read_command(std::vector<std::string>& out, const use& x) {
  auto command = lex_option_line(x.words[1]);
  if (!command.error.empty())
    return bad("the command cannot be read: " + command.error);
  if (command.words.empty() || command.words[0].empty())
    return bad("there is no command");
  out = std::move(command.words);
  return {};
}
outcome set_up(builder& b, const use& x) {
  return read_command(b.result.up, x);
}
outcome set_down(builder& b, const use& x) {
  return read_command(b.result.down, x);
}

outcome set_setenv(builder& b, const use& x) {
  auto& name = x.words[1];
  if (x.count() > 2)
    return bad("it takes a name and a value");
  if (name == "FORWARD_COMPATIBLE") {
    b.forward_compatible = x.count() == 2 && x.words[2] != "0";
    return {};
  }
  // A hint for programs that ask for certificates.
  if (name == "CLIENT_CERT")
    return {};
  if (name.compare(0, 3, "UV_") != 0)
    return no_effect("only UV_ variables have an effect");
  auto value = x.count() == 2 ? x.words[2] : std::string{};
  if (name.size() > 64 || !is_word(name, "_") || !is_printable(value)
      || value.size() > 256)
    return bad("the variable has a bad name, or a value that is too long or "
               "has control characters");
  auto& info = b.result.peer_info;
  auto i = std::find_if(info.begin(), info.end(), [&](auto& y) {
    return y.first == name;
  });
  if (i != info.end())
    i->second = value;
  else if (info.size() == max_peer_info)
    return bad("more than 64 variables");
  else
    info.emplace_back(name, value);
  return {};
}

outcome set_ignore_unknown(builder& b, const use& x) {
  b.may_be_unknown.insert(x.words.begin() + 1, x.words.end());
  return {};
}

outcome set_config(builder& b, const use& x) {
  b.include = x.words[1];
  return {};
}

constexpr profile_option options[] = {
  {"allow-compression", set_allow_compression},
  {"client", set_client},
  {"compress", set_compress},
  {"config", set_config},
  {"connect-retry", set_connect_retry},
  {"connect-retry-max", set_connect_retry_max},
  {"connect-timeout", set_seconds<&profile::connect_timeout>},
  {"down", set_down},
  {"explicit-exit-notify", set_explicit_exit_notify},
  {"hand-window", set_seconds<&profile::hand_window>},
  {"ignore-unknown-option", set_ignore_unknown},
  {"keepalive", set_keepalive},
  {"max-packet-size",
   set_number<&profile::max_packet_size, min_control_packet, 2048>},
  {"persist-tun", set_persist_tun},
  {"ping", set_ping},
  {"ping-exit", set_ping_exit},
  {"ping-restart", set_ping_restart},
  {"pull", set_pull},
  {"pull-filter", add_pull_filter},
  {"rcvbuf", set_number<&profile::rcvbuf, 0, max_seconds>},
  {"reneg-sec", set_reneg_sec},
  {"route-nopull", set_route_nopull},
  {"script-security", set_number<&profile::script_security, 0, 3>},
  {"server-poll-timeout", set_seconds<&profile::connect_timeout>},
  {"setenv", set_setenv},
  {"sndbuf", set_number<&profile::sndbuf, 0, max_seconds>},
  {"tls-client", set_tls_client},
  {"tls-timeout", set_seconds<&profile::tls_timeout>},
  {"tran-window", set_seconds<&profile::transition_window>},
  {"up", set_up},
  {"verb", set_number<&profile::verbosity, 0, 11>},
};

} // namespace

profile_option_range general_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
