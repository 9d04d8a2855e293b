// What happens to an IP packet between TUN and the cipher besides mssfix:
// client-nat, compression framing, fragments.
// spec: openvpn-wire 10.1, 13.4
#pragma once

#include "vpn/protocol/address_nat.hpp"
#include "vpn/protocol/compression_framing.hpp"
#include "vpn/protocol/fragment.hpp"
#include "vpn/protocol/random.hpp"

#include <memory>
#include <optional>

namespace vpn::protocol {

struct packet_shape {
  compression_framing framing = compression_framing::none;
  /// Compressed packets are opened.
  bool decompress = false;
  /// Larger datagrams go in pieces; zero: no fragment header at all.
  uint32_t fragment_size = 0;
  std::vector<nat_rule> nat;
};

/// Brings packets into the shape the peer expects, and back. All memory is
/// taken by `configure`.
class packet_shaper {
public:
  /// No packet is larger, here and there.
  static constexpr size_t max_packet = 65535;

  /// `random` is asked once, for the first sequence id of fragments.
  explicit packet_shaper(const random_source& random = {});

  /// What is left of a packet under way is forgotten. Fragments of the peer are
  /// not.
  void configure(const packet_shape& x);
  /// False: packets are sent, or taken, as they are. The second version of the
  /// framings leaves IP packets alone, but has to be looked at when it comes.
  bool shapes_outgoing() const noexcept { return outgoing_; }
  bool shapes_incoming() const noexcept { return incoming_; }

  // -- sending --
  /// Begins with an IP packet, which may be changed and must stay until the
  /// last piece is sent. `largest`: bytes of one plaintext that makes a
  /// datagram of fragment_size.
  expected<done_t> begin(mutable_byte_view packet, size_t largest) noexcept;
  /// The plaintext to seal next; empty when all is sent.
  byte_view piece() const noexcept;
  void next_piece() noexcept;
  /// Gives up what is left of a packet.
  void drop() noexcept;
  /// A ping or the like, ready to seal; lasts until the next call. Does not
  /// disturb a packet under way.
  byte_view wrap_message(byte_view message) noexcept;

  // -- receiving --
  /// Undoes framing and fragments. The result lies in `plain`, or in memory
  /// that lasts until the next call; empty while pieces are missing.
  expected<mutable_byte_view> open(mutable_byte_view plain,
                                   instant now) noexcept;
  /// Undoes client-nat.
  void restore_addresses(mutable_byte_view packet) const noexcept;

private:
  bool assembles() const noexcept;

  random_source random_;
  packet_shape shape_;
  address_nat nat_;
  bool outgoing_ = false;
  bool incoming_ = false;
  /// The packet under way: as it came, or framed in `scratch_`.
  byte_view whole_{};
  std::unique_ptr<uint8_t[]> scratch_;
  std::unique_ptr<uint8_t[]> decompressed_;
  std::optional<fragment_cutter> cutter_;
  std::optional<fragment_joiner> joiner_;
  /// Header, framing and the longest message fit.
  std::array<uint8_t, 32> message_{};
};

} // namespace vpn::protocol
