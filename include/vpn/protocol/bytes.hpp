// Bytes: the owning vector, the two views, and the bounds-checked cursors every
// parser of this library reads through.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace vpn {

using bytes = std::vector<uint8_t>;

/// Borrowed, read-only bytes. Never owns, never outlives its source.
class byte_view {
public:
  constexpr byte_view() = default;
  constexpr byte_view(const uint8_t* data, size_t size)
    : data_(data),
      size_(size) {}
  byte_view(const bytes& xs) : data_(xs.data()), size_(xs.size()) {} // NOLINT
  explicit byte_view(std::string_view xs)
    : data_(reinterpret_cast<const uint8_t*>(xs.data())),
      size_(xs.size()) {}

  constexpr const uint8_t* data() const noexcept { return data_; }
  constexpr size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr const uint8_t* begin() const noexcept { return data_; }
  constexpr const uint8_t* end() const noexcept { return data_ + size_; }
  constexpr uint8_t operator[](size_t i) const noexcept { return data_[i]; }

  /// The first `n` bytes, fewer if there are fewer.
  constexpr byte_view first(size_t n) const noexcept {
    return {data_, n < size_ ? n : size_};
  }
  /// Everything after the first `n` bytes, empty if there are none.
  constexpr byte_view from(size_t n) const noexcept {
    return n < size_ ? byte_view{data_ + n, size_ - n} : byte_view{};
  }
  bytes copy() const { return bytes(begin(), end()); }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(data_), size_};
  }

private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

/// Compares contents. Not for secrets: see `equal_in_constant_time`.
inline bool operator==(byte_view x, byte_view y) noexcept {
  return x.size() == y.size()
         && (x.empty() || std::memcmp(x.data(), y.data(), x.size()) == 0);
}

/// Borrowed, writable bytes.
struct mutable_byte_view {
  uint8_t* data = nullptr;
  size_t size = 0;
  operator byte_view() const noexcept { return {data, size}; } // NOLINT
};

/// Reads big-endian fields with bounds. The first read past the end makes the
/// reader fail for good: every later read yields zero or empty, `ok()` is
/// false. Parsers read all fields, then ask once.
class byte_reader {
public:
  explicit byte_reader(byte_view in) : in_(in) {}

  uint8_t u8() { return static_cast<uint8_t>(uint(1)); }
  uint16_t u16() { return static_cast<uint16_t>(uint(2)); }
  uint32_t u24() { return static_cast<uint32_t>(uint(3)); }
  uint32_t u32() { return static_cast<uint32_t>(uint(4)); }
  uint64_t u64() { return uint(8); }

  /// Exactly `n` bytes, or an empty view and failure.
  byte_view take(size_t n) {
    if (failed_ || n > in_.size()) {
      failed_ = true;
      return {};
    }
    auto result = in_.first(n);
    in_ = in_.from(n);
    return result;
  }
  /// Fills `out` or fails and leaves it as it is.
  template <class Array>
  void copy_to(Array& out) {
    if (auto xs = take(out.size()); xs.size() == out.size())
      std::copy(xs.begin(), xs.end(), out.begin());
  }
  byte_view rest() { return take(in_.size()); }
  size_t remaining() const noexcept { return failed_ ? 0 : in_.size(); }
  bool ok() const noexcept { return !failed_; }

private:
  uint64_t uint(size_t n) {
    uint64_t result = 0;
    for (auto x : take(n))
      result = (result << 8) | x;
    return result;
  }
  byte_view in_;
  bool failed_ = false;
};

/// Appends big-endian fields to a vector it borrows.
class byte_writer {
public:
  explicit byte_writer(bytes& out) : out_(out) {}
  void u8(uint8_t x) { out_.push_back(x); }
  void u16(uint16_t x) { uint(x, 2); }
  void u24(uint32_t x) { uint(x, 3); }
  void u32(uint32_t x) { uint(x, 4); }
  void u64(uint64_t x) { uint(x, 8); }
  void append(byte_view xs) { out_.insert(out_.end(), xs.begin(), xs.end()); }

private:
  void uint(uint64_t x, size_t n) {
    while (n-- > 0)
      out_.push_back(static_cast<uint8_t>(x >> (8 * n)));
  }
  bytes& out_;
};

// -- big-endian fields at a known place, for code that has checked the bounds
// --

inline uint16_t load_u16(const uint8_t* p) noexcept {
  return static_cast<uint16_t>((p[0] << 8) | p[1]);
}
inline uint32_t load_u32(const uint8_t* p) noexcept {
  return (uint32_t{p[0]} << 24) | (uint32_t{p[1]} << 16) | (uint32_t{p[2]} << 8)
         | p[3];
}
inline void store_u16(uint8_t* p, uint16_t x) noexcept {
  p[0] = static_cast<uint8_t>(x >> 8);
  p[1] = static_cast<uint8_t>(x);
}
inline void store_u32(uint8_t* p, uint32_t x) noexcept {
  p[0] = static_cast<uint8_t>(x >> 24);
  p[1] = static_cast<uint8_t>(x >> 16);
  p[2] = static_cast<uint8_t>(x >> 8);
  p[3] = static_cast<uint8_t>(x);
}

/// Lower-case hex, for messages and tests. Never for secrets.
std::string to_hex(byte_view xs);

/// Bytes of a hex string; blanks are skipped. Empty if `text` is not hex.
bytes from_hex(std::string_view text);

} // namespace vpn
