// Addresses, prefixes and endpoints: text to value and back, and sums of bits.

#define CAF_SUITE protocol.ip_address

#include "vpn/protocol/ip_address.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using vpn::test::seeded;

namespace {

ip_address ip(std::string_view text) {
  auto x = parse_ip(text);
  CAF_REQUIRE(x);
  return *x;
}

ip_prefix prefix(std::string_view text) {
  auto kind = text.find(':') == text.npos ? family::v4 : family::v6;
  auto x = parse_prefix(text, kind);
  CAF_REQUIRE(x);
  return *x;
}

} // namespace

CAF_TEST(addresses of both families are read and written) {
  for (auto text :
       {"0.0.0.0", "10.8.0.1", "255.255.255.255", "::", "::1", "fd00::1",
        "2001:db8:1:2:3:4:5:6", "fe80::dead:beef", "::ffff:192.0.2.1"})
    CAF_CHECK_EQUAL(to_string(ip(text)), text);
}

CAF_TEST(an address says its family and its bytes) {
  auto four = ip("192.0.2.1");
  CAF_CHECK(four.kind == family::v4);
  CAF_CHECK_EQUAL(to_hex(four.view()), "c0000201");
  auto six = ip("2001:DB8::1");
  CAF_CHECK(six.kind == family::v6);
  CAF_CHECK_EQUAL(to_hex(six.view()), "20010db8000000000000000000000001");
  CAF_CHECK_EQUAL(to_string(six), "2001:db8::1");
}

CAF_TEST(an address that is none says so) {
  ip_address none;
  CAF_CHECK(!none.defined());
  CAF_CHECK_EQUAL(to_string(none), "-");
  CAF_CHECK(none != ip("0.0.0.0"));
  CAF_CHECK(ip("0.0.0.0") != ip("::"));
}

CAF_TEST(what is not a numeric address is refused) {
  for (std::string_view text : {"",
                                " ",
                                "10",
                                "10.8",
                                "10.8.0",
                                "10.8.0.1.2",
                                "256.0.0.1",
                                "-1.0.0.0",
                                "10.8.0.1 ",
                                " 10.8.0.1",
                                "10.8.0.1\n",
                                "10.8.0.0/24",
                                "localhost",
                                "0x0a.8.0.1",
                                "10..0.1",
                                ":",
                                ":::",
                                "1::2::3",
                                "fe80::1%eth0",
                                "2001:db8:1:2:3:4:5:6:7",
                                "12345::",
                                "g::",
                                "[::1]",
                                "::1:11940",
                                "1.2.3.4:1194"})
    CAF_CHECK(!parse_ip(text));
  CAF_CHECK(!parse_ip(std::string_view{"10.8.0.1\0", 9}));
  CAF_CHECK(!parse_ip(std::string_view{"10.8.0.1\0.5", 11}));
  CAF_CHECK(!parse_ip(std::string(1000, '1')));
  CAF_CHECK(!parse_ip(std::string(1000, ':')));
}

CAF_TEST(a family that was asked for is the only one accepted) {
  CAF_CHECK(parse_ip("10.8.0.1", family::v4));
  CAF_CHECK(!parse_ip("10.8.0.1", family::v6));
  CAF_CHECK(parse_ip("fd00::1", family::v6));
  CAF_CHECK(!parse_ip("fd00::1", family::v4));
  CAF_CHECK(parse_ip("10.8.0.1", family::v6).error() == errc::bad_value);
}

CAF_TEST(the longest address fits) {
  auto text = "1111:2222:3333:4444:5555:6666:255.255.255.255";
  CAF_CHECK_EQUAL(to_string(ip(text)),
                  "1111:2222:3333:4444:5555:6666:ffff:ffff");
}

CAF_TEST(a prefix has a length or is one host) {
  CAF_CHECK_EQUAL(to_string(prefix("10.8.0.0/16")), "10.8.0.0/16");
  CAF_CHECK_EQUAL(to_string(prefix("10.8.0.1")), "10.8.0.1/32");
  CAF_CHECK_EQUAL(to_string(prefix("fd00::/64")), "fd00::/64");
  CAF_CHECK_EQUAL(to_string(prefix("fd00::1")), "fd00::1/128");
  CAF_CHECK_EQUAL(to_string(prefix("0.0.0.0/0")), "0.0.0.0/0");
  CAF_CHECK_EQUAL(to_string(prefix("::/0")), "::/0");
}

CAF_TEST(a prefix that makes no sense is refused) {
  for (auto text : {"", "/", "/24", "10.8.0.0/", "10.8.0.0/33", "10.8.0.0/-1",
                    "10.8.0.0/+1", "10.8.0.0/ 8", "10.8.0.0/8 ", "10.8.0.0/8/8",
                    "10.8.0.0/0x8", "10.8.0.0/4294967297",
                    "10.8.0.0/99999999999999999999", "fd00::/64"})
    CAF_CHECK(!parse_prefix(text, family::v4));
  for (auto text : {"fd00::/129", "fd00::/256", "fd00::/", "10.8.0.0/8"})
    CAF_CHECK(!parse_prefix(text, family::v6));
}

CAF_TEST(every netmask has its length and every length its netmask) {
  for (int n = 0; n <= 32; ++n) {
    auto mask = netmask_v4(static_cast<uint8_t>(n));
    auto bits = n == 0 ? 0u : 0xffffffffu << (32 - n);
    CAF_CHECK_EQUAL(load_u32(mask.octets.data()), bits);
    auto length = prefix_length(mask);
    CAF_REQUIRE(length);
    CAF_CHECK_EQUAL(int{*length}, n);
  }
}

CAF_TEST(a netmask with a hole is refused) {
  for (auto text : {"255.0.255.0", "255.255.255.1", "0.0.0.1", "0.255.0.0",
                    "255.253.0.0", "10.8.0.1", "0.0.0.255"})
    CAF_CHECK(!prefix_length(ip(text)));
  CAF_CHECK(!prefix_length(ip_address{}));
}

CAF_TEST(a network is its address without host bits) {
  CAF_CHECK_EQUAL(to_string(network_of(prefix("10.8.255.7/20"))), "10.8.240.0");
  CAF_CHECK_EQUAL(to_string(network_of(prefix("10.8.0.1/32"))), "10.8.0.1");
  CAF_CHECK_EQUAL(to_string(network_of(prefix("10.8.0.1/0"))), "0.0.0.0");
  CAF_CHECK_EQUAL(to_string(network_of(prefix("2001:db8:ffff::1/33"))),
                  "2001:db8:8000::");
  CAF_CHECK_EQUAL(to_string(network_of(prefix("2001:db8::1/128"))),
                  "2001:db8::1");
}

CAF_TEST(containment looks at the network bits only) {
  auto net = prefix("10.8.0.77/24");
  CAF_CHECK(contains(net, ip("10.8.0.0")));
  CAF_CHECK(contains(net, ip("10.8.0.255")));
  CAF_CHECK(!contains(net, ip("10.8.1.0")));
  CAF_CHECK(!contains(net, ip("10.7.255.255")));
  CAF_CHECK(contains(prefix("0.0.0.0/0"), ip("255.1.2.3")));
  CAF_CHECK(contains(prefix("fd00::/8"), ip("fdff::1")));
  CAF_CHECK(!contains(prefix("fd00::/8"), ip("fe00::1")));
}

CAF_TEST(containment never crosses families) {
  CAF_CHECK(!contains(prefix("0.0.0.0/0"), ip("::1")));
  CAF_CHECK(!contains(prefix("::/0"), ip("10.8.0.1")));
  CAF_CHECK(!contains(prefix("0.0.0.0/0"), ip_address{}));
  CAF_CHECK(!contains(ip_prefix{}, ip_address{}));
}

CAF_TEST(the sum of bits agrees with arithmetic) {
  seeded random{3};
  for (int i = 0; i < 2000; ++i) {
    ip_prefix net;
    net.address.kind = family::v4;
    for (size_t k = 0; k < 4; ++k)
      net.address.octets[k] = random.byte();
    net.length = static_cast<uint8_t>(random.below(33));
    auto x = net.address;
    auto bit = random.below(32);
    x.octets[bit / 8]
      = static_cast<uint8_t>(x.octets[bit / 8] ^ (0x80 >> (bit % 8)));
    CAF_REQUIRE(contains(net, x) == (bit >= net.length));
  }
}

CAF_TEST(an endpoint puts brackets around IPv6) {
  CAF_CHECK_EQUAL(to_string(endpoint{ip("192.0.2.1"), 1194, 0}),
                  "192.0.2.1:1194");
  CAF_CHECK_EQUAL(to_string(endpoint{ip("2001:db8::1"), 443, 0}),
                  "[2001:db8::1]:443");
  CAF_CHECK_EQUAL(to_string(endpoint{}), "-:0");
}

CAF_TEST(endpoints compare by address and port and scope) {
  endpoint x{ip("fe80::1"), 1194, 2};
  CAF_CHECK((x == endpoint{ip("fe80::1"), 1194, 2}));
  CAF_CHECK((!(x == endpoint{ip("fe80::2"), 1194, 2})));
  CAF_CHECK((!(x == endpoint{ip("fe80::1"), 1195, 2})));
  CAF_CHECK((!(x == endpoint{ip("fe80::1"), 1194, 3})));
}

CAF_TEST(random text is refused or comes back as the same address) {
  seeded random{4};
  constexpr std::string_view alphabet = "0123456789abcdef:./% ";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (auto n = random.below(24); n > 0; --n)
      text += alphabet[random.below(alphabet.size())];
    auto x = parse_ip(text);
    if (x)
      CAF_REQUIRE(ip(to_string(*x)) == *x);
    static_cast<void>(parse_prefix(text, family::v4));
    static_cast<void>(parse_prefix(text, family::v6));
  }
}
