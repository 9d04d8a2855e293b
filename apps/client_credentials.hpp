// Asking a person for user name and password.
#pragma once

#include "vpn/protocol/profile.hpp"

namespace vpn::client {

/// Asks on the terminal for what the profile leaves open. False when there is
/// no terminal to ask on; nothing is echoed but the user name.
bool complete_credentials(protocol::profile& x);

} // namespace vpn::client
