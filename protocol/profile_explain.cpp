// What each line of a profile comes to, and how a line is shown without the
// secrets in it.
#include <algorithm>
#include <iterator>

#include "profile_reader.hpp"
#include "profile_words.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_shown_word = 120;

/// Options whose values may be secrets, and how many of their words are none.
struct open_words {
  std::string_view name;
  size_t count;
};
constexpr open_words discreet_options[] = {
  {"auth-token", 0},
  {"auth-token-user", 0},
  // The value of a header may be a password.
  {"http-proxy-option", 1},
  {"setenv", 1},
  {"setenv-safe", 1},
};

/// Words of an option that may be shown, at most.
size_t words_to_show(const option_use& use) {
  auto info = find_option(use.name());
  if (info == nullptr)
    return 0;
  auto i = std::find_if(std::begin(discreet_options),
                        std::end(discreet_options), [&](auto& x) {
                          return x.name == use.name();
                        });
  if (i != std::end(discreet_options))
    return i->count;
  // One word too many may be the password that was to be in a file.
  return info->max_words;
}

std::string shown_word(const std::string& word) {
  std::string result;
  for (auto c : word.substr(0, max_shown_word))
    result += c >= 0x20 && c < 0x7f ? c : '?';
  if (word.size() > max_shown_word)
    result += "...";
  auto is_bare = !word.empty() && word.find_first_of(" \t#;\"'") == word.npos;
  return is_bare ? result : "\"" + result + "\"";
}

} // namespace

std::string shown_option(const option_use& use) {
  if (use.words.size() > 2 && use.name() == "setenv" && use.words[1] == "opt") {
    option_use inner{{use.words.begin() + 2, use.words.end()}, false, {}};
    auto& name = inner.words[0];
    if (name.size() > 2 && name.compare(0, 2, "--") == 0)
      name.erase(0, 2);
    auto shown = shown_option(inner);
    return "setenv opt" + (shown.empty() ? " ..." : " " + shown);
  }
  if (find_option(use.name()) == nullptr && nearest_option(use.name()).empty())
    return {};
  if (use.is_inline)
    return "<" + shown_word(use.name()) + ">";
  auto result = shown_word(use.name());
  auto shown = std::min(words_to_show(use), use.count());
  for (size_t i = 1; i <= shown; ++i)
    result += " " + shown_word(use.words[i]);
  return shown < use.count() ? result + " ..." : result;
}

std::vector<explained_line>
explain_command_line(const std::vector<std::string>& words,
                     const file_reader& read_file) {
  std::vector<explained_line> result;
  config_reader reader{read_file, &result};
  reader.read_words(words);
  // What is wrong with the whole was told as the last lines.
  static_cast<void>(reader.finish());
  return result;
}

} // namespace vpn::protocol
