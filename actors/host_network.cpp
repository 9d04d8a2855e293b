// Gives the tunnel its addresses and the host its routes, and remembers how it
// was before. Blocks for the microseconds the kernel takes.
// spec: openvpn-wire 7.2, 7.3
#include "vpn/actors/host_network.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host_executor.hpp"
#include "netlink.hpp"
#include "tunnel_setup.hpp"

namespace vpn::actors {

host_network::host_network(change_log log, journal_log journal)
  : log_(std::move(log)),
    journal_log_(std::move(journal)) {
}

host_network::~host_network() {
  try {
    undo();
  } catch (...) {
    // A log that throws, or no memory: a destructor has nobody to tell.
  }
}

// -- commands --

expected<std::vector<std::string>, failure>
host_network::apply(const protocol::tunnel_config& tunnel,
                    const std::string& device) {
  undo();
  if (device.empty())
    return std::vector<std::string>{};
  auto kernel = netlink::open();
  if (!kernel)
    return failure{reason::host_failed,
                   "cannot talk to the kernel: " + kernel.error().text};
  auto link = kernel->link(device);
  if (!link)
    return failure{reason::host_failed,
                   "device " + device + ": " + link.error().text};
  // The record comes before the deed: a process that dies in between leaves
  // an entry that has nothing to take back, which does no harm.
  auto make = [&](const host_change& x) {
    journal_.push_back(x);
    announce();
    auto result = perform(*kernel, x);
    if (result)
      log(to_command(x));
    else
      journal_.pop_back();
    return result;
  };
  auto result = set_up_tunnel(*kernel, tunnel, *link, make);
  if (!result)
    undo();
  return result;
}

void host_network::undo() {
  if (journal_.empty())
    return;
  auto kernel = netlink::open();
  if (!kernel) {
    log("# cannot talk to the kernel: " + kernel.error().text);
    return;
  }
  std::vector<host_change> refused;
  while (!journal_.empty()) {
    auto x = std::move(journal_.back());
    journal_.pop_back();
    auto result = revert(*kernel, x);
    if (!result) {
      log("# " + to_undo_command(x) + ": " + result.error().text);
      refused.push_back(std::move(x));
    } else if (*result == revert_outcome::reverted) {
      log(to_undo_command(x));
    }
  }
  journal_.assign(std::make_move_iterator(refused.rbegin()),
                  std::make_move_iterator(refused.rend()));
  announce();
}

void host_network::adopt(std::vector<host_change> journal) {
  journal_.insert(journal_.begin(), std::make_move_iterator(journal.begin()),
                  std::make_move_iterator(journal.end()));
}

// -- private --

void host_network::log(const std::string& line) const {
  if (log_)
    log_(line);
}

void host_network::announce() const {
  if (journal_log_)
    journal_log_(journal_);
}

} // namespace vpn::actors
