// The knobs of a fault as a table: name, help, and how each is read from text
// and written to it.
#pragma once

#include "vpn/protocol/fault_spec.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vpn::protocol {

/// What a knob concerns, and so where it may stand.
enum class knob_scope : uint8_t {
  /// Packets: refused where none pass.
  packets,
  /// The fault as a whole.
  fault,
  /// The actor; may stand several times, each for itself.
  actor,
  /// The last one of those.
  last_actor,
  /// The actor, whatever passes it: refused with a direction.
  clock,
};

struct fault_knob {
  std::string_view name;
  /// What stands behind '=', for people: "TIME[..TIME]".
  std::string_view value;
  std::string_view help;
  knob_scope scope = knob_scope::fault;
  /// Sets the knob, or says what is wrong at which byte of the value.
  std::optional<fault_error> (*read)(std::string_view value, fault_spec& to)
    = nullptr;
  /// The value; empty if it is as by default. Null for presets, which are
  /// written as the knobs they set, and for what `write_actor_fault` writes.
  std::string (*write)(const fault_spec& x) = nullptr;
};

/// In the order in which they are written.
const std::vector<fault_knob>& all_fault_knobs();
/// "stall=5s/1s,every=10s".
std::string write_actor_fault(const actor_fault& x);
/// More of them in one specification are refused.
constexpr size_t max_actor_faults = 64;

} // namespace vpn::protocol
