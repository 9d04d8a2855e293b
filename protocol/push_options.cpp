// Applies what a server pushed. Everything here comes from a peer: an option is
// applied whole or skipped with a warning, and all that grows has a bound.
// spec: openvpn-wire 7.1, 7.2, 8, 9.9, 10.4
#include "vpn/protocol/push_options.hpp"

#include "vpn/protocol/option_lexer.hpp"
#include "vpn/protocol/option_table.hpp"

#include <algorithm>

#include "push_handlers.hpp"
#include "tunnel_options_dhcp.hpp"

namespace vpn::protocol {

namespace {

option_outcome apply_known(push_state& state, const option_info& info,
                           const option_words& words) {
  auto given = words.size() - 1;
  if (given < info.min_words || given > info.max_words)
    return not_applied("it has " + std::to_string(given)
                       + (given == 1 ? " word" : " words") + " after its name");
  if (auto x = find_tunnel_option(words[0])) {
    if (x->is_route_or_name && state.own.route_nopull)
      return not_applied("left out because of route-nopull");
    return x->apply(state.draft, words);
  }
  if (auto apply = find_push_handler(words[0]))
    return apply(state, words);
  if (info.kind == option_class::silent)
    return {};
  return not_applied(info.kind == option_class::accepted
                       ? "it has no effect when it is pushed"
                       : info.note);
}

/// True when the words, one blank between each two, begin with `prefix`.
bool begin_with(const std::vector<std::string>& words,
                std::string_view prefix) {
  for (size_t i = 0; i < words.size() && !prefix.empty(); ++i) {
    if (i > 0) {
      if (prefix.front() != ' ')
        return false;
      prefix.remove_prefix(1);
    }
    auto word = std::string_view{words[i]};
    auto n = std::min(word.size(), prefix.size());
    if (word.substr(0, n) != prefix.substr(0, n))
      return false;
    prefix.remove_prefix(n);
  }
  return prefix.empty();
}

/// False when a filter drops the option. It looks at the text as it was pushed
/// and at its words, so that no quote or blank leads past it.
bool passes_filters(push_state& state, std::string_view option,
                    const std::vector<std::string>& words) {
  auto name = shown_name(option);
  for (auto& filter : state.own.filters) {
    if (option.substr(0, filter.prefix.size()) != filter.prefix
        && !begin_with(words, filter.prefix))
      continue;
    switch (filter.what) {
      case pull_filter::action::accept:
        return true;
      case pull_filter::action::ignore:
        state.warn(name, "left out because of pull-filter");
        return false;
      case pull_filter::action::reject:
        state.fail("pull-filter rejects the pushed option " + name);
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
  auto name = shown_name(option);
  // Checked before anything else: what follows may log it or hand it on.
  if (option.size() > max_pushed_size)
    return state.warn(name, "it is too long");
  if (!is_printable(option))
    return state.warn(name, "it has control characters");
  auto line = lex_option_line(option);
  if (!line.error.empty())
    return state.warn(name, "it cannot be read: " + line.error);
  if (line.words.empty() || !passes_filters(state, option, line.words))
    return;
  auto info = find_option(line.words[0]);
  if (info == nullptr)
    return state.warn(name, "it is unknown");
  if (!info->pushable)
    return state.warn(name, "a server may not set it");
  auto outcome = apply_known(state, *info, line.words);
  // The option may have been the auth-token.
  for (auto& word : line.words)
    wipe(word.data(), word.size());
  if (!outcome.error.empty())
    state.warn(name, "skipped: " + outcome.error);
  if (!outcome.warning.empty())
    state.warn(name, outcome.warning);
}

/// The value of `cipher` in an options string, empty if there is none.
std::string_view cipher_of(std::string_view options) {
  constexpr std::string_view key = "cipher ";
  while (!options.empty()) {
    auto item = options.substr(0, options.find(','));
    if (item.substr(0, key.size()) == key) {
      auto name = item.substr(key.size());
      return name == "[null-cipher]" ? "none" : name;
    }
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

/// Both ends must agree on the framing even when nobody compresses.
/// spec: openvpn-wire 10.4
void choose_framing(push_state& state) {
  auto& result = state.result;
  if (state.framing) {
    if (may_compress(*state.framing) && !state.own.allow_compressed)
      return state.fail("the server wants compressed packets ("
                        + state.framing_text
                        + "), and `allow-compression` does not allow them; "
                          "with `allow-compression asym` they are opened");
    result.framing = *state.framing;
  }
  result.decompress
    = state.own.allow_compressed && may_compress(result.framing);
}

/// The server sends in that format from its first packet on, so without what it
/// needs nothing could be read.
void choose_format(push_state& state) {
  auto& result = state.result;
  if (!state.wants_epoch)
    return;
  if (!result.cipher || !is_aead(*result.cipher))
    state.fail("protocol-flags aead-epoch needs an AEAD cipher");
  else if (result.derivation != key_derivation::tls_ekm)
    state.fail("protocol-flags aead-epoch needs tls-ekm beside it");
  else if (!result.peer_id)
    state.fail("protocol-flags aead-epoch needs a peer-id");
  else
    result.epoch = true;
}

void finish_tunnel(push_state& state) {
  auto metric = state.draft.route_metric.value_or(state.own.route_metric);
  auto finished = finish(std::move(state.draft));
  if (!finished.problem.empty())
    state.warn("'ifconfig'", "skipped: " + finished.problem);
  if (!finished.dns_problem.empty())
    state.warn("'dns'", "skipped: " + finished.dns_problem);
  auto& tunnel = state.result.tunnel;
  tunnel = std::move(finished.tunnel);
  tunnel.foreign_options = foreign_options_of(tunnel);
  state.result.nat = std::move(finished.nat);
  if (metric != 0)
    for (auto& route : tunnel.routes)
      if (!route.metric)
        route.metric = metric;
}

} // namespace

expected<negotiated_options, failure>
apply_push(const pull_config& own, const std::vector<std::string>& pushed,
           const std::string& remote_options) {
  push_state state{own};
  auto count = std::min(pushed.size(), max_pushed);
  for (size_t i = 0; i < count && !state.failed; ++i)
    apply_option(state, pushed[i]);
  if (count < pushed.size())
    state.warn("'...'", "more than 8192 options, the rest is skipped");
  if (!state.failed)
    choose_cipher(state, remote_options);
  choose_framing(state);
  choose_format(state);
  if (state.failed)
    return *state.failed;
  finish_tunnel(state);
  return std::move(state.result);
}

} // namespace vpn::protocol
