// Opens the kernel's TUN device, with as much offload as this kernel has.
// spec: performance 2.5
#include "tun_device.hpp"

#include "vpn/actors/host.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

namespace vpn::actors {

namespace {

// What headers of Linux 6.1 lack. The kernel wants both USO bits or none.
constexpr unsigned tun_f_uso4 = 0x20;
constexpr unsigned tun_f_uso6 = 0x40;

// TUN_F_TSO_ECN stays off on purpose: the rare super-packet with CWR then
// arrives already cut, which is what our own cutting could not do right.
constexpr unsigned offload_tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
constexpr unsigned offload_uso = offload_tso | tun_f_uso4 | tun_f_uso6;

constexpr int vnet_header_size = 10;

std::string errno_text(int code) {
  return std::generic_category().message(code);
}

failure host_failure(std::string text) {
  return {reason::host_failed, std::move(text)};
}

/// What a person can do about it, with the blank before it.
std::string advice_for_open(int code) {
  switch (code) {
    case EPERM:
    case EACCES:
      return "; run as root or with CAP_NET_ADMIN";
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "; try: modprobe tun (in a container the host has to pass "
             "/dev/net/tun through)";
    default:
      return {};
  }
}

std::string advice_for_attach(int code) {
  switch (code) {
    case EPERM:
    case EACCES:
      return "; run as root or with CAP_NET_ADMIN";
    case EBUSY:
      return "; another process uses it, choose another name with dev";
    case EINVAL:
      return "; a device of another kind has this name, choose another one "
             "with dev";
    default:
      return {};
  }
}

/// The kernel would take "%d" as a pattern and cut a long name.
bool is_usable_name(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..")
    return false;
  for (auto c : name)
    if (c <= ' ' || c > '~' || c == '/' || c == ':' || c == '%')
      return false;
  return true;
}

} // namespace

unique_fd open_tun_file() {
  return unique_fd{::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)};
}

expected<opened_tun, failure> open_tun(const tun_device_config& config) {
  if (!is_usable_name(config.name))
    return failure{reason::bad_config,
                   "the device name has to be 1 to 15 printable characters "
                   "without blank, slash, colon and percent sign"};
  opened_tun result;
  result.fd = config.file != nullptr && *config.file ? std::move(*config.file)
                                                     : open_tun_file();
  if (!result.fd) {
    auto code = errno;
    return host_failure("cannot open /dev/net/tun: " + errno_text(code)
                        + advice_for_open(code));
  }
  auto fd = result.fd.get();
  unsigned features = 0;
  if (::ioctl(fd, TUNGETFEATURES, &features) != 0)
    features = 0;
  result.vnet_hdr = config.offload && (features & IFF_VNET_HDR) != 0;
  ifreq request;
  std::memset(&request, 0, sizeof(request));
  auto pattern = config.name == "tun" ? std::string{"tun%d"} : config.name;
  pattern.copy(request.ifr_name, IFNAMSIZ - 1);
  auto flags = IFF_TUN | IFF_NO_PI | (result.vnet_hdr ? IFF_VNET_HDR : 0);
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(fd, TUNSETIFF, &request) != 0) {
    auto code = errno;
    return host_failure("cannot set up device " + config.name + ": "
                        + errno_text(code) + advice_for_attach(code));
  }
  result.name.assign(request.ifr_name,
                     ::strnlen(request.ifr_name, sizeof(request.ifr_name)));
  if (result.vnet_hdr) {
    // A persistent device may remember another size from its last user.
    auto size = vnet_header_size;
    if (::ioctl(fd, TUNSETVNETHDRSZ, &size) != 0)
      return host_failure("cannot set the header size of device " + result.name
                          + ": " + errno_text(errno));
    if (::ioctl(fd, TUNSETOFFLOAD, offload_uso) == 0)
      result.tso = result.uso = true;
    else if (::ioctl(fd, TUNSETOFFLOAD, offload_tso) == 0)
      result.tso = true;
  }
  if (!result.tso) {
    // The same memory: offloads of the last user would reach us uninvited.
    // A kernel that refuses this has none to forget.
    static_cast<void>(::ioctl(fd, TUNSETOFFLOAD, 0U));
  }
  return result;
}

} // namespace vpn::actors
