// How large a segment may be, against the sums of the specification.
// spec: openvpn-wire 13.2, 13.3

#define CAF_SUITE protocol.mssfix

#include "vpn/protocol/mssfix.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>

using namespace vpn;
using namespace vpn::protocol;

namespace {

/// DATA_V2 or V1 with AEAD over UDP and IPv4.
packet_overhead aead(bool peer_id = true) {
  packet_overhead result;
  result.peer_id = peer_id;
  return result;
}

packet_overhead cbc_and_sha1(bool peer_id = true) {
  packet_overhead result;
  result.cipher = data_cipher::aes_256_cbc;
  result.peer_id = peer_id;
  return result;
}

packet_overhead over(bool tcp, family transport) {
  packet_overhead result;
  result.tcp = tcp;
  result.transport = transport;
  return result;
}

mss_limits udp(mssfix_kind kind, uint32_t size) {
  return compute_mss({kind, size}, aead());
}

} // namespace

CAF_TEST(the default lets 1400 bytes through a path of 1492) {
  auto x = compute_mss({}, aead());
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
      for (auto cipher : {data_cipher::aes_256_gcm, data_cipher::aes_128_cbc,
                          data_cipher::none})
        for (bool all : {false, true}) {
          auto around = over(tcp, transport);
          around.cipher = cipher;
          around.peer_id = around.framing_byte = around.fragment = all;
          auto x = compute_mss({mssfix_kind::fixed, 1400}, around);
          CAF_CHECK_EQUAL(x.v4, 1360u);
          CAF_CHECK_EQUAL(x.v6, 1340u);
        }
}

CAF_TEST(the headers of the outer packet depend on the transport) {
  struct row {
    bool tcp;
    family transport;
    uint32_t headers;
    uint32_t mss;
  };
  // 1492 - 24 - 40, without the outer headers and the length prefix of TCP.
  for (auto [tcp, transport, headers, mss] :
       {row{false, family::v4, 28, 1428 - 28},
        row{false, family::v6, 48, 1428 - 48},
        row{true, family::v4, 40, 1428 - 40 - 2},
        row{true, family::v6, 60, 1428 - 60 - 2}}) {
    auto around = over(tcp, transport);
    auto x = compute_mss({mssfix_kind::outer_packet, 1492}, around);
    CAF_CHECK_EQUAL(x.v4, mss);
    CAF_CHECK_EQUAL(x.v6, mss - 20);
    CAF_CHECK_EQUAL(datagram_overhead(around), headers);
  }
}

CAF_TEST(a plain number over TCP loses the length prefix only) {
  for (auto transport : {family::v4, family::v6}) {
    auto x
      = compute_mss({mssfix_kind::udp_payload, 1400}, over(true, transport));
    CAF_CHECK_EQUAL(x.v4, 1400u - 24 - 2 - 40);
    CAF_CHECK_EQUAL(x.v6, 1400u - 24 - 2 - 60);
  }
}

CAF_TEST(a packet without peer id has three bytes more) {
  auto v1 = aead(false);
  CAF_CHECK_EQUAL(compute_mss({}, v1).v4, 1403u);
  CAF_CHECK_EQUAL(compute_mss({mssfix_kind::udp_payload, 1400}, v1).v4, 1339u);
}

CAF_TEST(an epoch makes the packet id twice as long) {
  auto around = aead();
  around.epoch = true;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1396u);
  CAF_CHECK_EQUAL(compute_mss({mssfix_kind::udp_payload, 1450}, around).v4,
                  1450u - 28 - 40);
}

CAF_TEST(framing and fragment header come off the payload) {
  auto around = aead();
  around.framing_byte = true;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1399u);
  around.fragment = true;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1395u);
  around.framing_byte = false;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1396u);
}

CAF_TEST(a SOCKS proxy takes ten bytes of each datagram and none of TCP) {
  for (auto transport : {family::v4, family::v6}) {
    auto around = over(false, transport);
    auto direct = compute_mss({}, around);
    around.socks = true;
    CAF_CHECK_EQUAL(compute_mss({}, around).v4, direct.v4 - 10);
    around = over(true, transport);
    direct = compute_mss({}, around);
    around.socks = true;
    CAF_CHECK_EQUAL(compute_mss({}, around).v4, direct.v4);
  }
}

CAF_TEST(with CBC the blocks are full but for one byte of padding) {
  // 1492 - 28 - 4 - 20 - 16 = 1424: 89 blocks. 1424 - 1 - 4 - 40 = 1379.
  CAF_CHECK_EQUAL(compute_mss({}, cbc_and_sha1()).v4, 1379u);
  CAF_CHECK_EQUAL(compute_mss({}, cbc_and_sha1()).v6, 1359u);
  // 1427 has as many blocks.
  CAF_CHECK_EQUAL(compute_mss({}, cbc_and_sha1(false)).v4, 1379u);
  auto around = cbc_and_sha1();
  around.framing_byte = true;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1378u);
  around.fragment = true;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1374u);
  around = cbc_and_sha1();
  // 1412 bytes: 88 blocks, 1408 of them.
  around.digest_size = 32;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1363u);
  // 1402 bytes: 87 blocks, 1392 of them.
  around.socks = true;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1392u - 45);
  around = cbc_and_sha1();
  around.tcp = true;
  // 1424 - 12 - 2 = 1410.
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1408u - 45);
  for (uint32_t n = 600; n < 700; ++n)
    CAF_CHECK_EQUAL(
      compute_mss({mssfix_kind::udp_payload, n}, cbc_and_sha1()).v4,
      (n - 40) / 16 * 16 - 45);
}

CAF_TEST(without a cipher nothing is rounded) {
  auto around = cbc_and_sha1();
  around.cipher = data_cipher::none;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1492u - 28 - 4 - 20 - 4 - 40);
  around.digest_size = 0;
  CAF_CHECK_EQUAL(compute_mss({}, around).v4, 1492u - 28 - 4 - 4 - 40);
}

CAF_TEST(the largest plaintext is what a key can seal) {
  for (auto cipher :
       {data_cipher::aes_128_gcm, data_cipher::chacha20_poly1305,
        data_cipher::aes_128_cbc, data_cipher::aes_256_cbc, data_cipher::none})
    for (auto digest : {"SHA1", "SHA512", "none"})
      for (bool peer_id : {false, true})
        for (bool epoch : {false, true}) {
          data_key_spec spec;
          spec.cipher = cipher;
          spec.digest = digest;
          if (peer_id)
            spec.peer_id = 5;
          spec.epoch = epoch;
          std::fill_n(spec.keys.data(), spec.keys.size(), uint8_t{1});
          auto key = data_key::make(spec);
          if (!key)
            continue;
          packet_overhead around;
          around.cipher = cipher;
          around.digest_size = static_cast<uint32_t>(*digest_size(digest));
          around.peer_id = peer_id;
          around.epoch = epoch;
          for (uint32_t n = 0; n < 300; ++n)
            CAF_CHECK_EQUAL(largest_plaintext(n, around),
                            key->largest_plaintext(n));
        }
}

CAF_TEST(the largest piece of a fragmented packet follows) {
  // 1400 - 24 - 4 with AEAD; 1400 - 40 = 85 blocks, less 5 and 4, with CBC.
  CAF_CHECK_EQUAL(largest_plaintext(1400, aead()) - 4, 1372u);
  CAF_CHECK_EQUAL(largest_plaintext(1400, cbc_and_sha1()) - 4, 1360u - 9);
  CAF_CHECK_EQUAL(largest_plaintext(24, aead()), 0u);
  CAF_CHECK_EQUAL(largest_plaintext(25, aead()), 1u);
  CAF_CHECK_EQUAL(largest_plaintext(55, cbc_and_sha1()), 0u);
  CAF_CHECK_EQUAL(largest_plaintext(56, cbc_and_sha1()), 11u);
}

CAF_TEST(an unknown family of the transport counts as IPv4) {
  CAF_CHECK_EQUAL(compute_mss({}, over(false, family::unspecified)).v4, 1400u);
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
      for (auto around :
           {over(false, family::v6), over(true, family::v6), cbc_and_sha1()}) {
        auto x = compute_mss({kind, n}, around);
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
