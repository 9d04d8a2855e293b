// Texts of new key files, as `--genkey` makes them: static keys, both keys of
// tls-crypt-v2, and the secret of auth-token. Stock peers read them.
// spec: openvpn-wire 2.4, 2.8, 5.7
#pragma once

#include "vpn/protocol/clock.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/random.hpp"
#include "vpn/protocol/secret.hpp"

#include <optional>
#include <string_view>

namespace vpn::protocol {

/// Most bytes of metadata that a user may put into a client's key.
constexpr size_t max_user_metadata_size = 733;

/// For `secret`, `tls-auth` and `tls-crypt`.
secret make_static_key_file(const random_source& random);

/// For a server's `tls-crypt-v2`.
secret make_crypt_v2_server_file(const random_source& random);

/// For a client's `tls-crypt-v2`: a new key, wrapped for the server whose key
/// file is `server_file`. `metadata` is base64 and ends up at the server;
/// without it, that is the time. `bad_key_material` when the server's file
/// cannot be read, `bad_value` for metadata that is not base64 or too long.
expected<secret>
make_crypt_v2_client_file(std::string_view server_file,
                          std::optional<std::string_view> metadata, instant now,
                          const random_source& random);

/// For `auth-gen-token-secret`.
secret make_auth_token_file(const random_source& random);

} // namespace vpn::protocol
