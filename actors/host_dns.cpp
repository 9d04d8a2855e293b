// The name servers of a tunnel: which of the host's two ways is taken.
#include "vpn/actors/host_dns.hpp"

#include "vpn/actors/host_journal.hpp"

#include <utility>

#include "resolv_conf.hpp"
#include "resolved_link.hpp"
#include <net/if.h>

namespace vpn::actors {

struct host_dns::impl {
  using result = expected<std::vector<std::string>, failure>;

  impl(dns_places x, change_log y, std::shared_ptr<host_journal> z)
    : places(std::move(x)),
      log(std::move(y)),
      journal(std::move(z)),
      standing(journal ? journal->names() : host_names{}),
      file(places.resolv_conf, places.resolv_conf_file) {}

  void say(const std::string& text) const {
    if (log)
      log(text);
  }

  void remember(host_names x) {
    standing = std::move(x);
    if (journal)
      journal->set_names(standing);
  }

  std::unique_ptr<resolved_link> connect() const {
    return resolved_link::connect(
      places.bus ? places.bus : open_system_bus(places.system_bus));
  }

  result apply_to_link(resolved_link& link, const protocol::dns_config& cfg,
                       const std::string& device, uint32_t index);
  result apply_to_file(const protocol::dns_config& cfg);
  void undo_link();
  void undo_file();

  dns_places places;
  change_log log;
  std::shared_ptr<host_journal> journal;
  host_names standing;
  resolv_conf file;
};

host_dns::impl::result
host_dns::impl::apply_to_link(resolved_link& link,
                              const protocol::dns_config& cfg,
                              const std::string& device, uint32_t index) {
  host_names wanted;
  wanted.device = device;
  wanted.device_index = index;
  remember(wanted);
  auto warnings = link.apply(cfg, index);
  if (!warnings) {
    remember({});
    return warnings;
  }
  wanted.config = cfg;
  wanted.warnings = *warnings;
  remember(std::move(wanted));
  say("resolvectl dns " + device + " (" + std::to_string(cfg.servers.size())
      + " servers), resolvectl domain " + device);
  return warnings;
}

host_dns::impl::result
host_dns::impl::apply_to_file(const protocol::dns_config& cfg) {
  auto wanted = standing;
  if (wanted.file.empty()) {
    wanted.file = places.resolv_conf;
    remember(wanted);
  } else if (!file.applied()) {
    file.adopt();
  }
  auto stays = file.applied() && standing.config == cfg;
  auto warnings = file.apply(cfg);
  if (!warnings) {
    remember({});
    return warnings;
  }
  if (!stays) {
    wanted.config = cfg;
    remember(std::move(wanted));
    say("# name servers written to " + standing.file);
  }
  return warnings;
}

/// A link that is gone has taken its names with it.
void host_dns::impl::undo_link() {
  char name[IF_NAMESIZE] = {};
  if (if_indextoname(standing.device_index, name) != nullptr
      && standing.device == name) {
    if (auto link = connect()) {
      link->adopt(standing.device_index);
      link->undo();
    }
    say("resolvectl revert " + standing.device);
  }
  remember({});
}

void host_dns::impl::undo_file() {
  resolv_conf::restored outcome;
  if (!file.applied())
    outcome = file.adopt();
  auto path = standing.file;
  if (file.applied()) {
    outcome = file.undo();
    if (outcome.problem.empty())
      say("# name servers restored in " + path);
  }
  if (!outcome.problem.empty())
    say("# " + outcome.problem);
  if (outcome.settled)
    remember({});
}

host_dns::host_dns(dns_places places, change_log log,
                   std::shared_ptr<host_journal> journal)
  : impl_(std::make_unique<impl>(std::move(places), std::move(log),
                                 std::move(journal))) {
}

host_dns::~host_dns() {
  if (impl_->journal)
    return;
  try {
    undo();
  } catch (...) {
    // A log that throws, or no memory: a destructor has nobody to tell.
  }
}

expected<std::vector<std::string>, failure>
host_dns::apply(const protocol::dns_config& cfg, const std::string& device,
                uint32_t device_index) {
  auto& x = *impl_;
  if (cfg.empty()) {
    undo();
    return std::vector<std::string>{};
  }
  if (x.standing.device_index != 0) {
    if (x.standing.device_index == device_index && x.standing.config == cfg)
      return x.standing.warnings;
    undo();
  }
  // While the file is ours it cannot point to anybody else.
  if (x.standing.file.empty() && x.file.points_to_resolved())
    if (auto link = x.connect())
      return x.apply_to_link(*link, cfg, device, device_index);
  return x.apply_to_file(cfg);
}

void host_dns::undo() {
  auto& x = *impl_;
  if (x.standing.device_index != 0)
    x.undo_link();
  else if (!x.standing.file.empty())
    x.undo_file();
}

std::string host_dns::backend() const {
  auto& x = *impl_;
  return x.standing.device_index != 0 ? "systemd-resolved" : x.standing.file;
}

} // namespace vpn::actors
