// Control packets: published bytes, round trips, and everything malformed.
// spec: openvpn-wire 2.1, 2.2, 2.3, 15.3

#define CAF_SUITE protocol.control_packet

#include "vpn/protocol/control_packet.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

// Vectors of openvpn tests/unit_tests/openvpn/test_pkt.c.
const auto client_reset = from_hex("386891923fa3103437 00 00000000");
const auto control_with_ack
  = from_hex("207819bf2ebcd19a45 01 00000000 eafebfa4418ae31b 00000001 160301");
const auto plain_ack
  = from_hex("28aeb9afe1f01d79c8 01 00000000 dd85db535623b02e");

void refuses(const bytes& packet, errc wanted) {
  auto x = read_plain(packet);
  CAF_REQUIRE(!x);
  CAF_CHECK_EQUAL(to_string(x.error()), to_string(wanted));
}

} // namespace

CAF_TEST(a client reset is read) {
  auto x = read_plain(client_reset);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::control_hard_reset_client_v2);
  CAF_CHECK_EQUAL(x->key_id, 0);
  CAF_CHECK_EQUAL(to_hex(x->source.view()), "6891923fa3103437");
  CAF_CHECK(x->acks.empty());
  CAF_CHECK(!x->destination.defined());
  CAF_CHECK_EQUAL(x->id, 0u);
  CAF_CHECK(x->payload.empty());
}

CAF_TEST(a control packet with an ack is read) {
  auto x = read_plain(control_with_ack);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::control_v1);
  CAF_CHECK_EQUAL(x->acks, std::vector<uint32_t>{0});
  CAF_CHECK_EQUAL(to_hex(x->destination.view()), "eafebfa4418ae31b");
  CAF_CHECK_EQUAL(x->id, 1u);
  CAF_CHECK_EQUAL(to_hex(x->payload), "160301");
}

CAF_TEST(an ack has no message id) {
  auto x = read_plain(plain_ack);
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == opcode::ack_v1);
  CAF_CHECK_EQUAL(x->acks, std::vector<uint32_t>{0});
  CAF_CHECK_EQUAL(to_hex(x->destination.view()), "dd85db535623b02e");
}

CAF_TEST(what was read is written with the same bytes) {
  for (auto& packet : {client_reset, control_with_ack, plain_ack}) {
    auto x = read_plain(packet);
    CAF_REQUIRE(x);
    CAF_CHECK_EQUAL(to_hex(write_plain(*x)), to_hex(packet));
  }
}

CAF_TEST(a server reset has 26 bytes) {
  control_packet x;
  x.op = opcode::control_hard_reset_server_v2;
  x.source.value = {1};
  x.destination.value = {2};
  x.acks = {0};
  CAF_CHECK_EQUAL(write_plain(x).size(), 26u);
  auto y = read_plain(write_plain(x));
  CAF_REQUIRE(y);
  CAF_CHECK(*y == x);
}

CAF_TEST(a packet with the longest ack block survives a round trip) {
  control_packet x;
  x.op = opcode::control_soft_reset_v1;
  x.key_id = 7;
  x.source.value = {1, 2, 3};
  x.destination.value = {4, 5, 6};
  x.acks = {1, 2, 3, 4, 5, 6, 7, 0xffffffff};
  x.id = 0x01020304;
  x.payload = bytes(max_control_payload, 0xab);
  auto y = read_plain(write_plain(x));
  CAF_REQUIRE(y);
  CAF_CHECK(*y == x);
}

CAF_TEST(every truncation is refused) {
  for (size_t n = 0; n < client_reset.size(); ++n)
    refuses(byte_view{client_reset}.first(n).copy(), errc::truncated);
  for (size_t n = 0; n < plain_ack.size(); ++n)
    refuses(byte_view{plain_ack}.first(n).copy(), errc::truncated);
  // The payload may have any length, also none.
  auto shortest = control_with_ack.size() - 3;
  for (size_t n = 0; n < shortest; ++n)
    refuses(byte_view{control_with_ack}.first(n).copy(), errc::truncated);
  CAF_CHECK(read_plain(byte_view{control_with_ack}.first(shortest)));
}

CAF_TEST(more than eight acks are refused) {
  for (int n = 9; n < 256; ++n) {
    auto packet = from_hex("20 7819bf2ebcd19a45");
    packet.push_back(static_cast<uint8_t>(n));
    packet.resize(packet.size() + 4 * static_cast<size_t>(n) + 8 + 4);
    refuses(packet, errc::bad_ack_block);
    // Also when the block is not there at all.
    packet.resize(10);
    refuses(packet, errc::bad_ack_block);
  }
}

CAF_TEST(an ack count larger than the packet is refused) {
  for (uint8_t n = 2; n <= 8; ++n) {
    auto packet = plain_ack;
    packet[9] = n;
    refuses(packet, errc::truncated);
  }
}

CAF_TEST(only the control opcodes are read) {
  for (int i = 0; i < 256; ++i) {
    auto packet = control_with_ack;
    packet[0] = static_cast<uint8_t>(i);
    auto op = i >> 3;
    auto key_id = i & 7;
    if (op < 3 || op == 6 || op == 9 || op > 11)
      refuses(packet, errc::bad_opcode);
    else if ((op == 7 || op == 8 || op == 10) && key_id != 0)
      refuses(packet, errc::bad_key_id);
    else
      CAF_CHECK(read_plain(packet));
  }
}

CAF_TEST(a session id of zero is refused) {
  refuses(from_hex("38 0000000000000000 00 00000000"), errc::bad_session_id);
}

CAF_TEST(a payload above the limit is refused) {
  auto packet = client_reset;
  packet.resize(packet.size() + max_control_payload);
  CAF_CHECK(read_plain(packet));
  packet.push_back(0);
  refuses(packet, errc::bad_payload_size);
}

CAF_TEST(bytes behind an ack are ignored) {
  auto packet = plain_ack;
  packet.resize(packet.size() + 20, 0xff);
  auto x = read_plain(packet);
  CAF_REQUIRE(x);
  CAF_CHECK(x->payload.empty());
  CAF_CHECK_EQUAL(x->id, 0u);
}

CAF_TEST(the writer never exceeds eight acks) {
  control_packet x;
  x.source.value = {1};
  x.acks.resize(300);
  auto y = read_plain(write_plain(x));
  CAF_REQUIRE(y);
  CAF_CHECK_EQUAL(y->acks.size(), 8u);
}

CAF_TEST(opcodes have the names of the specification) {
  CAF_CHECK_EQUAL(to_string(opcode::control_v1), "P_CONTROL_V1");
  CAF_CHECK_EQUAL(to_string(opcode::control_hard_reset_client_v3),
                  "P_CONTROL_HARD_RESET_CLIENT_V3");
  CAF_CHECK_EQUAL(to_string(static_cast<opcode>(31)), "P_UNKNOWN");
}

CAF_TEST(random bytes are refused or survive a round trip) {
  test::seeded random{4};
  size_t accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    auto packet = random.some_bytes(80);
    // Most inputs get past the first checks, so that the later ones are tried.
    if (packet.size() > 9 && !random.one_in(4)) {
      packet[0] = static_cast<uint8_t>((3 + random.below(9)) << 3);
      packet[9] = static_cast<uint8_t>(random.below(10));
    }
    auto x = read_plain(packet);
    if (!x)
      continue;
    ++accepted;
    auto again = write_plain(*x);
    CAF_REQUIRE(x->acks.size() <= max_acks_received);
    CAF_REQUIRE(again == byte_view{packet}.first(again.size()));
    CAF_REQUIRE(x->op == opcode::ack_v1 || again.size() == packet.size());
  }
  CAF_CHECK(accepted > 10000);
}
