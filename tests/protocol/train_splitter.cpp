// Splitting super-packets, good ones and malformed ones.
#define CAF_SUITE protocol.train_splitter

#include "vpn/protocol/train_splitter.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::flow;
using vpn::test::make_packet;
using vpn::test::owned_slab;
using vpn::test::segment;
using vpn::test::well_formed;

namespace {

train_kind kind_of(const flow& f) {
  return f.udp ? train_kind::udp : f.v6 ? train_kind::tcp6 : train_kind::tcp4;
}

/// Describes `xs` the way the kernel does.
packet_run& put_train(owned_slab& to, const flow& f, byte_view xs,
                      uint16_t stride) {
  auto& run = to.put(xs);
  run.train = kind_of(f);
  run.stride = stride;
  run.needs_checksum = true;
  run.checksum_start = f.v6 ? 40 : 20;
  run.checksum_offset = f.udp ? 6 : 16;
  return run;
}

/// All segments; empty when the train is refused.
std::vector<bytes> split(owned_slab& from, const packet_run& run) {
  auto splitter = train_splitter::make(from.slab, run);
  if (!splitter) {
    CAF_CHECK(splitter.error() == errc::bad_train);
    return {};
  }
  std::vector<bytes> result;
  for (auto x = splitter->next(); x.size != 0; x = splitter->next())
    result.push_back(byte_view{x}.copy());
  CAF_CHECK_EQUAL(result.size(), splitter->segments());
  CAF_CHECK_EQUAL(splitter->next().size, 0u);
  return result;
}

std::vector<flow> all_flows() {
  std::vector<flow> result(6);
  for (size_t i = 0; i < result.size(); ++i) {
    result[i].v6 = i % 2 != 0;
    result[i].udp = i >= 4;
    if (i == 2 || i == 3)
      result[i].options = from_hex("0101080a0000000100000002");
  }
  return result;
}

bytes counting(size_t n) {
  bytes result(n);
  for (size_t i = 0; i < n; ++i)
    result[i] = static_cast<uint8_t>(i * 7 + i / 256);
  return result;
}

} // namespace

CAF_TEST(a train becomes the packets that the kernel would have sent) {
  for (auto& f : all_flows()) {
    for (uint16_t stride : {1, 7, 52, 53, 536, 1388}) {
      for (size_t size : {size_t{1}, size_t{stride}, stride + size_t{1},
                          stride * size_t{5}, stride * size_t{20} + 3}) {
        auto payload = counting(size);
        segment s;
        s.sequence = 0xfffffff0;
        s.id = 0xfffe;
        s.flags = 0x18;
        owned_slab slab;
        auto& run = put_train(slab, f, make_packet(f, s, payload), stride);
        auto packets = split(slab, run);
        std::vector<bytes> expect;
        for (size_t i = 0; i < size; i += stride) {
          auto x = s;
          x.sequence += static_cast<uint32_t>(i);
          x.id = static_cast<uint16_t>(s.id + expect.size());
          x.flags = i + stride < size ? 0x10 : 0x18;
          expect.push_back(
            make_packet(f, x, byte_view{payload}.from(i).first(stride)));
        }
        CAF_CHECK(packets == expect);
        for (auto& x : packets)
          CAF_CHECK(well_formed(x));
      }
    }
  }
}

CAF_TEST(FIN and PSH stay with the last segment and CWR with the first) {
  segment s;
  s.flags = 0xd9; // CWR ECE ACK PSH FIN
  owned_slab slab;
  auto& run = put_train(slab, {}, make_packet({}, s, counting(250)), 100);
  auto packets = split(slab, run);
  CAF_REQUIRE_EQUAL(packets.size(), 3u);
  CAF_CHECK_EQUAL(packets[0][33], 0xd0);
  CAF_CHECK_EQUAL(packets[1][33], 0x50);
  CAF_CHECK_EQUAL(packets[2][33], 0x59);
}

CAF_TEST(what the checksum fields hold before does not matter) {
  for (auto& f : all_flows()) {
    auto xs = make_packet(f, {}, counting(3000));
    owned_slab good;
    auto expect = split(good, put_train(good, f, xs, 1000));
    auto field = (f.v6 ? 40 : 20) + (f.udp ? 6 : 16);
    store_u16(xs.data() + field, 0x1234);
    if (!f.v6)
      store_u16(xs.data() + 10, 0x4321);
    owned_slab other;
    auto& run = put_train(other, f, xs, 1000);
    // Nor does it whether the kernel says where they are.
    run.needs_checksum = false;
    run.checksum_start = 0;
    CAF_CHECK(split(other, run) == expect);
    CAF_CHECK_EQUAL(expect.size(), 3u);
  }
}

CAF_TEST(a UDP checksum of a segment is never zero) {
  flow f;
  f.udp = true;
  auto one = make_packet(f, {}, from_hex("0000"));
  // With this payload the checksum of the second segment would be zero.
  auto payload = from_hex("abcd0000");
  std::copy_n(one.begin() + 26, 2, payload.begin() + 2);
  owned_slab slab;
  auto packets
    = split(slab, put_train(slab, f, make_packet(f, {}, payload), 2));
  CAF_REQUIRE_EQUAL(packets.size(), 2u);
  CAF_CHECK_EQUAL(load_u16(packets[1].data() + 26), 0xffffu);
}

CAF_TEST(IP options and extension headers are copied to each segment) {
  flow f;
  auto xs = make_packet(f, {}, counting(250));
  auto options = from_hex("94040000");
  xs.insert(xs.begin() + 20, options.begin(), options.end());
  xs[0] = 0x46;
  test::finish(xs);
  owned_slab slab;
  auto& run = put_train(slab, f, xs, 100);
  run.checksum_start = 24;
  auto packets = split(slab, run);
  CAF_CHECK_EQUAL(packets.size(), 3u);
  for (auto& x : packets)
    CAF_CHECK(well_formed(x));

  f.v6 = true;
  auto ys = make_packet(f, {}, counting(250));
  auto extension = from_hex("0600010400000000");
  ys.insert(ys.begin() + 40, extension.begin(), extension.end());
  ys[6] = 60;
  store_u16(ys.data() + 4, static_cast<uint16_t>(ys.size() - 40));
  auto& other = put_train(slab, f, ys, 100);
  other.checksum_start = 48;
  packets = split(slab, other);
  CAF_CHECK_EQUAL(packets.size(), 3u);
  for (auto& x : packets) {
    // Without the extension it is a packet that the simple checks understand.
    CAF_CHECK_EQUAL(load_u16(x.data() + 4) + 40u, x.size());
    x.erase(x.begin() + 40, x.begin() + 48);
    x[6] = 6;
    store_u16(x.data() + 4, static_cast<uint16_t>(x.size() - 40));
    CAF_CHECK(well_formed(x));
  }
}

CAF_TEST(a single packet yields itself with its checksum finished) {
  auto whole = make_packet({}, {}, counting(100));
  auto xs = whole;
  store_u16(xs.data() + 36, test::simple_pseudo_sum(xs));
  owned_slab slab;
  auto& run = put_train(slab, {}, xs, 0);
  run.train = train_kind::none;
  auto packets = split(slab, run);
  CAF_REQUIRE_EQUAL(packets.size(), 1u);
  CAF_CHECK(packets[0] == whole);
}

CAF_TEST(descriptions that contradict the bytes are refused) {
  auto refused = [](const flow& f, bytes xs, auto change) {
    owned_slab slab;
    auto& run = put_train(slab, f, xs, 100);
    change(run, slab.slab.at(run));
    return split(slab, run).empty();
  };
  for (auto& f : all_flows()) {
    auto xs = make_packet(f, {}, counting(450));
    auto l4 = f.v6 ? 40 : 20;
    auto run_changed = [&](auto change) {
      return refused(f, xs, [&](packet_run& r, uint8_t*) {
        change(r);
      });
    };
    auto byte_changed = [&](int at, uint8_t value) {
      return refused(f, xs, [&](packet_run&, uint8_t* p) {
        p[at] = value;
      });
    };
    CAF_CHECK(!run_changed([](packet_run&) {}));
    CAF_CHECK(run_changed([](packet_run& r) {
      r.stride = 0;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      --r.length;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      ++r.length;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      r.length = 0;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      r.length = UINT32_MAX;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      r.offset = UINT32_MAX;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      ++r.checksum_start;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      r.checksum_offset = 8;
    }));
    CAF_CHECK(run_changed([](packet_run& r) {
      r.train = r.train == train_kind::udp ? train_kind::tcp4 : train_kind::udp;
    }));
    if (!f.udp)
      CAF_CHECK(run_changed([](packet_run& r) {
        r.train
          = r.train == train_kind::tcp4 ? train_kind::tcp6 : train_kind::tcp4;
      }));
    for (uint8_t first : {0x00, 0x44, 0x46, 0x4f, 0x50, 0xf5})
      CAF_CHECK(f.v6 && first >> 4 == 6 ? true : byte_changed(0, first));
    CAF_CHECK(byte_changed(f.v6 ? 6 : 9, 1));
    CAF_CHECK(byte_changed(f.v6 ? 6 : 9, 43));
    if (!f.v6)
      CAF_CHECK(byte_changed(6, 0x20) && byte_changed(7, 1));
    if (!f.udp)
      for (uint8_t doff : {0x00, 0x40})
        CAF_CHECK(byte_changed(l4 + 12, doff));
    // Headers without any payload are no train.
    auto bare = make_packet(f, {}, {});
    CAF_CHECK(refused(f, bare, [](packet_run&, uint8_t*) {}));
    for (size_t n = 0; n < 60; ++n) {
      auto cut = byte_view{xs}.first(n).copy();
      if (n > 5)
        store_u16(
          cut.data() + (f.v6 ? 4 : 2),
          static_cast<uint16_t>(f.v6 ? n - std::min<size_t>(n, 40) : n));
      CAF_CHECK(n > (f.udp ? l4 + 8u : l4 + 20u)
                || refused(f, cut, [](packet_run&, uint8_t*) {}));
    }
  }
}

CAF_TEST(malformed trains never touch what is not theirs) {
  test::seeded random{4};
  auto flows = all_flows();
  size_t split_up = 0;
  for (int i = 0; i < 60000; ++i) {
    auto& f = flows[random.below(static_cast<uint32_t>(flows.size()))];
    auto xs = make_packet(f, {}, bytes(random.below(300), 0x5a));
    auto changes = random.below(4);
    for (uint32_t k = 0; k < changes; ++k)
      xs[random.below(std::min<uint32_t>(80, uint32_t(xs.size())))]
        = random.byte();
    // Exactly as large as the packet, so that a sanitizer sees every slip.
    owned_slab slab{static_cast<uint32_t>(xs.size()), 1};
    auto& run
      = put_train(slab, f, xs, static_cast<uint16_t>(1 + random.below(200)));
    if (random.one_in(4))
      run.length = random.below(400);
    if (random.one_in(8))
      run.offset = random.below(100);
    if (random.one_in(8))
      run.checksum_start = static_cast<uint16_t>(random.below(400));
    if (random.one_in(8))
      run.needs_checksum = false;
    if (random.one_in(8))
      run.train = static_cast<train_kind>(random.below(7));
    auto packets = split(slab, run);
    split_up += packets.size() > 1;
  }
  CAF_CHECK(split_up > 1000);
}
