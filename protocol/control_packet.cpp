// Control packets: writing and parsing of the plain form.
// spec: openvpn-wire 2.1, 2.2, 2.3

#include "vpn/protocol/control_packet.hpp"

namespace vpn::protocol {

std::string to_string(opcode x) {
  switch (x) {
    case opcode::control_soft_reset_v1:
      return "P_CONTROL_SOFT_RESET_V1";
    case opcode::control_v1:
      return "P_CONTROL_V1";
    case opcode::ack_v1:
      return "P_ACK_V1";
    case opcode::data_v1:
      return "P_DATA_V1";
    case opcode::control_hard_reset_client_v2:
      return "P_CONTROL_HARD_RESET_CLIENT_V2";
    case opcode::control_hard_reset_server_v2:
      return "P_CONTROL_HARD_RESET_SERVER_V2";
    case opcode::data_v2:
      return "P_DATA_V2";
    case opcode::control_hard_reset_client_v3:
      return "P_CONTROL_HARD_RESET_CLIENT_V3";
    case opcode::control_wkc_v1:
      return "P_CONTROL_WKC_V1";
  }
  return "P_UNKNOWN";
}

void write_head(const control_packet& x, bytes& out) {
  byte_writer writer{out};
  writer.u8(first_byte(x.op, x.key_id));
  writer.append(x.source.view());
}

void write_body(const control_packet& x, bytes& out) {
  byte_writer writer{out};
  auto n = std::min(x.acks.size(), max_acks_received);
  writer.u8(static_cast<uint8_t>(n));
  for (size_t i = 0; i < n; ++i)
    writer.u32(x.acks[i]);
  if (n > 0)
    writer.append(x.destination.view());
  if (x.op == opcode::ack_v1)
    return;
  writer.u32(x.id);
  writer.append(x.payload);
}

expected<done_t> read_body(byte_view body, control_packet& x) {
  byte_reader reader{body};
  auto n = size_t{reader.u8()};
  // The count is judged before anything is reserved for it.
  if (n > max_acks_received)
    return errc::bad_ack_block;
  x.acks.clear();
  x.acks.reserve(n);
  for (size_t i = 0; i < n; ++i)
    x.acks.push_back(reader.u32());
  x.destination = session_id{};
  if (n > 0)
    reader.copy_to(x.destination.value);
  x.id = 0;
  x.payload.clear();
  if (x.op != opcode::ack_v1)
    x.id = reader.u32();
  if (!reader.ok())
    return errc::truncated;
  // An ACK_V1 ends with its ack block. Bytes behind it mean nothing, and stock
  // peers do not mind them either.
  if (x.op == opcode::ack_v1)
    return done;
  auto payload = reader.rest();
  if (payload.size() > max_control_payload)
    return errc::bad_payload_size;
  x.payload.assign(payload.begin(), payload.end());
  return done;
}

expected<control_packet> read_head(byte_view packet) {
  if (packet.empty())
    return errc::truncated;
  if (!is_control(packet[0]))
    return errc::bad_opcode;
  control_packet result;
  result.op = static_cast<opcode>(opcode_bits(packet[0]));
  result.key_id = key_id_of(packet[0]);
  byte_reader reader{packet.from(1)};
  reader.copy_to(result.source.value);
  if (!reader.ok())
    return errc::truncated;
  if (!result.source.defined())
    return errc::bad_session_id;
  if (is_hard_reset(result.op) && result.key_id != 0)
    return errc::bad_key_id;
  return result;
}

bytes write_plain(const control_packet& x) {
  bytes result;
  result.reserve(control_head_size + 1 + 4 * x.acks.size() + 8 + 4
                 + x.payload.size());
  write_head(x, result);
  write_body(x, result);
  return result;
}

expected<control_packet> read_plain(byte_view packet) {
  auto result = read_head(packet);
  if (!result)
    return result;
  if (auto ok = read_body(packet.from(control_head_size), *result); !ok)
    return ok.error();
  return result;
}

} // namespace vpn::protocol
