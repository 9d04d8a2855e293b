// The name and version we tell peers and people.
#pragma once

namespace vpn::client {

constexpr const char* version = "vpn-actor_0.1.0";

} // namespace vpn::client
