// What the steps that set up a tunnel share: the kernel, the wish, the way to
// make a change, and the warnings so far.
#include "setup_context.hpp"

#include <cerrno>

namespace vpn::actors {

host_change setup_context::device_change(host_change_kind kind) const {
  host_change result;
  result.kind = kind;
  result.device = device.name;
  result.device_index = device.index;
  return result;
}

outcome setup_context::change(const host_change& x) {
  auto result = make(x);
  if (result)
    return done;
  if (result.error().code != EEXIST)
    return refused(x, result.error());
  warn("was so before, and stays as it is: " + to_command(x));
  return done;
}

expected<std::string, failure> setup_context::name_of(uint32_t device_index) {
  auto link = kernel.link(device_index);
  if (!link)
    return failure{reason::host_failed, "device " + std::to_string(device_index)
                                          + ": " + link.error().text};
  return link->name;
}

failure refused(const host_change& x, const os_error& why) {
  auto text = to_command(x) + ": " + why.text;
  if (why.code == EPERM)
    text += "; run as root or with CAP_NET_ADMIN";
  return {reason::host_failed, std::move(text)};
}

bool is_valid(const ip_prefix& x) {
  return x.address.defined() && x.length <= 8 * x.address.size();
}

ip_prefix host_prefix(const ip_address& x) {
  return {x, static_cast<uint8_t>(8 * x.size())};
}

bool is_link_local(const ip_address& x) {
  return x.kind == family::v6 && x.octets[0] == 0xfe
         && (x.octets[1] & 0xc0) == 0x80;
}

} // namespace vpn::actors
