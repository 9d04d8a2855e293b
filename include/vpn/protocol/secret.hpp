// Secrets: wiped when they end, compared in constant time, never printed. The
// types have no stream operator and no `inspect`, so nothing can render them.
#pragma once

#include "vpn/protocol/bytes.hpp"

#include <array>

namespace vpn {

/// Overwrites `n` bytes in a way the compiler keeps.
void wipe(void* data, size_t n) noexcept;

/// Compares without leaking where the first difference is.
bool equal_in_constant_time(byte_view x, byte_view y) noexcept;

/// Bytes of secret content and any length. Copies are allowed, each wipes
/// itself.
class secret {
public:
  secret() = default;
  explicit secret(byte_view xs) : data_(xs.begin(), xs.end()) {}
  explicit secret(std::string_view xs) : secret(byte_view{xs}) {}
  secret(const secret&) = default;
  secret(secret&& other) noexcept : data_(std::move(other.data_)) {
    other.data_.clear();
  }
  secret& operator=(const secret& other) {
    if (this != &other) {
      clear();
      data_ = other.data_;
    }
    return *this;
  }
  secret& operator=(secret&& other) noexcept {
    if (this != &other) {
      clear();
      data_.swap(other.data_);
    }
    return *this;
  }
  ~secret() { clear(); }

  void clear() noexcept {
    wipe(data_.data(), data_.size());
    data_.clear();
  }
  byte_view view() const noexcept { return data_; }
  std::string_view text() const noexcept { return view().text(); }
  bool empty() const noexcept { return data_.empty(); }
  size_t size() const noexcept { return data_.size(); }

private:
  bytes data_;
};

/// Key material of fixed size.
template <size_t N>
class secret_array {
public:
  secret_array() = default;
  secret_array(const secret_array&) = default;
  secret_array& operator=(const secret_array&) = default;
  ~secret_array() { wipe(data_.data(), N); }
  static constexpr size_t size() noexcept { return N; }
  uint8_t* data() noexcept { return data_.data(); }
  const uint8_t* data() const noexcept { return data_.data(); }
  auto begin() noexcept { return data_.begin(); }
  auto end() noexcept { return data_.end(); }
  byte_view view() const noexcept { return {data_.data(), N}; }
  byte_view slice(size_t offset, size_t n) const noexcept {
    return view().from(offset).first(n);
  }

private:
  std::array<uint8_t, N> data_{};
};

/// 256 bytes that both ends share: four slots of 64 (two ciphers, two HMACs).
/// Static keys and derived data keys have this shape.
using key_block = secret_array<256>;

} // namespace vpn
