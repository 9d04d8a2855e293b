// The head bytes of each framing, and what is behind them.
// spec: openvpn-wire 10.2, 10.3
#include "vpn/protocol/compression_framing.hpp"

#include <algorithm>
#include <limits>

#include <lz4.h>
#include <lzo/lzo1x.h>

namespace vpn::protocol {

namespace {

// -- head bytes --

constexpr uint8_t plain_head = 0xfa;
constexpr uint8_t plain_swap_head = 0xfb;
constexpr uint8_t lzo_head = 0x66;
constexpr uint8_t lz4_swap_head = 0x69;
/// Begins the two bytes of the second version.
constexpr uint8_t v2_mark = 0x50;
constexpr uint8_t v2_plain = 0x00;
constexpr uint8_t v2_lz4 = 0x01;
/// What stock senders write instead of `v2_plain`. spec: openvpn-wire 10.2
constexpr uint8_t v2_plain_by_mistake = 0x0a;
constexpr size_t v2_size = 2;

using result_type = expected<mutable_byte_view>;

mutable_byte_view behind(mutable_byte_view xs, size_t n) {
  return {xs.data + n, xs.size - n};
}

// -- decompression --

result_type open_lz4(mutable_byte_view packed, mutable_byte_view scratch) {
  constexpr size_t most = std::numeric_limits<int>::max();
  if (packed.size == 0 || packed.size > most)
    return errc::bad_payload_size;
  auto size = LZ4_decompress_safe(
    reinterpret_cast<const char*>(packed.data),
    reinterpret_cast<char*>(scratch.data), static_cast<int>(packed.size),
    static_cast<int>(std::min(scratch.size, most)));
  if (size <= 0)
    return errc::bad_payload_size;
  return mutable_byte_view{scratch.data, static_cast<size_t>(size)};
}

result_type open_lzo(mutable_byte_view packed, mutable_byte_view scratch) {
  // Checks that the library is the one it was compiled with.
  static const bool usable = lzo_init() == LZO_E_OK;
  if (!usable || packed.size == 0)
    return errc::bad_payload_size;
  lzo_uint size = scratch.size;
  // Bytes after the end mark are an error, too.
  if (lzo1x_decompress_safe(packed.data, packed.size, scratch.data, &size,
                            nullptr)
        != LZO_E_OK
      || size == 0)
    return errc::bad_payload_size;
  return mutable_byte_view{scratch.data, size};
}

// -- the three shapes --

/// FA before the packet, or 66 before what LZO made of it.
result_type open_head(compression_framing x, bool decompress,
                      mutable_byte_view framed, mutable_byte_view scratch) {
  auto packet = behind(framed, 1);
  switch (framed.data[0]) {
    default:
      return errc::bad_value;
    case plain_head:
      if (packet.size == 0)
        return errc::bad_payload_size;
      return packet;
    case lzo_head:
      if (x != compression_framing::lzo)
        return errc::bad_value;
      if (!decompress)
        return errc::wrong_state;
      return open_lzo(packet, scratch);
  }
}

/// The first byte has changed places with the head, which came in at the end.
result_type open_swapped(compression_framing x, bool decompress,
                         mutable_byte_view framed, mutable_byte_view scratch) {
  auto head = framed.data[0];
  bool packed = head == lz4_swap_head && x == compression_framing::lz4;
  if (head != plain_swap_head && !packed)
    return errc::bad_value;
  if (packed && !decompress)
    return errc::wrong_state;
  if (framed.size == 1)
    return errc::bad_payload_size;
  framed.data[0] = framed.data[framed.size - 1];
  --framed.size;
  if (packed)
    return open_lz4(framed, scratch);
  return framed;
}

/// Nothing at all, unless the packet begins like the mark.
result_type open_v2(compression_framing x, bool decompress,
                    mutable_byte_view framed, mutable_byte_view scratch) {
  if (framed.data[0] != v2_mark)
    return framed;
  if (framed.size < v2_size)
    return errc::bad_payload_size;
  auto packet = behind(framed, v2_size);
  switch (framed.data[1]) {
    default:
      return errc::bad_value;
    case v2_plain:
    case v2_plain_by_mistake:
      if (packet.size == 0)
        return errc::bad_payload_size;
      return packet;
    case v2_lz4:
      if (x != compression_framing::lz4_v2)
        return errc::bad_value;
      if (!decompress)
        return errc::wrong_state;
      return open_lz4(packet, scratch);
  }
}

} // namespace

std::string to_string(compression_framing x) {
  switch (x) {
    case compression_framing::none:
      return "none";
    case compression_framing::lzo_stub:
      return "comp-lzo no";
    case compression_framing::lzo:
      return "comp-lzo";
    case compression_framing::stub:
      return "compress stub";
    case compression_framing::stub_v2:
      return "compress stub-v2";
    case compression_framing::lz4:
      return "compress lz4";
    case compression_framing::lz4_v2:
      return "compress lz4-v2";
  }
  return "none";
}

size_t write_framed(compression_framing x, byte_view plain,
                    uint8_t* out) noexcept {
  if (plain.empty())
    return 0;
  auto append = [&](size_t head) {
    std::copy(plain.begin(), plain.end(), out + head);
    return head + plain.size();
  };
  switch (x) {
    case compression_framing::none:
      break;
    case compression_framing::lzo_stub:
    case compression_framing::lzo:
      out[0] = plain_head;
      return append(1);
    case compression_framing::stub:
    case compression_framing::lz4:
      append(0);
      out[plain.size()] = plain[0];
      out[0] = plain_swap_head;
      return plain.size() + 1;
    case compression_framing::stub_v2:
    case compression_framing::lz4_v2:
      if (plain[0] != v2_mark)
        break;
      out[0] = v2_mark;
      out[1] = v2_plain;
      return append(v2_size);
  }
  return append(0);
}

expected<mutable_byte_view> open_framed(compression_framing x, bool decompress,
                                        mutable_byte_view framed,
                                        mutable_byte_view scratch) noexcept {
  if (framed.size == 0)
    return framed;
  switch (x) {
    case compression_framing::none:
      break;
    case compression_framing::lzo_stub:
    case compression_framing::lzo:
      return open_head(x, decompress, framed, scratch);
    case compression_framing::stub:
    case compression_framing::lz4:
      return open_swapped(x, decompress, framed, scratch);
    case compression_framing::stub_v2:
    case compression_framing::lz4_v2:
      return open_v2(x, decompress, framed, scratch);
  }
  return framed;
}

} // namespace vpn::protocol
