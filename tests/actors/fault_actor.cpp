// Packets on their way through a fault actor: every knob on every message that
// carries packets.
#define CAF_SUITE actors.fault_actor
#include "vpn/actors/fault_actor.hpp"

#include "tests/support/faulted_layer.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace std::chrono_literals;
using protocol::opcode;
using protocol::packet_run;

namespace {

using fixture = test::faulted_layer;

/// Datagrams of this opcode with a number and some filling.
bytes datagram(uint8_t number, size_t size = 40, opcode op = opcode::data_v2) {
  bytes result(size, 0xAB);
  result[0] = protocol::first_byte(op, 0);
  result[1] = number;
  return result;
}

std::vector<bytes> datagrams(uint8_t n, size_t size = 40) {
  std::vector<bytes> result;
  for (uint8_t i = 0; i < n; ++i)
    result.push_back(datagram(i, size));
  return result;
}

std::vector<uint8_t> numbers(const std::vector<bytes>& xs) {
  std::vector<uint8_t> result;
  for (auto& x : xs)
    result.push_back(x[1]);
  return result;
}

size_t bits_that_differ(const bytes& x, const bytes& y) {
  size_t result = 0;
  for (size_t i = 0; i < x.size(); ++i)
    for (auto bits = x[i] ^ y[i]; bits != 0; bits &= bits - 1)
      ++result;
  return result;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(fault_actor_tests, fixture)

// -- what passes --

CAF_TEST(a batch that nothing happens to is the very same object) {
  seen.keep = true;
  for (auto text :
       {"network:drop=0", "network.up:drop=1", "network:drop=1,from=1h",
        "network:drop=1,opcode=hard_reset"}) {
    auto hdl = start(text);
    auto batch = make_batch(datagrams(3));
    auto raw = batch.get();
    tell(hdl, atom::down_v, std::move(batch));
    CAF_REQUIRE_EQUAL(seen.batches.size(), 1u);
    CAF_CHECK(seen.batches.front().get() == raw);
    CAF_CHECK_EQUAL(raw->count, 3u);
    seen.batches.clear();
  }
}

CAF_TEST(every other message goes through with its sender and its priority) {
  auto hdl = start("network:drop=1");
  self->send(hdl, window_open{1});
  self->send<caf::message_priority::high>(hdl, window_open{2});
  self->send(hdl, window_open{3});
  CAF_CHECK_EQUAL(sched.jobs.size(), 1u);
  expect((window_open), from(self).to(hdl).with(window_open{2}));
  expect((window_open), from(self).to(hdl).with(window_open{1}));
  expect((window_open), from(self).to(hdl).with(window_open{3}));
  // Still before the others, in the next mailbox as well.
  expect((window_open), from(self).to(around).with(window_open{2}));
  consume_messages();
  CAF_CHECK_EQUAL(seen.slots, 6u);
}

CAF_TEST(who is behind answers a request) {
  auto hdl = start("network:drop=1");
  auto key = std::make_shared<protocol::data_key_spec>();
  key->key_id = 5;
  auto x = ask<uint8_t>(hdl, atom::install_v, data_key_box{key});
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(*x, 5u);
  seen.on_install = test::world_record::answer::no;
  CAF_CHECK(!ask<uint8_t>(hdl, atom::install_v, data_key_box{key}));
}

CAF_TEST(a direction that is not meant passes) {
  auto up = start("network.up:drop=1");
  tell(up, atom::down_v, make_batch(datagrams(1)));
  tell(up, control_datagram{datagram(1)});
  CAF_CHECK_EQUAL(seen.down.size(), 1u);
  CAF_CHECK_EQUAL(seen.datagrams.size(), 1u);
  tell(up, atom::up_v, make_batch(datagrams(1)));
  tell(up, tls_bytes{{1}});
  CAF_CHECK(seen.up.empty());
  CAF_CHECK(seen.tls.empty());
  goes_up = false;
  auto down = start("network.up:drop=1");
  tell(down, tls_bytes{{1}});
  tell(down, protocol::control_packet{});
  CAF_CHECK_EQUAL(seen.tls.size(), 1u);
  CAF_CHECK_EQUAL(seen.packets.size(), 1u);
}

// -- batches --

CAF_TEST(all packets of a batch are lost and its memory comes back) {
  auto hdl = start("network:drop=1");
  tell(hdl, atom::up_v, make_batch(datagrams(5)));
  CAF_CHECK(seen.up.empty());
  CAF_CHECK(seen.log.empty());
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  CAF_CHECK(has(fault_text(hdl), "network:drop=1; seen 5, dropped 5"));
}

CAF_TEST(what is left of a batch goes on in it and in order) {
  seen.keep = true;
  auto hdl = start("network:drop=0.5,seed=3");
  auto batch = make_batch(datagrams(100));
  auto raw = batch.get();
  tell(hdl, atom::down_v, std::move(batch));
  CAF_REQUIRE_EQUAL(seen.batches.size(), 1u);
  CAF_CHECK(seen.batches.front().get() == raw);
  auto left = numbers(seen.down);
  CAF_CHECK(left.size() > 30 && left.size() < 70);
  CAF_CHECK(std::is_sorted(left.begin(), left.end()));
  CAF_CHECK_EQUAL(counter(hdl, "fault_dropped") + left.size(), 100u);
}

CAF_TEST(a run of many datagrams is split around those that are lost) {
  seen.keep = true;
  auto hdl = start("network:drop=0.3,seed=2");
  auto batch = make_train(datagrams(64), 40);
  // The last one may be shorter.
  batch->runs[0].length -= 10;
  tell(hdl, atom::down_v, std::move(batch));
  CAF_REQUIRE_EQUAL(seen.batches.size(), 1u);
  auto& left = *seen.batches.front();
  CAF_CHECK(left.count > 1);
  std::vector<bytes> found;
  for (auto& run : left) {
    CAF_CHECK_EQUAL(run.stride, 40u);
    for (uint32_t i = 0; i < run.length; i += run.stride)
      found.push_back(left.view(run).from(i).first(run.stride).copy());
  }
  CAF_CHECK_EQUAL(found.size(), 64 - counter(hdl, "fault_dropped"));
  auto all = datagrams(64);
  all.back().resize(30);
  for (auto& x : found)
    CAF_CHECK(x == all[x[1]]);
}

CAF_TEST(datagrams without a descriptor left are lost and counted) {
  pool = caf::make_counted<batch_pool>(pool_config{2, 8192, 2});
  auto hdl = start("network:drop=0.5,seed=4");
  auto batch = make_train(datagrams(64), 40);
  seen.keep = true;
  tell(hdl, atom::down_v, std::move(batch));
  CAF_REQUIRE_EQUAL(seen.batches.size(), 1u);
  auto& left = *seen.batches.front();
  CAF_CHECK_EQUAL(left.count, 2u);
  uint64_t found = 0;
  for (auto& run : left)
    found += run.length / 40;
  auto lost = counter(hdl, "fault_no_room");
  CAF_CHECK(lost > 0);
  CAF_CHECK_EQUAL(found + lost + counter(hdl, "fault_dropped"), 64u);
}

CAF_TEST(a duplicate follows in a batch with the same path) {
  seen.keep = true;
  auto hdl = start("network:duplicate=1");
  auto batch = make_batch(datagrams(3));
  batch->from.remote = endpoint{*parse_ip("192.0.2.1"), 1194};
  batch->from.interface = 7;
  tell(hdl, atom::down_v, std::move(batch));
  CAF_CHECK((numbers(seen.down) == std::vector<uint8_t>{0, 1, 2, 0, 1, 2}));
  CAF_REQUIRE_EQUAL(seen.batches.size(), 2u);
  CAF_CHECK(seen.batches[1]->from.remote == seen.batches[0]->from.remote);
  CAF_CHECK_EQUAL(seen.batches[1]->from.interface, 7u);
}

CAF_TEST(packets of other paths do not share a batch) {
  seen.keep = true;
  auto hdl = start("network:delay=1s");
  for (uint16_t port : {1, 1, 2}) {
    auto batch = make_batch(datagrams(1));
    batch->from.remote = endpoint{*parse_ip("192.0.2.1"), port};
    tell(hdl, atom::down_v, std::move(batch));
  }
  pass(1s);
  CAF_REQUIRE_EQUAL(seen.batches.size(), 2u);
  CAF_CHECK_EQUAL(seen.batches[0]->count, 2u);
  CAF_CHECK_EQUAL(seen.batches[1]->from.remote.port, 2u);
}

CAF_TEST(a delayed packet leaves at its time) {
  auto hdl = start("network:delay=1s");
  tell(hdl, atom::up_v, make_batch({datagram(1)}));
  pass(400ms);
  tell(hdl, atom::up_v, make_batch({datagram(2)}));
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), 2u);
  pass(599ms);
  CAF_CHECK(seen.up.empty());
  pass(1ms);
  CAF_CHECK(numbers(seen.up) == std::vector<uint8_t>{1});
  pass(399ms);
  CAF_CHECK_EQUAL(seen.up.size(), 1u);
  pass(1ms);
  CAF_CHECK((numbers(seen.up) == std::vector<uint8_t>{1, 2}));
  CAF_CHECK_EQUAL(pending_timers(), 0u);
  CAF_CHECK_EQUAL(counter(hdl, "fault_held"), 0u);
}

CAF_TEST(jitter leaves each packet its own time) {
  auto hdl = start("network:delay=1s,jitter=1s,seed=5");
  tell(hdl, atom::up_v, make_batch(datagrams(50)));
  pass(999ms);
  CAF_CHECK(seen.up.empty());
  pass(501ms);
  CAF_CHECK(seen.up.size() > 10 && seen.up.size() < 40);
  pass(500ms);
  CAF_CHECK_EQUAL(seen.up.size(), 50u);
  auto order = numbers(seen.up);
  CAF_CHECK(!std::is_sorted(order.begin(), order.end()));
}

CAF_TEST(others overtake a packet that is reordered) {
  auto hdl = start("network:reorder=0.3,reorder-by=5ms,seed=6");
  for (auto& x : datagrams(40)) {
    tell(hdl, atom::up_v, make_batch({x}));
    pass(1ms);
  }
  pass(5ms);
  auto order = numbers(seen.up);
  CAF_CHECK(!std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  CAF_CHECK(order == numbers(datagrams(40)));
}

CAF_TEST(a corrupted packet changes where it is) {
  seen.keep = true;
  for (auto how : {"bit", "byte", "header"}) {
    auto hdl = start(std::string{"network:corrupt=1,corrupt-how="} + how);
    tell(hdl, atom::down_v, make_batch({datagram(1, 1000)}));
    CAF_REQUIRE_EQUAL(seen.down.size(), 1u);
    auto& x = seen.down.front();
    CAF_REQUIRE_EQUAL(x.size(), 1000u);
    auto before = datagram(1, 1000);
    auto changed = bits_that_differ(x, before);
    CAF_CHECK(how == std::string{"byte"} ? changed > 0 && changed <= 8
                                         : changed == 1);
    auto at = std::mismatch(x.begin(), x.end(), before.begin()).first;
    CAF_CHECK(how != std::string{"header"} || at - x.begin() < 32);
    CAF_CHECK(seen.batches.front()->from.interface == 0);
    seen.batches.clear();
    seen.down.clear();
  }
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(a truncated packet is the beginning of what it was) {
  auto hdl = start("network:truncate=1");
  tell(hdl, atom::up_v, make_batch(datagrams(10, 100)));
  CAF_REQUIRE_EQUAL(seen.up.size(), 10u);
  for (uint8_t i = 0; i < 10; ++i) {
    auto& x = seen.up[i];
    CAF_CHECK(!x.empty() && x.size() < 100);
    CAF_CHECK(byte_view{x} == byte_view{datagram(i, 100)}.first(x.size()));
  }
}

CAF_TEST(truncated datagrams of a long run stay apart) {
  auto hdl = start("network:truncate=0.5,seed=2");
  tell(hdl, atom::up_v, make_train(datagrams(20), 40));
  seen.up.clear();
  seen.keep = true;
  tell(hdl, atom::down_v, make_train(datagrams(20), 40));
  size_t found = 0, whole = 0;
  auto& left = *seen.batches.front();
  for (auto& run : left)
    for (uint32_t i = 0; i < run.length; i += run.stride, ++found) {
      auto x = left.view(run).from(i).first(run.stride).copy();
      whole += x.size() == 40 ? 1 : 0;
      CAF_CHECK(x[0] == datagram(0)[0]);
      CAF_CHECK(x.size() == 1 || x[1] == found);
    }
  CAF_CHECK_EQUAL(found, 20u);
  CAF_CHECK(whole > 4 && whole < 16);
}

CAF_TEST(an extended packet begins as it was) {
  auto hdl = start("network:extend=1");
  tell(hdl, atom::up_v, make_batch(datagrams(3)));
  CAF_REQUIRE_EQUAL(seen.up.size(), 3u);
  for (uint8_t i = 0; i < 3; ++i) {
    auto& x = seen.up[i];
    CAF_CHECK(x.size() > 40 && x.size() <= 104);
    CAF_CHECK(byte_view{x}.first(40) == byte_view{datagram(i)});
  }
  CAF_CHECK_EQUAL(pool->available(), pool->capacity());
}

CAF_TEST(a replayed packet comes a second time) {
  auto hdl = start("network:replay=1,replay-after=3s");
  tell(hdl, atom::up_v, make_batch(datagrams(2)));
  CAF_CHECK((numbers(seen.up) == std::vector<uint8_t>{0, 1}));
  pass(2999ms);
  CAF_CHECK_EQUAL(seen.up.size(), 2u);
  pass(1ms);
  CAF_CHECK((numbers(seen.up) == std::vector<uint8_t>{0, 1, 0, 1}));
}

CAF_TEST(nothing passes while the link is down) {
  auto hdl = start("network:up=2s,down=1s");
  auto sends = [&] {
    auto before = seen.up.size();
    tell(hdl, atom::up_v, make_batch(datagrams(1)));
    return seen.up.size() > before;
  };
  for (int i = 0; i < 3; ++i) {
    CAF_CHECK(sends());
    pass(1999ms);
    CAF_CHECK(sends());
    pass(1ms);
    CAF_CHECK(!sends());
    pass(999ms);
    CAF_CHECK(!sends());
    pass(1ms);
  }
  CAF_CHECK_EQUAL(counter(hdl, "fault_cut"), 6u);
}

CAF_TEST(only packets of the opcode that is meant are lost) {
  std::vector<bytes> all;
  for (auto op : {opcode::data_v2, opcode::control_v1, opcode::ack_v1,
                  opcode::control_hard_reset_client_v2,
                  opcode::control_soft_reset_v1, opcode::data_v1})
    all.push_back(datagram(static_cast<uint8_t>(op), 20, op));
  std::pair<const char*, size_t> cases[]
    = {{"data", 4},       {"control", 2},    {"ack", 5},
       {"hard_reset", 5}, {"soft_reset", 5}, {"all", 0}};
  for (auto& [kind, left] : cases) {
    auto hdl = start(std::string{"network:drop=1,opcode="} + kind);
    tell(hdl, atom::up_v, make_batch(all));
    CAF_CHECK_EQUAL(seen.up.size(), left);
    seen.up.clear();
    for (auto& x : all)
      tell(hdl, control_datagram{x});
    CAF_CHECK_EQUAL(seen.datagrams.size(), left);
    seen.datagrams.clear();
  }
}

CAF_TEST(packets above the data channel are data) {
  // Its first byte would be an acknowledgement's.
  auto packet = datagram(1, 40, opcode::ack_v1);
  auto hdl = start("data_channel:drop=1,opcode=control");
  tell(hdl, atom::down_v, make_batch({packet}));
  CAF_CHECK_EQUAL(seen.down.size(), 1u);
  hdl = start("data_channel:drop=1,opcode=data");
  tell(hdl, atom::down_v, make_batch({packet}));
  CAF_CHECK_EQUAL(seen.down.size(), 1u);
}

CAF_TEST(a super packet is one packet and keeps its description) {
  seen.keep = true;
  auto train = [&] {
    auto batch = make_train(datagrams(10), 13);
    auto& run = batch->runs[0];
    run.train = protocol::train_kind::tcp4;
    run.needs_checksum = true;
    run.checksum_start = 20;
    run.checksum_offset = 16;
    return batch;
  };
  auto like_it = [](const packet_run& x) {
    return x.length == 400 && x.stride == 13
           && x.train == protocol::train_kind::tcp4 && x.needs_checksum
           && x.checksum_start == 20 && x.checksum_offset == 16;
  };
  bytes all;
  for (auto& x : datagrams(10))
    all.insert(all.end(), x.begin(), x.end());
  for (auto text : {"corrupt=1", "truncate=1", "extend=1", "duplicate=1",
                    "delay=1s", "delay=1s,corrupt=1"}) {
    auto hdl = start(std::string{"data_channel:"} + text);
    tell(hdl, atom::down_v, train());
    pass(1s);
    CAF_REQUIRE(!seen.batches.empty());
    for (auto& x : seen.batches) {
      CAF_REQUIRE_EQUAL(x->count, 1u);
      CAF_CHECK(like_it(x->runs[0]));
    }
    for (auto& x : seen.down)
      CAF_CHECK(x == all);
    CAF_CHECK_EQUAL(counter(hdl, "fault_seen"), 1u);
    seen.batches.clear();
    seen.down.clear();
  }
  auto hdl = start("data_channel:drop=1");
  tell(hdl, atom::down_v, train());
  CAF_CHECK(seen.down.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
