// Control channel wrapping: none, tls-auth, tls-crypt.
// spec: openvpn-rfc#tlsauth, openvpn-rfc#tlscrypt
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/packet_id.hpp"
#include "vpn/protocol/static_key.hpp"

#include <memory>
#include <string>

namespace vpn::protocol {

enum class wrap_mode : uint8_t { none, tls_auth, tls_crypt };

struct wrap_config {
  wrap_mode mode = wrap_mode::none;
  key_block key;
  /// tls-auth only. tls-crypt has fixed directions: the server is normal.
  key_direction direction = key_direction::bidirectional;
  /// tls-auth only: OpenSSL's name of the digest, as `auth` gives it.
  std::string digest = "SHA1";
};

/// Seals and opens control packets of one session. Each transmission takes a
/// fresh packet id, so a retransmitted packet is sealed anew. Movable, not
/// copyable: a copy would repeat packet ids.
class control_wrap {
public:
  /// Fails with `bad_key_material` for a digest OpenSSL does not know.
  static expected<control_wrap> make(const wrap_config& cfg, role self);

  control_wrap(control_wrap&&) noexcept;
  control_wrap& operator=(control_wrap&&) noexcept;
  ~control_wrap();

  /// The bytes of one datagram. `x.source` must be set.
  bytes seal(const control_packet& x, instant now);

  /// Verifies, decrypts, refuses replays, parses. What comes back is authentic
  /// as far as the wrapping can tell; session ids are not checked here.
  expected<control_packet> open(byte_view datagram);

  /// Bytes the wrapping adds to a plain packet; for tls-crypt with the 16 bytes
  /// that stock counts but does not use, so that sizes match.
  size_t overhead() const noexcept;

  wrap_mode mode() const noexcept;

private:
  struct impl;
  explicit control_wrap(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace vpn::protocol
