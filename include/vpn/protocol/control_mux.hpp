// MUXER's decisions: which session and which key id a control packet belongs
// to, session ids, wrapping, and the soft reset that has no negotiation yet.
// spec: openvpn-rfc#controlchannel, openvpn-wire 2, 4.3, 12.3
#pragma once

#include "vpn/protocol/control_wrap.hpp"
#include "vpn/protocol/random.hpp"

#include <bitset>
#include <deque>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace vpn::protocol {

struct mux_config {
  role self = role::client;
  wrap_config wrap;
  /// Target size of a control packet with IP and UDP headers, in bytes
  /// (154..2048). Option `max-packet-size`.
  size_t max_packet_size = 1250;
  /// Bytes of IP and UDP headers below: 28 or 48.
  size_t ip_overhead = 28;
  /// After our own soft reset, acks of the key id before it still leave until
  /// the peer was heard under the new one. Not on TCP.
  bool late_acks = false;
};

/// A packet that MUXER hands to the RELIABLE of `packet.key_id`.
struct mux_delivery {
  control_packet packet;
};
/// The peer opened key id `key_id`, for which no negotiation exists yet. Its
/// packets are parked, at most four, until `attach`.
struct mux_soft_reset {
  uint8_t key_id = 0;
};
/// The session ids of both sides are known.
struct mux_peer_known {
  session_id local, remote;
};

class control_mux {
public:
  /// Draws the local session id from `random`.
  static expected<control_mux> make(const mux_config& cfg,
                                    const random_source& random);

  // -- commands --
  /// Announces that a negotiation for `key_id` (0..7) exists; returns the
  /// packets parked for it, oldest first. Once more for a key id that is
  /// attached does no harm: nothing comes back, and what is parked for another
  /// key id stays.
  std::vector<control_packet> attach(uint8_t key_id);
  void detach(uint8_t key_id);
  /// The primary key exists: from now on a soft reset of the next key id is
  /// accepted. Before, it is dropped.
  void allow_soft_reset(uint8_t next_key_id);
  /// From now on control packets of key ids above zero are wrapped with this
  /// key, under packet ids of their own. spec: openvpn-wire 2.10
  /// `exported` comes from the TLS exporter; a static key is mixed in here.
  /// `wrong_state` for a second one: packet ids would start anew.
  expected<done_t> install_dynamic_key(const key_block& exported);
  /// The next wrap packet id is `n` further on, for both wrappings. For whoever
  /// goes on with ids that were leased and may have been used.
  void skip_ids(uint32_t n) noexcept;
  /// Wraps a packet of RELIABLE; fills in both session ids, and appends the
  /// wrapped client key where it belongs. Empty when the packet must not be
  /// sent: see `superseded`.
  bytes seal(control_packet pkt, instant now);

  // -- handlers --
  /// Any bytes that are not data. Events come out of `poll_event`. `no_buffer`
  /// when too many of them wait there; on UDP the peer sends again.
  expected<done_t> handle_datagram(byte_view datagram);

  // -- polls --
  using event = std::variant<mux_delivery, mux_soft_reset, mux_peer_known>;
  std::optional<event> poll_event();

  // -- observers --
  /// Payload bytes that fit one control packet with a full ack block. Less for
  /// key id 0 as long as a wrapped client key may have to go with the first TLS
  /// bytes, so it can grow with each packet sealed or handled.
  size_t max_payload(uint8_t key_id = 0) const noexcept;
  /// True for key ids before the one of the last soft reset, ours or the
  /// peer's: to a peer on TCP, a packet of theirs is a fatal error.
  /// spec: openvpn-wire 12.3
  bool superseded(uint8_t key_id) const noexcept {
    return (key_id & 7) != newest_key_id_;
  }
  const session_id& local() const noexcept { return local_; }
  const session_id& remote() const noexcept { return remote_; }

private:
  control_mux(mux_config cfg, control_wrap wrap)
    : cfg_(std::move(cfg)),
      wrap_(std::move(wrap)) {}
  expected<done_t> check_head(const control_packet& head) const;
  expected<done_t> check_session(const control_packet& pkt) const;
  expected<done_t> park(control_packet pkt);
  void note_first_reset(const control_packet& pkt);
  const control_wrap& wrap_of(uint8_t key_id) const noexcept;
  control_wrap& wrap_of(uint8_t key_id) noexcept;

  mux_config cfg_;
  control_wrap wrap_;
  /// Of key ids above zero, once installed.
  std::optional<control_wrap> dynamic_;
  /// tls-crypt-v2 server: our reset asks for the wrapped key once more.
  bool asks_for_key_ = false;
  /// tls-crypt-v2 client: the server's reset asked.
  bool resends_key_ = false;
  /// The first TLS bytes may need room for the key.
  bool reserves_room_ = false;
  uint8_t newest_key_id_ = 0;
  /// The peer has sent something under it.
  bool newest_heard_ = true;
  session_id local_;
  session_id remote_;
  std::bitset<8> attached_;
  std::optional<uint8_t> expected_soft_reset_;
  std::vector<control_packet> parked_;
  std::deque<event> events_;
};

} // namespace vpn::protocol
