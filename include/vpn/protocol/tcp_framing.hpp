// TCP framing: every packet is preceded by its length.
// spec: openvpn-wire 1.2
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/error.hpp"

namespace vpn::protocol {

/// Longest frame we accept, in bytes. Stock peers never send more than 1768;
/// a larger tun-mtu makes larger packets.
constexpr size_t max_frame_size = 9216;

/// Bytes of the length prefix.
constexpr size_t frame_prefix_size = 2;

struct frame {
  /// Offset of the packet in the buffer, after its prefix.
  size_t offset = 0;
  size_t length = 0;
};

/// Looks for one frame in `buffer` at `offset`. Returns a frame of length 0
/// when more bytes are needed, `bad_frame_length` when the stream is broken and
/// the connection must be closed.
expected<frame> next_frame(byte_view buffer, size_t offset,
                           size_t limit = max_frame_size);

} // namespace vpn::protocol
