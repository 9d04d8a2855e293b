// Splits a super-packet of TUN: see the header.
// spec: virtio 5.1.6 (virtio_net_hdr), RFC 9293 3.1, RFC 768
#include "vpn/protocol/train_splitter.hpp"

#include <cstring>

namespace vpn::protocol {

namespace {

constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t protocol_udp = 17;
constexpr uint8_t flags_of_the_last = 0x01 | 0x08; // FIN, PSH
constexpr uint8_t flags_of_the_first = 0x80;       // CWR

/// Where layer 4 begins in an IPv4 packet that is no fragment; zero otherwise.
uint32_t ipv4_payload(byte_view xs, uint8_t protocol) noexcept {
  uint32_t header = (xs[0] & 15u) * 4u;
  if (header < 20 || header > xs.size() || xs[9] != protocol)
    return 0;
  bool fragment = (load_u16(xs.data() + 6) & 0x3fff) != 0;
  return !fragment && load_u16(xs.data() + 2) == xs.size() ? header : 0;
}

/// Where layer 4 begins in an IPv6 packet that has nothing but hop-by-hop and
/// destination options before it; zero otherwise. A routing header would change
/// the pseudo-header.
uint32_t ipv6_payload(byte_view xs, uint8_t protocol) noexcept {
  if (xs.size() < 40 || load_u16(xs.data() + 4) + size_t{40} != xs.size())
    return 0;
  uint8_t next = xs[6];
  size_t at = 40;
  while (next != protocol) {
    if ((next != 0 && next != 60) || at + 8 > xs.size())
      return 0;
    next = xs[at];
    at += (xs[at + 1] + size_t{1}) * 8;
  }
  return at <= xs.size() ? static_cast<uint32_t>(at) : 0;
}

} // namespace

expected<train_splitter> train_splitter::make(packet_slab& slab,
                                              const packet_run& run) noexcept {
  if (run.offset > slab.capacity || run.length > slab.capacity - run.offset)
    return errc::bad_train;
  train_splitter result;
  result.base_ = slab.at(run);
  result.length_ = run.length;
  result.kind_ = run.train;
  if (run.train == train_kind::none) {
    if (auto x = finish_checksum({result.base_, run.length}, run); !x)
      return x.error();
    result.segments_ = 1;
    return result;
  }
  if (!result.parse(run))
    return errc::bad_train;
  return result;
}

bool train_splitter::parse(const packet_run& run) noexcept {
  byte_view xs{base_, length_};
  if (xs.size() < 20 || run.stride == 0)
    return false;
  auto version = xs[0] >> 4;
  if ((kind_ == train_kind::tcp4 && version != 4)
      || (kind_ == train_kind::tcp6 && version != 6)
      || (version != 4 && version != 6))
    return false;
  bool udp = kind_ == train_kind::udp;
  auto protocol = udp ? protocol_udp : protocol_tcp;
  v4_ = version == 4;
  l4_offset_ = v4_ ? ipv4_payload(xs, protocol) : ipv6_payload(xs, protocol);
  auto l4 = xs.from(l4_offset_);
  if (l4_offset_ == 0 || l4.size() < (udp ? 8 : 20))
    return false;
  uint32_t l4_header = udp ? 8 : (l4[12] >> 4) * 4u;
  uint16_t field = udp ? 6 : 16;
  header_length_ = l4_offset_ + l4_header;
  if (l4_header < (udp ? 8 : 20) || header_length_ > header_.size()
      || header_length_ >= length_)
    return false;
  // The kernel's description is a second opinion: both must agree.
  if (run.needs_checksum
      && (run.checksum_start != l4_offset_ || run.checksum_offset != field))
    return false;
  segment_payload_ = run.stride;
  segments_ = (length_ - header_length_ - 1) / segment_payload_ + 1;
  // Sum up what all segments share, with everything else as zero.
  std::memcpy(header_.data(), base_, header_length_);
  std::array<uint8_t, 128> shared = header_;
  if (v4_) {
    first_id_ = load_u16(base_ + 4);
    store_u32(shared.data() + 2, 0);
    store_u16(shared.data() + 4, 0);
    store_u16(shared.data() + 10, 0);
    ip_sum_ = checksum_partial({shared.data(), l4_offset_});
  }
  auto* p = shared.data() + l4_offset_;
  store_u16(p + field, 0);
  if (udp) {
    store_u16(p + 4, 0);
  } else {
    first_sequence_ = load_u32(p + 4);
    flags_ = p[13];
    store_u32(p + 4, 0);
    p[13] = 0;
  }
  l4_sum_
    = checksum_partial({p, l4_header}, pseudo_header_sum(base_, protocol, 0));
  return true;
}

mutable_byte_view train_splitter::next() noexcept {
  if (index_ >= segments_)
    return {};
  if (kind_ == train_kind::none) {
    ++index_;
    return {base_, length_};
  }
  auto skipped = index_ * segment_payload_;
  auto left = length_ - header_length_ - skipped;
  auto payload = left < segment_payload_ ? left : segment_payload_;
  auto* segment = base_ + skipped;
  if (index_ != 0)
    std::memcpy(segment, header_.data(), header_length_);
  stamp(segment, payload);
  ++index_;
  return {segment, header_length_ + payload};
}

void train_splitter::stamp(uint8_t* segment, uint32_t payload) const noexcept {
  auto length = header_length_ + payload;
  auto l4_length = length - l4_offset_;
  if (v4_) {
    auto id = static_cast<uint16_t>(first_id_ + index_);
    store_u16(segment + 2, static_cast<uint16_t>(length));
    store_u16(segment + 4, id);
    store_u16(segment + 10, checksum_field(uint64_t{ip_sum_} + length + id));
  } else {
    store_u16(segment + 4, static_cast<uint16_t>(length - 40));
  }
  auto* l4 = segment + l4_offset_;
  // The length counts once in the pseudo-header, and for UDP once more in the
  // header itself.
  uint64_t sum = uint64_t{l4_sum_} + l4_length
                 + checksum_partial({segment + header_length_, payload});
  if (kind_ == train_kind::udp) {
    store_u16(l4 + 4, static_cast<uint16_t>(l4_length));
    store_u16(l4 + 6, udp_checksum_field(sum + l4_length));
    return;
  }
  auto sequence = first_sequence_ + index_ * segment_payload_;
  auto flags = flags_;
  if (index_ + 1 != segments_)
    flags = static_cast<uint8_t>(flags & ~flags_of_the_last);
  if (index_ != 0)
    flags = static_cast<uint8_t>(flags & ~flags_of_the_first);
  store_u32(l4 + 4, sequence);
  l4[13] = flags;
  sum += (sequence >> 16) + (sequence & 0xffff) + flags;
  store_u16(l4 + 16, checksum_field(sum));
}

} // namespace vpn::protocol
