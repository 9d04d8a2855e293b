// Applies what a server pushed. Everything here comes from a peer: an option is
// applied whole or skipped with a warning, and all that grows has a bound.
// spec: openvpn-wire 7.1, 7.2, 8
#include "vpn/protocol/push_options.hpp"

#include "vpn/protocol/option_lexer.hpp"
#include "vpn/protocol/option_table.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <iterator>

#include "tunnel_options.hpp"

namespace vpn::protocol {

namespace {

using words_type = std::vector<std::string>;

/// More options than this are not even looked at.
constexpr size_t max_options = 8192;
constexpr size_t max_option_size = 1024;
constexpr size_t max_warnings = 64;
/// A ping interval of more than a day is none.
constexpr uint32_t max_ping = 86400;
constexpr uint32_t min_tun_mtu = 100;
/// "No peer id" on the wire.
constexpr uint32_t undefined_peer_id = 0xffffff;

struct push_state {
  push_state(const pull_config& cfg) : own(cfg), draft(draft_of(cfg.tunnel)) {
    result.ping = own.ping;
    result.ping_restart = own.ping_restart;
    result.ping_exit = own.ping_exit;
  }

  void warn(std::string_view name, const std::string& text) {
    if (result.warnings.size() < max_warnings)
      result.warnings.push_back("pushed option " + quoted(name) + ": " + text);
    else if (result.warnings.size() == max_warnings)
      result.warnings.emplace_back("further warnings are left out");
  }
  void fail(const std::string& text) {
    if (!failed)
      failed = failure{reason::push_refused, text};
  }

  const pull_config& own;
  tunnel_draft draft;
  negotiated_options result;
  /// The cipher as it was pushed.
  std::optional<std::string> cipher;
  std::optional<failure> failed;
};

option_outcome bad(std::string text) {
  return {std::move(text), {}};
}

// -- one function per option --

option_outcome set_seconds(duration& out, const words_type& words) {
  auto seconds = parse_number(words[1], 0, max_ping);
  if (!seconds)
    return bad("not a number of seconds up to one day");
  out = std::chrono::seconds{*seconds};
  return {};
}
option_outcome set_ping(push_state& state, const words_type& words) {
  return set_seconds(state.result.ping, words);
}
// There is one time limit for silence, and the later option decides what
// happens then.
option_outcome set_ping_restart(push_state& state, const words_type& words) {
  auto outcome = set_seconds(state.result.ping_restart, words);
  if (outcome.error.empty())
    state.result.ping_exit = {};
  return outcome;
}
option_outcome set_ping_exit(push_state& state, const words_type& words) {
  auto outcome = set_seconds(state.result.ping_exit, words);
  if (outcome.error.empty())
    state.result.ping_restart = {};
  return outcome;
}

option_outcome set_exit_notify(push_state& state, const words_type& words) {
  auto times = words.size() > 1 ? parse_number(words[1], 0, 100) : 1;
  if (!times)
    return bad("not a number from 0 to 100");
  state.result.exit_notify = times;
  return {};
}

option_outcome set_tun_mtu(push_state& state, const words_type& words) {
  auto mtu = parse_number(words[1], min_tun_mtu, 65535);
  if (!mtu)
    return bad("not a number from 100 to 65535");
  auto max = std::max(state.own.max_tun_mtu, min_tun_mtu);
  state.draft.tunnel.mtu = std::min(*mtu, max);
  if (*mtu <= max)
    return {};
  return {{},
          std::to_string(*mtu) + " is more than we can take, so it is "
            + std::to_string(max)};
}

option_outcome set_peer_id(push_state& state, const words_type& words) {
  auto id = parse_number(words[1], 0, undefined_peer_id);
  if (!id)
    return bad("not a number of 24 bits");
  state.result.peer_id = std::nullopt;
  if (*id != undefined_peer_id)
    state.result.peer_id = *id;
  return {};
}

option_outcome set_cipher(push_state& state, const words_type& words) {
  state.cipher = words[1];
  return {};
}

option_outcome set_key_derivation(push_state& state, const words_type& words) {
  if (words[1] != "tls-ekm")
    return bad("only tls-ekm is known");
  state.result.derivation = key_derivation::tls_ekm;
  return {};
}

option_outcome set_protocol_flags(push_state& state, const words_type& words) {
  std::string unknown;
  for (auto i = words.begin() + 1; i != words.end(); ++i) {
    if (*i == "tls-ekm")
      state.result.derivation = key_derivation::tls_ekm;
    else if (*i == "cc-exit")
      state.result.cc_exit = true;
    else
      unknown += " " + quoted(*i);
  }
  if (unknown.empty())
    return {};
  return {{}, "these flags are unknown:" + unknown};
}

option_outcome set_auth_token(push_state& state, const words_type& words) {
  if (words[1].empty())
    return bad("it is empty");
  state.result.auth_token = secret{words[1]};
  return {};
}

/// Standard base64 with padding, of printable text.
std::optional<std::string> decode_base64(const std::string& text) {
  if (text.empty() || text.size() % 4 != 0)
    return std::nullopt;
  auto padding = text.size() - (text.find_last_not_of('=') + 1);
  if (padding > 2)
    return std::nullopt;
  std::string result(text.size() / 4 * 3, '\0');
  auto n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                           reinterpret_cast<const unsigned char*>(text.data()),
                           static_cast<int>(text.size()));
  if (n < 0 || static_cast<size_t>(n) != result.size())
    return std::nullopt;
  result.resize(result.size() - padding);
  if (result.empty() || !is_printable(result))
    return std::nullopt;
  return result;
}

option_outcome set_auth_token_user(push_state& state, const words_type& words) {
  auto name = decode_base64(words[1]);
  if (!name)
    return bad("not a name in base64");
  state.result.auth_token_user = *name;
  return {};
}

option_outcome refuse_compression(push_state& state, const words_type& words) {
  // Only packets that begin with 0x50 look different under stub-v2, and no IP
  // packet does.
  if (words[0] == "compress" && words.size() == 2 && words[1] == "stub-v2")
    return {};
  state.fail("the server wants compression framing (" + words[0]
             + "), which is not supported; its owner can use `compress "
               "stub-v2` or none");
  return {};
}

/// Left as it is.
option_outcome leave(push_state&, const words_type&) {
  return {};
}

struct push_option {
  std::string_view name;
  option_outcome (*apply)(push_state&, const words_type&);
};

constexpr push_option push_only[] = {
  {"auth-token", set_auth_token},
  {"auth-token-user", set_auth_token_user},
  {"cipher", set_cipher},
  {"comp-lzo", refuse_compression},
  {"compress", refuse_compression},
  {"explicit-exit-notify", set_exit_notify},
  {"key-derivation", set_key_derivation},
  {"peer-id", set_peer_id},
  {"persist-tun", leave},
  {"ping", set_ping},
  {"ping-exit", set_ping_exit},
  {"ping-restart", set_ping_restart},
  {"protocol-flags", set_protocol_flags},
  {"tun-mtu", set_tun_mtu},
};

// -- any option --

option_outcome apply_known(push_state& state, const option_info& info,
                           const words_type& words) {
  auto given = words.size() - 1;
  if (given < info.min_words || given > info.max_words)
    return bad("it has " + std::to_string(given)
               + (given == 1 ? " word" : " words") + " after its name");
  if (auto x = find_tunnel_option(words[0])) {
    if (x->is_route_or_name && state.own.route_nopull)
      return bad("left out because of route-nopull");
    return x->apply(state.draft, words);
  }
  auto i
    = std::find_if(std::begin(push_only), std::end(push_only), [&](auto& x) {
        return x.name == words[0];
      });
  if (i != std::end(push_only))
    return i->apply(state, words);
  if (info.kind == option_class::silent)
    return {};
  return bad(*info.note == '\0' ? "it has no effect when it is pushed"
                                : info.note);
}

/// False when a filter drops the option.
bool passes_filters(push_state& state, std::string_view option) {
  auto name = option.substr(0, option.find(' '));
  for (auto& filter : state.own.filters) {
    if (option.substr(0, filter.prefix.size()) != filter.prefix)
      continue;
    switch (filter.what) {
      case pull_filter::action::accept:
        return true;
      case pull_filter::action::ignore:
        state.warn(name, "left out because of pull-filter");
        return false;
      case pull_filter::action::reject:
        state.fail("pull-filter rejects the pushed option " + quoted(name));
        return false;
    }
  }
  return true;
}

void apply_option(push_state& state, std::string_view option) {
  auto begin = option.find_first_not_of(' ');
  if (begin == std::string_view::npos)
    return;
  option.remove_prefix(begin);
  auto name = option.substr(0, option.find(' '));
  // Checked before anything else: what follows may log it or hand it on.
  if (option.size() > max_option_size)
    return state.warn(name, "it is too long");
  if (!is_printable(option))
    return state.warn(name, "it has control characters");
  if (!passes_filters(state, option))
    return;
  auto line = lex_option_line(option);
  if (!line.error.empty())
    return state.warn(name, "it cannot be read: " + line.error);
  if (line.words.empty())
    return;
  auto info = find_option(line.words[0]);
  if (info == nullptr)
    return state.warn(line.words[0], "it is unknown");
  if (!info->pushable)
    return state.warn(info->name, "a server may not set it");
  auto outcome = apply_known(state, *info, line.words);
  // The option may have been the auth-token.
  for (auto& word : line.words)
    wipe(word.data(), word.size());
  if (!outcome.error.empty())
    state.warn(info->name, "skipped: " + outcome.error);
  if (!outcome.warning.empty())
    state.warn(info->name, outcome.warning);
}

/// The value of `cipher` in an options string, empty if there is none.
std::string_view cipher_of(std::string_view options) {
  constexpr std::string_view key = "cipher ";
  while (!options.empty()) {
    auto item = options.substr(0, options.find(','));
    if (item.substr(0, key.size()) == key)
      return item.substr(key.size());
    options.remove_prefix(std::min(item.size() + 1, options.size()));
  }
  return {};
}

/// spec: openvpn-wire 8
void choose_cipher(push_state& state, std::string_view remote_options) {
  auto& own = state.own;
  auto is_ours = [&](const std::optional<data_cipher>& x) {
    return x
           && std::find(own.ciphers.begin(), own.ciphers.end(), *x)
                != own.ciphers.end();
  };
  if (state.cipher) {
    auto pushed = parse_data_cipher(*state.cipher);
    if (is_ours(pushed) || (pushed && pushed == own.fallback))
      state.result.cipher = pushed;
    else
      state.fail("the server chose the cipher " + quoted(*state.cipher)
                 + ", which is not in data-ciphers");
    return;
  }
  auto announced = parse_data_cipher(cipher_of(remote_options));
  if (is_ours(announced))
    state.result.cipher = announced;
  else if (own.fallback)
    state.result.cipher = own.fallback;
  else
    state.fail("the server chose no cipher of ours, and there is no "
               "data-ciphers-fallback");
}

void finish_tunnel(push_state& state) {
  auto metric = state.draft.route_metric.value_or(state.own.route_metric);
  auto finished = finish(std::move(state.draft));
  if (!finished.problem.empty())
    state.warn("ifconfig", "skipped: " + finished.problem);
  state.result.tunnel = std::move(finished.tunnel);
  if (metric != 0)
    for (auto& route : state.result.tunnel.routes)
      if (!route.metric)
        route.metric = metric;
}

} // namespace

expected<negotiated_options, failure>
apply_push(const pull_config& own, const std::vector<std::string>& pushed,
           const std::string& remote_options) {
  push_state state{own};
  auto count = std::min(pushed.size(), max_options);
  for (size_t i = 0; i < count && !state.failed; ++i)
    apply_option(state, pushed[i]);
  if (count < pushed.size())
    state.warn("...", "more than 8192 options, the rest is skipped");
  if (!state.failed)
    choose_cipher(state, remote_options);
  if (state.failed)
    return *state.failed;
  finish_tunnel(state);
  return std::move(state.result);
}

} // namespace vpn::protocol
