// The body of a data packet without AEAD: CBC and an HMAC, or the HMAC alone.
// spec: openvpn-wire 9.3, 9.5
#pragma once

#include "protocol/data_key_parts.hpp"

namespace vpn::protocol {

struct mac_context_deleter {
  void operator()(EVP_MAC_CTX* x) const noexcept { EVP_MAC_CTX_free(x); }
};
using mac_context = std::unique_ptr<EVP_MAC_CTX, mac_context_deleter>;

/// Both directions. Knows neither the header, which is not authenticated, nor
/// the order of the packet ids.
class hmac_format {
public:
  struct opened {
    uint32_t id = 0;
    mutable_byte_view plain;
  };

  /// `tls_failed` when the library refuses.
  static expected<std::unique_ptr<hmac_format>> make(const data_key_spec& spec);
  hmac_format(const hmac_format&) = delete;
  hmac_format& operator=(const hmac_format&) = delete;
  ~hmac_format() = default;

  /// What stands before the plaintext: HMAC, IV, packet id.
  size_t head_room() const noexcept;
  /// The most that PKCS#7 adds; zero without a cipher.
  size_t tail_room() const noexcept;

  /// Returns the bytes written.
  expected<size_t> seal(uint32_t id, byte_view plain, uint8_t* out) noexcept;
  /// In place: verifies, then decrypts. The plaintext may be empty.
  expected<opened> open(mutable_byte_view body) noexcept;

private:
  struct direction {
    cipher_context cipher;
    mac_context mac;
  };
  static constexpr size_t id_size = 4;
  static constexpr size_t iv_size = 16;

  hmac_format() = default;
  bool start(direction& x, const data_key_spec& spec, size_t slot,
             bool encrypt);
  bool sign(direction& x, byte_view text, uint8_t* out) noexcept;
  void draw_iv(uint8_t* out) noexcept;
  expected<size_t> encrypt(uint32_t id, byte_view plain, uint8_t* out) noexcept;
  expected<mutable_byte_view> decrypt(mutable_byte_view text) noexcept;

  direction send_;
  direction receive_;
  size_t digest_size_ = 0;
  size_t iv_size_ = 0;
  random_source random_;
  /// Drawn ahead, since a draw costs more than a packet.
  secret_array<4096> ivs_;
  size_t ivs_used_ = ivs_.size();
};

} // namespace vpn::protocol
