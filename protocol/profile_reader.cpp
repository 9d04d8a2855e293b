#include "profile_reader.hpp"

#include "vpn/protocol/option_lexer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "profile_values.hpp"
#include "profile_words.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_include_depth = 10;
constexpr size_t max_config_size = 16 << 20;
/// An explanation of more lines than this helps nobody.
constexpr size_t max_explained = 20000;

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// Options of a <connection> block that count for all remotes.
constexpr std::string_view shared_options[]
  = {"connect-retry", "connect-retry-max"};

template <class List>
bool is_one_of(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

void strip_dashes(std::string& word) {
  if (word.size() > 2 && word.compare(0, 2, "--") == 0)
    word.erase(0, 2);
}

/// Overwrites a text that may hold keys when it is no longer needed.
struct wiped_text {
  std::string text;
  ~wiped_text() { wipe(text.data(), text.size()); }
};

/// A control character in a word would end up in a terminal, a file or a
/// request to a proxy. Tabs are harmless.
bool has_control_characters(const option_use& use) {
  auto begin = use.words.begin() + 1;
  auto end = use.is_inline ? begin : use.words.end();
  return std::any_of(begin, end, [](const std::string& word) {
    return std::any_of(word.begin(), word.end(), [](char c) {
      auto x = static_cast<unsigned char>(c);
      return (x < 0x20 && c != '\t') || x == 0x7f;
    });
  });
}

/// "option 'x' needs ..." for "it needs ...", and "option 'x': ..." otherwise.
std::string about(const std::string& name, const std::string& text) {
  auto option = "option '" + name + "'";
  return text.compare(0, 3, "it ") == 0 ? option + text.substr(2)
                                        : option + ": " + text;
}

std::string effect_of(const option_info& info) {
  return info.ours ? std::string{info.note} + "; openvpn does not know it"
                   : info.note;
}

std::string count_of(size_t n) {
  return std::to_string(n) + (n == 1 ? " word" : " words");
}

} // namespace

config_reader::config_reader(const file_reader& read_file,
                             std::vector<explained_line>* explained)
  : builder_(read_file),
    explained_(explained) {
  if (explained_ != nullptr)
    builder_.error_limit = max_explained;
}

// -- texts --

void config_reader::give_up(std::string text) {
  incomplete_ = true;
  fail_line(text);
}

void config_reader::read_text(std::string_view text, const std::string& name) {
  builder_.place = {name, 0};
  if (text.size() > max_config_size)
    return give_up("the file is too large");
  if (auto nul = text.find('\0'); nul != std::string_view::npos) {
    auto before = text.substr(0, nul);
    auto newlines = std::count(before.begin(), before.end(), '\n');
    builder_.place.line = static_cast<size_t>(newlines) + 1;
    return give_up("a NUL byte: this is not a configuration file");
  }
  if (text.substr(0, byte_order_mark.size()) == byte_order_mark)
    text.remove_prefix(byte_order_mark.size());
  read_lines(text, {name, 1});
}

void config_reader::read_lines(std::string_view text, config_place first) {
  builder_.place = std::move(first);
  for (; !text.empty() && !builder_.is_hopeless(); ++builder_.place.line) {
    auto line = lex_option_line(take_line(text));
    if (!line.error.empty()) {
      fail_line("the line cannot be read: " + line.error);
      continue;
    }
    if (line.words.empty())
      continue;
    auto& word = line.words[0];
    strip_dashes(word);
    if (line.words.size() == 1 && word.size() > 2 && word.front() == '<'
        && word.back() == '>')
      read_block(std::string_view{word}.substr(1, word.size() - 2), text);
    else
      apply({std::move(line.words), false, {}});
  }
}

void config_reader::read_block(std::string_view tag, std::string_view& rest) {
  if (tag.front() == '/')
    return fail_line("a closing tag without its opening one");
  auto end_tag = "</" + std::string{tag} + ">";
  auto begin = rest;
  size_t lines = 0;
  while (!rest.empty()) {
    auto before = rest;
    auto line = take_line(rest);
    ++lines;
    auto text_at = line.find_first_not_of(" \t");
    if (text_at == std::string_view::npos
        || line.substr(text_at, end_tag.size()) != end_tag)
      continue;
    option_use use;
    use.words = {std::string{tag}, "[inline]"};
    use.is_inline = true;
    use.block = begin.substr(0, begin.size() - before.size());
    apply(std::move(use));
    builder_.place.line += lines;
    return;
  }
  // The rest is taken for the block's: it may be a key, not options.
  fail_line(find_option(tag) != nullptr
              ? "the block has no end: " + end_tag + " is missing"
              : "the block has no end");
}

void config_reader::include(const std::string& name) {
  auto path = builder_.path_of(name);
  if (depth_ == 0)
    top_file_ = path;
  if (depth_ == max_include_depth)
    return give_up("option 'config': files include each other more than "
                   "10 deep");
  std::string error;
  auto text = builder_.read_file(path, error);
  if (!text)
    return give_up("option 'config': cannot read " + quoted(path) + ": "
                   + error);
  wiped_text guard{std::move(*text)};
  auto here = builder_.place;
  ++depth_;
  read_text(guard.text, path);
  --depth_;
  builder_.place = here;
}

/// A block begins with what was set above it, and its own settings end with it.
void config_reader::read_connection(std::string_view block) {
  auto here = builder_.place;
  builder_.block = builder_.defaults;
  builder_.block->wrap = {};
  read_lines(block, {here.file, here.line + 1});
  builder_.place = here;
  auto draft = std::move(*builder_.block);
  builder_.block.reset();
  if (!draft.host)
    return fail_line("option 'connection': the block has no `remote`");
  if (builder_.connections.size() == max_remotes)
    return fail_line("option 'connection': more than 256 remotes");
  builder_.connections.push_back(std::move(draft));
}

void config_reader::read_words(const std::vector<std::string>& words) {
  builder_.place = {"command line", 0};
  if (words.empty())
    return give_up("no configuration: name a file, or give options");
  if (words.size() == 1 && words[0].compare(0, 2, "--") != 0)
    return include(words[0]);
  for (size_t i = 0; i < words.size() && !builder_.is_hopeless();) {
    if (words[i].size() < 3 || words[i].compare(0, 2, "--") != 0)
      return give_up("an option must begin with --: " + quoted(words[i]));
    option_use use;
    use.words.push_back(words[i].substr(2));
    for (++i; i < words.size() && words[i].compare(0, 2, "--") != 0; ++i)
      use.words.push_back(words[i]);
    apply(std::move(use));
  }
}

// -- options --

void config_reader::apply(option_use use) {
  auto optional = false;
  auto written = explained_ != nullptr ? shown_option(use) : std::string{};
  if (use.name() == "setenv" && use.count() > 1 && use.words[1] == "opt") {
    use.words.erase(use.words.begin(), use.words.begin() + 2);
    strip_dashes(use.words[0]);
    optional = true;
  }
  builder_.loaded.clear();
  auto result = judge(use, optional);
  if (result.kind == option_class::accepted)
    builder_.record(use);
  // A name that the profile itself lets pass is no secret.
  if (written.empty() && builder_.may_be_unknown.count(use.name()) > 0)
    written = use.count() > 0 ? use.name() + " ..." : use.name();
  if (!result.error.empty())
    builder_.fail(result.error);
  if (!result.warning.empty())
    builder_.warn(result.warning);
  explain(std::move(written), result.kind, std::move(result.effect));
  // What an option wants to be read is read in its place.
  if (auto path = std::exchange(builder_.include, std::nullopt))
    include(*path);
  if (auto block = std::exchange(builder_.connection_block, std::nullopt))
    read_connection(*block);
}

config_reader::verdict config_reader::judge(const option_use& use,
                                            bool optional) {
  auto& name = use.name();
  auto info = find_option(name);
  if (info == nullptr)
    return judge_unknown(name, optional);
  auto option = "option '" + name + "'";
  verdict result;
  result.kind = info->kind;
  result.effect = effect_of(*info);
  if (builder_.in_block() && !may_stand_in_block(name)) {
    result.kind = option_class::refused;
    result.effect = "it may not stand in a <connection> block";
    result.error = option + " may not stand in a <connection> block";
    return result;
  }
  builder_.given.insert(name);
  switch (info->kind) {
    case option_class::silent:
      break;
    case option_class::ignored:
      result.warning = option + " is ignored: " + info->note;
      break;
    case option_class::server_only:
      // The default of a client, said aloud.
      if (name == "mode" && use.count() == 1 && use.words[1] == "p2p")
        return {option_class::silent, {}, {}, "a client is nothing else"};
      [[fallthrough]];
    case option_class::refused:
      result.error = option + " is refused: " + info->note;
      break;
    case option_class::removed:
      result.error = option + " is no longer one of OpenVPN's: " + info->note;
      break;
    case option_class::accepted: {
      // An option that other versions know with other words.
      auto n = use.count();
      if ((optional || builder_.may_be_unknown.count(name) > 0)
          && (n < info->min_words || n > info->max_words))
        return {option_class::ignored,
                {},
                option + " is ignored: it has " + count_of(n),
                "it has " + count_of(n)};
      return judge_known(*info, use);
    }
  }
  return result;
}

config_reader::verdict config_reader::judge_unknown(const std::string& name,
                                                    bool optional) const {
  if (builder_.may_be_unknown.count(name) > 0 || optional)
    return {option_class::ignored, {}, {}, "unknown, and allowed to be"};
  if (builder_.forward_compatible)
    return {option_class::ignored,
            {},
            "an unknown option is ignored",
            "unknown, and allowed to be by FORWARD_COMPATIBLE"};
  verdict result;
  result.kind = option_class::refused;
  auto nearest = nearest_option(name);
  if (!nearest.empty())
    result.error
      = "unknown option " + quoted(name) + "; did you mean '" + nearest + "'?";
  // A line of a file that is like no option may be a part of a key or a
  // password whose tags are wrong, and is not repeated.
  else if (builder_.place.line == 0)
    result.error = "unknown option " + quoted(name);
  else
    result.error = "unknown option; no known one is like it";
  result.effect = result.error;
  return result;
}

config_reader::verdict config_reader::judge_known(const option_info& info,
                                                  const option_use& use) {
  auto outcome = apply_accepted(info, use);
  if (builder_.in_block() && is_one_of(shared_options, use.name())
      && outcome.error.empty() && outcome.warning.empty())
    outcome.warning = "in a <connection> block it counts for all remotes";
  verdict result;
  result.effect = effect_of(info);
  if (!outcome.error.empty()) {
    result.kind = option_class::refused;
    result.error = about(use.name(), outcome.error);
    result.effect = std::move(outcome.error);
  }
  if (!outcome.warning.empty()) {
    result.warning = about(use.name(), outcome.warning);
    result.effect += "; " + outcome.warning;
  }
  return result;
}

option_outcome config_reader::apply_accepted(const option_info& info,
                                             const option_use& use) {
  if (use.is_inline && !info.inline_file)
    return bad("it cannot be given as a block");
  auto n = use.count();
  if (n < info.min_words)
    return bad("it needs at least " + count_of(info.min_words));
  if (n > info.max_words)
    return bad("it takes at most " + count_of(info.max_words));
  if (has_control_characters(use))
    return bad("a word of it has control characters");
  for (auto& word : use.words)
    if (word.size() > max_option_word)
      return bad("a word of more than 1024 characters");
  if (auto x = find_tunnel_option(use.name()))
    return x->apply(builder_.draft, use.words);
  if (auto handler = find_profile_handler(use.name()))
    return handler(builder_, use);
  return {};
}

// -- what is said --

/// An error of the line as a whole, whose text is not repeated.
void config_reader::fail_line(const std::string& text) {
  builder_.fail(text);
  explain({}, option_class::refused, text);
}

void config_reader::explain(std::string text, option_class kind,
                            std::string effect) {
  if (explained_ == nullptr || explained_->size() >= max_explained)
    return;
  explained_->push_back({builder_.place.file, builder_.place.line,
                         std::move(text), kind, std::move(effect)});
}

expected<profile, std::vector<config_error>> config_reader::finish() {
  builder_.place.line = 0;
  if (!top_file_.empty())
    builder_.place.file = top_file_;
  if (!builder_.is_hopeless() && !incomplete_) {
    auto errors = builder_.errors.size();
    complete_profile(builder_);
    for (; errors < builder_.errors.size(); ++errors)
      explain({}, option_class::refused, builder_.errors[errors].text);
  }
  if (!builder_.errors.empty())
    return std::move(builder_.errors);
  return std::move(builder_.result);
}

} // namespace vpn::protocol
