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

// -- a window that is closed up to an id --

CAF_TEST(a closed window refuses what is below and judges what is above) {
  struct row {
    /// The highest id accepted before; zero for a new window.
    uint64_t highest;
    uint64_t up_to;
  };
  // Edges of words and of the window, ahead of what was seen and behind it.
  for (auto& x : {row{0, 1},
                  row{0, 62},
                  row{0, 63},
                  row{0, 64},
                  row{0, 5000},
                  row{1, 1},
                  row{1, 64},
                  row{100, 100},
                  row{100, 163},
                  row{100, 99},
                  row{100, 63},
                  row{100, 1},
                  row{5000, 4999},
                  row{5000, 4992},
                  row{5000, 2953},
                  row{5000, 2952},
                  row{5000, 100},
                  row{5000, 7047},
                  row{5000, 7048},
                  row{5000, 90000},
                  row{uint64_t{1} << 40, 5000},
                  row{5000, uint64_t{1} << 40}}) {
    replay_window window;
    if (x.highest != 0)
      CAF_REQUIRE(window.accept(x.highest));
    window.close(x.up_to);
    auto top = std::max(x.highest, x.up_to);
    CAF_CHECK_EQUAL(window.highest(), top);
    CAF_CHECK(refused_as(window.accept(0), errc::bad_packet_id));
    auto from = top > 3000 ? top - 3000 : 1;
    for (auto id = from; id <= top; ++id) {
      auto open
        = id > x.up_to && top - id < replay_window::size && id != x.highest;
      CAF_REQUIRE_EQUAL(static_cast<bool>(window.accept(id)), open);
      CAF_REQUIRE(refused_as(window.accept(id), errc::replayed));
    }
    // From here on it is a window like any other.
    CAF_CHECK(window.accept(top + 2));
    CAF_CHECK(window.accept(top + 1));
    CAF_CHECK(refused_as(window.accept(top + 1), errc::replayed));
    CAF_CHECK(refused_as(window.accept(top), errc::replayed));
    CAF_CHECK(window.accept(top + 4096));
    CAF_CHECK(window.accept(top + 4095));
  }
}

CAF_TEST(closing up to nothing changes nothing) {
  replay_window window;
  window.close(0);
  CAF_CHECK(window.accept(1));
  window.close(0);
  CAF_CHECK(window.accept(2));
}

CAF_TEST(a window closed up to the last id is the end) {
  for (uint64_t last : {uint64_t{last_id}, UINT64_MAX}) {
    replay_window window;
    CAF_CHECK(window.accept(7));
    window.close(last);
    CAF_CHECK(refused_as(window.accept(8), errc::replayed));
    CAF_CHECK(refused_as(window.accept(last), errc::replayed));
    CAF_CHECK(refused_as(window.accept(last - 1), errc::replayed));
  }
}

CAF_TEST(random ids of a window that is closed now and then) {
  test::seeded random{8};
  replay_window window;
  reference_window reference;
  uint32_t closed = 0;
  uint32_t base = 1;
  for (int i = 0; i < 200000; ++i) {
    if (random.one_in(700)) {
      closed = std::max(closed, base + random.below(6000));
      window.close(closed);
      reference.highest = std::max(reference.highest, closed);
    }
    auto id = base + random.below(4500);
    ++base;
    auto open = id > closed && reference.accept(id);
    CAF_REQUIRE_EQUAL(static_cast<bool>(window.accept(id)), open);
    CAF_REQUIRE_EQUAL(window.highest(), reference.highest);
  }
}

// -- wrap ids --

CAF_TEST(a sender counts from one and keeps the time of its first id) {
  wrap_id_sender sender;
  auto x = sender.next(at(0x61d3bf6c));
  CAF_CHECK_EQUAL(x.counter, 1u);
  CAF_CHECK_EQUAL(x.time, 0x61d3bf6cu);
  x = sender.next(at(0x61d3bfff));
  CAF_CHECK_EQUAL(x.counter, 2u);
  CAF_CHECK_EQUAL(x.time, 0x61d3bf6cu);
}

CAF_TEST(skipped counters are left out and nothing else) {
  wrap_id_sender sender;
  // Before the first id there is no time yet.
  sender.skip(1000);
  auto x = sender.next(at(0x61d3bf6c));
  CAF_CHECK_EQUAL(x.counter, 1001u);
  CAF_CHECK_EQUAL(x.time, 0x61d3bf6cu);
  sender.skip(0);
  CAF_CHECK_EQUAL(sender.next(at(0x61d3bf6d)).counter, 1002u);
  sender.skip(7);
  sender.skip(3);
  x = sender.next(at(0x61d3bf6d));
  CAF_CHECK_EQUAL(x.counter, 1013u);
  CAF_CHECK_EQUAL(x.time, 0x61d3bf6cu);
}

CAF_TEST(a counter may begin above a base) {
  wrap_id_sender sender{0x0f000000};
  CAF_CHECK_EQUAL(sender.next(at(5)).counter, 0x0f000001u);
  sender.skip(0x10);
  CAF_CHECK_EQUAL(sender.next(at(5)).counter, 0x0f000012u);
}

CAF_TEST(pairs grow beyond the last counter) {
  for (uint32_t base : {0u, 0x0f000000u})
    for (uint32_t left : {0u, 1u, 2u})
      for (int64_t later : {-100, 0, 100}) {
        wrap_id_sender sender{base};
        auto first = sender.next(at(1000));
        sender.skip(last_id - first.counter - left);
        auto now = at(1000 + later);
        for (uint32_t i = 0; i < left; ++i) {
          auto x = sender.next(now);
          CAF_CHECK_EQUAL(x.counter, last_id - left + 1 + i);
          CAF_CHECK_EQUAL(x.time, 1000u);
        }
        auto x = sender.next(now);
        CAF_CHECK_EQUAL(x.counter, base + 1);
        CAF_CHECK_EQUAL(x.time, later > 0 ? 1100u : 1001u);
      }
}

CAF_TEST(what is skipped beyond the last counter is skipped after it) {
  // Two senders of the same ids: the one that stopped may have used `n` more.
  for (uint32_t n : {1u, 5u, 100u}) {
    for (uint32_t left : {0u, 3u, 99u}) {
      wrap_id_sender old;
      auto first = old.next(at(1000));
      old.skip(last_id - first.counter - left);
      auto fresh = old;
      std::set<std::pair<uint32_t, uint32_t>> used;
      for (uint32_t i = 0; i < n; ++i) {
        auto x = old.next(at(1000));
        used.emplace(x.time, x.counter);
      }
      CAF_CHECK_EQUAL(used.size(), n);
      fresh.skip(n);
      auto x = fresh.next(at(1000));
      CAF_CHECK(std::make_pair(x.time, x.counter) > *used.rbegin());
      auto y = old.next(at(1000));
      CAF_CHECK_EQUAL(x.time, y.time);
      CAF_CHECK_EQUAL(x.counter, y.counter);
    }
  }
}

CAF_TEST(however much is skipped pairs grow and are accepted) {
  test::seeded random{4};
  for (uint32_t base : {0u, 0x0f000000u}) {
    wrap_id_sender sender{base};
    wrap_id_receiver receiver;
    wrap_packet_id before;
    for (int i = 0; i < 1000; ++i) {
      for (auto k = random.below(4); k > 0; --k)
        sender.skip(random.one_in(2) ? random.below(10)
                                     : random.below(last_id));
      auto x = sender.next(at(1000 + i / 100));
      CAF_REQUIRE(std::make_pair(x.time, x.counter)
                  > std::make_pair(before.time, before.counter));
      CAF_REQUIRE(x.counter > base);
      CAF_REQUIRE(receiver.accept(x));
      before = x;
    }
  }
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
