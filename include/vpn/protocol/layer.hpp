// The actors of a session by name, as users, logs and faults call them.
// spec: design 3
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vpn::protocol {

enum class layer : uint8_t {
  network,
  muxer,
  reliable,
  control,
  tls,
  data_channel,
  tun,
  host,
  resolver,
  runner,
};

constexpr std::array<layer, 10> all_layers{
  layer::network,  layer::muxer,        layer::reliable, layer::control,
  layer::tls,      layer::data_channel, layer::tun,      layer::host,
  layer::resolver, layer::runner};

/// "data_channel".
std::string to_string(layer x);
/// The exact name, or nothing.
std::optional<layer> parse_layer(std::string_view name);

} // namespace vpn::protocol
