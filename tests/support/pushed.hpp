// Pushed options applied to a client's usual settings.
#pragma once

#include "vpn/protocol/push_options.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace vpn::test {

using strings = std::vector<std::string>;

inline protocol::pull_config own_pull_config() {
  using protocol::data_cipher;
  protocol::pull_config result;
  result.ciphers = {data_cipher::aes_256_gcm, data_cipher::aes_128_gcm,
                    data_cipher::chacha20_poly1305};
  result.ping_restart = std::chrono::seconds{120};
  return result;
}

/// True when one of the texts has `text` in it.
inline bool mentions(const strings& xs, const std::string& text) {
  return std::any_of(xs.begin(), xs.end(), [&](auto& x) {
    return x.find(text) != std::string::npos;
  });
}

} // namespace vpn::test
