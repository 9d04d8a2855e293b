// The answer of `block-ipv6`: see the header.
// spec: openvpn-wire 7.2; RFC 4443 2.4, 3.1
#include "vpn/protocol/no_route_answer.hpp"

#include "vpn/protocol/inner_packet.hpp"

#include <algorithm>
#include <array>

namespace vpn::protocol {

namespace {

constexpr size_t ip_header = 40;
constexpr size_t icmp_header = 8;
constexpr uint8_t protocol_icmp6 = 58;
constexpr uint8_t icmp_unreachable = 1;
constexpr uint8_t icmp_redirect = 137;
/// Types below this one are errors.
constexpr uint8_t first_informational = 128;

/// fe80::7, which is nobody on a point-to-point link.
constexpr std::array<uint8_t, 16> answering{0xfe, 0x80, 0, 0, 0, 0, 0, 0,
                                            0,    0,    0, 0, 0, 0, 0, 7};

/// True if an ICMPv6 error may be about this packet, whose header is complete:
/// its chain of headers must be there to see that it is no error itself.
bool may_be_answered(byte_view xs) noexcept {
  auto next = xs[6];
  auto rest = xs.from(ip_header);
  while (true) {
    switch (next) {
      case protocol_icmp6:
        return !rest.empty() && rest[0] >= first_informational
               && rest[0] != icmp_redirect;
      case 0:  // hop-by-hop options
      case 43: // routing
      case 60: // destination options
        if (rest.size() < 8)
          return false;
        next = rest[0];
        rest = rest.from((rest[1] + size_t{1}) * 8);
        break;
      case 44: // fragment: only the first one shows what it is
        if (rest.size() < 8 || (load_u16(rest.data() + 2) & 0xfff8) != 0)
          return false;
        next = rest[0];
        rest = rest.from(8);
        break;
      case 51: // authentication
        if (rest.size() < 8)
          return false;
        next = rest[0];
        rest = rest.from((rest[1] + size_t{2}) * 4);
        break;
      default:
        return true;
    }
  }
}

bool is_multicast(byte_view address) noexcept {
  return address[0] == 0xff;
}

bool is_unspecified(byte_view address) noexcept {
  return std::all_of(address.begin(), address.end(), [](uint8_t x) {
    return x == 0;
  });
}

} // namespace

size_t write_no_route_answer(byte_view packet, uint8_t* out) noexcept {
  if (packet.size() < ip_header || packet[0] >> 4 != 6)
    return 0;
  auto source = packet.from(8).first(16);
  auto destination = packet.from(24).first(16);
  if (is_multicast(source) || is_unspecified(source)
      || is_multicast(destination) || !may_be_answered(packet))
    return 0;
  auto quoted = packet.first(max_no_route_answer - ip_header - icmp_header);
  auto size = icmp_header + quoted.size();
  std::fill_n(out, ip_header + icmp_header, uint8_t{0});
  out[0] = 0x60;
  store_u16(out + 4, static_cast<uint16_t>(size));
  out[6] = protocol_icmp6;
  out[7] = 255;
  std::copy(answering.begin(), answering.end(), out + 8);
  std::copy(source.begin(), source.end(), out + 24);
  auto* icmp = out + ip_header;
  icmp[0] = icmp_unreachable;
  std::copy(quoted.begin(), quoted.end(), icmp + icmp_header);
  auto pseudo
    = pseudo_header_sum(out, protocol_icmp6, static_cast<uint32_t>(size));
  store_u16(icmp + 2, checksum_field(checksum_partial({icmp, size}, pseudo)));
  return ip_header + size;
}

// -- waiting --

no_route_answers::no_route_answers()
  : memory_(new uint8_t[places * max_no_route_answer]) {
}

void no_route_answers::add(byte_view packet) noexcept {
  if (count_ == places)
    return;
  auto size
    = write_no_route_answer(packet, &memory_[count_ * max_no_route_answer]);
  if (size != 0)
    sizes_[count_++] = static_cast<uint32_t>(size);
}

bool no_route_answers::take(packet_slab& up) noexcept {
  auto before = taken_;
  for (; taken_ < count_; ++taken_) {
    auto size = sizes_[taken_];
    if (size > up.room() || !up.add(up.used, size))
      break;
    std::copy_n(&memory_[taken_ * max_no_route_answer], size,
                up.data + up.used);
    up.used += size;
  }
  bool any = taken_ != before;
  if (taken_ == count_)
    taken_ = count_ = 0;
  return any;
}

} // namespace vpn::protocol
