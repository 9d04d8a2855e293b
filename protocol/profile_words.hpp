// An option as it may be shown: without blocks, and without words that may be
// secrets.
#pragma once

#include <string>

#include "profile_builder.hpp"

namespace vpn::protocol {

/// "remote vpn.example 1194", "<key>", "setenv NAME ...". Unknown options are
/// shown by their name when it is like a known one, and not at all otherwise:
/// the line may be a part of a key.
std::string shown_option(const option_use& use);

} // namespace vpn::protocol
