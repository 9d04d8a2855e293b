// Texts of new key files. spec: openvpn-wire 2.4, 2.8, 5.7

#include "vpn/protocol/key_files.hpp"

#include "vpn/protocol/tls_crypt_v2.hpp"

#include "protocol/key_text.hpp"

namespace vpn::protocol {

namespace {

/// A line of a static key file holds so many bytes.
constexpr size_t static_key_line = 16;

secret make_pem_key(std::string_view name, const random_source& random) {
  secret_array<crypt_v2_server_key_size> key;
  random(key.data(), key.size());
  return key_text::write_pem(name, key.view());
}

/// Type and content of what goes into a wrapped key.
expected<bytes> metadata_of(std::optional<std::string_view> user, instant now) {
  bytes result;
  byte_writer writer{result};
  if (!user) {
    writer.u8(static_cast<uint8_t>(key_metadata_type::timestamp));
    writer.u64(static_cast<uint64_t>(now.unix_seconds));
    return result;
  }
  auto content = key_text::decode_base64(*user);
  if (!content || content->size() > max_user_metadata_size)
    return errc::bad_value;
  writer.u8(static_cast<uint8_t>(key_metadata_type::user));
  writer.append(content->view());
  return result;
}

} // namespace

secret make_static_key_file(const random_source& random) {
  constexpr std::string_view digits = "0123456789abcdef";
  key_block key;
  random(key.data(), key.size());
  bytes out;
  out.reserve(1024);
  key_text::append(out, "#\n# 2048 bit OpenVPN static key\n#\n"
                        "-----BEGIN OpenVPN Static key V1-----\n");
  for (size_t i = 0; i < key.size(); ++i) {
    auto x = key.data()[i];
    out.push_back(static_cast<uint8_t>(digits[x >> 4]));
    out.push_back(static_cast<uint8_t>(digits[x & 15]));
    if ((i + 1) % static_key_line == 0)
      out.push_back('\n');
  }
  key_text::append(out, "-----END OpenVPN Static key V1-----\n");
  return key_text::take(out);
}

secret make_crypt_v2_server_file(const random_source& random) {
  return make_pem_key(key_text::server_key_name, random);
}

expected<secret>
make_crypt_v2_client_file(std::string_view server_file,
                          std::optional<std::string_view> metadata, instant now,
                          const random_source& random) {
  auto server_key = parse_crypt_v2_server_key(server_file);
  if (!server_key)
    return server_key.error();
  auto inside = metadata_of(metadata, now);
  if (!inside)
    return inside.error();
  key_block key;
  random(key.data(), key.size());
  auto wrapped = wrap_client_key(*server_key, key, *inside);
  if (!wrapped)
    return wrapped.error();
  bytes content;
  content.reserve(key.size() + wrapped->size());
  byte_writer writer{content};
  writer.append(key.view());
  writer.append(*wrapped);
  return key_text::write_pem(key_text::client_key_name,
                             key_text::take(content).view());
}

secret make_auth_token_file(const random_source& random) {
  return make_pem_key(key_text::auth_token_name, random);
}

} // namespace vpn::protocol
