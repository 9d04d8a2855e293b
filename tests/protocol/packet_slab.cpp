// Space in a slab whose packets are read one after the other.
#define CAF_SUITE protocol.packet_slab

#include "vpn/protocol/packet_slab.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::owned_slab;

namespace {

/// Offset of the place, -1 if there is none.
int64_t place(slab_gap& gap, byte_view body, owned_slab& in, uint32_t run) {
  auto* at = gap.place(body, in.slab.view(in.slab.runs[run]), in.slab);
  return at == nullptr ? -1 : at - in.slab.data;
}

} // namespace

CAF_TEST(what lies in the packet stays there) {
  owned_slab in{100, 8};
  in.put(bytes(40, 1));
  in.put(bytes(60, 2));
  slab_gap gap{in.slab};
  CAF_CHECK_EQUAL(place(gap, {in.slab.data + 10, 30}, in, 0), 10);
  CAF_CHECK_EQUAL(place(gap, {in.slab.data + 40, 60}, in, 1), 40);
}

CAF_TEST(what lies elsewhere takes the place of what was read) {
  owned_slab in{150, 8};
  for (uint8_t i = 0; i < 3; ++i)
    in.put(bytes(50, i));
  slab_gap gap{in.slab};
  CAF_CHECK_EQUAL(place(gap, {in.slab.data + 10, 20}, in, 0), 10);
  // From byte 30 to the end of the second packet.
  CAF_CHECK_EQUAL(place(gap, bytes(71, 9), in, 1), -1);
  CAF_CHECK_EQUAL(place(gap, bytes(40, 9), in, 1), 30);
  CAF_CHECK_EQUAL(in.slab.data[69], 9u);
  CAF_CHECK_EQUAL(in.slab.data[70], 1u);
  CAF_CHECK_EQUAL(place(gap, {in.slab.data + 120, 20}, in, 2), 120);
  CAF_CHECK_EQUAL(place(gap, bytes(10, 9), in, 2), 140);
  CAF_CHECK_EQUAL(place(gap, bytes(1, 9), in, 2), -1);
}

CAF_TEST(without such a place the end of the slab will do) {
  owned_slab in{300, 8};
  for (uint8_t i = 0; i < 3; ++i)
    in.put(bytes(50, i));
  slab_gap gap{in.slab};
  CAF_CHECK_EQUAL(place(gap, bytes(100, 9), in, 0), 150);
  CAF_CHECK_EQUAL(in.slab.used, 250u);
  CAF_CHECK_EQUAL(place(gap, bytes(50, 9), in, 0), 0);
  CAF_CHECK_EQUAL(place(gap, bytes(51, 9), in, 1), -1);
  CAF_CHECK_EQUAL(place(gap, bytes(50, 9), in, 1), 50);
}

CAF_TEST(packets out of order are not written over) {
  owned_slab in{200, 8};
  in.put(bytes(50, 1));
  in.put(bytes(50, 2));
  std::swap(in.slab.runs[0], in.slab.runs[1]);
  slab_gap gap{in.slab};
  CAF_CHECK_EQUAL(place(gap, bytes(10, 9), in, 0), 100);
  CAF_CHECK_EQUAL(place(gap, bytes(91, 9), in, 1), -1);
  owned_slab twice{100, 8};
  twice.put(bytes(50, 1));
  twice.slab.add(40, 50);
  slab_gap other{twice.slab};
  CAF_CHECK_EQUAL(place(other, bytes(10, 9), twice, 0), 50);
}

CAF_TEST(neither what is unread nor what was handed on is ever touched) {
  test::seeded random{81};
  for (int round = 0; round < 3000; ++round) {
    owned_slab in{400, 16};
    for (uint8_t i = 0; i < 8; ++i) {
      in.slab.used += random.below(5);
      in.put(bytes(1 + random.below(40), i));
    }
    slab_gap gap{in.slab};
    std::vector<std::pair<uint32_t, bytes>> given;
    for (uint32_t i = 0; i < 8; ++i) {
      auto& run = in.slab.runs[i];
      CAF_REQUIRE(in.slab.view(run)
                  == byte_view{bytes(run.length, uint8_t(i))});
      bytes body(1 + random.below(60), static_cast<uint8_t>(100 + i));
      if (random.one_in(3))
        continue;
      bool inside = random.one_in(2);
      auto where = inside
                     ? place(gap, in.slab.view(run).from(run.length / 2), in, i)
                     : place(gap, body, in, i);
      if (where < 0)
        continue;
      auto size = inside ? run.length - run.length / 2
                         : static_cast<uint32_t>(body.size());
      given.emplace_back(where, byte_view{in.slab.data + where, size}.copy());
      for (auto& x : given)
        CAF_REQUIRE(byte_view(in.slab.data + x.first, x.second.size())
                    == byte_view{x.second});
    }
  }
  CAF_CHECK(true);
}
