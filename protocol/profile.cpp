// What a profile is read by, what it says about its errors, and how the parts
// of the parser find each other.
#include "vpn/protocol/profile.hpp"

#include <algorithm>

#include "profile_builder.hpp"
#include "profile_reader.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_warnings = 100;
constexpr size_t max_file_size = 1 << 20;

} // namespace

// -- profile_builder --

void profile_builder::fail(std::string text) {
  if (!is_hopeless())
    errors.push_back({place.file, place.line, std::move(text)});
}

void profile_builder::fail_once(std::string text) {
  if (std::none_of(errors.begin(), errors.end(), [&](auto& x) {
        return x.text == text;
      }))
    fail(std::move(text));
}

void profile_builder::warn(std::string text) {
  if (result.warnings.size() < max_warnings)
    result.warnings.push_back(
      to_string(config_error{place.file, place.line, std::move(text)}));
}

void profile_builder::warn_once(std::string text) {
  auto& said = result.warnings;
  auto line = to_string(config_error{place.file, place.line, text});
  if (std::find(said.begin(), said.end(), line) == said.end())
    warn(std::move(text));
}

bool profile_builder::is_hopeless() const {
  return errors.size() >= error_limit;
}

std::string profile_builder::path_of(const std::string& name) const {
  auto& directory = result.process.directory;
  if (directory.empty() || (!name.empty() && name.front() == '/'))
    return name;
  return directory + (directory.back() == '/' ? "" : "/") + name;
}

std::optional<secret> profile_builder::load(const option_use& use,
                                            option_outcome& outcome) {
  if (use.is_inline)
    return secret{use.block};
  auto& name = use.words[1];
  if (name == "[inline]")
    return std::nullopt;
  return load_file(name, outcome);
}

std::optional<secret> profile_builder::load_file(const std::string& name,
                                                 option_outcome& outcome) {
  auto path = path_of(name);
  std::string error;
  auto text = read_file(path, error);
  if (!text) {
    outcome.error = "cannot read " + quoted(path) + ": " + error;
    return std::nullopt;
  }
  std::optional<secret> content;
  if (text->size() > max_file_size) {
    outcome.error = quoted(path) + " is too large";
  } else {
    content = secret{std::string_view{*text}};
    auto digest = digest_of(content->view());
    loaded.insert(loaded.end(), digest.begin(), digest.end());
  }
  wipe(text->data(), text->size());
  return content;
}

void profile_builder::record(const option_use& use) {
  // A block of a remote is no more than the options in it, and where it begins.
  auto text = use.name() == "connection" ? std::string_view{} : use.block;
  result.options.push_back(record_option(use.words, text, in_block(), loaded));
}

// -- handlers --

std::vector<profile_option_range> all_profile_options() {
  return {general_profile_options(), network_profile_options(),
          link_profile_options(),    proxy_profile_options(),
          tls_profile_options(),     trust_profile_options(),
          login_profile_options(),   data_profile_options(),
          script_profile_options(),  process_profile_options()};
}

profile_handler find_profile_handler(std::string_view name) {
  static const auto handlers = [] {
    std::map<std::string_view, profile_handler> result;
    for (auto& range : all_profile_options())
      for (auto& x : range)
        result.emplace(x.name, x.apply);
    return result;
  }();
  auto i = handlers.find(name);
  return i != handlers.end() ? i->second : nullptr;
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
