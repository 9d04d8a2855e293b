// Option `block-ipv6`: what the local host gets back for an IPv6 packet that
// may not enter the tunnel.
// spec: openvpn-wire 7.2; RFC 4443 2.4, 3.1
#pragma once

#include "vpn/protocol/packet_slab.hpp"

#include <array>
#include <memory>

namespace vpn::protocol {

/// Bytes of an answer at most: any link carries so much.
constexpr size_t max_no_route_answer = 1280;

/// Writes the ICMPv6 message "no route to destination" about `packet` to `out`,
/// which has room for `max_no_route_answer`. Returns its size; zero when the
/// packet must not be answered: no IPv6, an error itself, or nobody's.
size_t write_no_route_answer(byte_view packet, uint8_t* out) noexcept;

/// Answers that wait until somebody fetches them: few, and what is too much is
/// not answered at all.
class no_route_answers {
public:
  no_route_answers();
  /// Writes the answer to a packet, if there must be one and there is a place.
  void add(byte_view packet) noexcept;
  /// Moves as many as fit to the end of `up`; false when none was moved.
  bool take(packet_slab& up) noexcept;

private:
  static constexpr size_t places = 16;

  std::unique_ptr<uint8_t[]> memory_;
  std::array<uint32_t, places> sizes_{};
  /// Places in use, and how many of them are fetched already.
  size_t count_ = 0;
  size_t taken_ = 0;
};

} // namespace vpn::protocol
