// What the program does besides connecting: --explain, --genkey, --show-...,
// --cleanup, --version, --help.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace vpn::client {

/// The exit code when the words are such a command, which then has been
/// carried out; nothing when they are a profile to connect.
std::optional<int> run_command_line_tool(const std::vector<std::string>& words);

} // namespace vpn::client
