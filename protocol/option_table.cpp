// Looking options up by name, and finding the name somebody meant.
#include "vpn/protocol/option_table.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "option_rows.hpp"

namespace vpn::protocol {

namespace {

constexpr size_t max_name = 64;

const std::vector<option_info>& table() {
  static const auto result = [] {
    std::vector<option_info> rows;
    for (auto& range :
         {usable_option_rows(), ignored_option_rows(), refused_option_rows()})
      rows.insert(rows.end(), range.begin(), range.end());
    std::sort(rows.begin(), rows.end(), [](auto& x, auto& y) {
      return std::string_view{x.name} < std::string_view{y.name};
    });
    return rows;
  }();
  return result;
}

/// Insertions, deletions, replacements and swaps of neighbours.
size_t edit_distance(std::string_view x, std::string_view y) {
  std::array<std::array<size_t, max_name + 1>, 3> rows{};
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

} // namespace

option_range all_options() {
  auto& rows = table();
  return {rows.data(), rows.data() + rows.size()};
}

const option_info* find_option(std::string_view name) {
  auto& rows = table();
  auto i = std::lower_bound(rows.begin(), rows.end(), name,
                            [](const option_info& x, std::string_view y) {
                              return std::string_view{x.name} < y;
                            });
  return i != rows.end() && name == i->name ? &*i : nullptr;
}

std::string to_string(option_class x) {
  switch (x) {
    case option_class::accepted:
      return "accepted";
    case option_class::silent:
      return "silent";
    case option_class::ignored:
      return "ignored";
    case option_class::server_only:
      return "server only";
    case option_class::refused:
      return "refused";
    case option_class::removed:
      return "removed";
  }
  return "unknown";
}

std::string nearest_option(std::string_view name) {
  // Two letters are near to everything of three.
  if (name.size() < 3 || name.size() > max_name)
    return {};
  const option_info* best = nullptr;
  // A short word must be nearer than a long one.
  auto best_distance = name.size() < 5 ? size_t{1} : size_t{2};
  // Among equals, a name cut short and then what has an effect are meant more
  // often than others.
  auto rank = [&](const option_info& x) {
    auto is_cut = std::string_view{x.name}.substr(0, name.size()) == name;
    return (is_cut ? 2 : 0) + (x.kind == option_class::accepted ? 1 : 0);
  };
  auto is_better = [&](const option_info& x, size_t distance) {
    if (best == nullptr || distance < best_distance)
      return distance <= best_distance;
    return distance == best_distance && rank(x) > rank(*best);
  };
  for (auto& x : table()) {
    auto length = std::string_view{x.name}.size();
    if (length > name.size() + 2 || name.size() > length + 2)
      continue;
    if (auto distance = edit_distance(name, x.name); is_better(x, distance)) {
      best = &x;
      best_distance = distance;
    }
  }
  if (best != nullptr)
    return best->name;
  // Otherwise the beginning of a name, if it is the beginning of only a few.
  for (auto& x : table())
    if (std::string_view{x.name}.substr(0, name.size()) == name)
      return x.name;
  return {};
}

} // namespace vpn::protocol
