// Lists of pushed options, as the pages of `session` put them together.
// spec: openvpn-wire 7.1
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace vpn::protocol {

/// Parts of one push that we put together at most, and the longest of them.
constexpr size_t max_pushed_options = 8192;
constexpr size_t max_option_size = 2048;

/// Appends `more` as far as the limits allow.
void collect(std::vector<std::string>& list, std::vector<std::string>&& more);

/// Wipes and removes tokens: they are kept as secrets, elsewhere.
void forget_tokens(std::vector<std::string>& list);

} // namespace vpn::protocol
