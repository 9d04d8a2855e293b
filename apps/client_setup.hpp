// From a parsed profile to what SUPERVISOR needs.
#pragma once

#include "vpn/actors/supervisor.hpp"
#include "vpn/protocol/profile.hpp"

#include <memory>

namespace vpn::client {

/// Loads certificates and keys; a failure names the part that is wrong. The
/// runtime's fields (clock, loop, pools, parts, listener) are left to the
/// caller.
expected<std::shared_ptr<actors::supervisor_config>, failure>
make_supervisor_config(const protocol::profile& from);

/// The runtime's fields of a configuration in use, for the one that follows.
void share_runtime(actors::supervisor_config& to,
                   const actors::supervisor_config& from);

/// True when some connection binds a port that only root may bind.
bool binds_low_port(const protocol::profile& from);

/// What scripts are told about this process: config, verb, daemon_pid ...
/// Call it when the process has its number and its log.
void add_process_variables(actors::supervisor_config& to,
                           const protocol::process_settings& how, int verbosity,
                           const std::vector<std::string>& words);

/// Reads a file named in a configuration; regular files and pipes up to 1 MiB.
std::optional<std::string> read_file(const std::string& path,
                                     std::string& error);

} // namespace vpn::client
