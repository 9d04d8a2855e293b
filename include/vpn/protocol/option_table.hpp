// Every option name OpenVPN 2.6 and 2.7 know, and a few of our own, and what we
// do with them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vpn::protocol {

enum class option_class : uint8_t {
  /// Has an effect.
  accepted,
  /// Harmless without effect: accepted silently.
  silent,
  /// Accepted with a warning that says what is missing.
  ignored,
  /// Only a server understands it.
  server_only,
  /// Refused: the tunnel would not be what its owner asked for.
  refused,
  /// Gone from OpenVPN itself.
  removed,
};

struct option_info {
  const char* name = nullptr;
  option_class kind = option_class::accepted;
  /// Words after the name, inclusive.
  uint8_t min_words = 0;
  uint8_t max_words = 0;
  /// May be given as an inline file: <ca>...</ca>.
  bool inline_file = false;
  /// May be pushed by a server.
  bool pushable = false;
  /// What it does, or why it does nothing. Otherwise why it is ignored or
  /// refused, and what to do instead.
  const char* note = "";
  /// No OpenVPN knows it.
  bool ours = false;
};

/// Nothing when neither OpenVPN nor we know the name.
const option_info* find_option(std::string_view name);

/// All of them, sorted by name.
struct option_range {
  const option_info* first = nullptr;
  const option_info* last = nullptr;
  const option_info* begin() const noexcept { return first; }
  const option_info* end() const noexcept { return last; }
};
option_range all_options();

/// "accepted", "server only": for a list of options.
std::string to_string(option_class x);

/// The known name nearest to a misspelt one; empty when none is near.
std::string nearest_option(std::string_view name);

} // namespace vpn::protocol
