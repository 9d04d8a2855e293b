// CONTROL's half of a negotiation: TLS bytes cut into control payloads that fit
// a packet, payloads joined to TLS bytes, and the reset that opens it.
// spec: openvpn-rfc#controlchannel, openvpn-wire 2.9, 4.7
#pragma once

#include "vpn/protocol/reliable_link.hpp"

#include <deque>
#include <optional>

namespace vpn::protocol {

/// How a negotiation starts.
enum class opening : uint8_t {
  /// Sends a hard reset; the answer is a hard reset of the server.
  hard_reset_client,
  /// Waits for a client's hard reset and answers it.
  hard_reset_server,
  /// Sends a soft reset and waits for the peer's.
  soft_reset_initiator,
  /// Waits for a soft reset and answers it.
  soft_reset_responder,
};

/// Early negotiation flag: the client sends its wrapped key once more, along
/// with its first TLS bytes. spec: openvpn-wire 2.9
constexpr uint16_t resend_wrapped_key = 1;

/// The peer's reset has arrived: TLS may begin.
struct peer_reset {
  /// `resend_wrapped_key`, or zero when the peer sent no such flags.
  uint16_t early_negotiation_flags = 0;
};

/// Reads the payload of a hard reset, a list of TLVs. Unknown types are
/// skipped; `bad_tlv` for a broken list.
expected<peer_reset> read_reset(byte_view payload);

/// The payload of a hard reset with these flags.
bytes write_reset(const peer_reset& x);

class control_stream {
public:
  /// `v3`: a client opens with HARD_RESET_CLIENT_V3, as tls-crypt-v2 wants.
  explicit control_stream(opening how, bool v3 = false) : how_(how), v3_(v3) {}

  // -- commands --
  /// Queues the opening reset if this side sends the first one.
  void start();
  /// Queues TLS bytes for the peer.
  void send(byte_view tls_bytes);
  /// Bytes of payload that fit one packet; at least 16.
  void set_max_payload(size_t n);

  // -- handlers --
  /// The next message in order. A reset in the middle of a stream or a broken
  /// TLV is refused, and nothing changes. `no_buffer` when `poll_tls` has not
  /// been asked for far too long: the stream cannot go on.
  expected<done_t> handle_message(control_message msg);

  // -- polls --
  /// The next message for RELIABLE; ask only when its window has room.
  std::optional<control_message> poll_message();
  /// TLS bytes from the peer.
  std::optional<bytes> poll_tls();
  std::optional<peer_reset> poll_reset();

  // -- observers --
  size_t queued() const noexcept { return out_.size() - out_used_; }

private:
  opcode own_reset() const noexcept;
  bool is_peer_reset(opcode op) const noexcept;
  expected<done_t> handle_reset(const control_message& msg);

  opening how_;
  bool v3_;
  bool started_ = false;
  bool reset_seen_ = false;
  std::deque<control_message> resets_;
  std::optional<peer_reset> reset_event_;
  size_t max_payload_ = 1150;
  bytes out_;
  size_t out_used_ = 0;
  std::deque<bytes> in_;
};

} // namespace vpn::protocol
