// CONTROL's half of a negotiation: the four openings, cutting and joining of
// TLS bytes, the TLVs of a reset.
// spec: openvpn-wire 2.9, 4.3, 4.7, 12.3

#define CAF_SUITE protocol.control_stream

#include "vpn/protocol/control_stream.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;

namespace {

constexpr auto client_v2 = opcode::control_hard_reset_client_v2;
constexpr auto client_v3 = opcode::control_hard_reset_client_v3;
constexpr auto server_v2 = opcode::control_hard_reset_server_v2;
constexpr auto soft = opcode::control_soft_reset_v1;
constexpr auto data = opcode::control_v1;

errc refusal(control_stream& stream, opcode op, const char* payload = "") {
  auto x = stream.handle_message({op, from_hex(payload)});
  CAF_REQUIRE(!x);
  return x.error();
}

bool takes(control_stream& stream, opcode op, const char* payload = "") {
  return static_cast<bool>(stream.handle_message({op, from_hex(payload)}));
}

/// True when exactly `op`, without payload, waits to be sent.
bool sends_reset(control_stream& stream, opcode op) {
  auto x = stream.poll_message();
  return x && x->op == op && x->payload.empty() && !stream.poll_message();
}

/// A client whose resets have been exchanged.
control_stream open_stream() {
  control_stream result{opening::hard_reset_client};
  result.start();
  CAF_REQUIRE(sends_reset(result, client_v2));
  CAF_REQUIRE(takes(result, server_v2));
  CAF_REQUIRE(result.poll_reset());
  return result;
}

} // namespace

CAF_TEST(a client opens with a hard reset) {
  control_stream stream{opening::hard_reset_client};
  CAF_CHECK(!stream.poll_message());
  stream.start();
  stream.start();
  CAF_CHECK(sends_reset(stream, client_v2));
  CAF_CHECK(!stream.poll_reset());
  CAF_CHECK(takes(stream, server_v2));
  auto event = stream.poll_reset();
  CAF_REQUIRE(event);
  CAF_CHECK_EQUAL(event->early_negotiation_flags, 0);
  CAF_CHECK(!stream.poll_reset());
  CAF_CHECK(!stream.poll_message());
}

CAF_TEST(a client of tls crypt v2 opens with the third hard reset) {
  control_stream stream{opening::hard_reset_client, true};
  stream.start();
  CAF_CHECK(sends_reset(stream, client_v3));
  CAF_CHECK(takes(stream, server_v2, "0001 0002 0001"));
  auto event = stream.poll_reset();
  CAF_REQUIRE(event);
  CAF_CHECK_EQUAL(event->early_negotiation_flags, resend_wrapped_key);
  // Nobody else does.
  for (auto how : {opening::hard_reset_server, opening::soft_reset_responder}) {
    control_stream other{how, true};
    CAF_CHECK(
      takes(other, how == opening::hard_reset_server ? client_v2 : soft));
    CAF_CHECK(
      sends_reset(other, how == opening::hard_reset_server ? server_v2 : soft));
  }
  control_stream initiator{opening::soft_reset_initiator, true};
  initiator.start();
  CAF_CHECK(sends_reset(initiator, soft));
}

CAF_TEST(the payload of a reset is written as it is read) {
  CAF_CHECK_EQUAL(to_hex(write_reset({resend_wrapped_key})), "000100020001");
  for (uint16_t flags : {0x0000, 0x0001, 0x8000, 0xffff}) {
    auto x = read_reset(write_reset({flags}));
    CAF_REQUIRE(x);
    CAF_CHECK_EQUAL(x->early_negotiation_flags, flags);
  }
}

CAF_TEST(a server answers either hard reset of a client) {
  for (auto op : {client_v2, client_v3}) {
    control_stream stream{opening::hard_reset_server};
    stream.start();
    CAF_CHECK(!stream.poll_message());
    CAF_CHECK(takes(stream, op));
    CAF_CHECK(sends_reset(stream, server_v2));
    CAF_CHECK(stream.poll_reset());
  }
}

CAF_TEST(a soft reset is opened by one side and answered by the other) {
  control_stream initiator{opening::soft_reset_initiator};
  control_stream responder{opening::soft_reset_responder};
  initiator.start();
  responder.start();
  CAF_CHECK(!responder.poll_message());
  CAF_CHECK(sends_reset(initiator, soft));
  CAF_CHECK(takes(responder, soft));
  CAF_CHECK(responder.poll_reset());
  CAF_CHECK(sends_reset(responder, soft));
  CAF_CHECK(takes(initiator, soft));
  CAF_CHECK(initiator.poll_reset());
}

CAF_TEST(two initiators answer each other) {
  control_stream x{opening::soft_reset_initiator};
  control_stream y{opening::soft_reset_initiator};
  x.start();
  y.start();
  CAF_CHECK(sends_reset(x, soft));
  CAF_CHECK(sends_reset(y, soft));
  CAF_CHECK(takes(x, soft));
  CAF_CHECK(takes(y, soft));
  CAF_CHECK(!x.poll_message());
  CAF_CHECK(!y.poll_message());
}

CAF_TEST(each opening takes only the reset it waits for) {
  struct row {
    opening how;
    std::vector<opcode> wrong;
  };
  const row rows[] = {
    {opening::hard_reset_client, {client_v2, client_v3, soft}},
    {opening::hard_reset_server, {server_v2, soft}},
    {opening::soft_reset_initiator, {client_v2, client_v3, server_v2}},
    {opening::soft_reset_responder, {client_v2, client_v3, server_v2}},
  };
  for (auto& x : rows) {
    control_stream stream{x.how};
    for (auto op : x.wrong)
      CAF_CHECK(refusal(stream, op) == errc::wrong_state);
    CAF_CHECK(!stream.poll_reset());
    CAF_CHECK(!stream.poll_message());
  }
}

CAF_TEST(a reset in the middle of a stream is refused and changes nothing) {
  auto stream = open_stream();
  stream.send(from_hex("aabb"));
  CAF_CHECK(takes(stream, data, "01"));
  for (auto op : {client_v2, client_v3, server_v2, soft})
    CAF_CHECK(refusal(stream, op) == errc::wrong_state);
  CAF_CHECK(!stream.poll_reset());
  CAF_CHECK(takes(stream, data, "02"));
  CAF_CHECK_EQUAL(to_hex(*stream.poll_tls()), "01");
  CAF_CHECK_EQUAL(to_hex(*stream.poll_tls()), "02");
  CAF_CHECK_EQUAL(to_hex(stream.poll_message()->payload), "aabb");
}

CAF_TEST(data before the reset of the peer is refused) {
  control_stream stream{opening::hard_reset_client};
  stream.start();
  CAF_CHECK(refusal(stream, data, "16") == errc::wrong_state);
  CAF_CHECK(!stream.poll_tls());
}

CAF_TEST(opcodes that carry no message are refused) {
  auto stream = open_stream();
  for (auto op : {opcode::ack_v1, opcode::data_v1, opcode::data_v2})
    CAF_CHECK(refusal(stream, op, "16") == errc::bad_opcode);
}

CAF_TEST(nothing is sent before both resets) {
  control_stream stream{opening::hard_reset_client};
  stream.start();
  stream.send(from_hex("1603"));
  CAF_CHECK(sends_reset(stream, client_v2));
  CAF_CHECK(takes(stream, server_v2));
  auto x = stream.poll_message();
  CAF_REQUIRE(x);
  CAF_CHECK(x->op == data);
  CAF_CHECK_EQUAL(to_hex(x->payload), "1603");
}

CAF_TEST(an answering reset goes before data) {
  control_stream stream{opening::soft_reset_responder};
  stream.send(from_hex("1603"));
  CAF_CHECK(!stream.poll_message());
  CAF_CHECK(takes(stream, soft));
  CAF_CHECK(stream.poll_message()->op == soft);
  CAF_CHECK(stream.poll_message()->op == data);
}

CAF_TEST(TLS bytes are cut to the size of a payload) {
  auto stream = open_stream();
  stream.set_max_payload(100);
  stream.send(bytes(150, 1));
  stream.send(bytes(60, 2));
  CAF_CHECK_EQUAL(stream.queued(), 210u);
  bytes all;
  std::vector<size_t> sizes;
  while (auto x = stream.poll_message()) {
    CAF_CHECK(x->op == data);
    sizes.push_back(x->payload.size());
    all.insert(all.end(), x->payload.begin(), x->payload.end());
  }
  CAF_CHECK_EQUAL(sizes, (std::vector<size_t>{100, 100, 10}));
  auto wanted = bytes(150, 1);
  wanted.resize(210, 2);
  CAF_CHECK(all == wanted);
  CAF_CHECK_EQUAL(stream.queued(), 0u);
}

CAF_TEST(a payload has at least 16 bytes) {
  auto stream = open_stream();
  stream.set_max_payload(0);
  stream.send(bytes(40, 1));
  CAF_CHECK_EQUAL(stream.poll_message()->payload.size(), 16u);
  stream.set_max_payload(15);
  CAF_CHECK_EQUAL(stream.poll_message()->payload.size(), 16u);
  CAF_CHECK_EQUAL(stream.poll_message()->payload.size(), 8u);
}

CAF_TEST(sending and polling in turns keeps the bytes in order) {
  test::seeded random{7};
  auto stream = open_stream();
  stream.set_max_payload(37);
  bytes wanted;
  bytes all;
  for (int i = 0; i < 2000; ++i) {
    auto xs = random.some_bytes(100);
    stream.send(xs);
    wanted.insert(wanted.end(), xs.begin(), xs.end());
    for (auto n = random.below(4); n > 0; --n)
      if (auto x = stream.poll_message())
        all.insert(all.end(), x->payload.begin(), x->payload.end());
    CAF_REQUIRE_EQUAL(stream.queued(), wanted.size() - all.size());
  }
  while (auto x = stream.poll_message())
    all.insert(all.end(), x->payload.begin(), x->payload.end());
  CAF_CHECK(all == wanted);
}

CAF_TEST(a message with a wrapped client key counts as any other) {
  control_stream stream{opening::hard_reset_server};
  CAF_CHECK(takes(stream, client_v3));
  CAF_CHECK(takes(stream, opcode::control_wkc_v1));
  CAF_CHECK(!stream.poll_tls());
  CAF_CHECK(takes(stream, opcode::control_wkc_v1, "160301"));
  CAF_CHECK(takes(stream, data, "02"));
  CAF_CHECK_EQUAL(to_hex(*stream.poll_tls()), "160301");
  CAF_CHECK_EQUAL(to_hex(*stream.poll_tls()), "02");
}

CAF_TEST(the payload of a soft reset goes nowhere) {
  control_stream stream{opening::soft_reset_responder};
  CAF_CHECK(takes(stream, soft, "0001 0002 0001"));
  CAF_CHECK(!stream.poll_tls());
  auto event = stream.poll_reset();
  CAF_REQUIRE(event);
  CAF_CHECK_EQUAL(event->early_negotiation_flags, 0);
  control_stream junk{opening::soft_reset_responder};
  CAF_CHECK(takes(junk, soft, "ff"));
  CAF_CHECK(!junk.poll_tls());
}

CAF_TEST(early negotiation flags are read and unknown types skipped) {
  struct row {
    const char* payload;
    uint16_t flags;
  };
  const row rows[] = {
    {"", 0},
    {"0001 0002 0001", 1},
    {"0001 0002 fffe", 0xfffe},
    {"0002 0000", 0},
    {"0002 0003 aabbcc 0001 0002 0001", 1},
    {"0001 0002 0001 ffff 0001 00", 1},
    {"0000 0002 0001", 0},
  };
  for (auto& x : rows) {
    control_stream stream{opening::hard_reset_client};
    CAF_REQUIRE(takes(stream, server_v2, x.payload));
    auto event = stream.poll_reset();
    CAF_REQUIRE(event);
    CAF_CHECK_EQUAL(event->early_negotiation_flags, x.flags);
  }
}

CAF_TEST(broken TLVs are refused and the next reset is taken) {
  control_stream stream{opening::hard_reset_client};
  for (auto payload :
       {"00", "0001", "000100", "00010002", "0001000200", "0001 0000",
        "0001 0001 00", "0001 0003 000100", "0002 0001", "0002 ffff 00",
        "0001 0002 0001 00", "0001 0002 0001 0002 0004 000000"}) {
    CAF_CHECK(refusal(stream, server_v2, payload) == errc::bad_tlv);
    CAF_CHECK(!stream.poll_reset());
  }
  CAF_CHECK(takes(stream, server_v2, "0001 0002 0001"));
}

CAF_TEST(a reader that has stopped does not fill memory) {
  auto stream = open_stream();
  size_t taken = 0;
  while (taken < 10000 && takes(stream, data, "16"))
    ++taken;
  CAF_CHECK_EQUAL(taken, 64u);
  CAF_CHECK(refusal(stream, data, "16") == errc::no_buffer);
  CAF_CHECK(stream.poll_tls());
  CAF_CHECK(takes(stream, data, "16"));
}

CAF_TEST(random resets are refused or read) {
  test::seeded random{8};
  size_t taken = 0;
  for (int i = 0; i < 100000; ++i) {
    auto payload = random.some_bytes(16);
    // Small numbers make plausible types and lengths.
    for (auto& x : payload)
      x = random.one_in(8) ? x : static_cast<uint8_t>(x % 3);
    control_stream stream{opening::hard_reset_client};
    auto x = stream.handle_message({server_v2, payload});
    CAF_REQUIRE_EQUAL(static_cast<bool>(x),
                      static_cast<bool>(stream.poll_reset()));
    if (x)
      ++taken;
    else
      CAF_REQUIRE(x.error() == errc::bad_tlv);
  }
  CAF_CHECK(taken > 1000);
}
