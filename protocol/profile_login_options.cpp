// One function per option about logging in: user name, password, challenges.
// spec: openvpn-wire 5.7, 5.8
#include <iterator>

#include "profile_values.hpp"

namespace vpn::protocol {

namespace {

using outcome = option_outcome;
using builder = profile_builder;
using use = option_use;

outcome set_auth_user_pass(builder& b, const use& x) {
  auto& credentials = b.result.credentials;
  auto names_only
    = !x.is_inline && x.count() > 0 && x.words[1] == "username-only";
  if (x.count() == 0 || names_only || (!x.is_inline && x.words[1] == "stdin")) {
    credentials.source = credential_source::prompt;
    credentials.username.clear();
    credentials.password.clear();
    return names_only ? no_effect("a password is asked for as well; leave it "
                                  "empty if the server wants none")
                      : outcome{};
  }
  outcome result;
  auto text = b.load(x, result);
  if (!text)
    return result;
  login who;
  result = read_login(who, text->text());
  if (!result.error.empty())
    return result;
  credentials.source = credential_source::given;
  credentials.username = std::move(who.username);
  credentials.password = std::move(who.password);
  return {};
}

outcome set_auth_nocache(builder& b, const use&) {
  b.result.credentials.forget = true;
  return {};
}

outcome set_auth_retry(builder& b, const use& x) {
  auto& word = x.words[1];
  auto& out = b.result.credentials.retry;
  if (word == "none")
    out = auth_retry::none;
  else if (word == "interact")
    out = auth_retry::interact;
  else if (word == "nointeract")
    out = auth_retry::nointeract;
  else
    return bad(quoted(word) + " is neither none nor interact nor nointeract");
  return {};
}

outcome set_static_challenge(builder& b, const use& x) {
  auto& text = x.words[1];
  if (text.empty() || !is_printable(text))
    return bad("the question is empty or has control characters");
  uint32_t echo = 0;
  if (auto result = read_number(echo, x.words[2], 0, 1); !result.error.empty())
    return result;
  if (x.count() > 2 && x.words[3] != "scrv1" && x.words[3] != "concat")
    return bad(quoted(x.words[3]) + " is neither scrv1 nor concat");
  auto& credentials = b.result.credentials;
  credentials.static_challenge = text;
  credentials.static_challenge_echo = echo == 1;
  credentials.static_challenge_concat = x.count() > 2 && x.words[3] == "concat";
  return {};
}

constexpr profile_option options[] = {
  {"auth-nocache", set_auth_nocache},
  {"auth-retry", set_auth_retry},
  {"auth-user-pass", set_auth_user_pass},
  {"static-challenge", set_static_challenge},
};

} // namespace

profile_option_range login_profile_options() {
  return {std::begin(options), std::end(options)};
}

} // namespace vpn::protocol
