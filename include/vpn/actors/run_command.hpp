// Runs one program with a time limit and without a shell. Blocks until it
// ends, so only RUNNER and HOST call it.
#pragma once

#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace vpn::actors {

/// Runs the program `words[0]` (a path: nothing is searched, no shell reads
/// it) with `environment` ("NAME=value") and nothing else of ours: standard
/// input is empty, standard output and error are ours, all other descriptors
/// are closed, signals are as a shell would leave them, and it leads a process
/// group of its own. Returns the exit status. It is a failure when the program
/// cannot start, is ended by a signal, or lasts longer than `limit`; then it
/// is killed with what it started in its group, and its status is collected.
expected<int, failure> run_command(const std::vector<std::string>& words,
                                   const std::vector<std::string>& environment,
                                   std::chrono::milliseconds limit);

} // namespace vpn::actors
