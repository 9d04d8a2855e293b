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

namespace {

using protocol::tunnel_config;

failure no_kernel(const os_error& why) {
  return {reason::host_failed, "cannot talk to the kernel: " + why.text};
}

/// Settings of the device itself: they have one value, not a list.
bool is_value(const host_change& x) {
  return x.kind == host_change_kind::mtu_set
         || x.kind == host_change_kind::tx_queue_set
         || x.kind == host_change_kind::link_up;
}

} // namespace

struct host_network::setup {
  tunnel_config tunnel;
  std::string device;
  link_state link;
  tunnel_setup steps;
};

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
host_network::apply(const tunnel_config& tunnel, const std::string& device) {
  std::optional<host_survey> earlier;
  if (setup_ && setup_->device == device && !device.empty()) {
    // What is left of the one before that has waited for its routes in vain.
    journal_.insert(journal_.begin(), former_.begin(), former_.end());
    former_ = std::exchange(journal_, {});
    earlier = setup_->steps.before();
  } else {
    undo();
  }
  setup_.reset();
  if (device.empty())
    return std::vector<std::string>{};
  auto kernel = netlink::open();
  if (!kernel)
    return no_kernel(kernel.error());
  auto link = kernel->link(device);
  if (!link)
    return failure{reason::host_failed,
                   "device " + device + ": " + link.error().text};
  setup_ = std::make_unique<setup>();
  setup_->tunnel = tunnel;
  setup_->device = device;
  setup_->link = *link;
  auto result = setup_->steps.set_addresses(*kernel, setup_->tunnel, *link,
                                            earlier, [&](const host_change& x) {
                                              return make(*kernel, x);
                                            });
  if (!result)
    undo();
  return result;
}

expected<std::vector<std::string>, failure> host_network::add_routes() {
  if (!setup_)
    return std::vector<std::string>{};
  auto kernel = netlink::open();
  if (!kernel)
    return no_kernel(kernel.error());
  auto result = setup_->steps.add_routes(*kernel, setup_->tunnel, setup_->link,
                                         [&](const host_change& x) {
                                           return make(*kernel, x);
                                         });
  if (result)
    drop_former(*kernel);
  else
    undo();
  return result;
}

void host_network::undo() {
  setup_.reset();
  if (journal_.empty() && former_.empty())
    return;
  auto kernel = netlink::open();
  if (!kernel) {
    log("# cannot talk to the kernel: " + kernel.error().text);
    return;
  }
  take_back(*kernel, journal_);
  take_back(*kernel, former_);
  announce();
}

void host_network::adopt(std::vector<host_change> journal) {
  journal_.insert(journal_.begin(), std::make_move_iterator(journal.begin()),
                  std::make_move_iterator(journal.end()));
}

// -- observers --

ip_address host_network::former_gateway(family kind) const {
  if (!setup_ || !setup_->steps.before())
    return {};
  const auto& route = setup_->steps.before()->default_route(kind);
  return route ? route->gateway : ip_address{};
}

std::vector<host_change> host_network::journal() const {
  auto result = former_;
  result.insert(result.end(), journal_.begin(), journal_.end());
  return result;
}

// -- private --

/// The record comes before the deed: a process that dies in between leaves an
/// entry that has nothing to take back, which does no harm.
kernel_result<done_t> host_network::make(netlink& kernel,
                                         const host_change& x) {
  if (take_over(x))
    return done;
  make_room(kernel, x);
  journal_.push_back(x);
  announce();
  auto result = perform(kernel, x);
  if (result)
    log(to_command(x));
  else
    journal_.pop_back();
  return result;
}

/// True when the former tunnel has made this very change.
bool host_network::take_over(const host_change& x) {
  auto i = std::find(former_.begin(), former_.end(), x);
  if (i == former_.end())
    return false;
  journal_.push_back(std::move(*i));
  former_.erase(i);
  return true;
}

/// A route of the former tunnel that leads elsewhere stands in the way of one
/// to the same destination.
void host_network::make_room(netlink& kernel, const host_change& x) {
  if (x.kind != host_change_kind::route_added)
    return;
  auto i
    = std::find_if(former_.begin(), former_.end(), [&](const host_change& y) {
        return y.kind == x.kind && y.prefix == x.prefix && y.metric == x.metric;
      });
  if (i == former_.end())
    return;
  std::vector<host_change> one{std::move(*i)};
  former_.erase(i);
  take_back(kernel, one);
  former_.insert(former_.begin(), one.begin(), one.end());
}

/// Takes back what this tunnel does not need. What was the device's own value
/// before the first tunnel is still what it gets back in the end.
void host_network::drop_former(netlink& kernel) {
  std::vector<host_change> values;
  for (auto i = former_.begin(); i != former_.end();)
    if (is_value(*i)) {
      values.push_back(std::move(*i));
      i = former_.erase(i);
    } else {
      ++i;
    }
  auto had_some = !former_.empty();
  take_back(kernel, former_);
  journal_.insert(journal_.begin(), former_.begin(), former_.end());
  journal_.insert(journal_.begin(), values.begin(), values.end());
  former_.clear();
  if (had_some)
    announce();
}

/// What the kernel refuses stays in the list.
void host_network::take_back(netlink& kernel, std::vector<host_change>& from) {
  std::vector<host_change> refused;
  while (!from.empty()) {
    auto x = std::move(from.back());
    from.pop_back();
    auto result = revert(kernel, x);
    if (!result) {
      log("# " + to_undo_command(x) + ": " + result.error().text);
      refused.push_back(std::move(x));
    } else if (*result == revert_outcome::reverted) {
      log(to_undo_command(x));
    }
  }
  from.assign(std::make_move_iterator(refused.rbegin()),
              std::make_move_iterator(refused.rend()));
}

void host_network::log(const std::string& line) const {
  if (log_)
    log_(line);
}

void host_network::announce() const {
  if (journal_log_)
    journal_log_(journal());
}

} // namespace vpn::actors
