// CBC with an HMAC, and the HMAC alone: see the header.
// spec: openvpn-wire 9.3, 9.5
#include "protocol/data_key_hmac.hpp"

#include <openssl/err.h>

#include <algorithm>

namespace vpn::protocol {

namespace {

constexpr size_t block_size = 16;

/// Keyed once; later calls of EVP_MAC_init without a key begin a new message.
mac_context make_hmac(const std::string& digest) {
  struct mac_deleter {
    void operator()(EVP_MAC* x) const noexcept { EVP_MAC_free(x); }
  };
  std::unique_ptr<EVP_MAC, mac_deleter> mac{
    EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr)};
  if (!mac)
    return {};
  mac_context result{EVP_MAC_CTX_new(mac.get())};
  // OpenSSL wants a writable name but does not write to it.
  auto name = digest;
  std::array<OSSL_PARAM, 2> params{
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
    OSSL_PARAM_construct_end()};
  if (!result || EVP_MAC_CTX_set_params(result.get(), params.data()) != 1)
    return {};
  return result;
}

} // namespace

// -- making --

expected<std::unique_ptr<hmac_format>>
hmac_format::make(const data_key_spec& spec) {
  std::unique_ptr<hmac_format> result{new hmac_format};
  if (spec.cipher != data_cipher::none)
    result->iv_size_ = iv_size;
  result->random_ = spec.random ? spec.random : openssl_random();
  key_slots slots{spec.self};
  if (!result->start(result->send_, spec, slots.send, true)
      || !result->start(result->receive_, spec, slots.receive, false)) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  return {std::move(result)};
}

bool hmac_format::start(direction& x, const data_key_spec& spec, size_t slot,
                        bool encrypt) {
  if (iv_size_ != 0) {
    auto key = spec.keys.slice(slot, key_length(spec.cipher));
    auto* kind = fetched(spec.cipher);
    x.cipher.reset(EVP_CIPHER_CTX_new());
    auto init = encrypt ? EVP_EncryptInit_ex2 : EVP_DecryptInit_ex2;
    std::array<uint8_t, iv_size> iv{};
    if (kind == nullptr || x.cipher == nullptr || all_zero(key)
        || init(x.cipher.get(), kind, key.data(), iv.data(), nullptr) != 1)
      return false;
  }
  auto size = digest_size(spec.digest);
  if (!size || *size > hmac_room)
    return false;
  digest_size_ = *size;
  if (digest_size_ == 0)
    return true;
  // The digest says how much of its slot is the key.
  auto key = spec.keys.slice(slot + hmac_offset, digest_size_);
  x.mac = make_hmac(spec.digest);
  return x.mac != nullptr && !all_zero(key)
         && EVP_MAC_init(x.mac.get(), key.data(), key.size(), nullptr) == 1;
}

size_t hmac_format::head_room() const noexcept {
  return digest_size_ + iv_size_ + id_size;
}

size_t hmac_format::tail_room() const noexcept {
  return iv_size_ == 0 ? 0 : block_size;
}

// -- sealing --

bool hmac_format::sign(direction& x, byte_view text, uint8_t* out) noexcept {
  size_t written = 0;
  auto* mac = x.mac.get();
  return EVP_MAC_init(mac, nullptr, 0, nullptr) == 1
         && EVP_MAC_update(mac, text.data(), text.size()) == 1
         && EVP_MAC_final(mac, out, &written, digest_size_) == 1
         && written == digest_size_;
}

void hmac_format::draw_iv(uint8_t* out) noexcept {
  if (ivs_used_ == ivs_.size()) {
    random_(ivs_.data(), ivs_.size());
    ivs_used_ = 0;
  }
  std::copy_n(ivs_.data() + ivs_used_, iv_size, out);
  ivs_used_ += iv_size;
}

expected<size_t> hmac_format::encrypt(uint32_t id, byte_view plain,
                                      uint8_t* out) noexcept {
  std::array<uint8_t, id_size> first{};
  store_u32(first.data(), id);
  draw_iv(out);
  auto* text = out + iv_size;
  auto* ctx = send_.cipher.get();
  int begin = 0;
  int middle = 0;
  int end = 0;
  if (EVP_EncryptInit_ex2(ctx, nullptr, nullptr, out, nullptr) != 1
      || EVP_EncryptUpdate(ctx, text, &begin, first.data(), id_size) != 1
      || EVP_EncryptUpdate(ctx, text + begin, &middle, plain.data(),
                           static_cast<int>(plain.size()))
           != 1
      || EVP_EncryptFinal_ex(ctx, text + begin + middle, &end) != 1)
    return errc::tls_failed;
  return iv_size + static_cast<size_t>(begin + middle + end);
}

expected<size_t> hmac_format::seal(uint32_t id, byte_view plain,
                                   uint8_t* out) noexcept {
  auto* text = out + digest_size_;
  size_t size = id_size + plain.size();
  if (iv_size_ == 0) {
    store_u32(text, id);
    std::copy(plain.begin(), plain.end(), text + id_size);
  } else if (auto written = encrypt(id, plain, text)) {
    size = *written;
  } else {
    ERR_clear_error();
    return written.error();
  }
  if (digest_size_ != 0 && !sign(send_, {text, size}, out)) {
    ERR_clear_error();
    return errc::tls_failed;
  }
  return digest_size_ + size;
}

// -- opening --

/// `text` begins with the IV and has a full block at least.
expected<mutable_byte_view>
hmac_format::decrypt(mutable_byte_view text) noexcept {
  auto* ctx = receive_.cipher.get();
  auto* data = text.data + iv_size;
  auto size = static_cast<int>(text.size - iv_size);
  int written = 0;
  int rest = 0;
  if (EVP_DecryptInit_ex2(ctx, nullptr, nullptr, text.data, nullptr) != 1
      || EVP_DecryptUpdate(ctx, data, &written, data, size) != 1
      || EVP_DecryptFinal_ex(ctx, data + written, &rest) != 1)
    return errc::bad_payload_size;
  return mutable_byte_view{data, static_cast<size_t>(written + rest)};
}

expected<hmac_format::opened>
hmac_format::open(mutable_byte_view body) noexcept {
  auto least = digest_size_ + (iv_size_ == 0 ? id_size : iv_size_ + block_size);
  if (body.size < least)
    return errc::truncated;
  mutable_byte_view text{body.data + digest_size_, body.size - digest_size_};
  if (digest_size_ != 0) {
    std::array<uint8_t, hmac_room> digest{};
    bool authentic = sign(receive_, text, digest.data());
    // Before anything looks at what was encrypted: its padding must tell a
    // forger nothing.
    authentic = authentic
                && equal_in_constant_time({digest.data(), digest_size_},
                                          {body.data, digest_size_});
    if (!authentic) {
      ERR_clear_error();
      return errc::bad_tag;
    }
  }
  if (iv_size_ != 0) {
    auto plain = decrypt(text);
    if (!plain) {
      ERR_clear_error();
      return plain.error();
    }
    text = *plain;
  }
  if (text.size < id_size)
    return errc::truncated;
  return opened{load_u32(text.data),
                {text.data + id_size, text.size - id_size}};
}

} // namespace vpn::protocol
