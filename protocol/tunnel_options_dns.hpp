// The page of tunnel options about name servers and domains.
// spec: openvpn-wire 7.2
#pragma once

#include <algorithm>

#include "tunnel_options.hpp"

namespace vpn::protocol {

/// Bounds of a `dns_config`.
constexpr size_t max_dns_addresses = 8;
constexpr size_t max_search_domains = 64;

constexpr bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9');
}

/// Adds `x` unless it is there; false when there are too many.
template <class T>
bool add_once(std::vector<T>& xs, const T& x, size_t limit) {
  if (std::find(xs.begin(), xs.end(), x) != xs.end())
    return true;
  if (xs.size() >= limit)
    return false;
  xs.push_back(x);
  return true;
}

/// Nothing when it is none of this page.
const tunnel_option* find_dns_option(std::string_view name);

/// Letters, digits, '-', '_' and '.' in labels of at most 63 characters: so
/// nothing in it means anything to a shell or a resolver's file.
bool is_domain_name(std::string_view text);

/// Takes the profile's name servers aside, and forgets what only followed from
/// its `dhcp-option` lines: a push may add to them.
void reopen_dns(tunnel_draft& draft);

/// Merges `dns` of profile and push, and `dhcp-option` where there is no `dns`.
/// The text says why all `dns` options had to be left out.
std::string finish_dns(tunnel_draft& draft);

} // namespace vpn::protocol
