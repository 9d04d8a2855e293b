// CONTROL between a TLS and a RELIABLE that only write down what they hear.
#define CAF_SUITE actors.control
#include "vpn/actors/control.hpp"

#include "tests/support/layer_fixture.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::control_message;
using protocol::opcode;
using protocol::opening;

namespace {

bytes some_bytes(size_t n) {
  bytes result(n);
  for (size_t i = 0; i < n; ++i)
    result[i] = static_cast<uint8_t>(i * 7);
  return result;
}

const control_message server_reset{opcode::control_hard_reset_server_v2, {}};
const control_message client_reset{opcode::control_hard_reset_client_v2, {}};

struct fixture : test::layer_fixture {
  control_actor spawn_one(opening how, uint8_t key_id = 0, bool v3 = false) {
    return own(sys.spawn(control, key_id, how, v3, around, around));
  }
  /// A client whose server has answered, with `slots` left.
  control_actor open_one(uint32_t slots) {
    auto hdl = spawn_one(opening::hard_reset_client);
    tell(hdl, atom::attach_v, control_top_actor{around});
    tell(hdl, window_open{1});
    tell(hdl, atom::start_v);
    tell(hdl, server_reset);
    seen.messages.clear();
    if (slots > 0)
      tell(hdl, window_open{slots});
    return hdl;
  }
  bytes sent() {
    bytes result;
    for (auto& x : seen.messages)
      result.insert(result.end(), x.payload.begin(), x.payload.end());
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(control_tests, fixture)

CAF_TEST(who opens sends its reset when RELIABLE takes it) {
  struct row {
    opening how;
    opcode wanted;
  };
  for (auto x :
       {row{opening::hard_reset_client, opcode::control_hard_reset_client_v2},
        row{opening::soft_reset_initiator, opcode::control_soft_reset_v1}}) {
    seen.messages.clear();
    auto hdl = spawn_one(x.how);
    tell(hdl, atom::attach_v, control_top_actor{around});
    tell(hdl, atom::start_v);
    CAF_CHECK(seen.messages.empty());
    tell(hdl, window_open{4});
    CAF_REQUIRE_EQUAL(seen.messages.size(), 1u);
    CAF_CHECK(seen.messages[0].op == x.wanted);
    CAF_CHECK(seen.messages[0].payload.empty());
    tell(hdl, atom::start_v);
    CAF_CHECK_EQUAL(seen.messages.size(), 1u);
  }
}

CAF_TEST(a client of tls crypt v2 opens with its own reset) {
  auto hdl = spawn_one(opening::hard_reset_client, 0, true);
  tell(hdl, atom::attach_v, control_top_actor{around});
  tell(hdl, window_open{4});
  tell(hdl, atom::start_v);
  CAF_REQUIRE_EQUAL(seen.messages.size(), 1u);
  CAF_CHECK(seen.messages[0].op == opcode::control_hard_reset_client_v3);
  tell(hdl, control_message{opcode::control_hard_reset_server_v2,
                            from_hex("000100020001")});
  CAF_CHECK_EQUAL(seen.resets, 1u);
}

CAF_TEST(a payload size that changes counts from the next message on) {
  auto hdl = open_one(10);
  tell(hdl, payload_limit{100});
  tell(hdl, tls_bytes{some_bytes(100)});
  tell(hdl, payload_limit{200});
  tell(hdl, tls_bytes{some_bytes(300)});
  std::vector<size_t> sizes;
  for (auto& x : seen.messages)
    sizes.push_back(x.payload.size());
  CAF_CHECK_EQUAL(sizes, (std::vector<size_t>{100, 200, 100}));
}

CAF_TEST(who does not open waits and answers) {
  auto hdl = spawn_one(opening::hard_reset_server);
  tell(hdl, atom::attach_v, control_top_actor{around});
  tell(hdl, window_open{4});
  tell(hdl, atom::start_v);
  CAF_CHECK(seen.messages.empty());
  tell(hdl, client_reset);
  CAF_REQUIRE_EQUAL(seen.messages.size(), 1u);
  CAF_CHECK(seen.messages[0] == server_reset);
  CAF_CHECK_EQUAL(seen.resets, 1u);
}

CAF_TEST(the answer of the peer is told to SUPERVISOR and starts TLS) {
  auto hdl = spawn_one(opening::soft_reset_initiator, 5);
  tell(hdl, atom::attach_v, control_top_actor{around});
  tell(hdl, control_message{opcode::control_soft_reset_v1, {}});
  CAF_CHECK(seen.answered == std::vector<uint8_t>{5});
  CAF_CHECK_EQUAL(seen.resets, 1u);
  // A second one is no answer to anything.
  tell(hdl, control_message{opcode::control_soft_reset_v1, {}});
  CAF_CHECK_EQUAL(seen.answered.size(), 1u);
  CAF_CHECK_EQUAL(seen.resets, 1u);
  CAF_CHECK(has(status_of(hdl), "wrong_state 1"));
}

CAF_TEST(payloads of the peer become TLS bytes after its reset) {
  auto hdl = spawn_one(opening::hard_reset_client);
  tell(hdl, atom::attach_v, control_top_actor{around});
  tell(hdl, control_message{opcode::control_v1, {1, 2}});
  CAF_CHECK(seen.tls.empty());
  tell(hdl, server_reset);
  seen.log.clear();
  tell(hdl, control_message{opcode::control_v1, {3, 4}});
  tell(hdl, control_message{opcode::control_v1, {}});
  tell(hdl, control_message{opcode::control_v1, {5}});
  CAF_CHECK(seen.tls == (bytes{3, 4, 5}));
  CAF_CHECK(seen.log == (std::vector<std::string>{"tls", "tls"}));
  CAF_CHECK(has(status_of(hdl), "dropped ["));
}

CAF_TEST(TLS bytes are cut to what fits a packet) {
  auto hdl = open_one(10);
  tell(hdl, payload_limit{100});
  auto all = some_bytes(250);
  tell(hdl, tls_bytes{all});
  CAF_REQUIRE_EQUAL(seen.messages.size(), 3u);
  CAF_CHECK_EQUAL(seen.messages[0].payload.size(), 100u);
  CAF_CHECK_EQUAL(seen.messages[1].payload.size(), 100u);
  CAF_CHECK_EQUAL(seen.messages[2].payload.size(), 50u);
  CAF_CHECK(sent() == all);
  for (auto& x : seen.messages)
    CAF_CHECK(x.op == opcode::control_v1);
}

CAF_TEST(no more messages than RELIABLE takes) {
  auto hdl = open_one(0);
  tell(hdl, payload_limit{16});
  auto all = some_bytes(160);
  tell(hdl, tls_bytes{all});
  CAF_CHECK(seen.messages.empty());
  CAF_CHECK(has(status_of(hdl), "queued 160"));
  size_t wanted = 0;
  for (uint32_t slots : {1, 2, 3, 1}) {
    tell(hdl, window_open{slots});
    CAF_CHECK_EQUAL(seen.messages.size(), wanted += slots);
  }
  // Slots that are left are kept for what comes.
  tell(hdl, window_open{100});
  CAF_CHECK_EQUAL(seen.messages.size(), 10u);
  CAF_CHECK(sent() == all);
  tell(hdl, tls_bytes{some_bytes(16)});
  CAF_CHECK_EQUAL(seen.messages.size(), 11u);
}

CAF_TEST(bytes that TLS sends before the reset wait for it) {
  auto hdl = spawn_one(opening::hard_reset_server);
  tell(hdl, atom::attach_v, control_top_actor{around});
  tell(hdl, window_open{4});
  tell(hdl, tls_bytes{{1, 2, 3}});
  CAF_CHECK(seen.messages.empty());
  tell(hdl, client_reset);
  CAF_REQUIRE_EQUAL(seen.messages.size(), 2u);
  CAF_CHECK(seen.messages[0] == server_reset);
  CAF_CHECK(seen.messages[1].payload == (bytes{1, 2, 3}));
}

CAF_TEST(nothing is lost before TLS is attached) {
  auto hdl = spawn_one(opening::hard_reset_client);
  tell(hdl, window_open{2});
  tell(hdl, atom::start_v);
  tell(hdl, server_reset);
  tell(hdl, control_message{opcode::control_v1, {7}});
  CAF_CHECK_EQUAL(seen.resets, 0u);
  tell(hdl, atom::attach_v, control_top_actor{around});
  CAF_CHECK_EQUAL(seen.messages.size(), 1u);
  CAF_CHECK_EQUAL(seen.resets, 1u);
  CAF_CHECK(seen.tls == bytes{7});
}

CAF_TEST(other opcodes are dropped and counted) {
  auto hdl = open_one(4);
  for (auto op : {opcode::ack_v1, opcode::data_v1, opcode::data_v2})
    tell(hdl, control_message{op, {1}});
  CAF_CHECK(seen.tls.empty());
  CAF_CHECK(has(status_of(hdl), "bad_opcode 3"));
}

CAF_TEST(a shutdown waits until RELIABLE has everything) {
  auto hdl = open_one(1);
  tell(hdl, payload_limit{16});
  tell(hdl, tls_bytes{some_bytes(48)});
  auto answer = ask_later<layer_status>(hdl, atom::shutdown_v);
  CAF_CHECK(!*answer);
  tell(hdl, window_open{1});
  CAF_CHECK(!*answer);
  tell(hdl, window_open{1});
  CAF_REQUIRE(*answer);
  CAF_CHECK_EQUAL((**answer)->layer, "control");
  CAF_CHECK(has((**answer)->text, "queued 0"));
  // And the layer lives on.
  tell(hdl, window_open{1});
  tell(hdl, tls_bytes{{1}});
  CAF_CHECK_EQUAL(seen.messages.size(), 4u);
}

CAF_TEST_FIXTURE_SCOPE_END()
