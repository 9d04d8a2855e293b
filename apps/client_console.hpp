// The client's voice: log lines in OpenVPN's form, and the phases of connecting
// with their times.
#pragma once

#include "vpn/actors/interfaces.hpp"

#include <functional>

namespace vpn::client {

/// Sets the format of all log lines and the lowest level that is shown.
/// `verbosity` is OpenVPN's: 0 warnings only, 1 the default, 3 with changes of
/// the host, 4 and more everything.
void start_log(int verbosity);

/// A listener that writes what it hears. `on_end` is called, on a thread of
/// CAF, after the last line.
actors::session_listener_actor
spawn_console(caf::actor_system& sys,
              std::function<void(const actors::session_ended&)> on_end);

void log_warning(const std::string& text);

/// A change of the host, as a command that could be typed; from verb 3.
void log_host_change(const std::string& command);

/// SIGUSR2's answer.
void log_status(const std::vector<actors::layer_status>& layers);

} // namespace vpn::client
