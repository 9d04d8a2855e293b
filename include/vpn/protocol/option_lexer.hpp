// The configuration language's words: blanks, quotes, escapes, comments. The
// same rules for a file, the command line and a pushed option.
#pragma once

#include "vpn/protocol/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

/// One line cut into words.
struct lexed_line {
  std::vector<std::string> words;
  /// Why the line cannot be read, empty when it can: "unbalanced quote".
  std::string error;
};

/// A line longer than this cannot be read.
constexpr size_t max_option_line = 8192;
/// Words of one option, its name included, and bytes of one word.
constexpr size_t max_option_words = 16;
constexpr size_t max_option_word = 1024;

/// Words are separated by blanks. Double quotes keep blanks, single quotes keep
/// everything. Outside single quotes a backslash stands before a backslash, a
/// double quote or a blank and takes it literally; before anything else it is
/// an error. A quote inside a word is an ordinary character, and # and ; at the
/// start of a word begin a comment. Never throws on account of its input, and
/// its errors repeat nothing of it: the line may hold a password.
lexed_line lex_option_line(std::string_view line);

} // namespace vpn::protocol
