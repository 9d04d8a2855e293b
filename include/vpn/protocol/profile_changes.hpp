// What differs between two readings of a configuration, and how far into a
// running client each difference reaches.
#pragma once

#include "vpn/protocol/bytes.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

using content_digest = std::array<uint8_t, 32>;

/// SHA-256.
content_digest digest_of(byte_view content);

/// An option as it was given, without anything that could be told of it but its
/// name: the digest is of its words, its block, and the files that it named.
struct given_option {
  std::string name;
  content_digest digest{};
};

/// `words` begins with the name of the option, `block` is its inline text, and
/// `files` is what was read for it, as digests or otherwise.
given_option record_option(const std::vector<std::string>& words,
                           std::string_view block, bool in_connection,
                           byte_view files);

/// What it takes until a changed option takes effect.
enum class change_reach : uint8_t {
  /// It has no effect of its own.
  nothing,
  /// The process goes on with another value.
  process,
  /// The process has to start anew: it is too late for this one.
  start,
  /// A new connection.
  session,
};

/// By the name of the option; `session` for whatever is not known better.
change_reach reach_of(std::string_view option);

struct profile_changes {
  /// Names of options that were added, removed or changed, sorted.
  std::vector<std::string> process, start, session;
  /// Options of a session are the same in another order. Whether that matters
  /// depends on which they are.
  bool reordered = false;

  bool empty() const noexcept {
    return process.empty() && start.empty() && !concern_session();
  }
  bool concern_session() const noexcept {
    return reordered || !session.empty();
  }
};

/// Compares two configurations, each with its options in the order in which
/// they were applied.
profile_changes compare_options(const std::vector<given_option>& before,
                                const std::vector<given_option>& after);

/// What a process goes by that has taken over `after`: what counts at its start
/// only is still as it was.
std::vector<given_option>
options_in_use(const std::vector<given_option>& before,
               const std::vector<given_option>& after);

/// "nothing changed", "verb changed", "remote, route changed, connecting anew".
std::string to_string(const profile_changes& x);

} // namespace vpn::protocol
