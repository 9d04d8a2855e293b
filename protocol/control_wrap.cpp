// Control channel wrapping: seals and opens with tls-auth, tls-crypt,
// tls-crypt-v2 or none. spec: openvpn-wire 2.5 to 2.10

#include "vpn/protocol/control_wrap.hpp"

#include "vpn/protocol/tls_crypt_v2.hpp"

#include "protocol/wrap_crypto.hpp"

namespace vpn::protocol {

using namespace wrap_crypto;

namespace {

constexpr size_t wrap_id_size = 8;
/// What stock counts for tls-crypt beyond packet id and tag.
constexpr size_t crypt_unused = 16;
constexpr size_t slot_size = 64;
/// Room for the largest payload, head, ack block and wrapping; whatever is
/// longer is refused before any work is done for it.
constexpr size_t max_wrapped_size = max_control_payload + 256;

/// A tls-crypt-v2 client counts from here on, and its server sees by this that
/// it understands early negotiation. spec: openvpn-wire 2.9
constexpr uint32_t early_negotiation = 0x0f000000;

} // namespace

struct control_wrap::impl {
  wrap_mode mode = wrap_mode::none;
  role self = role::client;
  key_block key;
  directed_keys slots;
  /// HMAC keys have this length, too, in tls-auth; in tls-crypt both are 32.
  size_t tag_size = 0;
  mac_context mac;
  cipher_context cipher;
  wrap_id_sender ids;
  wrap_id_receiver seen;

  // tls-crypt-v2
  bytes wrapped_key;
  secret server_key;
  bool force_cookie = false;
  /// False at a server until its client has shown its key.
  bool keyed = true;

  bool sign(byte_view slot, std::initializer_list<byte_view> parts,
            tag_buffer& tag) const {
    return authenticate(mac.get(), slot.first(tag_size), parts, tag);
  }

  bool crypt_with(byte_view slot, const uint8_t* iv, uint8_t* data,
                  size_t n) const {
    return crypt(cipher.get(), slot.first(crypt_key_size), iv, data, n);
  }

  /// tls-crypt has fixed directions.
  void use_crypt_key(const key_block& x) {
    key = x;
    slots = slots_of(key, self == role::server ? key_direction::normal
                                               : key_direction::inverse);
  }

  bytes seal_auth(const control_packet& x, wrap_packet_id id) const {
    bytes out;
    write_head(x, out);
    auto tag_at = out.size();
    out.resize(tag_at + tag_size);
    byte_writer writer{out};
    writer.u32(id.counter);
    writer.u32(id.time);
    write_body(x, out);
    auto all = byte_view{out};
    auto wrap_id_and_body = all.from(tag_at + tag_size);
    tag_buffer tag{};
    // The HMAC is computed in another order than the wire has.
    if (!sign(slots.send_hmac,
              {wrap_id_and_body.first(wrap_id_size), all.first(tag_at),
               wrap_id_and_body.from(wrap_id_size)},
              tag))
      return {};
    std::copy_n(tag.begin(), tag_size, out.data() + tag_at);
    return out;
  }

  expected<control_packet> open_auth(byte_view datagram, control_packet head) {
    byte_reader reader{datagram};
    auto clear = reader.take(control_head_size);
    auto tag = reader.take(tag_size);
    auto wrap_id = reader.take(wrap_id_size);
    auto body = reader.rest();
    if (!reader.ok())
      return errc::truncated;
    tag_buffer wanted{};
    if (!sign(slots.receive_hmac, {wrap_id, clear, body}, wanted))
      return errc::tls_failed;
    if (!equal_in_constant_time(tag, {wanted.data(), tag_size}))
      return errc::bad_tag;
    return finish(wrap_id, body, std::move(head));
  }

  bytes seal_crypt(const control_packet& x, wrap_packet_id id) const {
    bytes out;
    write_head(x, out);
    byte_writer writer{out};
    writer.u32(id.counter);
    writer.u32(id.time);
    auto tag_at = out.size();
    out.resize(tag_at + tag_size);
    write_body(x, out);
    auto all = byte_view{out};
    auto body = all.from(tag_at + tag_size);
    tag_buffer tag{};
    if (!sign(slots.send_hmac, {all.first(tag_at), body}, tag))
      return {};
    std::copy_n(tag.begin(), tag_size, out.data() + tag_at);
    if (!crypt_with(slots.send_cipher, tag.data(),
                    out.data() + tag_at + tag_size, body.size()))
      return {};
    return out;
  }

  expected<control_packet> open_crypt(byte_view datagram, control_packet head) {
    byte_reader reader{datagram};
    auto clear = reader.take(control_head_size + wrap_id_size);
    auto tag = reader.take(tag_size);
    auto body = reader.rest().copy();
    if (!reader.ok())
      return errc::truncated;
    tag_buffer wanted{};
    if (!crypt_with(slots.receive_cipher, tag.data(), body.data(), body.size())
        || !sign(slots.receive_hmac, {clear, body}, wanted))
      return errc::tls_failed;
    if (!equal_in_constant_time(tag, {wanted.data(), tag_size}))
      return errc::bad_tag;
    return finish(clear.from(control_head_size), body, std::move(head));
  }

  bytes seal_crypt_v2(const control_packet& x, wrap_packet_id id) const {
    if (!keyed)
      return {};
    auto out = seal_crypt(x, id);
    // In clear and behind the tag: it has a tag of its own.
    if (!out.empty() && carries_wrapped_key(x.op))
      out.insert(out.end(), wrapped_key.begin(), wrapped_key.end());
    return out;
  }

  expected<control_packet> open_crypt_v2(byte_view datagram,
                                         control_packet head) {
    if (self == role::server && carries_wrapped_key(head.op)) {
      auto parts = split_wrapped_key(datagram);
      if (!parts)
        return parts.error();
      // Taking a key in the middle of a session broke servers
      // (CVE-2025-2704).
      if (!keyed)
        return open_first(*parts, std::move(head));
      datagram = parts->packet;
    }
    if (!keyed)
      return errc::no_key;
    return open_crypt(datagram, std::move(head));
  }

  /// Tries the key that came with the packet; it stays if it opens the packet.
  expected<control_packet> open_first(const packet_with_key& parts,
                                      control_packet head) {
    byte_reader reader{parts.packet.from(control_head_size)};
    auto counter = reader.u32();
    if (!reader.ok())
      return errc::truncated;
    if (force_cookie && (counter & early_negotiation) != early_negotiation)
      return errc::wrong_state;
    auto found = unwrap_client_key(server_key, parts.wrapped);
    if (!found)
      return found.error();
    use_crypt_key(found->key);
    auto result = open_crypt(parts.packet, std::move(head));
    keyed = static_cast<bool>(result);
    if (!keyed) {
      use_crypt_key({});
      seen = {};
    }
    return result;
  }

  /// What comes after authentication: replay check, then the body.
  expected<control_packet> finish(byte_view wrap_id, byte_view body,
                                  control_packet head) {
    byte_reader reader{wrap_id};
    wrap_packet_id id;
    id.counter = reader.u32();
    id.time = reader.u32();
    if (auto ok = seen.accept(id); !ok)
      return ok.error();
    if (auto ok = read_body(body, head); !ok)
      return ok.error();
    return head;
  }
};

control_wrap::control_wrap(std::unique_ptr<impl> p) : impl_(std::move(p)) {
}
control_wrap::control_wrap(control_wrap&&) noexcept = default;
control_wrap& control_wrap::operator=(control_wrap&&) noexcept = default;
control_wrap::~control_wrap() = default;

expected<control_wrap> control_wrap::make(const wrap_config& cfg, role self) {
  error_guard guard;
  auto p = std::make_unique<impl>();
  p->mode = cfg.mode;
  p->self = self;
  if (cfg.mode == wrap_mode::none)
    return control_wrap{std::move(p)};
  auto auth = cfg.mode == wrap_mode::tls_auth;
  if (auth) {
    p->key = cfg.key;
    p->slots = slots_of(p->key, cfg.direction);
  } else {
    p->use_crypt_key(cfg.key);
  }
  p->mac = make_hmac(auth ? cfg.digest : "SHA256");
  if (!p->mac)
    return errc::bad_key_material;
  p->tag_size = EVP_MAC_CTX_get_mac_size(p->mac.get());
  // The tag's length is the key's, and a slot holds no longer one.
  if (p->tag_size == 0 || p->tag_size > slot_size)
    return errc::bad_key_material;
  if (!auth) {
    p->cipher = make_cipher();
    if (!p->cipher)
      return errc::tls_failed;
  }
  if (cfg.mode != wrap_mode::tls_crypt_v2)
    return control_wrap{std::move(p)};
  if (self == role::client) {
    p->ids = wrap_id_sender{early_negotiation};
    p->wrapped_key = cfg.wrapped_key;
    if (p->wrapped_key.size() < min_wrapped_key_size
        || p->wrapped_key.size() > max_wrapped_key_size)
      return errc::bad_key_material;
  } else {
    if (cfg.server_key.size() != crypt_v2_server_key_size)
      return errc::bad_key_material;
    p->server_key = cfg.server_key;
    p->force_cookie = cfg.force_cookie;
    p->keyed = false;
    p->use_crypt_key({});
  }
  return control_wrap{std::move(p)};
}

expected<control_wrap>
control_wrap::make_dynamic(const key_block& exported) const {
  if (!impl_->keyed)
    return errc::wrong_state;
  wrap_config cfg;
  cfg.mode = wrap_mode::tls_crypt;
  cfg.key = exported;
  // Whoever lacks the static key is kept out of renegotiations as well. Without
  // one, this key is all zero.
  for (size_t i = 0; i < cfg.key.size(); ++i)
    cfg.key.data()[i] ^= impl_->key.data()[i];
  return make(cfg, impl_->self);
}

bytes control_wrap::seal(const control_packet& x, instant now) {
  error_guard guard;
  switch (impl_->mode) {
    case wrap_mode::tls_auth:
      return impl_->seal_auth(x, impl_->ids.next(now));
    case wrap_mode::tls_crypt:
      return impl_->seal_crypt(x, impl_->ids.next(now));
    case wrap_mode::tls_crypt_v2:
      return impl_->seal_crypt_v2(x, impl_->ids.next(now));
    default:
      return write_plain(x);
  }
}

void control_wrap::skip_ids(uint32_t n) noexcept {
  impl_->ids.skip(n);
}

expected<control_packet> control_wrap::open(byte_view datagram) {
  auto limit = max_wrapped_size;
  if (impl_->mode == wrap_mode::tls_crypt_v2)
    limit += max_wrapped_key_size;
  if (datagram.size() > limit)
    return errc::bad_payload_size;
  auto head = read_head(datagram);
  if (!head)
    return head;
  error_guard guard;
  switch (impl_->mode) {
    case wrap_mode::tls_auth:
      return impl_->open_auth(datagram, std::move(*head));
    case wrap_mode::tls_crypt:
      return impl_->open_crypt(datagram, std::move(*head));
    case wrap_mode::tls_crypt_v2:
      return impl_->open_crypt_v2(datagram, std::move(*head));
    default:
      if (auto ok = read_body(datagram.from(control_head_size), *head); !ok)
        return ok.error();
      return head;
  }
}

size_t control_wrap::overhead() const noexcept {
  switch (impl_->mode) {
    case wrap_mode::tls_auth:
      return impl_->tag_size + wrap_id_size;
    case wrap_mode::tls_crypt:
    case wrap_mode::tls_crypt_v2:
      return wrap_id_size + crypt_tag_size + crypt_unused;
    default:
      return 0;
  }
}

size_t control_wrap::wrapped_key_size() const noexcept {
  return impl_->wrapped_key.size();
}

wrap_mode control_wrap::mode() const noexcept {
  return impl_->mode;
}

} // namespace vpn::protocol
