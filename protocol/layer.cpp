// The actors of a session by name: see the header.
// spec: design 3
#include "vpn/protocol/layer.hpp"

namespace vpn::protocol {

std::string to_string(layer x) {
  switch (x) {
    case layer::network:
      return "network";
    case layer::muxer:
      return "muxer";
    case layer::reliable:
      return "reliable";
    case layer::control:
      return "control";
    case layer::tls:
      return "tls";
    case layer::data_channel:
      return "data_channel";
    case layer::tun:
      return "tun";
    case layer::host:
      return "host";
    case layer::resolver:
      return "resolver";
    case layer::runner:
      return "runner";
  }
  return "unknown";
}

std::optional<layer> parse_layer(std::string_view name) {
  for (auto x : all_layers)
    if (to_string(x) == name)
      return x;
  return std::nullopt;
}

} // namespace vpn::protocol
