// Packets too large for one datagram, cut in pieces and put together again.
// spec: openvpn-wire 13.4
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/error.hpp"

#include <array>
#include <memory>

namespace vpn::protocol {

/// Stands before each piece, and before each packet that goes whole.
constexpr size_t fragment_header_size = 4;
/// Pieces of one packet at most.
constexpr size_t max_fragments = 32;

/// Payload of each piece but the last one when a packet of `length` bytes goes
/// in pieces of at most `largest`: a multiple of four, and smaller than it
/// could be when the last piece would be short. Zero when `largest` has no room
/// for any payload.
size_t fragment_payload(size_t length, size_t largest) noexcept;

/// Cuts one packet after the other, in place: the header of a piece overwrites
/// the end of the piece before it, which has been used by then.
class fragment_cutter {
public:
  /// The next packet that is cut gets the sequence id after this one.
  explicit fragment_cutter(uint8_t sequence = 0) : sequence_(sequence) {}

  /// Takes `length` bytes at `packet`, with `fragment_header_size` free bytes
  /// before them. `largest`: payload of one piece. `bad_payload_size` when that
  /// makes too many pieces, or when there is nothing to send.
  expected<done_t> cut(uint8_t* packet, size_t length, size_t largest) noexcept;
  /// The piece to send now, header included; empty when all were.
  byte_view piece() const noexcept;
  void next_piece() noexcept;
  /// Gives up what is left of the packet.
  void drop() noexcept { left_ = 0; }

private:
  void write_header() noexcept;

  uint8_t* at_ = nullptr;
  /// Bytes from `at_` to the end of the packet.
  size_t left_ = 0;
  size_t step_ = 0;
  uint32_t index_ = 0;
  uint8_t sequence_;
};

/// Puts pieces together: up to 25 packets at a time, in memory that is taken
/// once.
class fragment_joiner {
public:
  /// No packet may be larger than `max_packet` when it is complete.
  explicit fragment_joiner(size_t max_packet);

  /// Takes what a data packet held. Gives the whole packet, inside of `xs` or
  /// in memory that lasts until the next call; empty while pieces are missing.
  expected<mutable_byte_view> join(mutable_byte_view xs, instant now) noexcept;

private:
  /// Packets under way at a time, and their lifetime after the last piece.
  static constexpr size_t places = 25;
  static constexpr duration lifetime = std::chrono::seconds{10};

  struct partial {
    bool used = false;
    time_point touched{};
    /// One bit for each piece that is here.
    uint32_t have = 0;
    /// Number of pieces and length of all, once the last piece is here.
    uint32_t count = 0;
    size_t length = 0;
    /// Payload of each piece but the last.
    size_t step = 0;
  };

  partial& place_of(uint8_t sequence) noexcept;
  uint8_t* memory_of(const partial& x) noexcept;

  size_t max_packet_;
  std::unique_ptr<uint8_t[]> memory_;
  std::array<partial, places> partials_{};
  /// Where the packet with the newest sequence id is.
  size_t newest_ = 0;
  uint8_t newest_sequence_ = 0;
};

} // namespace vpn::protocol
