// Making a socket the way both transports want it.
#pragma once

#include "vpn/actors/unique_fd.hpp"

#include "socket_address.hpp"
#include "transport.hpp"

namespace vpn::actors {

/// "what: strerror".
failure socket_failure(const std::string& what, int error);

/// Non-blocking, close-on-exec, with large buffers, bound if configured.
expected<unique_fd, failure> make_socket(const network_config& cfg);

} // namespace vpn::actors
