// TCP framing: finds packets in a stream.
// spec: openvpn-wire 1.2

#include "vpn/protocol/tcp_framing.hpp"

namespace vpn::protocol {

expected<frame> next_frame(byte_view buffer, size_t offset, size_t limit) {
  auto rest = buffer.from(offset);
  if (rest.size() < frame_prefix_size)
    return frame{};
  auto length = size_t{load_u16(rest.data())};
  // Judged as soon as the prefix is there: waiting for the bytes of a frame
  // that will be refused would let the peer fill the buffer for nothing.
  if (length == 0 || length > limit)
    return errc::bad_frame_length;
  if (rest.size() - frame_prefix_size < length)
    return frame{};
  return frame{offset + frame_prefix_size, length};
}

} // namespace vpn::protocol
