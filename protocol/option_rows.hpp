// The rows of the option table, in three files: what has an effect, what a
// client's profile may hold without one, and what it may not hold.
#pragma once

#include "vpn/protocol/option_table.hpp"

namespace vpn::protocol {

/// How an option may be given besides as a line of a profile.
enum option_ways : uint8_t {
  by_line = 0,
  /// As a block: <ca>...</ca>.
  inline_block = 1,
  /// Pushed by a server.
  by_push = 2,
  /// By users of this program alone.
  by_ours = 4,
};

/// As many words as a line can have.
constexpr uint8_t any_words = 15;

constexpr option_info row(option_class kind, const char* name, int min_words,
                          int max_words, int ways, const char* note) {
  return {name,
          kind,
          static_cast<uint8_t>(min_words),
          static_cast<uint8_t>(max_words),
          (ways & inline_block) != 0,
          (ways & by_push) != 0,
          note,
          (ways & by_ours) != 0};
}

/// Accepted options. Each has its handler.
option_range usable_option_rows();

/// Silent and ignored options.
option_range ignored_option_rows();

/// Server-only, refused and removed options.
option_range refused_option_rows();

} // namespace vpn::protocol
