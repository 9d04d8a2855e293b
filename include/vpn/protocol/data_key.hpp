// One data key: AEAD sealing and opening with nothing per packet but the
// cipher. Contexts are keyed once, when the key is installed.
// spec: openvpn-rfc#dataaead, openvpn-wire 9.1, 9.2, 9.6
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/packet_id.hpp"
#include "vpn/protocol/secret.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace vpn::protocol {

enum class data_cipher : uint8_t {
  aes_128_gcm,
  aes_192_gcm,
  aes_256_gcm,
  chacha20_poly1305,
};

/// The wire's spelling: "AES-256-GCM". Parsing is exact and case-sensitive, as
/// for names that come from a peer.
std::string to_string(data_cipher x);
std::optional<data_cipher> parse_data_cipher(std::string_view name);
/// Key length in bytes: 16, 24 or 32.
size_t key_length(data_cipher x);

/// Everything that makes a data key.
struct data_key_spec {
  uint8_t key_id = 0;
  data_cipher cipher = data_cipher::aes_256_gcm;
  role self = role::client;
  /// Sends DATA_V2 with this peer id (24 bits); DATA_V1 without one.
  std::optional<uint32_t> peer_id;
  key_block keys;
};

/// Ids at and above this one ask for a renegotiation.
constexpr uint32_t packet_id_rekey_limit = 0xff000000;

/// Both directions of one key. Not thread-safe: one owner.
class data_key {
public:
  /// `tls_failed` when the library refuses the cipher or the key is all zero.
  static expected<data_key> make(const data_key_spec& spec);
  data_key(data_key&&) noexcept;
  data_key& operator=(data_key&&) noexcept;
  ~data_key();

  /// Bytes that `seal` writes before and after the ciphertext.
  size_t head_room() const noexcept { return head_room_; }
  size_t tail_room() const noexcept { return 0; }

  /// Seals `plain` (at least one byte) into `out`, which has room for
  /// head_room + size + tail_room bytes and does not overlap. Returns the bytes
  /// written; `bad_packet_id` when no packet ids are left.
  expected<size_t> seal(byte_view plain, uint8_t* out) noexcept;

  /// Opens one DATA_V1 or DATA_V2 packet in place: verifies, then refuses
  /// replays. Returns where the plaintext is inside `packet`.
  expected<mutable_byte_view> open(mutable_byte_view packet) noexcept;

  uint8_t key_id() const noexcept { return key_id_; }
  uint32_t last_packet_id() const noexcept { return last_id_; }
  bool wants_rekey() const noexcept {
    return last_id_ >= packet_id_rekey_limit
           || window_.highest() >= packet_id_rekey_limit;
  }

private:
  struct contexts;
  explicit data_key(std::unique_ptr<contexts> ctx);

  std::unique_ptr<contexts> ctx_;
  replay_window window_;
  uint32_t last_id_ = 0;
  uint8_t key_id_ = 0;
  uint8_t head_room_ = 0;
  /// First four bytes of a packet: opcode, key id, peer id. V1 uses one.
  std::array<uint8_t, 4> head_{};
  bool v2_ = false;
};

} // namespace vpn::protocol
