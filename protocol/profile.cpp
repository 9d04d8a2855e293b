// Reads a profile or a command line: lines, blocks and included files, each
// option looked up and handed to its handler, each error with its place.
#include "vpn/protocol/profile.hpp"

#include "vpn/protocol/option_lexer.hpp"
#include "vpn/protocol/option_table.hpp"

#include <algorithm>
#include <cctype>

#include "profile_builder.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_errors = 20;
constexpr size_t max_warnings = 100;
constexpr size_t max_include_depth = 10;
constexpr size_t max_config_size = 16 << 20;
constexpr size_t max_file_size = 1 << 20;

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// What may stand in a <connection> block.
constexpr std::string_view connection_options[] = {"bind",
                                                   "connect-retry",
                                                   "connect-retry-max",
                                                   "connect-timeout",
                                                   "explicit-exit-notify",
                                                   "float",
                                                   "fragment",
                                                   "http-proxy",
                                                   "http-proxy-option",
                                                   "http-proxy-user-pass",
                                                   "key-direction",
                                                   "link-mtu",
                                                   "local",
                                                   "lport",
                                                   "max-packet-size",
                                                   "mssfix",
                                                   "mtu-disc",
                                                   "nobind",
                                                   "port",
                                                   "proto",
                                                   "remote",
                                                   "rport",
                                                   "server-poll-timeout",
                                                   "socks-proxy",
                                                   "tls-auth",
                                                   "tls-crypt",
                                                   "tls-crypt-v2",
                                                   "tun-mtu",
                                                   "tun-mtu-extra",
                                                   "tun-mtu-max"};
/// Those of them that count for the remote of the block alone.
constexpr std::string_view block_local_options[]
  = {"port", "proto", "remote", "rport"};

template <class List>
bool is_one_of(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

/// Takes the next line, without its end.
std::string_view take_line(std::string_view& text) {
  auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r')
    line.remove_suffix(1);
  return line;
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

class config_reader {
public:
  explicit config_reader(const file_reader& read_file) : builder_(read_file) {}

  void read_text(std::string_view text, const std::string& name);
  void read_words(const std::vector<std::string>& words);
  expected<profile, std::vector<config_error>> finish();

private:
  void give_up(std::string text) {
    incomplete_ = true;
    builder_.fail(std::move(text));
  }
  void read_lines(std::string_view text, config_place first);
  void read_block(std::string_view tag, std::string_view& rest);
  void include(const std::string& path);
  void read_connection(std::string_view block);
  void apply(option_use use);
  void apply_known(const option_info& info, const option_use& use);
  void refuse_unknown(const std::string& name);

  profile_builder builder_;
  size_t depth_ = 0;
  /// A file could not be read as a whole: what is missing may be in there.
  bool incomplete_ = false;
  /// The last file the command line named.
  std::string top_file_;
};

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
      builder_.fail("the line cannot be read: " + line.error);
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
    return builder_.fail("a closing tag without its opening one");
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
  builder_.fail(find_option(tag) != nullptr
                  ? "the block has no end: " + end_tag + " is missing"
                  : "the block has no end");
}

void config_reader::include(const std::string& path) {
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

void config_reader::read_connection(std::string_view block) {
  auto here = builder_.place;
  builder_.block_defaults.emplace();
  builder_.block_begin = builder_.remotes.size();
  read_lines(block, {here.file, here.line + 1});
  builder_.place = here;
  auto defaults = *builder_.block_defaults;
  builder_.block_defaults.reset();
  if (builder_.remotes.size() == builder_.block_begin)
    builder_.fail("option 'connection': the block has no `remote`");
  for (auto i = builder_.block_begin; i < builder_.remotes.size(); ++i) {
    auto& remote = builder_.remotes[i];
    if (!remote.port)
      remote.port = defaults.port;
    if (!remote.proto)
      remote.proto = defaults.proto;
  }
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

void config_reader::refuse_unknown(const std::string& name) {
  auto nearest = nearest_option(name);
  if (!nearest.empty())
    return builder_.fail("unknown option " + quoted(name) + "; did you mean '"
                         + nearest + "'?");
  // A line of a file that is like no option may be a part of a key or a
  // password whose tags are wrong, and is not repeated.
  builder_.fail(builder_.place.line == 0
                  ? "unknown option " + quoted(name)
                  : "unknown option; no known one is like it");
}

void config_reader::apply(option_use use) {
  auto optional = false;
  if (use.name() == "setenv" && use.count() > 1 && use.words[1] == "opt") {
    use.words.erase(use.words.begin(), use.words.begin() + 2);
    strip_dashes(use.words[0]);
    optional = true;
  }
  auto& name = use.name();
  auto info = find_option(name);
  if (info == nullptr) {
    if (builder_.may_be_unknown.count(name) > 0 || optional)
      return;
    if (builder_.forward_compatible)
      return builder_.warn("an unknown option is ignored");
    return refuse_unknown(name);
  }
  auto in_block = builder_.block_defaults.has_value();
  if (in_block && !is_one_of(connection_options, name))
    return builder_.fail("option '" + name
                         + "' may not stand in a <connection> block");
  builder_.given.insert(name);
  switch (info->kind) {
    case option_class::silent:
      return;
    case option_class::ignored:
      return builder_.warn("option '" + name + "' is ignored: " + info->note);
    case option_class::server_only:
    case option_class::refused:
      return builder_.fail("option '" + name + "' is refused: " + info->note);
    case option_class::removed:
      return builder_.fail("option '" + name
                           + "' is no longer one of OpenVPN's: " + info->note);
    case option_class::accepted:
      break;
  }
  if (in_block && !is_one_of(block_local_options, name))
    builder_.warn("option '" + name
                  + "' of a <connection> block counts for all remotes");
  apply_known(*info, use);
}

void config_reader::apply_known(const option_info& info,
                                const option_use& use) {
  std::string option = "option '" + use.name() + "'";
  if (use.is_inline && !info.inline_file)
    return builder_.fail(option + " cannot be given as a block");
  auto n = use.count();
  if (n < info.min_words)
    return builder_.fail(option + " needs at least "
                         + std::to_string(info.min_words)
                         + (info.min_words == 1 ? " word" : " words"));
  if (n > info.max_words)
    return builder_.fail(option + " takes at most "
                         + std::to_string(info.max_words)
                         + (info.max_words == 1 ? " word" : " words"));
  option_outcome outcome;
  if (auto x = find_tunnel_option(use.name()))
    outcome = x->apply(builder_.draft, use.words);
  else if (auto handler = find_profile_handler(use.name()))
    outcome = handler(builder_, use);
  if (!outcome.error.empty())
    builder_.fail(option + ": " + outcome.error);
  if (!outcome.warning.empty())
    builder_.warn(option + ": " + outcome.warning);
  // What an option wants to be read is read in its place.
  if (auto path = std::exchange(builder_.include, std::nullopt))
    include(*path);
  if (auto block = std::exchange(builder_.connection_block, std::nullopt))
    read_connection(*block);
}

expected<profile, std::vector<config_error>> config_reader::finish() {
  builder_.place.line = 0;
  if (!top_file_.empty())
    builder_.place.file = top_file_;
  if (!builder_.is_hopeless() && !incomplete_)
    complete_profile(builder_);
  if (!builder_.errors.empty())
    return std::move(builder_.errors);
  return std::move(builder_.result);
}

} // namespace

// -- profile_builder --

void profile_builder::fail(std::string text) {
  if (!is_hopeless())
    errors.push_back({place.file, place.line, std::move(text)});
}

void profile_builder::warn(std::string text) {
  if (result.warnings.size() < max_warnings)
    result.warnings.push_back(
      to_string(config_error{place.file, place.line, std::move(text)}));
}

bool profile_builder::is_hopeless() const {
  return errors.size() >= max_errors;
}

std::optional<secret> profile_builder::load(const option_use& use,
                                            option_outcome& outcome) {
  if (use.is_inline)
    return secret{use.block};
  auto& path = use.words[1];
  if (path == "[inline]")
    return std::nullopt;
  std::string error;
  auto text = read_file(path, error);
  if (!text) {
    outcome.error = "cannot read " + quoted(path) + ": " + error;
    return std::nullopt;
  }
  wiped_text guard{std::move(*text)};
  if (guard.text.size() > max_file_size) {
    outcome.error = quoted(path) + " is too large";
    return std::nullopt;
  }
  return secret{std::string_view{guard.text}};
}

// -- entry points --

std::string to_string(const config_error& x) {
  auto result = x.file;
  if (x.line > 0)
    result += ":" + std::to_string(x.line);
  return result + ": " + x.text;
}

expected<profile, std::vector<config_error>>
parse_command_line(const std::vector<std::string>& words,
                   const file_reader& read_file) {
  config_reader reader{read_file};
  reader.read_words(words);
  return reader.finish();
}

expected<profile, std::vector<config_error>>
parse_profile(std::string_view text, const std::string& name,
              const file_reader& read_file) {
  config_reader reader{read_file};
  reader.read_text(text, name);
  return reader.finish();
}

} // namespace vpn::protocol
