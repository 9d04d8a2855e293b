#include "vpn/protocol/mssfix.hpp"

#include <algorithm>

namespace vpn::protocol {

namespace {

constexpr uint32_t ipv4_and_tcp = 40;
constexpr uint32_t ipv6_and_tcp = 60;
constexpr uint32_t smallest_mss = 64;

uint16_t limit(uint32_t inner, uint32_t headers) {
  if (inner < headers + smallest_mss)
    return static_cast<uint16_t>(smallest_mss);
  return static_cast<uint16_t>(std::min<uint32_t>(inner - headers, 65535));
}

uint32_t outer_headers(bool tcp, family transport) {
  return (transport == family::v6 ? 40u : 20u) + (tcp ? 20u : 8u);
}

} // namespace

mss_limits compute_mss(const mssfix_config& cfg, bool tcp, family transport,
                       uint32_t overhead) {
  if (cfg.kind == mssfix_kind::off || cfg.size == 0)
    return {};
  auto inner = cfg.size;
  if (cfg.kind != mssfix_kind::fixed) {
    // The length prefix of TCP counts as part of the header.
    auto taken = overhead + (tcp ? 2u : 0u);
    if (cfg.kind == mssfix_kind::outer_packet)
      taken += outer_headers(tcp, transport);
    inner = inner > taken ? inner - taken : 0;
  }
  return {limit(inner, ipv4_and_tcp), limit(inner, ipv6_and_tcp)};
}

} // namespace vpn::protocol
