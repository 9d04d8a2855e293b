// Distances between names.
#define CAF_SUITE protocol.nearest_name

#include "vpn/protocol/nearest_name.hpp"

#include "caf/test/unit_test.hpp"

#include <string>

using namespace vpn::protocol;

CAF_TEST(each slip of a finger is one edit) {
  CAF_CHECK_EQUAL(edit_distance("", ""), 0u);
  CAF_CHECK_EQUAL(edit_distance("drop", "drop"), 0u);
  CAF_CHECK_EQUAL(edit_distance("drop", "drp"), 1u);
  CAF_CHECK_EQUAL(edit_distance("drop", "droop"), 1u);
  CAF_CHECK_EQUAL(edit_distance("drop", "dros"), 1u);
  CAF_CHECK_EQUAL(edit_distance("drop", "dorp"), 1u);
  CAF_CHECK_EQUAL(edit_distance("drop", ""), 4u);
  CAF_CHECK_EQUAL(edit_distance("", "drop"), 4u);
  CAF_CHECK_EQUAL(edit_distance("kitten", "sitting"), 3u);
}

CAF_TEST(the distance is the same both ways) {
  for (auto x : {"delay", "dealy", "replay", "replay-after", "up", ""})
    for (auto y : {"dely", "relay", "after", "pu", "corrupt"})
      CAF_CHECK_EQUAL(edit_distance(x, y), edit_distance(y, x));
}

CAF_TEST(what is too long is as far away as it is long) {
  std::string longest(max_near_name, 'a'), longer(max_near_name + 1, 'a');
  CAF_CHECK_EQUAL(edit_distance(longest, longest), 0u);
  CAF_CHECK_EQUAL(edit_distance(longest, longest.substr(1)), 1u);
  CAF_CHECK_EQUAL(edit_distance(longer, longest), longer.size());
  CAF_CHECK_EQUAL(edit_distance("a", longer), longer.size());
  CAF_CHECK(nearest_name(longer, {longest}).empty());
}

CAF_TEST(the nearest name is found) {
  std::vector<std::string_view> names{"drop",   "burst",        "delay",
                                      "replay", "replay-after", "up"};
  CAF_CHECK_EQUAL(nearest_name("dorp", names), "drop");
  CAF_CHECK_EQUAL(nearest_name("bursts", names), "burst");
  CAF_CHECK_EQUAL(nearest_name("dealys", names), "delay");
  CAF_CHECK_EQUAL(nearest_name("repaly", names), "replay");
  CAF_CHECK_EQUAL(nearest_name("drop", names), "drop");
  CAF_CHECK_EQUAL(nearest_name("upp", names), "up");
}

CAF_TEST(among equals the first counts) {
  CAF_CHECK_EQUAL(nearest_name("byt", {"bit", "byte"}), "bit");
  CAF_CHECK_EQUAL(nearest_name("byt", {"byte", "bit"}), "byte");
}

CAF_TEST(a beginning is near to what goes on) {
  CAF_CHECK_EQUAL(nearest_name("hard", {"soft_reset", "hard_reset"}),
                  "hard_reset");
}

CAF_TEST(what is far from everything has no nearest name) {
  CAF_CHECK(nearest_name("", {"drop"}).empty());
  CAF_CHECK(nearest_name("dr", {"drop"}).empty());
  CAF_CHECK(nearest_name("dxyp", {"drop"}).empty());
  CAF_CHECK(nearest_name("something", {"drop", "delay"}).empty());
  CAF_CHECK(nearest_name("abc", {}).empty());
  CAF_CHECK(nearest_name("abc", {""}).empty());
}
