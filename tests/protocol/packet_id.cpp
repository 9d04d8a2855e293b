// Packet ids: what the replay window accepts, and the wrap ids of both sides.
// spec: openvpn-wire 2.6, 9.7, 9.9

#define CAF_SUITE protocol.packet_id

#include "vpn/protocol/packet_id.hpp"

#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn;
using namespace vpn::protocol;

namespace {

constexpr uint32_t last_id = 0xffffffff;

bool refused_as(expected<done_t> x, errc wanted) {
  return !x && x.error() == wanted;
}

/// The window as its description says it, with a set instead of a bitmap.
struct reference_window {
  uint32_t highest = 0;
  std::set<uint32_t> seen;
  bool accept(uint32_t id) {
    if (id == 0 || (id < highest && highest - id >= replay_window::size))
      return false;
    highest = std::max(highest, id);
    seen.erase(seen.begin(),
               seen.lower_bound(highest - std::min(highest, 4096u)));
    return seen.insert(id).second;
  }
};

instant at(int64_t seconds) {
  instant result;
  result.unix_seconds = seconds;
  return result;
}

} // namespace

CAF_TEST(ids in order are accepted once) {
  replay_window window;
  for (uint32_t id = 1; id < 5000; ++id) {
    CAF_REQUIRE(window.accept(id));
    CAF_REQUIRE(refused_as(window.accept(id), errc::replayed));
  }
  CAF_CHECK_EQUAL(window.highest(), 4999u);
}

CAF_TEST(zero is not an id) {
  replay_window window;
  CAF_CHECK(refused_as(window.accept(0), errc::bad_packet_id));
  CAF_CHECK(window.accept(1));
  CAF_CHECK(refused_as(window.accept(0), errc::bad_packet_id));
  CAF_CHECK(window.accept(100000));
  CAF_CHECK(refused_as(window.accept(0), errc::bad_packet_id));
}

CAF_TEST(late ids are accepted once down to the edge of the window) {
  // Edges inside a word and at its ends.
  for (uint32_t high : {2049u, 2111u, 2112u, 2113u, 6400u, 7000u, last_id}) {
    replay_window window;
    CAF_REQUIRE(window.accept(high));
    auto lowest = high - replay_window::size + 1;
    CAF_CHECK(refused_as(window.accept(lowest - 1), errc::replayed));
    for (auto id = lowest; id != high; ++id)
      CAF_REQUIRE(window.accept(id));
    for (auto id = lowest; id != high; ++id)
      CAF_REQUIRE(refused_as(window.accept(id), errc::replayed));
    CAF_CHECK(refused_as(window.accept(high), errc::replayed));
  }
}

CAF_TEST(a jump forgets what is behind the window and nothing else) {
  for (uint32_t jump : {1u, 63u, 64u, 65u, 2047u, 2048u, 2112u, 100000u}) {
    replay_window window;
    CAF_REQUIRE(window.accept(1000));
    CAF_REQUIRE(window.accept(1000 + jump));
    CAF_CHECK(refused_as(window.accept(1000), errc::replayed));
    if (jump > 1)
      CAF_CHECK(window.accept(1000 + jump - 1));
    CAF_CHECK(refused_as(window.accept(1000 + jump), errc::replayed));
  }
}

CAF_TEST(the last id is the end) {
  replay_window window;
  CAF_CHECK(window.accept(last_id - 1));
  CAF_CHECK(window.accept(last_id));
  CAF_CHECK(refused_as(window.accept(last_id), errc::replayed));
  CAF_CHECK(refused_as(window.accept(1), errc::replayed));
}

CAF_TEST(ids of the epoch format are longer) {
  replay_window window;
  constexpr uint64_t last = 0xffffffffffff;
  CAF_CHECK(window.accept(last_id));
  CAF_CHECK(window.accept(uint64_t{last_id} + 1));
  CAF_CHECK(refused_as(window.accept(uint64_t{last_id} + 1), errc::replayed));
  CAF_CHECK(refused_as(window.accept(last_id), errc::replayed));
  CAF_CHECK(window.accept(last_id - 1));
  // Equal in the lower half is not the same id.
  CAF_CHECK(window.accept(uint64_t{1} << 40));
  CAF_CHECK(window.accept(uint64_t{1} << 41));
  CAF_CHECK(refused_as(window.accept(1), errc::replayed));
  CAF_CHECK(window.accept(last));
  CAF_CHECK(refused_as(window.accept(last), errc::replayed));
  CAF_CHECK(window.accept(last - replay_window::size + 1));
  CAF_CHECK(
    refused_as(window.accept(last - replay_window::size), errc::replayed));
  CAF_CHECK_EQUAL(window.highest(), last);
}

CAF_TEST(a window that was reset is a new one) {
  replay_window window;
  CAF_CHECK(window.accept(5));
  window.reset();
  CAF_CHECK_EQUAL(window.highest(), 0u);
  CAF_CHECK(window.accept(5));
}

CAF_TEST(random ids are judged as by the reference) {
  test::seeded random{3};
  for (uint32_t start : {1u, 4000000000u}) {
    replay_window window;
    reference_window reference;
    uint32_t base = start;
    for (int i = 0; i < 100000; ++i) {
      if (random.one_in(500))
        base += random.below(5000);
      auto id = base + random.below(4500);
      ++base;
      CAF_REQUIRE_EQUAL(static_cast<bool>(window.accept(id)),
                        reference.accept(id));
      CAF_REQUIRE_EQUAL(window.highest(), reference.highest);
    }
  }
}

CAF_TEST(a sender counts from one and keeps the time of its first id) {
  wrap_id_sender sender;
  auto x = sender.next(at(0x61d3bf6c));
  CAF_CHECK_EQUAL(x.counter, 1u);
  CAF_CHECK_EQUAL(x.time, 0x61d3bf6cu);
  x = sender.next(at(0x61d3bfff));
  CAF_CHECK_EQUAL(x.counter, 2u);
  CAF_CHECK_EQUAL(x.time, 0x61d3bf6cu);
}

CAF_TEST(a receiver accepts each pair once) {
  wrap_id_receiver receiver;
  CAF_CHECK(receiver.accept({1, 100}));
  CAF_CHECK(receiver.accept({3, 100}));
  CAF_CHECK(receiver.accept({2, 100}));
  CAF_CHECK(refused_as(receiver.accept({2, 100}), errc::replayed));
  CAF_CHECK(refused_as(receiver.accept({0, 100}), errc::bad_packet_id));
}

CAF_TEST(a later time starts the counter anew and an earlier one is refused) {
  wrap_id_receiver receiver;
  CAF_CHECK(receiver.accept({7, 100}));
  CAF_CHECK(receiver.accept({1, 101}));
  CAF_CHECK(refused_as(receiver.accept({1, 101}), errc::replayed));
  CAF_CHECK(refused_as(receiver.accept({8, 100}), errc::replayed));
}

CAF_TEST(a counter of zero does not move the time) {
  wrap_id_receiver receiver;
  CAF_CHECK(receiver.accept({1, 100}));
  CAF_CHECK(refused_as(receiver.accept({0, 4000000000}), errc::bad_packet_id));
  CAF_CHECK(receiver.accept({2, 100}));
}
