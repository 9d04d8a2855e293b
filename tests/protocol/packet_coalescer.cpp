// Joining packets to super-packets: every rule by itself, and that splitting
// gives back what was joined.
#define CAF_SUITE protocol.packet_coalescer

#include "vpn/protocol/packet_coalescer.hpp"

#include "vpn/protocol/train_splitter.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <map>

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::flow;
using vpn::test::make_packet;
using vpn::test::owned_slab;
using vpn::test::segment;
using vpn::test::well_formed;

namespace {

packet_coalescer::options both() {
  packet_coalescer::options result;
  result.udp = true;
  return result;
}

/// What the kernel reads from one write: the packet after the virtio header.
bytes whole(const packet_coalescer& from, const tun_write& x) {
  bytes result(x.head.begin() + vnet_header_size, x.head.begin() + x.head_size);
  for (uint32_t i = 0; i < x.pieces; ++i) {
    auto piece = from.pieces()[x.first_piece + i];
    result.insert(result.end(), piece.begin(), piece.end());
  }
  return result;
}

/// Checks one write as the kernel does and splits it again.
std::vector<bytes> packets_of(const packet_coalescer& from,
                              const tun_write& x) {
  auto xs = whole(from, x);
  auto run = read_vnet_header(x.head.data(), 0, uint32_t(xs.size()));
  CAF_REQUIRE(run);
  if (run->train == train_kind::none) {
    CAF_CHECK(std::all_of(x.head.begin(), x.head.begin() + vnet_header_size,
                          [](uint8_t byte) {
                            return byte == 0;
                          }));
    CAF_CHECK_EQUAL(x.packets, 1u);
    CAF_CHECK_EQUAL(x.pieces, 1u);
    return {xs};
  }
  uint16_t header_length = 0;
  std::memcpy(&header_length, x.head.data() + 2, 2);
  CAF_CHECK_EQUAL(header_length + vnet_header_size, x.head_size);
  CAF_CHECK(run->needs_checksum);
  CAF_CHECK(xs.size() <= 65535);
  CAF_CHECK_EQUAL(run->checksum_start, test::ip_header_size(xs));
  if (xs[0] >> 4 == 4)
    CAF_CHECK_EQUAL(test::simple_checksum(byte_view{xs}.first(20)), 0xffffu);
  CAF_CHECK_EQUAL(
    load_u16(xs.data() + run->checksum_start + run->checksum_offset),
    test::simple_pseudo_sum(xs));
  if (run->train == train_kind::udp)
    CAF_CHECK_EQUAL(load_u16(xs.data() + run->checksum_start + 4),
                    xs.size() - run->checksum_start);
  owned_slab slab{65536, 1};
  slab.put(xs);
  auto splitter = train_splitter::make(slab.slab, *run);
  CAF_REQUIRE(splitter);
  CAF_CHECK_EQUAL(splitter->segments(), x.packets);
  std::vector<bytes> result;
  for (auto y = splitter->next(); y.size != 0; y = splitter->next())
    result.push_back(byte_view{y}.copy());
  return result;
}

/// Without what splitting need not give back: the identification of a packet
/// that must not be fragmented.
bytes comparable(bytes xs) {
  if (xs[0] >> 4 == 4 && (xs[6] & 0x40) != 0) {
    store_u16(xs.data() + 4, 0);
    store_u16(xs.data() + 10, 0);
  }
  return xs;
}

/// How many packets each write holds.
std::vector<uint32_t> joined(const std::vector<bytes>& packets,
                             packet_coalescer::options opts = both()) {
  owned_slab slab;
  for (auto& x : packets)
    slab.put(x);
  packet_coalescer coalescer{opts};
  coalescer.join(slab.slab);
  std::vector<uint32_t> result;
  std::vector<bytes> split;
  for (auto& x : coalescer.writes()) {
    result.push_back(x.packets);
    for (auto& y : packets_of(coalescer, x))
      split.push_back(comparable(y));
  }
  // Nothing may be lost or changed.
  std::vector<bytes> sorted;
  for (auto& x : packets)
    sorted.push_back(comparable(x));
  std::sort(sorted.begin(), sorted.end());
  std::sort(split.begin(), split.end());
  CAF_CHECK(sorted == split);
  return result;
}

using sizes = std::vector<uint32_t>;

/// `n` packets that belong together, 100 bytes of payload each.
std::vector<bytes> stream(const flow& f, uint32_t n, uint32_t size = 100) {
  std::vector<bytes> result;
  for (uint32_t i = 0; i < n; ++i) {
    segment s;
    s.sequence = 0xffffff00 + i * size;
    s.id = static_cast<uint16_t>(0xfffe + i);
    result.push_back(make_packet(f, s, bytes(size, uint8_t(i))));
  }
  return result;
}

std::vector<flow> all_flows() {
  std::vector<flow> result(6);
  for (size_t i = 0; i < result.size(); ++i) {
    result[i].v6 = i % 2 != 0;
    result[i].udp = i >= 4;
    result[i].dont_fragment = i % 3 != 0;
    if (i == 2 || i == 3)
      result[i].options = from_hex("0101080a0000000100000002");
  }
  return result;
}

/// Protocol, addresses and ports.
bytes flow_of(const bytes& xs) {
  bool v4 = xs[0] >> 4 == 4;
  bytes result{xs[v4 ? 9 : 6]};
  result.insert(result.end(), xs.begin() + (v4 ? 12 : 8),
                xs.begin() + test::ip_header_size(xs) + 4);
  return result;
}

} // namespace

CAF_TEST(packets that follow each other become one write) {
  for (auto& f : all_flows()) {
    CAF_CHECK(joined(stream(f, 2)) == sizes{2});
    CAF_CHECK(joined(stream(f, 44)) == sizes{44});
    CAF_CHECK(joined(stream(f, 1)) == sizes{1});
  }
  CAF_CHECK(joined({}).empty());
}

CAF_TEST(protocols are joined only when asked for) {
  for (auto& f : all_flows()) {
    packet_coalescer::options opts;
    opts.tcp = f.udp;
    opts.udp = !f.udp;
    CAF_CHECK(joined(stream(f, 3), opts) == (sizes{1, 1, 1}));
  }
}

CAF_TEST(a joined header is what the kernel expects) {
  owned_slab slab;
  for (auto& x : stream({}, 3))
    slab.put(x);
  packet_coalescer coalescer{{}};
  coalescer.join(slab.slab);
  CAF_REQUIRE_EQUAL(coalescer.writes().size(), 1u);
  auto& x = coalescer.writes()[0];
  uint16_t fields[4];
  std::memcpy(fields, x.head.data() + 2, sizeof(fields));
  CAF_CHECK_EQUAL(x.head[0], 1);
  CAF_CHECK_EQUAL(x.head[1], 1);
  CAF_CHECK_EQUAL(fields[0], 40u);
  CAF_CHECK_EQUAL(fields[1], 100u);
  CAF_CHECK_EQUAL(fields[2], 20u);
  CAF_CHECK_EQUAL(fields[3], 16u);
  CAF_CHECK_EQUAL(load_u16(x.head.data() + 12), 340u);
  CAF_CHECK_EQUAL(x.pieces, 3u);
  // The payload is not copied.
  auto piece = coalescer.pieces()[x.first_piece + 1];
  CAF_CHECK(piece.data() == slab.slab.data + 140 + 40);
}

CAF_TEST(a shorter packet or PSH closes a group) {
  for (auto& f : all_flows()) {
    auto xs = stream(f, 5);
    segment s;
    s.sequence = 0xffffff00 + 200;
    s.id = 0;
    xs[2] = make_packet(f, s, bytes(99, 1));
    s.sequence += 99;
    s.id = 1;
    xs[3] = make_packet(f, s, bytes(100, 1));
    s.sequence += 100;
    s.id = 2;
    xs[4] = make_packet(f, s, bytes(100, 1));
    CAF_CHECK(joined(xs) == (sizes{3, 2}));
    if (f.udp)
      continue;
    auto ys = stream(f, 5);
    for (size_t i : {1, 4}) {
      ys[i][test::ip_header_size(ys[i]) + 13] |= 8;
      test::finish(ys[i]);
    }
    CAF_CHECK(joined(ys) == (sizes{2, 3}));
    // As the first one it has nothing to wait for.
    CAF_CHECK(joined({ys[1], ys[2], ys[3]}) == (sizes{1, 2}));
  }
}

CAF_TEST(a larger packet does not join) {
  for (auto& f : all_flows()) {
    auto xs = stream(f, 2);
    segment s;
    s.sequence = 0xffffff00 + 200;
    s.id = 0;
    xs.push_back(make_packet(f, s, bytes(101, 1)));
    CAF_CHECK(joined(xs) == (sizes{2, 1}));
  }
}

CAF_TEST(any other difference keeps packets apart) {
  for (auto& f : all_flows()) {
    auto ip = f.v6 ? 40 : 20;
    struct change {
      int at;
      uint8_t bits;
    };
    std::vector<change> changes;
    if (f.v6)
      changes
        = {{0, 0x01}, {1, 0x20}, {2, 1}, {3, 1}, {7, 1}, {20, 1}, {39, 1}};
    else
      changes = {{1, 4}, {6, 0x40}, {6, 0x80}, {8, 1}, {15, 1}, {16, 1}};
    if (!f.v6 && !f.dont_fragment)
      changes.push_back({5, 1});
    changes.push_back({ip + 1, 1});
    changes.push_back({ip + 3, 1});
    if (!f.udp) {
      for (auto at : {4, 7, 8, 11, 15, 19})
        changes.push_back({ip + at, 1});
      for (auto bits : {0x01, 0x02, 0x04, 0x20, 0x40, 0x80})
        changes.push_back({ip + 13, static_cast<uint8_t>(bits)});
      changes.push_back({ip + 12, 1});
      if (!f.options.empty())
        changes.push_back({ip + 27, 1});
    }
    for (auto& x : changes) {
      auto xs = stream(f, 3);
      xs[1][x.at] ^= x.bits;
      test::finish(xs[1]);
      auto result = joined(xs);
      CAF_CHECK(std::find(result.begin(), result.end(), 3u) == result.end());
      CAF_CHECK(result.size() >= 2);
    }
  }
}

CAF_TEST(packets with a wrong checksum are passed on as they are) {
  for (auto& f : all_flows()) {
    for (size_t damaged : {0, 1, 2}) {
      auto xs = stream(f, 3);
      xs[damaged].back() ^= 1;
      auto expect = damaged == 0   ? sizes{1, 2}
                    : damaged == 1 ? sizes{1, 1, 1}
                                   : sizes{2, 1};
      CAF_CHECK(joined(xs) == expect);
    }
    if (f.v6)
      continue;
    auto xs = stream(f, 3);
    xs[1][10] ^= 1;
    CAF_CHECK(joined(xs) == (sizes{1, 1, 1}));
  }
}

CAF_TEST(UDP without a checksum stands alone) {
  flow f;
  f.udp = true;
  auto xs = stream(f, 3);
  for (auto& x : xs)
    store_u16(x.data() + 26, 0);
  CAF_CHECK(joined(xs) == (sizes{1, 1, 1}));
}

CAF_TEST(bare acknowledgements are never joined but keep their place) {
  flow f;
  auto xs = stream(f, 4);
  segment s;
  s.sequence = 0xffffff00 + 200;
  xs.insert(xs.begin() + 2, make_packet(f, s, {}));
  CAF_CHECK(joined(xs) == (sizes{2, 1, 2}));
  std::vector<bytes> acks(5, make_packet(f, s, {}));
  CAF_CHECK(joined(acks) == (sizes{1, 1, 1, 1, 1}));
}

CAF_TEST(a fragment closes the flows it may belong to) {
  flow f;
  auto xs = stream(f, 4);
  auto fragment = xs[2];
  fragment[7] = 10;
  xs.insert(xs.begin() + 2, fragment);
  CAF_CHECK(joined(xs) == (sizes{2, 1, 2}));
}

CAF_TEST(a super packet does not exceed the limits) {
  for (auto& f : all_flows()) {
    auto result = joined(stream(f, 60, 1388));
    uint32_t header = (f.v6 ? 40 : 20) + (f.udp ? 8 : 20)
                      + static_cast<uint32_t>(f.options.size());
    CAF_CHECK_EQUAL(result[0], (65535 - header) / 1388);
    CAF_CHECK_EQUAL(result.size(), 2u);
    result = joined(stream(f, 200, 10));
    CAF_CHECK_EQUAL(result[0], f.udp ? packet_coalescer::max_udp_segments
                                     : packet_coalescer::max_tcp_segments);
  }
}

CAF_TEST(sixteen flows grow side by side) {
  for (uint32_t count : {16, 17}) {
    std::vector<bytes> xs;
    for (uint32_t i = 0; i < 3; ++i)
      for (uint32_t k = 0; k < count; ++k) {
        flow f;
        f.source_port = static_cast<uint16_t>(1000 + k);
        xs.push_back(stream(f, 3)[i]);
      }
    auto result = joined(xs);
    if (count == 16)
      CAF_CHECK(result == sizes(16, 3));
    else
      CAF_CHECK_EQUAL(result.size(), 51u);
  }
}

CAF_TEST(groups leave in the order of their first packets) {
  flow f;
  flow g;
  g.host = 9;
  auto xs = stream(f, 2);
  auto ys = stream(g, 2);
  owned_slab slab;
  for (auto* x : {&ys[0], &xs[0], &xs[1], &ys[1]})
    slab.put(*x);
  packet_coalescer coalescer{{}};
  coalescer.join(slab.slab);
  CAF_REQUIRE_EQUAL(coalescer.writes().size(), 2u);
  auto first = packets_of(coalescer, coalescer.writes()[0]);
  CAF_CHECK(first == ys);
}

CAF_TEST(random flows come out as they went in) {
  test::seeded random{6};
  uint64_t packets = 0;
  uint64_t writes = 0;
  packet_coalescer coalescer{both()};
  for (int round = 0; round < 400; ++round) {
    std::vector<flow> flows;
    std::vector<segment> next;
    for (uint32_t i = 0; i < 1 + random.below(20); ++i) {
      flow f;
      f.v6 = random.one_in(2);
      f.udp = random.one_in(3);
      f.dont_fragment = random.one_in(2);
      f.source_port = static_cast<uint16_t>(random.below(40));
      if (random.one_in(2))
        f.options = from_hex("0101080a0000000100000002");
      flows.push_back(f);
      segment s;
      s.sequence = random.below(UINT32_MAX);
      s.id = static_cast<uint16_t>(random.below(0x10000));
      next.push_back(s);
    }
    owned_slab slab{1 << 19, 256};
    std::map<bytes, std::vector<bytes>> expect;
    uint32_t size = 1 + random.below(1400);
    uint32_t i = 0;
    while (slab.slab.count < 200) {
      if (random.one_in(6))
        i = random.below(static_cast<uint32_t>(flows.size()));
      if (random.one_in(20))
        size = 1 + random.below(1400);
      auto& s = next[i];
      s.flags = random.one_in(20) ? random.byte() : 0x10;
      auto n = random.one_in(12) ? random.below(size + 1) : size;
      auto x = make_packet(flows[i], s, bytes(n, random.byte()));
      s.sequence += n;
      s.id += random.one_in(30) ? 2 : 1;
      if (random.one_in(40))
        s.ack += 1000;
      if (random.one_in(50))
        x[random.below(static_cast<uint32_t>(x.size()))] ^= 4;
      if (random.one_in(30))
        continue;
      slab.put(x);
    }
    for (auto& run : slab.slab)
      expect[{}].push_back(comparable(slab.slab.view(run).copy()));
    coalescer.join(slab.slab);
    std::map<bytes, std::vector<bytes>> ordered;
    std::map<bytes, std::vector<bytes>> before;
    std::vector<bytes> split;
    for (auto& x : coalescer.writes())
      for (auto& y : packets_of(coalescer, x))
        split.push_back(y);
    // By flow in order, and all together whatever became of the flow's name.
    for (auto& x : split)
      if (well_formed(x))
        ordered[flow_of(x)].push_back(comparable(x));
    for (auto& run : slab.slab) {
      auto x = slab.slab.view(run).copy();
      if (well_formed(x))
        before[flow_of(x)].push_back(comparable(x));
    }
    CAF_CHECK(ordered == before);
    for (auto& x : split)
      x = comparable(x);
    std::sort(split.begin(), split.end());
    std::sort(expect[{}].begin(), expect[{}].end());
    CAF_CHECK(split == expect[{}]);
    packets += slab.slab.count;
    writes += coalescer.writes().size();
  }
  CAF_CHECK(writes * 2 < packets);
}

CAF_TEST(random bytes are passed on as they are) {
  test::seeded random{8};
  packet_coalescer coalescer{both()};
  auto flows = all_flows();
  for (int round = 0; round < 3000; ++round) {
    std::vector<bytes> xs;
    size_t total = 0;
    for (int i = 0; i < 12; ++i) {
      auto& f = flows[random.below(static_cast<uint32_t>(flows.size()))];
      auto x = random.one_in(3) ? random.some_bytes(90)
                                : stream(f, 1, 1 + random.below(20))[0];
      if (!x.empty() && random.one_in(2))
        x.resize(random.below(static_cast<uint32_t>(x.size() + 1)));
      for (uint32_t k = random.below(3); k > 0 && !x.empty(); --k)
        x[random.below(static_cast<uint32_t>(x.size()))] = random.byte();
      total += x.size();
      xs.push_back(std::move(x));
    }
    owned_slab slab{static_cast<uint32_t>(total + 1), 12};
    for (auto& x : xs)
      slab.put(x);
    coalescer.join(slab.slab);
    uint32_t count = 0;
    for (auto& x : coalescer.writes())
      count += x.packets;
    CAF_CHECK_EQUAL(count, 12u);
  }
}
