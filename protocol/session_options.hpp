// What the pages of `session` share: lists of pushed options, names for logs.
// spec: openvpn-wire 7.1
#pragma once

#include "vpn/protocol/ip_address.hpp"

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

/// "[AF_INET]192.0.2.1:1194", as logs have it.
std::string socket_name(const endpoint& x);

} // namespace vpn::protocol
