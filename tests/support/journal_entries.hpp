// What tests write into journals, and what they find there.
#pragma once

#include "vpn/actors/host_journal.hpp"

#include <string>
#include <vector>

#include "actors/journal_text.hpp"

namespace vpn::test {

using changes = std::vector<actors::host_change>;

inline changes changes_of(const actors::journal_content& x) {
  changes result;
  for (const auto& [number, change] : x.changes)
    result.push_back(change);
  return result;
}

inline actors::host_change some_route(size_t i) {
  actors::host_change x;
  x.device = "tun0";
  x.device_index = 12;
  x.prefix.address.kind = family::v4;
  x.prefix.address.octets
    = {10, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)};
  x.prefix.length = 32;
  x.gateway = *parse_ip("10.8.0.1");
  return x;
}

inline actors::host_names file_names(const std::string& path) {
  actors::host_names result;
  result.file = path;
  return result;
}

} // namespace vpn::test
