// Control packets: the plain form, before wrapping.
// spec: openvpn-rfc#controlchannel, openvpn-rfc#opcodes, openvpn-rfc#acks
#pragma once

#include "vpn/protocol/bytes.hpp"
#include "vpn/protocol/error.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vpn::protocol {

/// Which end of the tunnel this is. The TLS client is always the VPN client.
enum class role : uint8_t { client, server };

enum class opcode : uint8_t {
  control_soft_reset_v1 = 3,
  control_v1 = 4,
  ack_v1 = 5,
  data_v1 = 6,
  control_hard_reset_client_v2 = 7,
  control_hard_reset_server_v2 = 8,
  data_v2 = 9,
  control_hard_reset_client_v3 = 10,
  control_wkc_v1 = 11,
};

/// The spec's spelling: "P_CONTROL_V1".
std::string to_string(opcode x);

/// First byte of every packet: opcode in the upper five bits, key id (0..7) in
/// the lower three.
constexpr uint8_t first_byte(opcode op, uint8_t key_id) noexcept {
  return static_cast<uint8_t>((static_cast<unsigned>(op) << 3) | (key_id & 7U));
}
constexpr uint8_t opcode_bits(uint8_t first) noexcept {
  return first >> 3;
}
constexpr uint8_t key_id_of(uint8_t first) noexcept {
  return first & 7;
}

/// True for DATA_V1 and DATA_V2; the only question the data path asks.
constexpr bool is_data(uint8_t first) noexcept {
  return opcode_bits(first) == 6 || opcode_bits(first) == 9;
}
/// True for the opcodes 3..11 that are not data.
constexpr bool is_control(uint8_t first) noexcept {
  return opcode_bits(first) >= 3 && opcode_bits(first) <= 11 && !is_data(first);
}
/// True for the three hard resets of either direction.
constexpr bool is_hard_reset(opcode op) noexcept {
  return op == opcode::control_hard_reset_client_v2
         || op == opcode::control_hard_reset_server_v2
         || op == opcode::control_hard_reset_client_v3;
}

/// Eight random bytes that name one side of one session. All zero is undefined.
struct session_id {
  std::array<uint8_t, 8> value{};
  bool defined() const noexcept { return value != decltype(value){}; }
  byte_view view() const noexcept { return {value.data(), value.size()}; }
  friend bool operator==(const session_id& x, const session_id& y) {
    return x.value == y.value;
  }
  friend bool operator!=(const session_id& x, const session_id& y) {
    return !(x == y);
  }
};

/// Largest ack block we accept, and the largest we send: some peers refuse more
/// than four.
constexpr size_t max_acks_received = 8;
constexpr size_t max_acks_sent = 4;

/// Largest payload we accept. A stock peer's largest receive buffer holds
/// max-packet-size (at most 2048) plus 100 bytes, so nobody can send more.
constexpr size_t max_control_payload = 2148;

/// Opcode, key id and session id: in clear under every wrapping.
constexpr size_t control_head_size = 9;

/// One control packet. `source` and `destination` belong to MUXER; RELIABLE
/// leaves them empty on the way down.
struct control_packet {
  opcode op = opcode::control_v1;
  uint8_t key_id = 0;
  session_id source;
  /// Message ids this packet acknowledges, at most eight.
  std::vector<uint32_t> acks;
  /// On the wire only when `acks` is not empty.
  session_id destination;
  /// Message id; absent on the wire for ACK_V1.
  uint32_t id = 0;
  bytes payload;

  friend bool operator==(const control_packet& x, const control_packet& y) {
    return x.op == y.op && x.key_id == y.key_id && x.source == y.source
           && x.acks == y.acks && x.destination == y.destination && x.id == y.id
           && x.payload == y.payload;
  }
};

/// Appends opcode, key id and session id.
void write_head(const control_packet& x, bytes& out);

/// Appends what follows the session id: ack block, message id, payload.
void write_body(const control_packet& x, bytes& out);

/// Parses what follows the session id into `x`, whose `op` is set. Refuses
/// payloads above `max_control_payload`, so that nothing larger is ever stored.
expected<done_t> read_body(byte_view body, control_packet& x);

/// Parses opcode, key id and session id, the nine bytes every wrapping leaves
/// in clear. Refuses data opcodes, unknown opcodes, a zero session id, and a
/// hard reset with a key id other than zero.
expected<control_packet> read_head(byte_view packet);

/// The whole plain packet: head and body.
bytes write_plain(const control_packet& x);
expected<control_packet> read_plain(byte_view packet);

} // namespace vpn::protocol
