// The page of tunnel options about `dhcp-option`, and what follows from it.
// spec: openvpn-wire 7.2
#pragma once

#include "tunnel_options.hpp"

namespace vpn::protocol {

/// The handler of `dhcp-option`.
option_outcome add_dhcp_option(tunnel_draft& draft, const option_words& words);

/// What the `dhcp-option` lines among foreign options say.
dns_config dns_of_dhcp_options(const std::vector<std::string>& foreign);

/// The foreign options as scripts know them: where `dns` options won, they
/// stand there as `dhcp-option`.
std::vector<std::string> foreign_options_of(const tunnel_config& tunnel);

} // namespace vpn::protocol
