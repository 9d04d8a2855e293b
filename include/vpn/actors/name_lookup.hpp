// Turns the host and port of a `remote` line into endpoints. Blocks while the
// resolver works, so only RESOLVER calls it.
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/ip_address.hpp"
#include "vpn/protocol/reason.hpp"

#include <string>
#include <vector>

namespace vpn::actors {

/// At most 16 different endpoints in the resolver's order, never none. `kind`
/// `unspecified` means both families; `tcp` matters for service names only.
expected<std::vector<endpoint>, failure> look_up(const std::string& host,
                                                 const std::string& port,
                                                 family kind, bool tcp);

} // namespace vpn::actors
