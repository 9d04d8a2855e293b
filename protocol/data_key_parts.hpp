// What the formats of a data key share: fetched ciphers and a keyed AEAD.
// spec: openvpn-wire 9.2
#pragma once

#include "vpn/protocol/data_key.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace vpn::protocol {

/// Fetched once per process: a fetch takes locks and compares strings, more
/// work than sealing a packet. Null for `none`, and for what the library lacks.
EVP_CIPHER* fetched(data_cipher x);

/// True for keys of zeros, which a derivation that did not happen leaves.
bool all_zero(byte_view xs);

/// Offsets of the slots that one side sends and receives with. Each holds a
/// cipher key, and 64 bytes on what stands beside it.
/// spec: openvpn-wire 5.6
struct key_slots {
  explicit key_slots(role self)
    : send(self == role::client ? 0 : 128),
      receive(128 - send) {}
  size_t send;
  size_t receive;
};
constexpr size_t hmac_offset = 64;
constexpr size_t hmac_room = 64;

constexpr size_t aead_tag_size = 16;
constexpr size_t aead_nonce_size = 12;

/// What a packet takes from the limit of AES-GCM: itself, and its blocks.
constexpr uint64_t aead_usage(size_t plain_size) noexcept {
  return 1 + (plain_size + 15) / 16;
}
/// No such limit for ChaCha20-Poly1305.
constexpr uint64_t usage_limit(const data_key_spec& spec) noexcept {
  return spec.cipher == data_cipher::chacha20_poly1305 ? UINT64_MAX
                                                       : spec.limits.usage;
}

struct cipher_context_deleter {
  void operator()(EVP_CIPHER_CTX* x) const noexcept { EVP_CIPHER_CTX_free(x); }
};
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, cipher_context_deleter>;

/// One direction: the keyed context, the nonce that its owner sets for each
/// packet, and a parameter that only has to be pointed at a tag.
struct aead_direction {
  cipher_context ctx;
  std::array<uint8_t, aead_nonce_size> nonce{};
  std::array<OSSL_PARAM, 2> tag{};

  aead_direction() = default;
  aead_direction(aead_direction&&) noexcept = default;
  aead_direction& operator=(aead_direction&&) noexcept = default;
  ~aead_direction() { wipe(nonce.data(), nonce.size()); }

  bool start(data_cipher cipher, byte_view key, bool encrypt) {
    auto* kind = fetched(cipher);
    ctx.reset(EVP_CIPHER_CTX_new());
    if (kind == nullptr || ctx == nullptr)
      return false;
    tag[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
                                               nullptr, aead_tag_size);
    tag[1] = OSSL_PARAM_construct_end();
    auto init = encrypt ? EVP_EncryptInit_ex2 : EVP_DecryptInit_ex2;
    return init(ctx.get(), kind, key.data(), nonce.data(), nullptr) == 1;
  }

  /// False when the library fails; its error queue is the caller's to clear.
  bool seal(byte_view ad, byte_view plain, uint8_t* text,
            uint8_t* tag_place) noexcept {
    int written = 0;
    int rest = 0;
    tag[0].data = tag_place;
    auto* x = ctx.get();
    return EVP_EncryptInit_ex2(x, nullptr, nullptr, nonce.data(), nullptr) == 1
           && EVP_EncryptUpdate(x, nullptr, &written, ad.data(),
                                static_cast<int>(ad.size()))
                == 1
           && EVP_EncryptUpdate(x, text, &written, plain.data(),
                                static_cast<int>(plain.size()))
                == 1
           && EVP_EncryptFinal_ex(x, text + written, &rest) == 1
           && EVP_CIPHER_CTX_get_params(x, tag.data()) == 1;
  }

  /// In place. False for a forgery; the error queue is the caller's to clear.
  bool open(byte_view ad, mutable_byte_view text, uint8_t* tag_place) noexcept {
    int written = 0;
    int rest = 0;
    tag[0].data = tag_place;
    auto* x = ctx.get();
    return EVP_DecryptInit_ex2(x, nullptr, nullptr, nonce.data(), nullptr) == 1
           && EVP_CIPHER_CTX_set_params(x, tag.data()) == 1
           && EVP_DecryptUpdate(x, nullptr, &written, ad.data(),
                                static_cast<int>(ad.size()))
                == 1
           && EVP_DecryptUpdate(x, text.data, &written, text.data,
                                static_cast<int>(text.size))
                == 1
           && EVP_DecryptFinal_ex(x, text.data + written, &rest) == 1;
  }
};

} // namespace vpn::protocol
