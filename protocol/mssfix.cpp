// How large a TCP segment may be: see the header.
// spec: openvpn-wire 13.2, 13.3
#include "vpn/protocol/mssfix.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

constexpr uint32_t ipv4_and_tcp = 40;
constexpr uint32_t ipv6_and_tcp = 60;
constexpr uint32_t smallest_mss = 64;
constexpr uint32_t cbc_block = 16;
constexpr uint32_t aead_tag = 16;
constexpr uint32_t packet_id = 4;
constexpr uint32_t fragment_header = 4;

bool is_cbc(data_cipher x) {
  return !is_aead(x) && x != data_cipher::none;
}

/// All that stands before the ciphertext, or around it with AEAD.
uint32_t header_size(const packet_overhead& around) {
  uint32_t result = around.peer_id ? 4 : 1;
  if (around.tcp)
    result += 2;
  // SOCKS carries TCP without a header.
  else if (around.socks)
    result += 10;
  if (is_aead(around.cipher))
    return result + (around.epoch ? 2 * packet_id : packet_id) + aead_tag;
  result += around.digest_size;
  // In CBC the id is inside of the ciphertext, and an IV before it.
  return result + (is_cbc(around.cipher) ? cbc_block : packet_id);
}

uint32_t less(uint32_t x, uint32_t y) {
  return x > y ? x - y : 0;
}

uint16_t limit(uint32_t inner, uint32_t headers) {
  if (inner < headers + smallest_mss)
    return static_cast<uint16_t>(smallest_mss);
  return static_cast<uint16_t>(std::min<uint32_t>(inner - headers, 65535));
}

} // namespace

uint32_t datagram_overhead(const packet_overhead& around) noexcept {
  return (around.transport == family::v6 ? 40u : 20u) + (around.tcp ? 20u : 8u);
}

uint32_t largest_plaintext(uint32_t size,
                           const packet_overhead& around) noexcept {
  auto result = less(size, header_size(around));
  if (!is_cbc(around.cipher))
    return result;
  // At least one byte of padding, then the blocks must be full.
  return less(result / cbc_block * cbc_block, 1 + packet_id);
}

mss_limits compute_mss(const mssfix_config& cfg,
                       const packet_overhead& around) noexcept {
  if (cfg.kind == mssfix_kind::off || cfg.size == 0)
    return {};
  auto inner = cfg.size;
  if (cfg.kind != mssfix_kind::fixed) {
    if (cfg.kind == mssfix_kind::outer_packet)
      inner = less(inner, datagram_overhead(around));
    inner = largest_plaintext(inner, around);
    inner = less(inner, (around.framing_byte ? 1u : 0u)
                          + (around.fragment ? fragment_header : 0u));
  }
  return {limit(inner, ipv4_and_tcp), limit(inner, ipv6_and_tcp)};
}

} // namespace vpn::protocol
