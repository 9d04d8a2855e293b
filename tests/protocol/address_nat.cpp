// Option client-nat: addresses and the checksums that cover them.
// spec: openvpn-wire 7.2
#define CAF_SUITE protocol.address_nat

#include "vpn/protocol/address_nat.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::flow;
using vpn::test::make_packet;
using vpn::test::well_formed;

namespace {

nat_rule rule(bool source, const char* network, const char* foreign) {
  nat_rule result;
  result.source = source;
  result.network = *parse_prefix(network, family::v4);
  result.foreign = *parse_ip(foreign);
  return result;
}

/// 10.8.0.host to 10.8.0.2
bytes packet(uint8_t host, bool udp = false) {
  flow f;
  f.host = host;
  f.udp = udp;
  return make_packet(f, {}, bytes(33, 0x5a));
}

std::string addresses(const bytes& xs) {
  ip_address source, target;
  source.kind = target.kind = family::v4;
  std::copy_n(xs.begin() + 12, 4, source.octets.begin());
  std::copy_n(xs.begin() + 16, 4, target.octets.begin());
  return to_string(source) + " " + to_string(target);
}

mutable_byte_view view_of(bytes& xs) {
  return {xs.data(), xs.size()};
}

} // namespace

CAF_TEST(each kind of rule changes one address each way) {
  struct row {
    bool source, leaves;
    const char* expect;
  };
  for (auto r : {row{true, true, "172.16.5.9 10.8.0.2"},
                 row{false, true, "10.8.0.9 172.16.5.2"}}) {
    address_nat x{{rule(r.source, "10.8.0.0/24", "172.16.5.0")}};
    for (bool udp : {false, true}) {
      auto xs = packet(9, udp);
      CAF_CHECK(x.outgoing(view_of(xs)));
      CAF_CHECK_EQUAL(addresses(xs), r.expect);
      CAF_CHECK(well_formed(xs));
    }
  }
  // What comes in has the foreign address on the other side.
  for (bool source : {true, false}) {
    address_nat x{{rule(source, "192.168.1.0/24", "10.8.0.0")}};
    auto xs = packet(9);
    CAF_CHECK(x.incoming(view_of(xs)));
    CAF_CHECK_EQUAL(addresses(xs),
                    source ? "10.8.0.9 192.168.1.2" : "192.168.1.9 10.8.0.2");
    CAF_CHECK(well_formed(xs));
  }
}

CAF_TEST(an answer finds the way back) {
  address_nat x{{rule(true, "10.8.0.8/30", "203.0.113.64"),
                 rule(false, "10.8.0.0/29", "198.51.100.8")}};
  auto out = packet(9);
  CAF_CHECK(x.outgoing(view_of(out)));
  CAF_CHECK_EQUAL(addresses(out), "203.0.113.65 198.51.100.10");
  CAF_CHECK(well_formed(out));
  auto back = out;
  std::swap_ranges(back.begin() + 12, back.begin() + 16, back.begin() + 16);
  CAF_CHECK(x.incoming(view_of(back)));
  CAF_CHECK_EQUAL(addresses(back), "10.8.0.2 10.8.0.9");
  CAF_CHECK(well_formed(back));
}

CAF_TEST(the first rule that fits is the only one) {
  address_nat x{{rule(true, "10.8.0.9/32", "10.9.0.1"),
                 rule(true, "10.8.0.0/16", "10.10.0.0"),
                 rule(true, "10.9.0.0/16", "10.11.0.0")}};
  auto xs = packet(9);
  CAF_CHECK(x.outgoing(view_of(xs)));
  CAF_CHECK_EQUAL(addresses(xs), "10.9.0.1 10.8.0.2");
  xs = packet(8);
  CAF_CHECK(x.outgoing(view_of(xs)));
  CAF_CHECK_EQUAL(addresses(xs), "10.10.0.8 10.8.0.2");
}

CAF_TEST(host bits in a rule mean nothing) {
  address_nat x{{rule(true, "10.8.0.77/24", "172.16.5.99")}};
  auto xs = packet(9);
  CAF_CHECK(x.outgoing(view_of(xs)));
  CAF_CHECK_EQUAL(addresses(xs), "172.16.5.9 10.8.0.2");
}

CAF_TEST(a rule for everything and one for a host are possible) {
  address_nat all{{rule(true, "0.0.0.0/0", "1.2.3.4")}};
  auto xs = packet(9);
  CAF_CHECK(all.outgoing(view_of(xs)));
  CAF_CHECK_EQUAL(addresses(xs), "10.8.0.9 10.8.0.2");
  CAF_CHECK(well_formed(xs));
  address_nat one{{rule(true, "10.8.0.9/32", "1.2.3.4")}};
  CAF_CHECK(one.outgoing(view_of(xs)));
  CAF_CHECK_EQUAL(addresses(xs), "1.2.3.4 10.8.0.2");
}

CAF_TEST(what no rule is about stays as it is) {
  address_nat x{{rule(true, "10.8.1.0/24", "172.16.5.0")}};
  auto other = packet(9);
  flow f;
  f.v6 = true;
  auto v6 = make_packet(f, {}, bytes(100));
  for (auto xs : {other, v6}) {
    auto before = xs;
    CAF_CHECK(!x.outgoing(view_of(xs)));
    CAF_CHECK(!x.incoming(view_of(xs)));
    CAF_CHECK(xs == before);
  }
  nat_rule broken;
  broken.network.address = *parse_ip("fd00::");
  broken.foreign = *parse_ip("10.0.0.0");
  CAF_CHECK(address_nat{{broken}}.empty());
  CAF_CHECK(address_nat{}.empty());
  CAF_CHECK(!x.empty());
}

CAF_TEST(a UDP checksum that is none stays none and none becomes none) {
  address_nat x{{rule(true, "10.8.0.0/24", "172.16.5.0")}};
  auto none = packet(9, true);
  store_u16(none.data() + 26, 0);
  CAF_CHECK(x.outgoing(view_of(none)));
  CAF_CHECK_EQUAL(load_u16(none.data() + 26), 0u);
  // All contents whose checksum may become zero.
  for (uint32_t word = 0; word < 0x10000; word += 1) {
    flow f;
    f.udp = true;
    f.host = 9;
    f.source_port = static_cast<uint16_t>(word);
    auto xs = make_packet(f, {}, {});
    x.outgoing(view_of(xs));
    if (!well_formed(xs))
      CAF_ERROR("bad checksum for port " << word);
  }
}

CAF_TEST(only a first fragment has a layer 4 to change) {
  address_nat x{{rule(true, "10.8.0.0/24", "172.16.5.0")}};
  for (bool udp : {false, true}) {
    auto xs = packet(9, udp);
    store_u16(xs.data() + 6, 0x2001);
    auto before = xs;
    CAF_CHECK(x.outgoing(view_of(xs)));
    CAF_CHECK(byte_view{xs}.from(20) == byte_view{before}.from(20));
    xs = packet(9, udp);
    store_u16(xs.data() + 6, 0x2000);
    before = xs;
    CAF_CHECK(x.outgoing(view_of(xs)));
    CAF_CHECK(!(byte_view{xs}.from(20) == byte_view{before}.from(20)));
  }
}

CAF_TEST(random packets and rules keep right checksums right) {
  test::seeded random{71};
  for (int i = 0; i < 20000; ++i) {
    nat_rule r;
    r.source = random.one_in(2);
    r.network.length = static_cast<uint8_t>(random.below(33));
    r.network.address = *parse_ip("10.8.0.2");
    r.foreign = *parse_ip("0.0.0.0");
    for (size_t k = 0; k < 4; ++k)
      r.foreign.octets[k] = random.byte();
    address_nat x{{r}};
    auto xs = packet(random.byte(), random.one_in(2));
    bool damaged = random.one_in(4);
    if (damaged)
      xs[xs.size() - 1] ^= 1;
    auto before = xs;
    bool changed = x.outgoing(view_of(xs));
    if (well_formed(xs) == damaged)
      CAF_ERROR("wrong checksum in round " << i);
    // Back again, from the other side.
    std::swap_ranges(xs.begin() + 12, xs.begin() + 16, xs.begin() + 16);
    if (changed)
      x.incoming(view_of(xs));
    std::swap_ranges(xs.begin() + 12, xs.begin() + 16, xs.begin() + 16);
    if (addresses(xs) != addresses(before))
      CAF_ERROR("not the way back in round " << i);
  }
  CAF_CHECK(true);
}

CAF_TEST(truncated and random packets do no harm) {
  test::seeded random{72};
  address_nat x{{rule(true, "0.0.0.0/1", "1.2.3.4"),
                 rule(false, "128.0.0.0/1", "4.5.6.7")}};
  for (bool udp : {false, true}) {
    auto whole = packet(9, udp);
    for (size_t n = 0; n < whole.size(); ++n) {
      // A copy of exactly this size lets a sanitizer see what lies behind it.
      bytes xs(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
      CAF_CHECK_EQUAL(x.outgoing(view_of(xs)), n >= 20);
    }
    for (int i = 0; i < 50000; ++i) {
      auto xs = whole;
      for (int k = 0; k < 3; ++k)
        xs[random.below(24)] = random.byte();
      xs.resize(random.one_in(4) ? random.below(60) : xs.size());
      xs.shrink_to_fit();
      x.outgoing(view_of(xs));
      x.incoming(view_of(xs));
    }
  }
}
