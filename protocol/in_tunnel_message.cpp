// What two ends tell each other inside the tunnel: see the header.
// spec: openvpn-wire 11.1, 11.2
#include "vpn/protocol/in_tunnel_message.hpp"

#include <array>

namespace vpn::protocol {

namespace {

constexpr std::array<uint8_t, 16> ping_bytes{
  0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
  0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48,
};

constexpr uint8_t occ_exit = 6;

/// The mark of OCC messages, and the operation that we send.
constexpr std::array<uint8_t, 17> exit_bytes{
  0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81,     0x2d,
  0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c, occ_exit,
};

constexpr size_t mark_size = 16;

} // namespace

byte_view ping_magic() noexcept {
  return {ping_bytes.data(), ping_bytes.size()};
}

byte_view exit_magic() noexcept {
  return {exit_bytes.data(), exit_bytes.size()};
}

in_tunnel_message classify_message(byte_view plain) noexcept {
  if (plain == ping_magic())
    return in_tunnel_message::ping;
  if (!(plain.first(mark_size) == exit_magic().first(mark_size)))
    return in_tunnel_message::none;
  return plain.size() > mark_size && plain[mark_size] == occ_exit
           ? in_tunnel_message::exit
           : in_tunnel_message::chatter;
}

} // namespace vpn::protocol
