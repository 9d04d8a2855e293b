// What can be wrong with a packet or a call, and the result type that says so.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace vpn {

/// Why a packet was dropped or a call refused. Counted, never thrown. Zero is
/// "no error" for caf::error, so the list starts at one.
enum class errc : uint8_t {
  /// The packet ends before its last mandatory field.
  truncated = 1,
  /// The opcode is unknown or not legal for this role and state.
  bad_opcode,
  /// No negotiation and no key exists for this key id.
  bad_key_id,
  /// A session id is zero, or not the one of this session.
  bad_session_id,
  /// More than eight acknowledged ids, or an ack block where none may be.
  bad_ack_block,
  /// HMAC or AEAD tag mismatch.
  bad_tag,
  /// A packet id seen before, or too old for the window.
  replayed,
  /// Packet id zero, or no ids left to send with.
  bad_packet_id,
  /// A message id beyond the receive window.
  outside_window,
  /// The send window is full: try again after an ack.
  window_full,
  /// A payload that must not be empty is, or is larger than its limit.
  bad_payload_size,
  /// A TCP frame length of zero or above the limit.
  bad_frame_length,
  /// A TLV of a reset is malformed.
  bad_tlv,
  /// No data key is installed that fits the packet.
  no_key,
  /// The plaintext is neither IPv4 nor IPv6.
  not_ip,
  /// A super-packet description that contradicts its bytes.
  bad_train,
  /// A key-method-2 record that cannot be parsed.
  bad_key_method,
  /// A text message with control characters or without its NUL.
  bad_text,
  /// A static key, certificate or other key material that cannot be read.
  bad_key_material,
  /// OpenSSL refused; the text is beside the code.
  tls_failed,
  /// An operation that this state does not allow.
  wrong_state,
  /// A name, number or address that cannot be parsed.
  bad_value,
  /// Out of buffers: dropped under overload.
  no_buffer,
  /// Number of codes plus one; not a code.
  count_
};

/// Short lower-case words, for counters and logs.
std::string to_string(errc x);

struct done_t {};
constexpr done_t done{};

/// A value or the reason why there is none.
template <class T, class E = errc>
class [[nodiscard]] expected {
public:
  expected(T x) : data_(std::in_place_index<0>, std::move(x)) {} // NOLINT
  expected(E x) : data_(std::in_place_index<1>, std::move(x)) {} // NOLINT
  explicit operator bool() const noexcept { return data_.index() == 0; }
  T& operator*() {
    assert(*this);
    return *std::get_if<0>(&data_);
  }
  const T& operator*() const {
    assert(*this);
    return *std::get_if<0>(&data_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  const E& error() const {
    assert(!*this);
    return *std::get_if<1>(&data_);
  }

private:
  std::variant<T, E> data_;
};

/// How often each `errc` happened in one place.
class error_counters {
public:
  void count(errc x, uint64_t n = 1) noexcept {
    counts_[static_cast<size_t>(x)] += n;
  }
  uint64_t of(errc x) const noexcept { return counts_[static_cast<size_t>(x)]; }
  uint64_t total() const noexcept {
    uint64_t sum = 0;
    for (auto x : counts_)
      sum += x;
    return sum;
  }
  /// "bad_tag 3, replayed 1", empty when nothing happened.
  std::string text() const;

private:
  std::array<uint64_t, static_cast<size_t>(errc::count_)> counts_{};
};

} // namespace vpn
