// Text messages of the control channel. What a peer sent is only ever sorted
// into a kind; nothing in it can make parsing fail.
// spec: openvpn-rfc#pushreply, openvpn-wire 7.1, 7.5, 7.6
#include "vpn/protocol/control_message.hpp"

#include <algorithm>
#include <optional>

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

text_message parse_push_reply(std::string_view rest) {
  push_reply result;
  split(rest, ',', [&](std::string_view option) {
    option = trim(option);
    if (auto n = value_of(option, "push-continuation"))
      result.more = *n == 2;
    else if (!option.empty())
      result.options.emplace_back(option);
  });
  return result;
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
  split(keys, ',', [&](std::string_view key) {
    if (auto n = value_of(key, "backoff"))
      result.backoff_seconds = *n;
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
    return parse_push_reply(*rest);
  if (auto rest = after(text, "RESTART"))
    return parse_stop(*rest, false);
  if (auto rest = after(text, "HALT"))
    return parse_stop(*rest, true);
  if (auto rest = after(text, "INFO_PRE"))
    return info_message{readable(*rest)};
  if (auto rest = after(text, "INFO"))
    return info_message{readable(*rest)};
  if (auto rest = after(text, "AUTH_PENDING"))
    return parse_auth_pending(*rest);
  if (text == "EXIT")
    return exit_message{};
  return unknown_message{readable(text)};
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
