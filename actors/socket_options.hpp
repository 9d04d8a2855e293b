// Making a socket the way all transports want it.
#pragma once

#include "vpn/actors/unique_fd.hpp"

#include "socket_address.hpp"
#include "transport.hpp"

namespace vpn::actors {

/// "what: strerror".
failure socket_failure(const std::string& what, int error);

/// Whether a socket is bound to the address and port that the user names.
enum class binding : uint8_t { none, local };

/// Non-blocking and close-on-exec, for this remote, with all options of the
/// configuration. An option that cannot be set is a failure that names it.
expected<unique_fd, failure> make_socket(const network_config& cfg,
                                         const endpoint& remote, bool tcp,
                                         binding bound);

/// Lets the kernel fragment what is larger than the path instead of believing
/// an ICMP that says so.
void ignore_path_mtu(int fd, family kind);

/// What the server wants of a socket that is in use. What the kernel does not
/// grant stays as it is: no reason to lose the connection.
void apply(const protocol::configure_socket& x, int fd, bool tcp);

/// True when the error is about something sent before, told by an ICMP.
bool is_icmp_error(int error) noexcept;

} // namespace vpn::actors
