// Text of a peer that people, terminals, logs and scripts will see: UTF-8
// without control characters.
// spec: openvpn-wire 5.9
#pragma once

#include <string>
#include <string_view>

namespace vpn::protocol {

/// Valid UTF-8 without C0, DEL and C1 (U+0080 to U+009F): a terminal takes those
/// for the beginning of a command.
bool is_readable(std::string_view text);

/// The text with '_' in place of every byte that makes it unreadable.
std::string make_readable(std::string_view text);

/// Its first bytes, `limit` at most, never cut inside a character.
std::string_view cut_readable(std::string_view text, size_t limit);

} // namespace vpn::protocol
