// One data key: sealing and opening with nothing per packet but the cipher.
// Contexts are keyed once, when the key is installed. AEAD, AEAD with epochs,
// CBC with an HMAC, HMAC alone.
// spec: openvpn-rfc#dataaead, openvpn-wire 9.1 to 9.9
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/packet_id.hpp"
#include "vpn/protocol/random.hpp"
#include "vpn/protocol/secret.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vpn::protocol {

enum class data_cipher : uint8_t {
  aes_128_gcm,
  aes_192_gcm,
  aes_256_gcm,
  chacha20_poly1305,
  /// With an HMAC of their own, for old peers. spec: openvpn-wire 9.3
  aes_128_cbc,
  aes_192_cbc,
  aes_256_cbc,
  /// Authenticated only, by explicit configuration. spec: openvpn-wire 9.5
  none,
};

/// True for those that need no HMAC beside them.
constexpr bool is_aead(data_cipher x) noexcept {
  return x <= data_cipher::chacha20_poly1305;
}

/// The wire's spelling: "AES-256-GCM". Parsing is exact and case-sensitive, as
/// for names that come from a peer.
std::string to_string(data_cipher x);
std::optional<data_cipher> parse_data_cipher(std::string_view name);
/// Key length in bytes: 16, 24 or 32; zero for `none`.
size_t key_length(data_cipher x);

/// Bytes of an HMAC with a digest that OpenSSL knows by this name; zero for
/// "none", nothing for what cannot be used.
std::optional<size_t> digest_size(const std::string& name);

/// Ids at and above this one ask for a renegotiation.
constexpr uint32_t packet_id_rekey_limit = 0xff000000;

/// How much one key may do. Only tests have a reason for other values.
/// spec: openvpn-wire 9.6, 9.8, 9.9
struct data_key_limits {
  /// Packets and blocks of 16 bytes in one direction, AES-GCM only. More ask
  /// for a renegotiation, or begin the next epoch.
  uint64_t usage = (uint64_t{1} << 36) - 1;
  /// So many forgeries ask for a renegotiation; AEAD only.
  uint64_t forgeries_tolerated = uint64_t{1} << 35;
  /// After so many nothing is opened any more; AEAD only.
  uint64_t forgeries_endured = uint64_t{1} << 36;
  /// Packet ids from here on ask for a renegotiation.
  uint32_t rekey_id = packet_id_rekey_limit;
  /// The last id that may be sent.
  uint32_t last_id = 0xffffffff;
  /// The last counter of an epoch.
  uint64_t last_counter = (uint64_t{1} << 48) - 1;
  /// Epochs from here on ask for a renegotiation.
  uint16_t rekey_epoch = 0xf000;
};

/// Everything that makes a data key.
struct data_key_spec {
  uint8_t key_id = 0;
  data_cipher cipher = data_cipher::aes_256_gcm;
  role self = role::client;
  /// Sends DATA_V2 with this peer id (24 bits); DATA_V1 without one.
  std::optional<uint32_t> peer_id;
  /// OpenSSL's name of the HMAC digest, or "none"; without AEAD only. `auth`.
  std::string digest = "SHA1";
  /// 64-bit packet ids and epochs: with AEAD and a peer id only.
  /// spec: openvpn-wire 9.9
  bool epoch = false;
  key_block keys;
  /// Where the IVs of CBC come from; empty: OpenSSL.
  random_source random;
  data_key_limits limits;
};

/// Both directions of one key. Not thread-safe: one owner.
class data_key {
public:
  /// `tls_failed` when the library refuses the cipher or the digest, or the key
  /// is all zero; `bad_value` when the parts of `spec` do not fit together.
  static expected<data_key> make(const data_key_spec& spec);
  data_key(data_key&&) noexcept;
  data_key& operator=(data_key&&) noexcept;
  ~data_key();

  /// Bytes that `seal` needs before and after the plaintext, at most.
  size_t head_room() const noexcept { return head_room_; }
  size_t tail_room() const noexcept { return tail_room_; }
  /// What `seal` will write for a plaintext of `size` bytes, exactly.
  size_t sealed_size(size_t size) const noexcept {
    // PKCS#7 fills the last block, or adds one to a full one.
    return head_room_ + size
           + (padded_ ? block - (size + id_size) % block : tail_room_);
  }
  /// The largest plaintext that fits a datagram of `size` bytes; zero if none.
  size_t largest_plaintext(size_t size) const noexcept;

  /// Seals `plain` (at least one byte) into `out`, which has room for
  /// head_room + size + tail_room bytes and does not overlap. Returns the bytes
  /// written; `bad_packet_id` when no packet ids are left.
  expected<size_t> seal(byte_view plain, uint8_t* out) noexcept;

  /// Opens one DATA_V1 or DATA_V2 packet in place: verifies, then refuses
  /// replays. Returns where the plaintext is inside `packet`. `bad_tag` for a
  /// forgery, `wrong_state` when there were too many of them.
  expected<mutable_byte_view> open(mutable_byte_view packet) noexcept;

  /// Goes on where another owner of this key may have come to: skips `n` packet
  /// ids for sending, and accepts none up to the highest one received plus
  /// `received`: zero when everything that was accepted is known.
  /// With fewer ids left the key is exhausted. With epochs all this holds for
  /// the counters of this epoch and of those to come, since the other owner may
  /// have moved on.
  void skip_ids(uint32_t n, uint32_t received) noexcept;

  uint8_t key_id() const noexcept { return key_id_; }
  /// With epochs: the epoch is in the upper 16 bits.
  uint64_t last_packet_id() const noexcept { return last_id_; }
  /// No packet ids are left: `seal` will fail.
  bool exhausted() const noexcept { return exhausted_; }
  bool wants_rekey() const noexcept { return wants_rekey_; }

private:
  struct contexts;
  static constexpr size_t block = 16;
  static constexpr size_t id_size = 4;

  explicit data_key(std::unique_ptr<contexts> ctx);
  expected<size_t> seal_hmac(byte_view plain, uint8_t* out) noexcept;
  expected<size_t> seal_epoch(byte_view plain, uint8_t* out) noexcept;
  expected<mutable_byte_view> open_hmac(mutable_byte_view packet,
                                        bool v2) noexcept;
  expected<mutable_byte_view> open_epoch(mutable_byte_view packet,
                                         bool v2) noexcept;
  uint32_t next_id() noexcept;
  expected<done_t> accept_id(uint32_t id) noexcept;

  enum class format : uint8_t { aead, hmac, epoch };

  std::unique_ptr<contexts> ctx_;
  replay_window window_;
  uint64_t last_id_ = 0;
  /// Packets and blocks so far, by direction.
  uint64_t sealed_ = 0;
  uint64_t opened_ = 0;
  uint64_t forgeries_ = 0;
  data_key_limits limits_;
  uint8_t key_id_ = 0;
  uint8_t head_room_ = 0;
  uint8_t tail_room_ = 0;
  /// First four bytes of a packet: opcode, key id, peer id. V1 uses one.
  std::array<uint8_t, 4> head_{};
  format format_ = format::aead;
  bool v2_ = false;
  bool padded_ = false;
  bool wants_rekey_ = false;
  bool exhausted_ = false;
};

} // namespace vpn::protocol
