// Distances between names: see the header.
#include "vpn/protocol/nearest_name.hpp"

#include <algorithm>
#include <array>

namespace vpn::protocol {

size_t edit_distance(std::string_view x, std::string_view y) {
  if (x.size() > max_near_name || y.size() > max_near_name)
    return std::max(x.size(), y.size());
  std::array<std::array<size_t, max_near_name + 1>, 3> rows{};
  for (size_t j = 0; j <= y.size(); ++j)
    rows[0][j] = j;
  for (size_t i = 1; i <= x.size(); ++i) {
    auto& current = rows[i % 3];
    auto& above = rows[(i + 2) % 3];
    auto& two_above = rows[(i + 1) % 3];
    current[0] = i;
    for (size_t j = 1; j <= y.size(); ++j) {
      auto replaced = above[j - 1] + (x[i - 1] == y[j - 1] ? 0 : 1);
      current[j] = std::min({above[j] + 1, current[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
        current[j] = std::min(current[j], two_above[j - 2] + 1);
    }
  }
  return rows[x.size() % 3][y.size()];
}

std::string_view nearest_name(std::string_view name,
                              const std::vector<std::string_view>& names) {
  // Two letters are near to everything of three.
  if (name.size() < 3 || name.size() > max_near_name)
    return {};
  auto limit = name.size() < 5 ? size_t{1} : size_t{2};
  std::string_view best;
  auto best_distance = limit + 1;
  for (auto x : names) {
    auto distance = edit_distance(name, x);
    // A name of two letters is not a word of three with a slip.
    if (distance < best_distance && distance < x.size()) {
      best = x;
      best_distance = distance;
    }
  }
  if (!best.empty())
    return best;
  for (auto x : names)
    if (x.substr(0, name.size()) == name)
      return x;
  return {};
}

} // namespace vpn::protocol
