// IP packets inside the tunnel: see the header.
// spec: openvpn-wire 13.3; virtio 5.1.6 (virtio_net_hdr)
#include "vpn/protocol/inner_packet.hpp"

#include <cstring>

namespace vpn::protocol {

namespace {

constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t flag_syn = 0x02;

// -- checksum --

constexpr bool little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

template <class T>
T load_native(const uint8_t* p) noexcept {
  T result;
  std::memcpy(&result, p, sizeof(T));
  return result;
}

uint16_t swapped(uint16_t x) noexcept {
  return static_cast<uint16_t>((x << 8) | (x >> 8));
}

uint16_t from_native(uint16_t x) noexcept {
  return little_endian ? swapped(x) : x;
}

// The sum does not care for byte order as long as it is the same all the way
// (RFC 1071), so wide words are added as they lie in memory. Both halves of a
// 64-bit lane have a sum of their own: no carry is lost below 2^32 words.
using lanes = uint64_t __attribute__((vector_size(32)));
constexpr size_t block_size = 2 * sizeof(lanes);

__attribute__((always_inline)) inline uint64_t
sum_blocks(const uint8_t* p, size_t blocks) noexcept {
  lanes low0{}, high0{}, low1{}, high1{};
  lanes x, y;
  for (; blocks > 0; --blocks, p += block_size) {
    std::memcpy(&x, p, sizeof(x));
    std::memcpy(&y, p + sizeof(x), sizeof(y));
    low0 += x & 0xffffffffu;
    high0 += x >> 32;
    low1 += y & 0xffffffffu;
    high1 += y >> 32;
  }
  lanes sum = low0 + high0 + low1 + high1;
  return sum[0] + sum[1] + sum[2] + sum[3];
}

__attribute__((noinline)) uint64_t sum_plain(const uint8_t* p,
                                             size_t blocks) noexcept {
  return sum_blocks(p, blocks);
}

// The same loop in registers twice as wide, where the processor has them: the
// checksum is the largest part of a packet after the cipher.
#if defined(__x86_64__)
__attribute__((target("avx2"))) uint64_t sum_avx2(const uint8_t* p,
                                                  size_t blocks) noexcept {
  return sum_blocks(p, blocks);
}
const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
uint64_t sum_large(const uint8_t* p, size_t blocks) noexcept {
  return has_avx2 ? sum_avx2(p, blocks) : sum_plain(p, blocks);
}
#else
uint64_t sum_large(const uint8_t* p, size_t blocks) noexcept {
  return sum_plain(p, blocks);
}
#endif

inline uint64_t sum_native(const uint8_t* p, size_t n) noexcept {
  uint64_t sum = 0;
  if (n >= 2 * block_size) {
    auto blocks = n / block_size;
    sum = sum_large(p, blocks);
    p += blocks * block_size;
    n -= blocks * block_size;
  }
  for (; n >= 8; n -= 8, p += 8) {
    auto x = load_native<uint64_t>(p);
    sum += (x & 0xffffffff) + (x >> 32);
  }
  if (n >= 4) {
    sum += load_native<uint32_t>(p);
    p += 4;
    n -= 4;
  }
  if (n >= 2) {
    sum += load_native<uint16_t>(p);
    p += 2;
    n -= 2;
  }
  if (n == 1) {
    uint8_t last[2] = {*p, 0};
    sum += load_native<uint16_t>(last);
  }
  return sum;
}

// -- parts of a SYN --

/// Where TCP begins in a packet that is not a fragment and has no extension
/// header; zero otherwise.
size_t tcp_offset(byte_view xs) noexcept {
  if (xs.size() >= 20 && xs[0] >> 4 == 4) {
    size_t n = (xs[0] & 15u) * 4u;
    bool fragment = (load_u16(xs.data() + 6) & 0x3fff) != 0;
    return n >= 20 && xs[9] == protocol_tcp && !fragment ? n : 0;
  }
  if (xs.size() >= 40 && xs[0] >> 4 == 6)
    return xs[6] == protocol_tcp ? 40 : 0;
  return 0;
}

/// Offset of the two bytes of an MSS option in the options of a TCP header, or
/// zero. Options that do not fit end the search.
size_t find_mss(byte_view tcp_header) noexcept {
  size_t i = 20;
  while (i < tcp_header.size()) {
    auto kind = tcp_header[i];
    if (kind == 0)
      return 0;
    if (kind == 1) {
      ++i;
      continue;
    }
    if (i + 1 >= tcp_header.size())
      return 0;
    size_t length = tcp_header[i + 1];
    if (length < 2 || length > tcp_header.size() - i)
      return 0;
    if (kind == 2)
      return length == 4 ? i + 2 : 0;
    i += length;
  }
  return 0;
}

} // namespace

uint16_t checksum_partial(byte_view xs, uint32_t initial) noexcept {
  auto sum = from_native(fold_checksum(sum_native(xs.data(), xs.size())));
  return fold_checksum(uint64_t{initial} + sum);
}

uint16_t pseudo_header_sum(const uint8_t* ip_header, uint8_t protocol,
                           uint32_t l4_length) noexcept {
  auto sum = ip_header[0] >> 4 == 4 ? sum_native(ip_header + 12, 8)
                                    : sum_native(ip_header + 8, 32);
  return fold_checksum(uint64_t{from_native(fold_checksum(sum))} + protocol
                       + l4_length);
}

bool clamp_mss(mutable_byte_view ip_packet, uint16_t mss4,
               uint16_t mss6) noexcept {
  auto start = tcp_offset(ip_packet);
  if (start == 0 || ip_packet.size < start + 20)
    return false;
  auto* tcp = ip_packet.data + start;
  auto limit = ip_packet.data[0] >> 4 == 4 ? mss4 : mss6;
  if ((tcp[13] & flag_syn) == 0 || limit == 0)
    return false;
  size_t header_size = (tcp[12] >> 4) * size_t{4};
  if (header_size < 20 || header_size > ip_packet.size - start)
    return false;
  auto at = find_mss({tcp, header_size});
  if (at == 0 || load_u16(tcp + at) <= limit)
    return false;
  // A field that holds nothing but the pseudo-header sum does not cover the
  // option yet. It may also be a finished checksum that happens to be equal.
  auto size = static_cast<uint32_t>(ip_packet.size - start);
  auto pseudo = pseudo_header_sum(ip_packet.data, protocol_tcp, size);
  auto field = load_u16(tcp + 16);
  auto unfinished
    = field == pseudo && checksum_partial({tcp, size}, pseudo) != 0xffff;
  auto before = load_u16(tcp + at);
  store_u16(tcp + at, limit);
  if (unfinished)
    return true;
  // An option at an odd place lies across two words of the sum.
  auto word = [odd = at % 2 != 0](uint16_t x) {
    return odd ? swapped(x) : x;
  };
  auto minus = word(static_cast<uint16_t>(~before));
  auto plus = word(limit);
  // RFC 1624: HC' = ~(~HC + ~m + m')
  store_u16(tcp + 16, checksum_field(uint64_t{static_cast<uint16_t>(~field)}
                                     + minus + plus));
  return true;
}

// -- TUN's virtio header --

expected<packet_run> read_vnet_header(const uint8_t* header, uint32_t offset,
                                      uint32_t length) noexcept {
  constexpr uint8_t needs_checksum = 1;
  // Bits beside the type: ECN, and AccECN since kernel 6.18.
  constexpr uint8_t qualifiers = 0x80 | 0x10;
  packet_run result;
  result.offset = offset;
  result.length = length;
  result.needs_checksum = (header[0] & needs_checksum) != 0;
  result.checksum_start = load_native<uint16_t>(header + 6);
  result.checksum_offset = load_native<uint16_t>(header + 8);
  auto type = static_cast<uint8_t>(header[1] & ~qualifiers);
  if (type == 0)
    return result;
  result.train = static_cast<train_kind>(type);
  if (result.train != train_kind::tcp4 && result.train != train_kind::tcp6
      && result.train != train_kind::udp)
    return errc::bad_train;
  // The header length at offset 2 is a hint that forwarded packets do not keep.
  result.stride = load_native<uint16_t>(header + 4);
  if (result.stride == 0)
    return errc::bad_train;
  return result;
}

expected<done_t> finish_checksum(mutable_byte_view ip_packet,
                                 const packet_run& run) noexcept {
  if (ip_packet.size == 0)
    return errc::bad_train;
  if (!run.needs_checksum)
    return done;
  size_t start = run.checksum_start;
  size_t field = start + run.checksum_offset;
  if (field + 2 > ip_packet.size)
    return errc::bad_train;
  auto sum = checksum_partial({ip_packet.data + start, ip_packet.size - start});
  // Layer 4 is not parsed here; 6 is where UDP alone has its field.
  store_u16(ip_packet.data + field, run.checksum_offset == 6
                                      ? udp_checksum_field(sum)
                                      : checksum_field(sum));
  return done;
}

} // namespace vpn::protocol
