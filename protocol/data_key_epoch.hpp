// The epoch format: 64-bit packet ids, keys that follow each other.
// spec: openvpn-wire 9.9
#pragma once

#include "protocol/data_key_parts.hpp"

namespace vpn::protocol {

/// The secret of one epoch, from which its keys and all later ones come.
struct epoch_chain {
  secret_array<32> secret;
  uint16_t epoch = 1;

  /// False, and nothing has changed, when the library fails. `to` is not before
  /// this epoch.
  bool move_to(uint16_t to);
};

/// The key of one epoch in one direction.
struct epoch_key {
  aead_direction aead;
  uint16_t epoch = 0;
  /// Packets and blocks so far.
  uint64_t used = 0;
  uint64_t forgeries = 0;
  replay_window window;

  bool start(const epoch_chain& from, data_cipher cipher, bool encrypt);
  /// The nonce is the packet id, mixed into what the key came with.
  void set_nonce(const uint8_t* packet_id) noexcept;

private:
  secret_array<aead_nonce_size> iv_;
};

/// Both directions.
class epoch_format {
public:
  static constexpr size_t id_size = 8;
  static constexpr size_t header_size = 4;
  static constexpr size_t head_room = header_size + id_size;
  /// Epochs that may be ahead of the newest one that was received.
  static constexpr uint16_t future = 16;

  /// `tls_failed` when the library refuses.
  static expected<std::unique_ptr<epoch_format>>
  make(const data_key_spec& spec);

  /// `header` has four bytes.
  expected<size_t> seal(const uint8_t* header, byte_view plain,
                        uint8_t* out) noexcept;
  /// In place; `packet` is a DATA_V2.
  expected<mutable_byte_view> open(mutable_byte_view packet) noexcept;
  /// A later epoch for what is sent from now on. `tls_failed` when the library
  /// fails; the epoch stays.
  expected<done_t> move_send_to(uint16_t epoch) noexcept;

  /// See `data_key::skip_ids`.
  void skip_ids(uint32_t n, uint32_t received) noexcept;

  uint16_t send_epoch() const noexcept { return send_.epoch; }
  uint16_t receive_epoch() const noexcept { return receive_.epoch; }
  /// Epoch and counter, as on the wire.
  uint64_t last_packet_id() const noexcept {
    return uint64_t{send_.epoch} << 48 | counter_;
  }
  /// No id is left in this epoch, and there may be no other one.
  bool exhausted() const noexcept;
  bool wants_rekey() const noexcept { return wants_rekey_; }
  /// Receiving keys made so far: bounded whatever is received.
  uint64_t keys_made() const noexcept { return keys_made_; }

private:
  epoch_format() = default;
  bool send_key_is_spent() const noexcept;
  bool may_move_send() const noexcept;
  expected<epoch_key*> receive_key_of(uint16_t epoch) noexcept;
  expected<epoch_key*> future_key_of(uint16_t epoch) noexcept;
  bool adopt(epoch_key& key) noexcept;

  data_cipher cipher_{};
  data_key_limits limits_;
  epoch_chain send_chain_;
  epoch_key send_;
  uint64_t counter_ = 0;
  /// All ids skipped so far. Counters of later epochs begin above it.
  uint64_t gap_ = 0;
  uint64_t received_gap_ = 0;
  /// Of the newest epoch received.
  epoch_chain receive_chain_;
  epoch_key receive_;
  /// The one before, for packets that come late.
  std::optional<epoch_key> past_;
  /// Made when a packet asks for them and kept until their epoch has passed,
  /// so that forgeries cost a key once and not each. By epoch modulo `future`.
  std::array<std::optional<epoch_key>, future> future_;
  uint64_t keys_made_ = 0;
  bool wants_rekey_ = false;
};

} // namespace vpn::protocol
