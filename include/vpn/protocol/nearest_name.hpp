// The name somebody meant who wrote another one.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace vpn::protocol {

/// Names longer than this are near to nothing.
constexpr size_t max_near_name = 64;

/// Insertions, deletions, replacements and swaps of neighbours that lead from
/// `x` to `y`; for longer names than `max_near_name` the longer length.
size_t edit_distance(std::string_view x, std::string_view y);

/// The one of `names` that `name` is most likely meant to be: within one edit
/// for short names and two for others, or begun; empty when none is near.
std::string_view nearest_name(std::string_view name,
                              const std::vector<std::string_view>& names);

} // namespace vpn::protocol
