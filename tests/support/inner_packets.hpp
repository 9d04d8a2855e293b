// IP packets made by hand, and a checksum that shares nothing with the
// product's.
#pragma once

#include "vpn/protocol/packet_slab.hpp"

#include <vector>

namespace vpn::test {

/// What a TCP or UDP packet says of itself. Everything else has a default.
struct flow {
  bool v6 = false;
  bool udp = false;
  uint8_t host = 1;
  uint16_t source_port = 40000;
  uint16_t target_port = 443;
  uint8_t tos = 0;
  uint8_t ttl = 64;
  bool dont_fragment = true;
  /// TCP options, a multiple of four bytes.
  bytes options;
};

struct segment {
  uint32_t sequence = 1000;
  uint32_t ack = 7;
  uint16_t window = 512;
  uint8_t flags = 0x10;
  uint16_t id = 1;
};

/// RFC 1071 as it stands there, 16 bits at a time.
inline uint16_t simple_checksum(byte_view xs, uint32_t sum = 0) {
  for (size_t i = 0; i < xs.size(); i += 2) {
    sum += static_cast<uint32_t>(xs[i]) << 8;
    if (i + 1 < xs.size())
      sum += xs[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

inline size_t ip_header_size(byte_view xs) {
  return xs[0] >> 4 == 4 ? (xs[0] & 15u) * 4u : 40;
}

/// Sum of the pseudo-header of a packet without extension headers.
inline uint16_t simple_pseudo_sum(byte_view xs) {
  bool v4 = xs[0] >> 4 == 4;
  auto addresses = v4 ? xs.from(12).first(8) : xs.from(8).first(32);
  auto length = static_cast<uint32_t>(xs.size() - ip_header_size(xs));
  uint8_t rest[6] = {0, xs[v4 ? 9 : 6]};
  store_u32(rest + 2, length);
  return simple_checksum({rest, sizeof(rest)}, simple_checksum(addresses));
}

/// Lengths agree with the bytes, and all checksums with the contents.
inline bool well_formed(byte_view xs) {
  if (xs.size() < 28)
    return false;
  bool v4 = xs[0] >> 4 == 4;
  auto header = ip_header_size(xs);
  if (v4
      && (load_u16(xs.data() + 2) != xs.size()
          || simple_checksum(xs.first(header)) != 0xffff))
    return false;
  if (!v4 && load_u16(xs.data() + 4) + 40u != xs.size())
    return false;
  if (xs[v4 ? 9 : 6] == 17
      && (load_u16(xs.data() + header + 4) != xs.size() - header
          || load_u16(xs.data() + header + 6) == 0))
    return false;
  return simple_checksum(xs.from(header), simple_pseudo_sum(xs)) == 0xffff;
}

/// Writes lengths and checksums of a packet that has everything else.
inline void finish(bytes& xs) {
  bool v4 = xs[0] >> 4 == 4;
  auto header = ip_header_size(xs);
  bool udp = xs[v4 ? 9 : 6] == 17;
  auto field = header + (udp ? 6 : 16);
  if (v4) {
    store_u16(xs.data() + 2, static_cast<uint16_t>(xs.size()));
    store_u16(xs.data() + 10, 0);
    auto sum = simple_checksum(byte_view{xs}.first(header));
    store_u16(xs.data() + 10, static_cast<uint16_t>(~sum));
  } else {
    store_u16(xs.data() + 4, static_cast<uint16_t>(xs.size() - 40));
  }
  if (udp)
    store_u16(xs.data() + header + 4,
              static_cast<uint16_t>(xs.size() - header));
  store_u16(xs.data() + field, 0);
  auto sum = simple_checksum(byte_view{xs}.from(header), simple_pseudo_sum(xs));
  auto value = static_cast<uint16_t>(~sum);
  store_u16(xs.data() + field, udp && value == 0 ? 0xffff : value);
}

inline bytes make_packet(const flow& f, const segment& s, byte_view payload) {
  bytes out;
  byte_writer w{out};
  if (f.v6) {
    w.u32(0x60000000u | (uint32_t{f.tos} << 20));
    w.u16(0);
    w.u8(f.udp ? 17 : 6);
    w.u8(f.ttl);
    for (uint8_t last : {f.host, uint8_t{2}}) {
      w.u64(0xfd00000000000000u);
      w.u64(last);
    }
  } else {
    w.u8(0x45);
    w.u8(f.tos);
    w.u16(0);
    w.u16(s.id);
    w.u16(f.dont_fragment ? 0x4000 : 0);
    w.u8(f.ttl);
    w.u8(f.udp ? 17 : 6);
    w.u16(0);
    w.u32(0x0a080000u + f.host);
    w.u32(0x0a080002u);
  }
  w.u16(f.source_port);
  w.u16(f.target_port);
  if (f.udp) {
    w.u32(0);
  } else {
    w.u32(s.sequence);
    w.u32(s.ack);
    w.u8(static_cast<uint8_t>((5 + f.options.size() / 4) << 4));
    w.u8(s.flags);
    w.u16(s.window);
    w.u32(0);
    w.append(f.options);
  }
  w.append(payload);
  finish(out);
  return out;
}

/// A slab that owns its memory.
struct owned_slab {
  bytes memory;
  std::vector<protocol::packet_run> runs;
  protocol::packet_slab slab;

  explicit owned_slab(uint32_t capacity = 1 << 18, uint32_t max_runs = 256)
    : memory(capacity),
      runs(max_runs) {
    slab.data = memory.data();
    slab.capacity = capacity;
    slab.runs = runs.data();
    slab.max_runs = max_runs;
  }
  owned_slab(const owned_slab&) = delete;
  owned_slab& operator=(const owned_slab&) = delete;

  /// Appends a packet; its run may be changed afterwards.
  protocol::packet_run& put(byte_view xs) {
    std::copy(xs.begin(), xs.end(), slab.data + slab.used);
    slab.add(slab.used, static_cast<uint32_t>(xs.size()));
    slab.used += static_cast<uint32_t>(xs.size());
    return slab.runs[slab.count - 1];
  }
  /// All packets, runs with a stride taken apart.
  std::vector<bytes> packets() const {
    std::vector<bytes> result;
    for (auto& run : slab) {
      auto step = run.stride != 0 ? run.stride : run.length;
      for (uint32_t i = 0; i < run.length; i += step)
        result.push_back(slab.view(run).from(i).first(step).copy());
    }
    return result;
  }
};

} // namespace vpn::test
