// The lines of a journal, one JSON object each: what was added, what was
// dropped, which names are set.
#pragma once

#include "vpn/actors/host_journal.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace vpn::actors {

/// Whose journal it is: what is still true of a later process, or not.
struct journal_owner {
  uint64_t pid = 0;
  /// Clock ticks from boot to its start: a later process with the same number
  /// is another one.
  uint64_t started = 0;
  /// Another boot: routes and addresses are gone.
  std::string boot;
  /// Another network namespace: nothing of it is to be found here.
  std::string network;
};

/// This process, in the network namespace of the calling thread.
journal_owner this_process();

/// What a journal says when it ends here.
struct journal_content {
  /// Absent: not even the first line is whole, so nothing has happened.
  std::optional<journal_owner> owner;
  /// Not empty: the first line is not one of ours, and says nothing to us.
  std::string foreign;
  /// By the numbers they were given, which is the order they were made in.
  std::map<uint64_t, host_change> changes;
  host_names names;
  /// Bytes of whole lines; what follows is half a line.
  size_t whole = 0;
  /// Whole lines that say nothing to us.
  size_t not_understood = 0;
};

/// Takes anything; never throws but for want of memory.
journal_content parse_journal(std::string_view text);

// -- the lines; each ends with a line feed --

std::string first_line(const journal_owner& x);
std::string add_line(uint64_t number, const host_change& x);
std::string drop_line(uint64_t number);
std::string names_line(const host_names& x);
/// What stands between these two takes the place of everything before.
std::string again_line();
std::string done_line();

} // namespace vpn::actors
