// Checksums, the MSS of a SYN and TUN's virtio header.
// spec: openvpn-wire 13.3
#define CAF_SUITE protocol.inner_packet

#include "vpn/protocol/inner_packet.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::flow;
using vpn::test::make_packet;
using vpn::test::segment;
using vpn::test::well_formed;

namespace {

bytes syn(bool v6, const char* options_hex) {
  flow f;
  f.v6 = v6;
  f.options = from_hex(options_hex);
  segment s;
  s.flags = 0x02;
  return make_packet(f, s, {});
}

mutable_byte_view view_of(bytes& xs) {
  return {xs.data(), xs.size()};
}

/// The packet with a bare pseudo-header sum, as the kernel leaves it.
bytes unfinished(bytes xs) {
  auto field = test::ip_header_size(xs) + 16;
  store_u16(xs.data() + field, test::simple_pseudo_sum(xs));
  return xs;
}

/// The virtio header of ten bytes.
bytes vnet(uint8_t flags, uint8_t type, uint16_t size, uint16_t start,
           uint16_t offset) {
  bytes result(vnet_header_size);
  result[0] = flags;
  result[1] = type;
  uint16_t fields[4] = {0xeeee, size, start, offset};
  std::memcpy(result.data() + 2, fields, sizeof(fields));
  return result;
}

} // namespace

CAF_TEST(the checksum of the RFC is reproduced) {
  // RFC 1071, section 3.
  CAF_CHECK_EQUAL(checksum_partial(from_hex("0001f203f4f5f6f7")), 0xddf2u);
  CAF_CHECK_EQUAL(checksum_partial({}), 0u);
  CAF_CHECK_EQUAL(checksum_partial({}, 0x1fffe), 0xffffu);
  CAF_CHECK_EQUAL(checksum_partial(from_hex("ab")), 0xab00u);
  CAF_CHECK_EQUAL(checksum_partial(bytes(65535, 0xff)), 0xff00u);
}

CAF_TEST(the fast checksum equals the simple one) {
  test::seeded random{1};
  bytes xs(2200);
  random.source()(xs.data(), xs.size());
  for (size_t size = 0; size < 2100; ++size) {
    auto at = random.below(64);
    auto initial = random.below(0x20000);
    auto view = byte_view{xs}.from(at).first(size);
    CAF_CHECK_EQUAL(
      checksum_partial(view, initial),
      test::simple_checksum(view, (initial & 0xffff) + (initial >> 16)));
  }
  bytes ones(65535, 0xff);
  for (auto size : {1u, 64u, 128u, 1500u, 65534u, 65535u})
    CAF_CHECK_EQUAL(checksum_partial(byte_view{ones}.first(size)),
                    test::simple_checksum(byte_view{ones}.first(size)));
}

CAF_TEST(the pseudo header covers addresses protocol and length) {
  for (bool v6 : {false, true}) {
    auto xs = syn(v6, "");
    auto size = static_cast<uint32_t>(xs.size() - test::ip_header_size(xs));
    CAF_CHECK_EQUAL(pseudo_header_sum(xs.data(), 6, size),
                    test::simple_pseudo_sum(xs));
  }
}

CAF_TEST(the MSS of a SYN is lowered and its checksum stays right) {
  for (bool v6 : {false, true}) {
    // Behind NOPs at every distance, also an odd one.
    for (auto options : {"020405b4", "01020405b4000000", "0101020405b40000",
                         "010101020405b400", "0402080a0000000100000000020405b4",
                         "0303070101020405b4040201"}) {
      auto xs = syn(v6, options);
      CAF_REQUIRE(well_formed(xs));
      CAF_CHECK(clamp_mss(view_of(xs), 1400, 1380));
      CAF_CHECK(well_formed(xs));
      auto hex = to_hex(xs);
      CAF_CHECK(hex.find(v6 ? "02040564" : "02040578") != std::string::npos);
      CAF_CHECK(!clamp_mss(view_of(xs), 1400, 1380));
    }
  }
}

CAF_TEST(a checksum that is left to us stays a pseudo header sum) {
  for (bool v6 : {false, true}) {
    auto xs = unfinished(syn(v6, "020405b4"));
    auto expect = syn(v6, v6 ? "02040564" : "02040578");
    CAF_CHECK(clamp_mss(view_of(xs), 1400, 1380));
    CAF_CHECK_EQUAL(to_hex(xs), to_hex(unfinished(expect)));
  }
}

CAF_TEST(random SYNs keep a right checksum right and a wrong one wrong) {
  test::seeded random{2};
  for (int i = 0; i < 20000; ++i) {
    flow f;
    f.v6 = random.one_in(2);
    f.host = random.byte();
    f.source_port = static_cast<uint16_t>(random.below(0x10000));
    f.options
      = random.one_in(2) ? from_hex("01020405b4000000") : from_hex("020405b4");
    segment s;
    s.sequence = random.below(UINT32_MAX);
    s.flags = 0x12;
    auto xs = make_packet(f, s, {});
    bool damaged = random.one_in(4);
    if (damaged)
      xs[test::ip_header_size(xs) + 5] ^= 1;
    auto limit = static_cast<uint16_t>(1 + random.below(1459));
    CAF_CHECK(clamp_mss(view_of(xs), limit, limit));
    CAF_CHECK_EQUAL(well_formed(xs), !damaged);
  }
}

CAF_TEST(nothing but a SYN with a large MSS is touched) {
  auto untouched = [](bytes xs, uint16_t mss4 = 1400, uint16_t mss6 = 1380) {
    auto before = xs;
    return !clamp_mss(view_of(xs), mss4, mss6) && xs == before;
  };
  CAF_CHECK(untouched(syn(false, "02040578")));
  CAF_CHECK(untouched(syn(false, "")));
  CAF_CHECK(untouched(syn(false, "020405b4"), 0, 1));
  CAF_CHECK(untouched(syn(true, "020405b4"), 1, 0));
  // After the end of the list, too short, too long, zero, cut off.
  for (auto options : {"00020405b4000000", "020305b4", "020505b400000000",
                       "020005b4", "020105b4", "01010102", "05ff0000020405b4",
                       "0500020405b40000", "01010105"})
    CAF_CHECK(untouched(syn(false, options)));
  auto not_syn = syn(false, "020405b4");
  not_syn[33] = 0x10;
  CAF_CHECK(untouched(not_syn));
  auto fragment = syn(false, "020405b4");
  fragment[7] = 1;
  CAF_CHECK(untouched(fragment));
  auto udp = syn(false, "020405b4");
  udp[9] = 17;
  CAF_CHECK(untouched(udp));
  for (int offset : {0, 1, 4, 15}) {
    auto odd = syn(false, "020405b4");
    odd[32] = static_cast<uint8_t>(offset << 4);
    CAF_CHECK(untouched(odd));
  }
  for (int ihl : {0x40, 0x41, 0x44, 0x4f, 0x55, 0x05}) {
    auto odd = syn(false, "020405b4");
    odd[0] = static_cast<uint8_t>(ihl);
    CAF_CHECK(untouched(odd));
  }
}

CAF_TEST(truncated and random packets do no harm to the MSS clamp) {
  test::seeded random{3};
  for (bool v6 : {false, true}) {
    auto whole = syn(v6, "0303070101020405b4040201");
    for (size_t n = 0; n < whole.size(); ++n) {
      // A copy of exactly this size lets a sanitizer see what lies behind it.
      bytes xs(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
      CAF_CHECK(!clamp_mss(view_of(xs), 1400, 1380));
    }
    for (int i = 0; i < 50000; ++i) {
      auto xs = whole;
      for (int k = 0; k < 3; ++k)
        xs[random.below(static_cast<uint32_t>(xs.size()))] = random.byte();
      xs.resize(random.one_in(4) ? random.below(80) : xs.size());
      xs.shrink_to_fit();
      clamp_mss(view_of(xs), 1400, 1380);
    }
  }
  CAF_CHECK(true);
}

CAF_TEST(a virtio header becomes a run) {
  auto run = read_vnet_header(vnet(1, 1 | 0x80, 1388, 20, 16).data(), 10, 6000);
  CAF_REQUIRE(run);
  CAF_CHECK(run->train == train_kind::tcp4);
  CAF_CHECK(run->needs_checksum);
  CAF_CHECK_EQUAL(run->stride, 1388u);
  CAF_CHECK_EQUAL(run->checksum_start, 20u);
  CAF_CHECK_EQUAL(run->checksum_offset, 16u);
  CAF_CHECK_EQUAL(run->offset, 10u);
  CAF_CHECK_EQUAL(run->length, 6000u);
  run = read_vnet_header(vnet(0, 0, 1388, 0, 0).data(), 0, 60);
  CAF_REQUIRE(run);
  CAF_CHECK(run->train == train_kind::none);
  CAF_CHECK(!run->needs_checksum);
  CAF_CHECK_EQUAL(run->stride, 0u);
  for (uint8_t type : {4, 5, 0x14, 0x84})
    CAF_CHECK(read_vnet_header(vnet(1, type, 9, 20, 6).data(), 0, 60));
}

CAF_TEST(virtio headers of other kinds are refused) {
  for (uint8_t type : {2, 3, 6, 7, 8, 0x20, 0x43, 0x83})
    CAF_CHECK(!read_vnet_header(vnet(1, type, 1388, 20, 16).data(), 0, 6000));
  for (uint8_t type : {1, 4, 5})
    CAF_CHECK(!read_vnet_header(vnet(1, type, 0, 20, 16).data(), 0, 6000));
}

CAF_TEST(a checksum that was left to us is finished) {
  for (bool v6 : {false, true}) {
    auto whole = syn(v6, "020405b4");
    auto xs = unfinished(whole);
    packet_run run;
    run.needs_checksum = true;
    run.checksum_start = static_cast<uint16_t>(test::ip_header_size(xs));
    run.checksum_offset = 16;
    CAF_CHECK(finish_checksum(view_of(xs), run));
    CAF_CHECK_EQUAL(to_hex(xs), to_hex(whole));
    // Nothing happens without being asked for.
    auto other = unfinished(whole);
    run.needs_checksum = false;
    CAF_CHECK(finish_checksum(view_of(other), run));
    CAF_CHECK(other == unfinished(whole));
  }
}

CAF_TEST(a UDP checksum of zero is sent as its twin) {
  // The payload makes the sum of everything 0xffff.
  flow f;
  f.udp = true;
  auto xs = make_packet(f, {}, from_hex("0000"));
  auto sum = load_u16(xs.data() + 26);
  store_u16(xs.data() + 28, sum);
  store_u16(xs.data() + 26, test::simple_pseudo_sum(xs));
  packet_run run;
  run.needs_checksum = true;
  run.checksum_start = 20;
  run.checksum_offset = 6;
  CAF_CHECK(finish_checksum(view_of(xs), run));
  CAF_CHECK_EQUAL(load_u16(xs.data() + 26), 0xffffu);
  CAF_CHECK(well_formed(xs));
}

CAF_TEST(a checksum field outside of the packet is refused) {
  bytes xs(60, 0x45);
  packet_run run;
  run.needs_checksum = true;
  for (auto [start, offset] : {std::pair<int, int>{60, 0},
                               {59, 0},
                               {20, 39},
                               {65535, 0},
                               {0, 65535},
                               {65535, 65535},
                               {58, 1}}) {
    run.checksum_start = static_cast<uint16_t>(start);
    run.checksum_offset = static_cast<uint16_t>(offset);
    CAF_CHECK(!finish_checksum(view_of(xs), run));
  }
  run.checksum_start = 58;
  run.checksum_offset = 0;
  CAF_CHECK(finish_checksum(view_of(xs), run));
  CAF_CHECK(!finish_checksum({}, run));
}
