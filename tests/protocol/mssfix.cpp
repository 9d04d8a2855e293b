// How large a segment may be, against the sums of the specification.
// spec: openvpn-wire 13.2, 13.3

#define CAF_SUITE protocol.mssfix

#include "vpn/protocol/mssfix.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

// Opcode and peer id, packet id, tag.
constexpr uint32_t v2 = 4 + 4 + 16;
constexpr uint32_t v1 = 1 + 4 + 16;

mss_limits udp(mssfix_kind kind, uint32_t size, uint32_t overhead = v2) {
  return compute_mss({kind, size}, false, family::v4, overhead);
}

} // namespace

CAF_TEST(the default lets 1400 bytes through a path of 1492) {
  auto x = compute_mss({}, false, family::v4, v2);
  CAF_CHECK_EQUAL(x.v4, 1400u);
  CAF_CHECK_EQUAL(x.v6, 1380u);
}

CAF_TEST(a plain number counts the UDP payload) {
  for (uint32_t n : {576u, 1000u, 1300u, 1450u, 9000u}) {
    auto x = udp(mssfix_kind::udp_payload, n);
    CAF_CHECK_EQUAL(x.v4, n - 64);
    CAF_CHECK_EQUAL(x.v6, n - 84);
  }
}

CAF_TEST(a fixed number counts the inner packet) {
  for (bool tcp : {false, true})
    for (auto transport : {family::v4, family::v6})
      for (auto overhead : {v1, v2}) {
        auto x
          = compute_mss({mssfix_kind::fixed, 1400}, tcp, transport, overhead);
        CAF_CHECK_EQUAL(x.v4, 1360u);
        CAF_CHECK_EQUAL(x.v6, 1340u);
      }
}

CAF_TEST(the headers of the outer packet depend on the transport) {
  struct row {
    bool tcp;
    family transport;
    uint32_t mss;
  };
  // 1492 - 24 - 40, without the outer headers and the length prefix of TCP.
  for (auto [tcp, transport, mss] :
       {row{false, family::v4, 1428 - 28}, row{false, family::v6, 1428 - 48},
        row{true, family::v4, 1428 - 40 - 2},
        row{true, family::v6, 1428 - 60 - 2}}) {
    auto x = compute_mss({mssfix_kind::outer_packet, 1492}, tcp, transport, v2);
    CAF_CHECK_EQUAL(x.v4, mss);
    CAF_CHECK_EQUAL(x.v6, mss - 20);
  }
}

CAF_TEST(a plain number over TCP loses the length prefix only) {
  for (auto transport : {family::v4, family::v6}) {
    auto x = compute_mss({mssfix_kind::udp_payload, 1400}, true, transport, v2);
    CAF_CHECK_EQUAL(x.v4, 1400u - 24 - 2 - 40);
    CAF_CHECK_EQUAL(x.v6, 1400u - 24 - 2 - 60);
  }
}

CAF_TEST(a packet without peer id has three bytes more) {
  CAF_CHECK_EQUAL(udp(mssfix_kind::outer_packet, 1492, v1).v4, 1403u);
  CAF_CHECK_EQUAL(udp(mssfix_kind::udp_payload, 1400, v1).v4, 1339u);
}

CAF_TEST(an unknown family of the transport counts as IPv4) {
  CAF_CHECK_EQUAL(compute_mss({}, false, family::unspecified, v2).v4, 1400u);
}

CAF_TEST(switched off means no limit) {
  for (auto x :
       {udp(mssfix_kind::off, 1492), udp(mssfix_kind::outer_packet, 0),
        udp(mssfix_kind::udp_payload, 0), udp(mssfix_kind::fixed, 0)}) {
    CAF_CHECK_EQUAL(x.v4, 0u);
    CAF_CHECK_EQUAL(x.v6, 0u);
  }
}

CAF_TEST(a limit is never so small that nothing goes through) {
  for (auto kind : {mssfix_kind::udp_payload, mssfix_kind::outer_packet,
                    mssfix_kind::fixed})
    for (uint32_t n = 1; n < 300; ++n)
      for (bool tcp : {false, true}) {
        auto x = compute_mss({kind, n}, tcp, family::v6, v2);
        CAF_CHECK(x.v4 >= 64 && x.v4 < 300);
        CAF_CHECK(x.v6 >= 64 && x.v6 <= x.v4);
      }
}

CAF_TEST(a limit beyond what the option can say is cut) {
  for (auto kind : {mssfix_kind::udp_payload, mssfix_kind::outer_packet,
                    mssfix_kind::fixed}) {
    auto x = udp(kind, UINT32_MAX);
    CAF_CHECK_EQUAL(x.v4, 65535u);
    CAF_CHECK_EQUAL(x.v6, 65535u);
  }
}
