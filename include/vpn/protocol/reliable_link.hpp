// Reliability layer of the control channel: message ids, acks, windows,
// retransmission.
// spec: openvpn-rfc#acks, openvpn-wire 4, RFC 6298
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/round_trip.hpp"

#include <map>
#include <optional>
#include <vector>

namespace vpn::protocol {

struct reliable_config {
  uint8_t key_id = 0;
  // seen: openvpn 2.6 ssl_pkt.h TLS_RELIABLE_N_SEND_BUFFERS, _N_REC_BUFFERS
  uint32_t send_window = 6;
  uint32_t receive_window = 12;
  /// The first retransmission comes after so long at the latest; the wait
  /// doubles with each. Option `tls-timeout`.
  duration retransmit_after = std::chrono::seconds{2};
  /// Acks of higher ids that make a message due at once.
  uint32_t early_retransmit_acks = 3;
  /// Acks in a bare ACK_V1. Stock sends up to eight, but some peers refuse more
  /// than four.
  size_t bare_acks = max_acks_sent;
  /// False: as stock does it. The first wait is always `retransmit_after`, it
  /// doubles without an end, and nobody asks for what is missing. None of the
  /// fields below matters then.
  bool measure = true;
  /// The first wait before a round trip has been measured. Half of what is
  /// usual for a reset whose path is unknown: most paths are faster, and on the
  /// others a second reset does no harm.
  duration first_guess = std::chrono::milliseconds{500};
  /// No wait is shorter, however fast the path: a peer may be busy with the
  /// handshakes of others.
  duration shortest_wait = std::chrono::milliseconds{100};
  /// Doubling ends here. A negotiation lives for a minute: waits of 16 and 32 s
  /// are why stock gives up on a path that loses much.
  duration longest_wait = std::chrono::seconds{8};
  /// How often one missing message is asked for at most, and the longest time
  /// between.
  uint32_t asks = 32;
  duration longest_ask = std::chrono::seconds{2};
};

/// One message above the reliability layer: an opcode and its payload. Resets
/// are message 0 with their own opcode.
struct control_message {
  opcode op = opcode::control_v1;
  bytes payload;
  friend bool operator==(const control_message& x, const control_message& y) {
    return x.op == y.op && x.payload == y.payload;
  }
};

/// Turns a lossy, reordering datagram link into an ordered sequence of
/// messages. One object per key id. After every command or handler: drain
/// `poll_transmit`, then `poll_deliver`, then ask `poll_timeout` when to come
/// back. Stores messages unwrapped, since every transmission is wrapped anew.
///
/// How lost messages come back, beyond what stock does:
/// - Ours: after a wait that follows the measured round trip.
/// - The peer's: as long as one is missing while later ones have come, bare
///   acks repeat the ids of those, since a peer sends again at once what three
///   acks of higher ids have passed by. Nothing can be done for the last
///   message of a flight; its sender has to notice.
///
/// Whatever a peer does, each message goes out when its time has come and once
/// per round trip for acks that pass it by, but for the first few copies, which
/// may follow closer.
class reliable_link {
public:
  explicit reliable_link(reliable_config cfg = {});

  // -- commands: from the layer above --
  /// Queues one message; `window_full` when `free_slots()` is zero.
  expected<done_t> send(control_message msg, instant now);
  /// Makes everything that is not acknowledged due at once.
  void send_again(instant now);

  // -- handlers: from the layer below, from the timer --
  /// Takes a packet that MUXER has verified. An id below the window or seen
  /// before is acknowledged again and counted as `replayed`; one beyond the
  /// window is neither stored nor acknowledged.
  expected<done_t> handle_packet(control_packet pkt, instant now);
  void handle_timeout(instant now);

  // -- polls --
  /// The lowest due message with up to four acks; when no message is due and
  /// acks are owed, a bare ACK_V1. But the ack of a reset waits for the message
  /// that answers it: our reset or, at the client, the first TLS bytes. A
  /// server that has kept nothing drops a bare ACK_V1, which is never repeated.
  /// spec: openvpn-wire 2.9, 3.2
  std::optional<control_packet> poll_transmit(instant now);
  /// The next message in order.
  std::optional<control_message> poll_deliver();
  std::optional<time_point> poll_timeout() const;

  // -- observers --
  /// How many messages `send` takes now.
  size_t free_slots() const noexcept;
  size_t in_flight() const noexcept { return unacked_.size(); }
  uint64_t retransmits() const noexcept { return retransmits_; }
  /// The peer has acknowledged our first message: somebody is there.
  bool answered() const noexcept { return burst_done_; }

private:
  struct sent_message {
    control_message msg;
    time_point due;
    /// Between the last copy and the next one.
    duration wait{};
    time_point last_sent;
    uint32_t higher_acks = 0;
    uint32_t transmissions = 0;
    /// A copy was sent because time was up.
    bool late = false;
  };
  /// Asking for what is missing.
  struct question {
    /// The message id that is missing.
    uint32_t id = 0;
    time_point due;
    duration wait{};
    uint32_t asked = 0;
  };
  void handle_ack(uint32_t id, instant now);
  void measure(const sent_message& x, instant now);
  bool passes_by(const sent_message& x, instant now) const noexcept;
  control_packet transmit(uint32_t id, sent_message& x, instant now);
  void look_for_gap(instant now);
  std::optional<control_packet> poll_question(instant now);
  void owe_ack(uint32_t id);
  std::vector<uint32_t> take_acks(size_t most);

  reliable_config cfg_;
  round_trip trip_;
  uint32_t next_id_ = 0;
  /// The next id for `poll_deliver`; the receive window starts here, so a
  /// reader that does not poll stops the peer instead of filling memory.
  uint32_t expected_id_ = 0;
  /// So many messages of ours go before the first bare ACK_V1.
  uint32_t answers_first_ = 0;
  bool burst_done_ = false;
  uint64_t retransmits_ = 0;
  std::map<uint32_t, sent_message> unacked_;
  /// Received and not yet delivered, at most `receive_window`.
  std::map<uint32_t, control_message> received_;
  /// Not yet acknowledged once, oldest first; at most eight.
  std::vector<uint32_t> owed_;
  /// Acknowledged before, most recent first; at most eight. Repeated in spare
  /// room, which carries the proof of the stateless handshake for free.
  std::vector<uint32_t> recent_;
  std::optional<question> question_;
};

} // namespace vpn::protocol
