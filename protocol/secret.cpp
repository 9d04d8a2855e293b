#include "vpn/protocol/secret.hpp"

#include <openssl/crypto.h>

namespace vpn {

void wipe(void* data, size_t n) noexcept {
  if (n > 0)
    OPENSSL_cleanse(data, n);
}

bool equal_in_constant_time(byte_view x, byte_view y) noexcept {
  return x.size() == y.size()
         && CRYPTO_memcmp(x.data(), y.data(), x.size()) == 0;
}

} // namespace vpn
