#include "vpn/protocol/error.hpp"

namespace vpn {

std::string to_string(errc x) {
  switch (x) {
    case errc::truncated:
      return "truncated";
    case errc::bad_opcode:
      return "bad_opcode";
    case errc::bad_key_id:
      return "bad_key_id";
    case errc::bad_session_id:
      return "bad_session_id";
    case errc::bad_ack_block:
      return "bad_ack_block";
    case errc::bad_tag:
      return "bad_tag";
    case errc::replayed:
      return "replayed";
    case errc::bad_packet_id:
      return "bad_packet_id";
    case errc::outside_window:
      return "outside_window";
    case errc::window_full:
      return "window_full";
    case errc::bad_payload_size:
      return "bad_payload_size";
    case errc::bad_frame_length:
      return "bad_frame_length";
    case errc::bad_tlv:
      return "bad_tlv";
    case errc::no_key:
      return "no_key";
    case errc::not_ip:
      return "not_ip";
    case errc::bad_train:
      return "bad_train";
    case errc::bad_key_method:
      return "bad_key_method";
    case errc::bad_text:
      return "bad_text";
    case errc::bad_key_material:
      return "bad_key_material";
    case errc::tls_failed:
      return "tls_failed";
    case errc::wrong_state:
      return "wrong_state";
    case errc::bad_value:
      return "bad_value";
    case errc::no_buffer:
      return "no_buffer";
    case errc::count_:
      break;
  }
  return "unknown";
}

std::string error_counters::text() const {
  std::string result;
  for (size_t i = 1; i < counts_.size(); ++i) {
    if (counts_[i] == 0)
      continue;
    if (!result.empty())
      result += ", ";
    result
      += to_string(static_cast<errc>(i)) + ' ' + std::to_string(counts_[i]);
  }
  return result;
}

} // namespace vpn
