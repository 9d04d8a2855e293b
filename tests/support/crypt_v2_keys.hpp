// A server's key and the key of one of its clients, for tests of tls-crypt-v2.
// Include it after CAF_SUITE is defined.
#pragma once

#include "vpn/protocol/control_wrap.hpp"
#include "vpn/protocol/tls_crypt_v2.hpp"

#include "tests/support/seeded.hpp"

namespace vpn::test {

/// Both ends' configurations. The wrapped key has 299 bytes unless told.
class crypt_v2_keys {
public:
  explicit crypt_v2_keys(uint64_t seed = 1, size_t metadata = 9) {
    bytes key(protocol::crypt_v2_server_key_size);
    seeded{seed + 100}.source()(key.data(), key.size());
    server_key_ = secret{byte_view{key}};
    fill(seed, metadata);
  }
  /// Another client of the same server.
  crypt_v2_keys(uint64_t seed, const crypt_v2_keys& other)
    : server_key_(other.server_key_) {
    fill(seed, 9);
  }

  const protocol::wrap_config& client() const { return client_; }
  protocol::wrap_config server() const {
    protocol::wrap_config result;
    result.mode = protocol::wrap_mode::tls_crypt_v2;
    result.server_key = server_key_;
    return result;
  }

private:
  void fill(uint64_t seed, size_t metadata) {
    client_.mode = protocol::wrap_mode::tls_crypt_v2;
    seeded{seed}.source()(client_.key.data(), client_.key.size());
    auto wrapped
      = protocol::wrap_client_key(server_key_, client_.key, bytes(metadata, 0));
    if (wrapped)
      client_.wrapped_key = *wrapped;
  }

  secret server_key_;
  protocol::wrap_config client_;
};

} // namespace vpn::test
