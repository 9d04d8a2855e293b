// Option `client-nat`: see the header.
// spec: openvpn-wire 7.2
#include "vpn/protocol/address_nat.hpp"

#include "vpn/protocol/inner_packet.hpp"

namespace vpn::protocol {

namespace {

constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t protocol_udp = 17;
constexpr size_t source_at = 12;
constexpr size_t destination_at = 16;

/// Bytes of a complete IPv4 header, zero if there is none.
size_t ipv4_header_size(byte_view xs) noexcept {
  if (xs.size() < 20 || xs[0] >> 4 != 4)
    return 0;
  size_t result = (xs[0] & 15u) * 4u;
  return result >= 20 && result <= xs.size() ? result : 0;
}

/// RFC 1624: HC' = ~(~HC + ~m + m'), with `change` as the sum of ~m + m'.
uint16_t changed(uint16_t field, uint64_t change) noexcept {
  return checksum_field(uint64_t{static_cast<uint16_t>(~field)} + change);
}

/// What replacing one address by another adds to a sum over it.
uint64_t change_of(uint32_t before, uint32_t after) noexcept {
  auto minus = ~before;
  return uint64_t{minus >> 16} + (minus & 0xffff) + (after >> 16)
         + (after & 0xffff);
}

/// The pseudo-header covers the addresses. Pieces of an IP packet but the first
/// have no layer-4 header.
void patch_layer4(mutable_byte_view packet, size_t header,
                  uint64_t change) noexcept {
  bool first = (load_u16(packet.data + 6) & 0x1fff) == 0;
  auto protocol = packet.data[9];
  auto* l4 = packet.data + header;
  auto size = packet.size - header;
  if (first && protocol == protocol_tcp && size >= 18) {
    store_u16(l4 + 16, changed(load_u16(l4 + 16), change));
  } else if (first && protocol == protocol_udp && size >= 8) {
    // Zero is no checksum, and no checksum may become zero.
    auto field = load_u16(l4 + 6);
    auto result = changed(field, change);
    if (field != 0)
      store_u16(l4 + 6, result == 0 ? uint16_t{0xffff} : result);
  }
}

} // namespace

address_nat::address_nat(const std::vector<nat_rule>& rules) {
  for (auto& x : rules) {
    if (x.network.address.kind != family::v4 || x.foreign.kind != family::v4
        || x.network.length > 32)
      continue;
    auto mask = load_u32(netmask_v4(x.network.length).octets.data());
    rules_.push_back({x.source, mask,
                      load_u32(x.network.address.octets.data()) & mask,
                      load_u32(x.foreign.octets.data()) & mask});
  }
}

bool address_nat::outgoing(mutable_byte_view packet) const noexcept {
  return rewrite(packet, true);
}

bool address_nat::incoming(mutable_byte_view packet) const noexcept {
  return rewrite(packet, false);
}

bool address_nat::rewrite(mutable_byte_view packet,
                          bool leaves) const noexcept {
  auto header = ipv4_header_size(packet);
  if (header == 0)
    return false;
  uint64_t change = 0;
  bool any = false;
  for (auto at : {source_at, destination_at}) {
    auto before = load_u32(packet.data + at);
    for (auto& x : rules_) {
      // What leaves has our source and their destination, what comes in has it
      // the other way round.
      bool concerns = (at == source_at) == (x.source == leaves);
      if (!concerns || (before & x.mask) != (leaves ? x.network : x.foreign))
        continue;
      auto after = (before & ~x.mask) | (leaves ? x.foreign : x.network);
      store_u32(packet.data + at, after);
      change += change_of(before, after);
      any = true;
      break;
    }
  }
  if (!any)
    return false;
  store_u16(packet.data + 10, changed(load_u16(packet.data + 10), change));
  patch_layer4(packet, header, change);
  return true;
}

} // namespace vpn::protocol
