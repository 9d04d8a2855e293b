// systemd-resolved: the name servers of one link, over D-Bus.
#pragma once

#include "vpn/protocol/dns_config.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct sd_bus;

namespace vpn::actors {

class resolved_link {
public:
  /// Nothing when there is no bus, or no systemd-resolved on it.
  static std::unique_ptr<resolved_link> connect(std::shared_ptr<sd_bus> bus);
  resolved_link(const resolved_link&) = delete;
  resolved_link& operator=(const resolved_link&) = delete;

  // -- commands --
  /// Returns warnings; after a failure the link is as it was before.
  expected<std::vector<std::string>, failure>
  apply(const protocol::dns_config& cfg, uint32_t device_index);
  /// Takes this link as one that was told something here.
  void adopt(uint32_t device_index) noexcept;
  /// RevertLink. A link that is gone needs none.
  void undo();

private:
  explicit resolved_link(std::shared_ptr<sd_bus> bus) : bus_(std::move(bus)) {}
  struct call_error;
  template <class Fill>
  void call(const char* method, Fill fill);

  std::shared_ptr<sd_bus> bus_;
  int32_t index_ = 0;
};

} // namespace vpn::actors
