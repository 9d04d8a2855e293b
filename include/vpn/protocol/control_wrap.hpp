// Control channel wrapping: none, tls-auth, tls-crypt, tls-crypt-v2.
// spec: openvpn-rfc#tlsauth, openvpn-rfc#tlscrypt, openvpn-wire 2.5 to 2.10
#pragma once

#include "vpn/protocol/control_packet.hpp"
#include "vpn/protocol/packet_id.hpp"
#include "vpn/protocol/static_key.hpp"

#include <memory>
#include <string>

namespace vpn::protocol {

enum class wrap_mode : uint8_t { none, tls_auth, tls_crypt, tls_crypt_v2 };

struct wrap_config {
  wrap_mode mode = wrap_mode::none;
  /// tls-crypt-v2: the client's own key Kc; unused at a server.
  key_block key;
  /// tls-crypt-v2, client: the wrapped client key, sent along with the first
  /// packets. spec: openvpn-wire 2.8
  bytes wrapped_key;
  /// tls-crypt-v2, server: its key (128 bytes), and whether clients without
  /// early negotiation are refused. Those it takes are then asked to send their
  /// wrapped key twice, as a server does that keeps no state at first.
  secret server_key;
  bool force_cookie = false;
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
  /// Fails with `bad_key_material` for a digest OpenSSL does not know, and for
  /// keys of tls-crypt-v2 that have not their size.
  static expected<control_wrap> make(const wrap_config& cfg, role self);

  /// The wrapping of key ids above zero: tls-crypt with `exported`, which the
  /// key of this wrapping is mixed into if it has one. `wrong_state` at a
  /// tls-crypt-v2 server that has not met its client yet.
  /// spec: openvpn-wire 2.10
  expected<control_wrap> make_dynamic(const key_block& exported) const;

  control_wrap(control_wrap&&) noexcept;
  control_wrap& operator=(control_wrap&&) noexcept;
  ~control_wrap();

  /// The bytes of one datagram. `x.source` must be set. Empty at a tls-crypt-v2
  /// server that has no client's key yet.
  bytes seal(const control_packet& x, instant now);

  /// The next packet id is `n` further on, for a copy of this wrapping that may
  /// be older than what was sent. Nothing to do without wrapping.
  void skip_ids(uint32_t n) noexcept;

  /// Verifies, decrypts, refuses replays, parses. What comes back is authentic
  /// as far as the wrapping can tell; session ids are not checked here. A
  /// tls-crypt-v2 server takes the key of its client from the first packet that
  /// opens with it, once; wrapped keys of later packets are cut off unread.
  expected<control_packet> open(byte_view datagram);

  /// Bytes the wrapping adds to a plain packet; for tls-crypt with the 16 bytes
  /// that stock counts but does not use, so that sizes match.
  size_t overhead() const noexcept;

  /// tls-crypt-v2 client: bytes that the wrapped key adds to those packets
  /// which carry it; else zero.
  size_t wrapped_key_size() const noexcept;

  wrap_mode mode() const noexcept;

private:
  struct impl;
  explicit control_wrap(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace vpn::protocol
