// Keys of tls-crypt-v2: the two files, and the wrapping of one into the other.
// spec: openvpn-wire 2.8

#include "vpn/protocol/tls_crypt_v2.hpp"

#include "protocol/key_text.hpp"
#include "protocol/wrap_crypto.hpp"

namespace vpn::protocol {

using namespace wrap_crypto;

namespace {

constexpr size_t length_size = 2;
constexpr size_t hmac_key_offset = 64;

/// The halves of a server's key that are used; the rest is there for symmetry
/// with other keys.
byte_view cipher_key(const secret& key) {
  return key.view().first(crypt_key_size);
}
byte_view hmac_key(const secret& key) {
  return key.view().from(hmac_key_offset).first(crypt_tag_size);
}

struct contexts {
  mac_context mac = make_hmac("SHA256");
  cipher_context cipher = make_cipher();
  bool ok() const { return mac && cipher; }
};

/// A buffer that is wiped whichever way its function is left.
struct wiped_bytes {
  bytes data;
  wiped_bytes() = default;
  wiped_bytes(const wiped_bytes&) = delete;
  wiped_bytes& operator=(const wiped_bytes&) = delete;
  ~wiped_bytes() { wipe(data.data(), data.size()); }
};

} // namespace

expected<crypt_v2_client_key> parse_crypt_v2_client_key(std::string_view text) {
  auto content = key_text::read_pem(key_text::client_key_name, text);
  if (!content)
    return content.error();
  crypt_v2_client_key result;
  byte_reader reader{content->view()};
  reader.copy_to(result.key);
  result.wrapped = reader.rest().copy();
  if (!reader.ok() || result.wrapped.size() < min_wrapped_key_size
      || result.wrapped.size() > max_wrapped_key_size)
    return errc::bad_key_material;
  return result;
}

expected<secret> parse_crypt_v2_server_key(std::string_view text) {
  auto content = key_text::read_pem(key_text::server_key_name, text);
  if (!content)
    return content;
  if (content->size() != crypt_v2_server_key_size)
    return errc::bad_key_material;
  return content;
}

expected<bytes> wrap_client_key(const secret& server_key, const key_block& key,
                                byte_view metadata) {
  error_guard guard;
  if (server_key.size() != crypt_v2_server_key_size)
    return errc::bad_key_material;
  if (metadata.size() > max_key_metadata_size)
    return errc::bad_value;
  contexts ctx;
  if (!ctx.ok())
    return errc::tls_failed;
  auto size = min_wrapped_key_size + metadata.size();
  bytes length;
  byte_writer{length}.u16(static_cast<uint16_t>(size));
  wiped_bytes plain;
  plain.data.reserve(key.size() + metadata.size());
  byte_writer writer{plain.data};
  writer.append(key.view());
  writer.append(metadata);
  tag_buffer tag{};
  // The tag is of what is wrapped, and the start of it is the cipher's IV.
  if (!authenticate(ctx.mac.get(), hmac_key(server_key), {length, plain.data},
                    tag)
      || !crypt(ctx.cipher.get(), cipher_key(server_key), tag.data(),
                plain.data.data(), plain.data.size()))
    return errc::tls_failed;
  bytes result(tag.begin(), tag.begin() + crypt_tag_size);
  result.insert(result.end(), plain.data.begin(), plain.data.end());
  result.insert(result.end(), length.begin(), length.end());
  return result;
}

expected<unwrapped_client_key> unwrap_client_key(const secret& server_key,
                                                 byte_view wrapped) {
  error_guard guard;
  if (server_key.size() != crypt_v2_server_key_size)
    return errc::bad_key_material;
  auto size = wrapped.size();
  if (size < min_wrapped_key_size || size > max_wrapped_key_size)
    return errc::bad_key_material;
  auto length = wrapped.from(size - length_size);
  if (load_u16(length.data()) != size)
    return errc::bad_key_material;
  contexts ctx;
  if (!ctx.ok())
    return errc::tls_failed;
  auto tag = wrapped.first(crypt_tag_size);
  wiped_bytes plain;
  plain.data = wrapped.from(crypt_tag_size)
                 .first(size - crypt_tag_size - length_size)
                 .copy();
  tag_buffer wanted{};
  if (!crypt(ctx.cipher.get(), cipher_key(server_key), tag.data(),
             plain.data.data(), plain.data.size())
      || !authenticate(ctx.mac.get(), hmac_key(server_key),
                       {length, plain.data}, wanted))
    return errc::tls_failed;
  if (!equal_in_constant_time(tag, {wanted.data(), crypt_tag_size}))
    return errc::bad_tag;
  unwrapped_client_key result;
  byte_reader reader{plain.data};
  reader.copy_to(result.key);
  result.metadata = reader.rest().copy();
  if (!reader.ok())
    return errc::bad_key_material;
  return result;
}

expected<packet_with_key> split_wrapped_key(byte_view datagram) {
  if (datagram.size() < control_head_size + min_wrapped_key_size)
    return errc::truncated;
  auto size
    = size_t{load_u16(datagram.from(datagram.size() - length_size).data())};
  if (size < min_wrapped_key_size || size > max_wrapped_key_size)
    return errc::bad_key_material;
  // The length comes from the peer: the key must not reach into the packet's
  // own head, which has been read already (CVE-2026-35058).
  if (size > datagram.size() - control_head_size)
    return errc::truncated;
  packet_with_key result;
  result.packet = datagram.first(datagram.size() - size);
  result.wrapped = datagram.from(datagram.size() - size);
  return result;
}

} // namespace vpn::protocol
