// How the process stands in its system: background, files, privileges, the
// service manager.
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/profile.hpp"
#include "vpn/protocol/reason.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace vpn::client {

using outcome = expected<done_t, failure>;

/// `cd` and `nice`.
outcome prepare_process(const protocol::process_settings& x);

/// `mlock`: after going to the background, which undoes it, and before
/// privileges are given up, since it takes some.
outcome lock_memory(const protocol::process_settings& x);

/// `daemon`: the caller goes on in a new session without a terminal; its parent
/// has ended. Call it before any thread starts.
outcome go_to_background(const protocol::process_settings& x);

/// `writepid`.
outcome write_pid(const std::string& path);

/// `user` and `group`: gives up everything but the right to change the network,
/// so that routes can still be undone. Call it before any thread starts, since
/// threads have rights of their own.
outcome drop_privileges(const protocol::process_settings& x,
                        bool binds_low_port);

// -- the service manager (systemd's Type=notify) --

/// "STATUS=...", "STOPPING=1": nothing happens without a service manager.
void notify_service(const std::string& state);

/// READY=1 with a status: the tunnel stands.
void notify_ready(const std::string& status);
/// Around a reload. Nothing is said before the first READY, which would be
/// taken for that of the tunnel.
void notify_reloading();
void notify_reloaded();

/// How often the watchdog wants to hear from us; nothing when it does not.
std::optional<std::chrono::milliseconds> watchdog_interval();

} // namespace vpn::client
