// One line of the configuration language cut into words, one character at a
// time, with every length bounded.
#include "vpn/protocol/option_lexer.hpp"

#include <cstdint>
#include <utility>

namespace vpn::protocol {

namespace {

enum class place : uint8_t { between, bare, double_quoted, single_quoted };

bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// Collects words and the first thing that is wrong.
class word_collector {
public:
  bool begin() {
    if (result_.words.size() == max_option_words)
      return fail("more than 16 words");
    result_.words.emplace_back();
    return true;
  }
  bool append(char c) {
    if (result_.words.back().size() == max_option_word)
      return fail("a word of more than 1024 characters");
    result_.words.back().push_back(c);
    return true;
  }
  bool fail(const char* why) {
    result_.error = why;
    return false;
  }
  lexed_line take() {
    // Half a line is worse than none.
    if (!result_.error.empty())
      result_.words.clear();
    return std::move(result_);
  }

private:
  lexed_line result_;
};

/// Takes one character; false when the rest of the line does not matter.
class lexer {
public:
  bool take(char c) {
    if (!escaped_ && c == '\\' && place_ != place::single_quoted) {
      escaped_ = true;
      return true;
    }
    auto escaped = std::exchange(escaped_, false);
    switch (place_) {
      case place::between:
        return take_between(c, escaped);
      case place::bare:
        if (is_blank(c) && !escaped) {
          place_ = place::between;
          return true;
        }
        return append(c, escaped);
      case place::double_quoted:
        if (c == '"' && !escaped) {
          place_ = place::between;
          return true;
        }
        return append(c, escaped);
      case place::single_quoted:
        if (c == '\'') {
          place_ = place::between;
          return true;
        }
        return append(c, false);
    }
    return false;
  }
  lexed_line finish() {
    if (place_ == place::double_quoted || place_ == place::single_quoted)
      words_.fail("unbalanced quote");
    else if (escaped_)
      words_.fail("a backslash at the end of the line");
    return words_.take();
  }
  lexed_line finish_early() { return words_.take(); }

private:
  bool take_between(char c, bool escaped) {
    // An escaped blank does not begin a word either.
    if (is_blank(c))
      return true;
    if (c == '#' || c == ';')
      return false;
    if (!words_.begin())
      return false;
    if (c == '"' && !escaped) {
      place_ = place::double_quoted;
      return true;
    }
    if (c == '\'' && !escaped) {
      place_ = place::single_quoted;
      return true;
    }
    place_ = place::bare;
    return append(c, escaped);
  }
  bool append(char c, bool escaped) {
    if (escaped && c != '\\' && c != '"' && !is_blank(c))
      return words_.fail("a backslash before a character that needs none "
                         "(write \\\\ for a backslash)");
    return words_.append(c);
  }

  word_collector words_;
  place place_ = place::between;
  bool escaped_ = false;
};

} // namespace

lexed_line lex_option_line(std::string_view line) {
  if (line.size() > max_option_line)
    return {{}, "a line of more than 8192 characters"};
  if (line.find('\0') != std::string_view::npos)
    return {{}, "a NUL byte"};
  lexer reader;
  for (auto c : line)
    if (!reader.take(c))
      return reader.finish_early();
  return reader.finish();
}

} // namespace vpn::protocol
