// Opens the kernel's TUN device, with as much offload as this kernel has.
// spec: performance 2.5
#pragma once

#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"

#include <string>

namespace vpn::actors {

struct tun_device_config {
  /// "tun" takes the next free tunN, everything else is the very name.
  std::string name = "tun";
  /// Ask for super-packets. Without it every packet is read and written alone
  /// and without a header.
  bool offload = true;
  /// /dev/net/tun, opened by `open_tun_file` while that was allowed; moved
  /// from. Without it the file is opened here.
  unique_fd* file = nullptr;
};

struct opened_tun {
  /// Non-blocking and close-on-exec. The device goes when the last descriptor
  /// of it is closed, unless somebody made it persistent.
  unique_fd fd;
  std::string name;
  /// A virtio_net_hdr of 10 bytes stands before each packet, both ways.
  bool vnet_hdr = false;
  /// The kernel hands us TCP super-packets and checksums to finish.
  bool tso = false;
  /// The same for UDP.
  bool uso = false;
};

/// Opens one queue. With `file` it is used up in any case. The device is never
/// shared: a second queue on somebody else's device would silently take part of
/// its packets.
expected<opened_tun, failure> open_tun(const tun_device_config& config);

} // namespace vpn::actors
