// The names of layers.
// spec: design 3
#define CAF_SUITE protocol.layer

#include "vpn/protocol/layer.hpp"

#include "caf/test/unit_test.hpp"

#include <set>

using namespace vpn::protocol;

CAF_TEST(each layer has a name of its own that leads back to it) {
  std::set<std::string> names;
  for (auto x : all_layers) {
    auto name = to_string(x);
    names.insert(name);
    auto back = parse_layer(name);
    CAF_REQUIRE(back);
    CAF_CHECK(*back == x);
  }
  CAF_CHECK_EQUAL(names.size(), all_layers.size());
  CAF_CHECK_EQUAL(names.count("unknown"), 0u);
  CAF_CHECK_EQUAL(to_string(layer::data_channel), "data_channel");
}

CAF_TEST(the list of layers is in the order of the enum) {
  for (size_t i = 0; i < all_layers.size(); ++i)
    CAF_CHECK_EQUAL(static_cast<size_t>(all_layers[i]), i);
}

CAF_TEST(nothing but the exact name is a layer) {
  for (auto name : {"", " ", "unknown", "Network", "network ", " network",
                    "networ", "networks", "data-channel", "data", "tls.up"})
    CAF_CHECK(!parse_layer(name));
  CAF_CHECK(!parse_layer(std::string_view{"tun\0", 4}));
}

CAF_TEST(what is no layer has a name that is none) {
  CAF_CHECK_EQUAL(to_string(static_cast<layer>(all_layers.size())), "unknown");
}
