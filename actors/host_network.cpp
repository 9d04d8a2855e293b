// Gives the tunnel its addresses and the host its routes, and remembers how it
// was before. Blocks for the microseconds the kernel takes.
// spec: openvpn-wire 7.2, 7.3
#include "vpn/actors/host_network.hpp"

#include "vpn/actors/host_journal.hpp"

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

/// The earlier tunnel may have found out that the gateway needs a word more.
bool serves_as(const host_change& former, const host_change& x) {
  if (former == x)
    return true;
  auto without = former;
  without.on_link = false;
  return former.on_link && without == x;
}

/// The kernel's answer to what is so already.
bool was_so(const host_change& x, int code) {
  return code == (x.kind == host_change_kind::route_removed ? ESRCH : EEXIST);
}

/// How the host was before a tunnel that somebody else has made: of what it
/// hides, only the default route it took away matters.
host_survey survey_before(const std::vector<host_change>& former) {
  host_survey result;
  for (const auto& x : former) {
    if (x.kind != host_change_kind::route_removed || x.prefix.length != 0
        || x.prefix.address.kind != family::v4)
      continue;
    result.default4 = route_of(x);
  }
  return result;
}

} // namespace

struct host_network::setup {
  tunnel_config tunnel;
  std::string device;
  link_state link;
  tunnel_setup steps;
};

host_network::host_network(change_log log,
                           std::shared_ptr<host_journal> journal)
  : log_(std::move(log)),
    record_(std::move(journal)) {
  if (record_)
    former_ = record_->changes();
  resumes_ = !former_.empty();
}

host_network::~host_network() {
  if (record_)
    return;
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
  auto stays = setup_ && setup_->device == device;
  if ((stays || resumes_) && !device.empty()) {
    // What is left of the one before that has waited for its routes in vain.
    journal_.insert(journal_.begin(), former_.begin(), former_.end());
    former_ = std::exchange(journal_, {});
    earlier = stays ? setup_->steps.before() : survey_before(former_);
  } else {
    undo();
  }
  resumes_ = false;
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

std::vector<std::string> host_network::exempt(const tunnel_config& tunnel,
                                              const std::string& device,
                                              const ip_address& server) {
  auto no_way = [&](const std::string& why) {
    return std::vector<std::string>{"no way to " + to_string(server)
                                    + " around the tunnel" + why};
  };
  auto kernel = netlink::open();
  if (!kernel)
    return no_way(": " + no_kernel(kernel.error()).text);
  auto link = kernel->link(device);
  if (!link)
    return {};
  auto wanted = tunnel;
  wanted.server = {server, 0, 0};
  change_maker maker = [&](const host_change& x) {
    return replace(*kernel, x);
  };
  if (auto done
      = tunnel_setup::exempt_server(*kernel, wanted, *link, journal(), maker);
      !done)
    return no_way(": " + done.error().text);
  return {};
}

void host_network::undo() {
  setup_.reset();
  resumes_ = false;
  if (journal_.empty() && former_.empty())
    return;
  auto kernel = netlink::open();
  if (!kernel) {
    log("# cannot talk to the kernel: " + kernel.error().text);
    return;
  }
  take_back(*kernel, journal_);
  take_back(*kernel, former_);
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

kernel_result<done_t> host_network::make(netlink& kernel,
                                         const host_change& x) {
  if (auto taken = take_over(kernel, x))
    return *taken;
  make_room(kernel, x);
  return make_first(kernel, x);
}

/// As `make`, but the tunnel that stands has a route there already: it leads
/// elsewhere, or the kernel has dropped it together with an address.
kernel_result<done_t> host_network::replace(netlink& kernel,
                                            const host_change& x) {
  auto i = std::find_if(journal_.begin(), journal_.end(), [&](const auto& y) {
    return y.kind == x.kind && y.prefix == x.prefix && y.metric == x.metric;
  });
  if (i == journal_.end())
    return make(kernel, x);
  std::vector<host_change> one{std::move(*i)};
  journal_.erase(i);
  // `make` finds it there if it will do, and makes room for `x` otherwise.
  former_.insert(former_.end(), one.begin(), one.end());
  return make(kernel, x);
}

/// The record comes before the deed: a process that dies in between leaves an
/// entry that has nothing to take back, which does no harm.
kernel_result<done_t> host_network::make_first(netlink& kernel,
                                               const host_change& x) {
  journal_.push_back(x);
  record(x);
  auto result = perform(kernel, x);
  if (result) {
    log(to_command(x));
  } else {
    journal_.pop_back();
    forget(x);
  }
  return result;
}

/// What the former tunnel has made stays as it is. Should it be gone, since
/// others have changed the host or a HOST died before the deed, it is made now.
std::optional<kernel_result<done_t>>
host_network::take_over(netlink& kernel, const host_change& x) {
  auto i
    = std::find_if(former_.begin(), former_.end(), [&](const host_change& y) {
        return serves_as(y, x);
      });
  if (i == former_.end())
    return std::nullopt;
  auto y = std::move(*i);
  former_.erase(i);
  auto result = perform(kernel, y);
  if (!result && !was_so(y, result.error().code)) {
    forget(y);
    return result;
  }
  if (result)
    log(to_command(y));
  journal_.push_back(std::move(y));
  return done;
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
  take_back(kernel, former_);
  journal_.insert(journal_.begin(), former_.begin(), former_.end());
  journal_.insert(journal_.begin(), values.begin(), values.end());
  former_.clear();
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
      continue;
    }
    forget(x);
    if (*result == revert_outcome::reverted)
      log(to_undo_command(x));
  }
  from.assign(std::make_move_iterator(refused.rbegin()),
              std::make_move_iterator(refused.rend()));
}

void host_network::log(const std::string& line) const {
  if (log_)
    log_(line);
}

void host_network::record(const host_change& x) const {
  if (record_)
    record_->add(x);
}

void host_network::forget(const host_change& x) const {
  if (record_)
    record_->drop(x);
}

} // namespace vpn::actors
