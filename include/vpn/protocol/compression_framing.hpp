// The byte or two that old compression settings put before each packet. Every
// form is understood, compressed packets can be opened, nothing is compressed.
// spec: openvpn-wire 10
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vpn::protocol {

enum class compression_framing : uint8_t {
  none,
  /// `comp-lzo no`: FA, and nothing else comes in.
  lzo_stub,
  /// `comp-lzo`, `compress lzo`: FA or 66.
  lzo,
  /// `compress`, `compress stub`: FB with the first byte moved to the end.
  stub,
  /// `compress stub-v2`: nothing, unless a packet begins with 50.
  stub_v2,
  /// `compress lz4`: like stub, or 69.
  lz4,
  /// `compress lz4-v2`: like stub-v2, or 50 01.
  lz4_v2,
};

/// As in a profile: "comp-lzo no", "compress lz4-v2"; "none".
std::string to_string(compression_framing x);

/// True for those under which a peer may send compressed packets.
constexpr bool may_compress(compression_framing x) noexcept {
  return x == compression_framing::lzo || x == compression_framing::lz4
         || x == compression_framing::lz4_v2;
}

/// True for those that put one byte before every packet. spec: openvpn-wire
/// 13.3
constexpr bool adds_a_byte(compression_framing x) noexcept {
  return x == compression_framing::lzo_stub || x == compression_framing::lzo
         || x == compression_framing::stub || x == compression_framing::lz4;
}

/// Bytes that `write_framed` adds at most.
constexpr size_t framing_room(compression_framing x) noexcept {
  if (adds_a_byte(x))
    return 1;
  return x == compression_framing::none ? 0 : 2;
}

/// Writes the uncompressed form of a packet to `out`, which has room for
/// plain.size() + framing_room and does not overlap. Returns the bytes written;
/// none for an empty packet.
size_t write_framed(compression_framing x, byte_view plain,
                    uint8_t* out) noexcept;

/// Takes the framing off. The packet lies in `framed`, which may be changed, or
/// decompressed in `scratch`, whose size bounds it. An empty packet passes.
/// `bad_value` for a head byte that is not of this framing, `wrong_state` for a
/// compressed packet without `decompress`, `bad_payload_size` for one that is
/// corrupt or larger than `scratch`, or when nothing is behind the head.
expected<mutable_byte_view> open_framed(compression_framing x, bool decompress,
                                        mutable_byte_view framed,
                                        mutable_byte_view scratch) noexcept;

} // namespace vpn::protocol
