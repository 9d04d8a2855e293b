// The name servers of a tunnel: which of the host's two ways is taken.
#include "vpn/actors/host_dns.hpp"

#include "resolv_conf.hpp"
#include "resolved_link.hpp"

namespace vpn::actors {

struct host_dns::impl {
  explicit impl(dns_places x, change_log y)
    : places(std::move(x)),
      log(std::move(y)),
      file(places.resolv_conf, places.resolv_conf_file) {}

  void say(const std::string& text) const {
    if (log)
      log(text);
  }

  dns_places places;
  change_log log;
  resolv_conf file;
  std::unique_ptr<resolved_link> resolved;
  std::string device;
};

host_dns::host_dns(dns_places places, change_log log)
  : impl_(std::make_unique<impl>(std::move(places), std::move(log))) {
}

host_dns::~host_dns() {
  try {
    undo();
  } catch (...) {
    // A log that throws, or no memory: a destructor has nobody to tell.
  }
}

expected<std::vector<std::string>, failure>
host_dns::apply(const protocol::dns_config& cfg, const std::string& device,
                uint32_t device_index) {
  undo();
  auto& x = *impl_;
  if (cfg.empty())
    return std::vector<std::string>{};
  x.device = device;
  if (x.file.points_to_resolved())
    x.resolved = resolved_link::connect(
      x.places.bus ? x.places.bus : open_system_bus(x.places.system_bus));
  if (x.resolved) {
    auto result = x.resolved->apply(cfg, device_index);
    if (result)
      x.say("resolvectl dns " + device + " ("
            + std::to_string(cfg.servers.size())
            + " servers), resolvectl domain " + device);
    else
      x.resolved.reset();
    return result;
  }
  auto result = x.file.apply(cfg);
  if (result)
    x.say("# name servers written to " + x.places.resolv_conf);
  return result;
}

void host_dns::undo() {
  auto& x = *impl_;
  if (x.resolved) {
    x.resolved->undo();
    x.resolved.reset();
    x.say("resolvectl revert " + x.device);
  }
  if (x.file.applied()) {
    if (auto problem = x.file.undo())
      x.say("# " + *problem);
    else
      x.say("# name servers restored in " + x.places.resolv_conf);
  }
}

std::string host_dns::backend() const {
  if (impl_->resolved)
    return "systemd-resolved";
  return impl_->file.applied() ? impl_->places.resolv_conf : std::string{};
}

} // namespace vpn::actors
