// One function per pushed option about timers, keys, compression, the socket
// and the rest.
// spec: openvpn-wire 7.2, 10.2
#include "push_handlers.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace vpn::protocol {

namespace {

constexpr size_t max_warnings = 64;
constexpr size_t max_echoes = 64;
constexpr size_t max_variables = 64;
constexpr size_t max_variable_name = 64;
constexpr size_t max_variable_value = 255;
/// A ping interval of more than a day is none.
constexpr uint32_t max_ping = 86400;
constexpr uint32_t max_lifetime = 0x7fffffff;
constexpr uint32_t max_buffer = 64 << 20;
constexpr uint32_t max_verbosity = 15;
constexpr uint32_t min_tun_mtu = 100;
/// "No peer id" on the wire.
constexpr uint32_t undefined_peer_id = 0xffffff;

// -- timers --

option_outcome set_seconds(duration& out, const option_words& words,
                           uint32_t max, const char* error) {
  auto seconds = parse_number(words[1], 0, max);
  if (!seconds)
    return not_applied(error);
  out = std::chrono::seconds{*seconds};
  return {};
}
option_outcome set_ping_time(duration& out, const option_words& words) {
  return set_seconds(out, words, max_ping,
                     "not a number of seconds up to one day");
}

option_outcome set_ping(push_state& state, const option_words& words) {
  return set_ping_time(state.result.ping, words);
}
// There is one time limit for silence, and the later option decides what
// happens then.
option_outcome set_ping_restart(push_state& state, const option_words& words) {
  auto outcome = set_ping_time(state.result.ping_restart, words);
  if (outcome.error.empty())
    state.result.ping_exit = {};
  return outcome;
}
option_outcome set_ping_exit(push_state& state, const option_words& words) {
  auto outcome = set_ping_time(state.result.ping_exit, words);
  if (outcome.error.empty())
    state.result.ping_restart = {};
  return outcome;
}

option_outcome set_inactive(push_state& state, const option_words& words) {
  uint64_t bytes = 0;
  if (words.size() > 2) {
    auto& word = words[2];
    auto end = word.data() + word.size();
    auto [stop, error] = std::from_chars(word.data(), end, bytes);
    if (word.empty() || error != std::errc{} || stop != end)
      return not_applied("its second word is not a number of bytes");
  }
  auto outcome = set_seconds(state.result.inactive, words, max_lifetime,
                             "its first word is not a number of seconds");
  if (outcome.error.empty())
    state.result.inactive_bytes = bytes;
  return outcome;
}

option_outcome set_session_timeout(push_state& state,
                                   const option_words& words) {
  return set_seconds(state.result.session_timeout, words, max_lifetime,
                     "not a number of seconds");
}

option_outcome set_exit_notify(push_state& state, const option_words& words) {
  auto times = words.size() > 1 ? parse_number(words[1], 0, 100) : 1;
  if (!times)
    return not_applied("not a number from 0 to 100");
  state.result.exit_notify = times;
  return {};
}

// -- negotiation --

option_outcome set_tun_mtu(push_state& state, const option_words& words) {
  auto mtu = parse_number(words[1], min_tun_mtu, 65535);
  if (!mtu || (words.size() > 2 && !parse_number(words[2], 0, 65535)))
    return not_applied("not a number from 100 to 65535");
  auto max = std::max(state.own.max_tun_mtu, min_tun_mtu);
  state.draft.tunnel.mtu = std::min(*mtu, max);
  if (*mtu <= max)
    return {};
  return {{},
          std::to_string(*mtu) + " is more than we can take, so it is "
            + std::to_string(max)};
}

option_outcome set_peer_id(push_state& state, const option_words& words) {
  auto id = parse_number(words[1], 0, undefined_peer_id);
  if (!id)
    return not_applied("not a number of 24 bits");
  state.result.peer_id = std::nullopt;
  if (*id != undefined_peer_id)
    state.result.peer_id = *id;
  return {};
}

option_outcome set_cipher(push_state& state, const option_words& words) {
  state.cipher = words[1];
  return {};
}

option_outcome set_key_derivation(push_state& state,
                                  const option_words& words) {
  if (words[1] != "tls-ekm")
    return not_applied("only tls-ekm is known");
  state.result.derivation = key_derivation::tls_ekm;
  return {};
}

option_outcome set_protocol_flags(push_state& state,
                                  const option_words& words) {
  std::string unknown;
  for (auto i = words.begin() + 1; i != words.end(); ++i) {
    if (*i == "tls-ekm")
      state.result.derivation = key_derivation::tls_ekm;
    else if (*i == "cc-exit")
      state.result.cc_exit = true;
    else if (*i == "dyn-tls-crypt")
      state.result.dynamic_tls_crypt = true;
    else if (*i == "aead-epoch")
      state.wants_epoch = true;
    else
      unknown += " " + quoted(*i);
  }
  if (unknown.empty())
    return {};
  return {{}, "these flags are unknown:" + unknown};
}

option_outcome set_auth_token(push_state& state, const option_words& words) {
  if (words[1].empty())
    return not_applied("it is empty");
  state.result.auth_token = secret{words[1]};
  return {};
}

option_outcome set_auth_token_user(push_state& state,
                                   const option_words& words) {
  auto name = decode_base64_text(words[1]);
  if (!name)
    return not_applied("not a name in base64");
  state.result.auth_token_user = *name;
  return {};
}

option_outcome set_framing(push_state& state, const option_words& words) {
  auto framing = parse_compression(words);
  if (!framing)
    return not_applied(words.size() > 1 && words[1] == "migrate"
                         ? "only a server can migrate"
                         : "this algorithm is unknown");
  state.framing = framing;
  state.framing_text = to_string(*framing);
  return {};
}

// -- socket, process, scripts --

option_outcome set_buffer(std::optional<uint32_t>& out,
                          const option_words& words) {
  auto size = parse_number(words[1], 0, max_buffer);
  if (!size)
    return not_applied("not a number of bytes up to 64 MiB");
  out = *size;
  return {};
}
option_outcome set_sndbuf(push_state& state, const option_words& words) {
  return set_buffer(state.result.sndbuf, words);
}
option_outcome set_rcvbuf(push_state& state, const option_words& words) {
  return set_buffer(state.result.rcvbuf, words);
}

option_outcome set_socket_flags(push_state& state, const option_words& words) {
  if (words.size() < 2
      || !std::all_of(words.begin() + 1, words.end(), [](auto& x) {
           return x == "TCP_NODELAY";
         }))
    return not_applied("only TCP_NODELAY is known");
  state.result.tcp_nodelay = true;
  return {};
}

option_outcome set_verbosity(push_state& state, const option_words& words) {
  auto level = parse_number(words[1], 0, max_verbosity);
  if (!level)
    return not_applied("not a number from 0 to 15");
  state.result.verbosity = static_cast<int>(*level);
  return {};
}

/// Repeated messages are counted in any case.
option_outcome check_mute(push_state&, const option_words& words) {
  if (!parse_number(words[1]))
    return not_applied("not a number");
  return {};
}

option_outcome keep_device(push_state& state, const option_words&) {
  state.result.persist_tun = true;
  return {};
}

option_outcome set_variable(push_state& state, const option_words& words) {
  auto& name = words[1];
  auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_';
  };
  if (name.empty() || name.size() > max_variable_name
      || !std::all_of(name.begin(), name.end(), is_allowed))
    return not_applied("the name may have up to 64 letters, digits and _");
  std::string value = words.size() > 2 ? words[2] : std::string{};
  if (value.size() > max_variable_value
      || !std::all_of(value.begin(), value.end(), [](char c) {
           return c >= 0x20 && c < 0x7f;
         }))
    return not_applied("the value is too long or not printable ASCII");
  auto& all = state.result.environment;
  auto i = std::find_if(all.begin(), all.end(), [&](auto& x) {
    return x.first == name;
  });
  if (i != all.end())
    i->second = std::move(value);
  else if (all.size() >= max_variables)
    return not_applied("more than 64 variables");
  else
    all.emplace_back(name, std::move(value));
  return {};
}

option_outcome keep_echo(push_state& state, const option_words& words) {
  auto& all = state.result.echoes;
  if (all.size() >= max_echoes)
    return not_applied("more than 64 of them");
  std::string text;
  for (auto i = words.begin() + 1; i != words.end(); ++i)
    text += (text.empty() ? "" : " ") + *i;
  all.push_back(std::move(text));
  return {};
}

struct push_option {
  std::string_view name;
  push_handler apply;
};

constexpr push_option options[] = {
  {"auth-token", set_auth_token},
  {"auth-token-user", set_auth_token_user},
  {"cipher", set_cipher},
  {"comp-lzo", set_framing},
  {"compress", set_framing},
  {"echo", keep_echo},
  {"explicit-exit-notify", set_exit_notify},
  {"inactive", set_inactive},
  {"key-derivation", set_key_derivation},
  {"mute", check_mute},
  {"peer-id", set_peer_id},
  {"persist-tun", keep_device},
  {"ping", set_ping},
  {"ping-exit", set_ping_exit},
  {"ping-restart", set_ping_restart},
  {"protocol-flags", set_protocol_flags},
  {"rcvbuf", set_rcvbuf},
  {"session-timeout", set_session_timeout},
  {"setenv-safe", set_variable},
  {"sndbuf", set_sndbuf},
  {"socket-flags", set_socket_flags},
  {"tun-mtu", set_tun_mtu},
  {"verb", set_verbosity},
};

} // namespace

push_state::push_state(const pull_config& cfg)
  : own(cfg),
    draft(draft_of(cfg.tunnel)) {
  draft.pushed = true;
  draft.nat = own.nat;
  result.ping = own.ping;
  result.ping_restart = own.ping_restart;
  result.ping_exit = own.ping_exit;
  result.inactive = own.inactive;
  result.inactive_bytes = own.inactive_bytes;
  result.session_timeout = own.session_timeout;
  result.framing = own.framing;
}

void push_state::warn(const std::string& name, const std::string& text) {
  auto& all = result.warnings;
  if (all.size() < max_warnings)
    all.push_back("pushed option " + name + ": " + text);
  else if (all.size() == max_warnings)
    all.emplace_back("further warnings are left out");
}

void push_state::fail(const std::string& text) {
  if (!failed)
    failed = failure{reason::push_refused, text};
}

push_handler find_push_handler(std::string_view name) {
  auto i = std::find_if(std::begin(options), std::end(options), [&](auto& x) {
    return x.name == name;
  });
  return i == std::end(options) ? nullptr : i->apply;
}

} // namespace vpn::protocol
