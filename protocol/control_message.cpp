// Text messages of the control channel. What a peer sent is only ever sorted
// into a kind; nothing in it can make parsing fail.
// spec: openvpn-rfc#pushreply, openvpn-wire 5.9, 7.1, 7.5, 7.6, 7.8
#include "vpn/protocol/control_message.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "tunnel_options.hpp"

namespace vpn::protocol {

namespace {

/// Longest text that is kept for a person to read.
constexpr size_t max_text = 2048;

/// One message with its continuation fits into this, and so does what a stock
/// server sends.
constexpr size_t max_part = 1024 - 84;

/// What a stock client can read of one option.
constexpr size_t max_option = 255;

/// Words beside an address to open.
constexpr size_t max_flags = 64;

std::string readable(std::string_view text) {
  std::string result{text.substr(0, max_text)};
  for (auto& c : result)
    if (!is_printable({&c, 1}))
      c = '_';
  return result;
}

/// What follows `word` and its comma; nothing when the message is another.
std::optional<std::string_view> after(std::string_view text,
                                      std::string_view word) {
  if (text.substr(0, word.size()) != word)
    return std::nullopt;
  text.remove_prefix(word.size());
  if (text.empty())
    return text;
  if (text.front() != ',')
    return std::nullopt;
  return text.substr(1);
}

/// Calls `f` with each piece between `separator`s.
template <class F>
void split(std::string_view text, char separator, F f) {
  for (;;) {
    auto end = text.find(separator);
    f(text.substr(0, end));
    if (end == std::string_view::npos)
      return;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

/// The number behind `key` and a blank, if it is one.
std::optional<uint32_t> value_of(std::string_view text, std::string_view key) {
  text = trim(text);
  if (text.substr(0, key.size()) != key)
    return std::nullopt;
  auto digits = text.substr(key.size());
  if (digits.empty() || digits.front() != ' ')
    return std::nullopt;
  return parse_number(trim(digits));
}

/// PUSH_REPLY and PUSH_UPDATE are cut alike.
template <class T>
text_message parse_pushed(std::string_view rest) {
  T result;
  split(rest, ',', [&](std::string_view option) {
    option = trim(option);
    if (auto n = value_of(option, "push-continuation"))
      result.more = *n == 2;
    else if (!option.empty())
      result.options.emplace_back(option);
  });
  return result;
}

/// The word behind `key` and a blank; empty when it is another key.
std::string_view word_of(std::string_view text, std::string_view key) {
  text = trim(text);
  if (text.substr(0, key.size()) != key || text.size() == key.size()
      || text[key.size()] != ' ')
    return {};
  return trim(text.substr(key.size()));
}

text_message parse_auth_failed(std::string_view rest) {
  auth_failed result;
  constexpr std::string_view temp = "TEMP";
  auto tail = rest.substr(0, temp.size()) == temp ? rest.substr(temp.size())
                                                  : std::string_view{"?"};
  std::string_view keys;
  if (!tail.empty() && tail.front() == '[') {
    auto end = tail.find(']');
    if (end != std::string_view::npos) {
      keys = tail.substr(1, end - 1);
      tail.remove_prefix(end + 1);
    }
  }
  // "TEMPORARILY closed" and the like are ordinary reasons.
  result.temporary = tail.empty() || tail.front() == ':';
  if (!result.temporary) {
    result.reason = readable(rest);
    return result;
  }
  if (!keys.empty())
    result.temporary_keys = "[" + readable(keys) + "]";
  split(keys, ',', [&](std::string_view key) {
    if (auto n = value_of(key, "backoff"))
      result.backoff_seconds = *n;
    auto where = word_of(key, "advance");
    if (where == "remote")
      result.where = advance::remote;
    else if (where == "addr")
      result.where = advance::address;
    else if (where == "no")
      result.where = advance::no;
  });
  result.reason = readable(tail.empty() ? tail : tail.substr(1));
  return result;
}

text_message parse_stop(std::string_view rest, bool halt) {
  server_stop result;
  result.halt = halt;
  auto end = rest.find(']');
  if (!rest.empty() && rest.front() == '[' && end != std::string_view::npos) {
    auto flags = rest.substr(1, end - 1);
    result.keep_credentials = flags.find('P') != std::string_view::npos;
    result.next_remote = flags.find('N') != std::string_view::npos;
    rest.remove_prefix(end + 1);
  }
  result.text = readable(rest);
  return result;
}

text_message parse_auth_pending(std::string_view rest) {
  auth_pending result;
  split(rest, ',', [&](std::string_view key) {
    if (auto n = value_of(key, "timeout"))
      result.timeout_seconds = *n;
  });
  return result;
}

// -- what a person is asked to see or do --

bool starts_with_any_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size())
    return false;
  return std::equal(lower.begin(), lower.end(), text.begin(),
                    [](char x, char y) {
                      return x == (y >= 'A' && y <= 'Z' ? y + ('a' - 'A') : y);
                    });
}

/// True for an address of the web in the characters of RFC 3986: it goes to
/// other programs, and must be nothing else there.
bool is_web_url(std::string_view url) {
  constexpr std::string_view punctuation = "-._~:/?#[]@!$&'()*+,;=%";
  size_t scheme = 0;
  for (std::string_view x : {"http://", "https://"})
    if (starts_with_any_case(url, x))
      scheme = x.size();
  if (scheme == 0 || url.size() > max_text || url.size() == scheme)
    return false;
  auto first = url[scheme];
  return first != '/' && first != '-'
         && std::all_of(url.begin(), url.end(), [&](char c) {
              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                     || (c >= 'A' && c <= 'Z')
                     || punctuation.find(c) != std::string_view::npos;
            });
}

bool is_flag_list(std::string_view flags) {
  return flags.size() <= max_flags
         && std::all_of(flags.begin(), flags.end(), [](char c) {
              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                     || (c >= 'A' && c <= 'Z') || c == ',' || c == '-'
                     || c == '_';
            });
}

/// What follows `word` and its colon.
std::optional<std::string_view> behind(std::string_view text,
                                       std::string_view word) {
  if (text.size() <= word.size() || text.substr(0, word.size()) != word
      || text[word.size()] != ':')
    return std::nullopt;
  return text.substr(word.size() + 1);
}

/// Flags and what follows their colon.
std::optional<std::pair<std::string_view, std::string_view>>
split_flags(std::string_view text) {
  auto colon = text.find(':');
  if (colon == std::string_view::npos || !is_flag_list(text.substr(0, colon)))
    return std::nullopt;
  return std::pair{text.substr(0, colon), text.substr(colon + 1)};
}

bool has_flag(std::string_view flags, std::string_view wanted) {
  bool result = false;
  split(flags, ',', [&](std::string_view x) {
    result = result || x == wanted;
  });
  return result;
}

/// INFO and INFO_PRE. What is not quite as it should be is only shown.
text_message parse_info(std::string_view rest) {
  if (auto url = behind(rest, "OPEN_URL"); url && is_web_url(*url))
    return open_url{std::string{*url}, {}};
  if (auto tail = behind(rest, "WEB_AUTH"))
    if (auto parts = split_flags(*tail); parts && is_web_url(parts->second))
      return open_url{std::string{parts->second}, std::string{parts->first}};
  if (auto tail = behind(rest, "CR_TEXT"))
    if (auto parts = split_flags(*tail); parts && !parts->second.empty())
      return challenge_text{readable(parts->second),
                            has_flag(parts->first, "E"),
                            has_flag(parts->first, "R")};
  return info_message{readable(rest)};
}

text_message parse_challenge_response(std::string_view rest) {
  if (rest.empty())
    return challenge_response{};
  if (auto response = decode_base64_text(rest))
    return challenge_response{std::move(*response)};
  // Only its name: what follows may be half a secret.
  return unknown_message{"CR_RESPONSE"};
}

/// What is not understood is told, but a token in it is not.
unknown_message describe_unknown(std::string_view text) {
  return {readable(text.substr(0, text.find("auth-token")))};
}

bool is_pushable_text(const std::string& option) {
  return !option.empty() && option.size() <= max_option
         && option.find(',') == std::string::npos && is_printable(option);
}

} // namespace

text_message parse_text_message(std::string_view text) {
  if (auto rest = after(text, "AUTH_FAILED"))
    return parse_auth_failed(*rest);
  if (text == "PUSH_REQUEST")
    return push_request{};
  if (auto rest = after(text, "PUSH_REPLY"))
    return parse_pushed<push_reply>(*rest);
  if (auto rest = after(text, "PUSH_UPDATE"))
    return parse_pushed<push_update>(*rest);
  if (auto rest = after(text, "RESTART"))
    return parse_stop(*rest, false);
  if (auto rest = after(text, "HALT"))
    return parse_stop(*rest, true);
  if (auto rest = after(text, "INFO_PRE"))
    return parse_info(*rest);
  if (auto rest = after(text, "INFO"))
    return parse_info(*rest);
  if (auto rest = after(text, "CR_RESPONSE"))
    return parse_challenge_response(*rest);
  if (auto rest = after(text, "AUTH_PENDING"))
    return parse_auth_pending(*rest);
  if (text == "EXIT")
    return exit_message{};
  return describe_unknown(text);
}

expected<std::vector<std::string>>
write_push_reply(const std::vector<std::string>& options) {
  if (!std::all_of(options.begin(), options.end(), is_pushable_text))
    return errc::bad_value;
  std::vector<std::string> parts{"PUSH_REPLY"};
  for (auto& option : options) {
    if (parts.back().size() + 1 + option.size() > max_part)
      parts.emplace_back("PUSH_REPLY");
    parts.back() += "," + option;
  }
  // A message that stands alone needs no continuation.
  if (parts.size() > 1)
    for (auto& part : parts)
      part += &part == &parts.back() ? ",push-continuation 1"
                                     : ",push-continuation 2";
  return parts;
}

} // namespace vpn::protocol
