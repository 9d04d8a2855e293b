// One change of this host's network settings, with all that is needed to make
// it, to show it and to take it back.
// spec: anchors 5.3
#include "vpn/actors/host_change.hpp"

#include <string_view>

namespace vpn::actors {

namespace {

std::string tool_for(const host_change& x) {
  return x.prefix.address.kind == family::v6 ? "ip -6 " : "ip ";
}

std::string link_command(const host_change& x, std::string_view what) {
  return "ip link set dev " + x.device + " " + std::string{what};
}

std::string address_command(const host_change& x, std::string_view verb) {
  auto result = tool_for(x) + "addr " + std::string{verb} + " ";
  result += x.gateway.defined()
              ? to_string(x.prefix.address) + " peer " + to_string(x.gateway)
              : to_string(x.prefix);
  result += " dev " + x.device;
  return result;
}

/// The names every `ip` knows; others are typed as numbers.
std::string protocol_name(uint8_t x) {
  switch (x) {
    case 2:
      return "kernel";
    case 3:
      return "boot";
    case 4:
      return "static";
    case 9:
      return "ra";
    case 16:
      return "dhcp";
    default:
      return std::to_string(x);
  }
}

/// What `ip` takes when no scope is typed: global (0) through a gateway, else
/// link (253).
uint8_t usual_scope(const host_change& x) {
  return x.gateway.defined() ? 0 : 253;
}

std::string route_command(const host_change& x, std::string_view verb) {
  auto result = tool_for(x) + "route " + std::string{verb} + " ";
  result += x.prefix.length == 0 ? "default" : to_string(x.prefix);
  if (x.gateway.defined())
    result += " via " + to_string(x.gateway);
  if (!x.device.empty())
    result += " dev " + x.device;
  if (x.protocol != 0)
    result += " proto " + protocol_name(x.protocol);
  if (x.scope && *x.scope != usual_scope(x))
    result += " scope " + std::to_string(*x.scope);
  if (x.source.defined())
    result += " src " + to_string(x.source);
  if (x.metric)
    result += " metric " + std::to_string(*x.metric);
  if (x.on_link && verb == "add")
    result += " onlink";
  return result;
}

std::string value_command(const host_change& x, uint32_t value) {
  auto name = x.kind == host_change_kind::mtu_set ? "mtu " : "txqueuelen ";
  return link_command(x, name + std::to_string(value));
}

} // namespace

std::string to_command(const host_change& x) {
  switch (x.kind) {
    case host_change_kind::link_up:
      return link_command(x, "up");
    case host_change_kind::address_added:
      return address_command(x, "add");
    case host_change_kind::route_added:
      return route_command(x, "add");
    case host_change_kind::route_removed:
      return route_command(x, "del");
    default:
      return value_command(x, x.after);
  }
}

std::string to_undo_command(const host_change& x) {
  switch (x.kind) {
    case host_change_kind::link_up:
      return link_command(x, "down");
    case host_change_kind::address_added:
      return address_command(x, "del");
    case host_change_kind::route_added:
      return route_command(x, "del");
    case host_change_kind::route_removed:
      return route_command(x, "add");
    default:
      return value_command(x, x.before);
  }
}

} // namespace vpn::actors
