#include "host_changes.hpp"

#include <algorithm>
#include <cstring>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace vpn::actors {

namespace {

/// libnl puts the process id here and counts sockets above it.
constexpr uint32_t process_bits = (1u << 22) - 1;

/// The attributes behind the fixed part of a message, by their types; what is
/// cut short is left out.
template <size_t N>
class attributes {
public:
  explicit attributes(byte_view x) {
    while (x.size() >= sizeof(rtattr)) {
      rtattr head;
      std::memcpy(&head, x.data(), sizeof(head));
      if (head.rta_len < sizeof(head) || head.rta_len > x.size())
        return;
      auto type = size_t{head.rta_type} & NLA_TYPE_MASK;
      if (type < N)
        found_[type] = {x.data() + sizeof(head), head.rta_len - sizeof(head)};
      x = x.from(RTA_ALIGN(size_t{head.rta_len}));
    }
  }

  byte_view operator[](size_t type) const { return found_[type]; }

  std::optional<uint32_t> number(size_t type) const {
    uint32_t result = 0;
    if (found_[type].size() < sizeof(result))
      return std::nullopt;
    std::memcpy(&result, found_[type].data(), sizeof(result));
    return result;
  }

private:
  std::array<byte_view, N> found_{};
};

/// The fixed part of a message; false when it is not all there.
template <class T>
bool split(byte_view x, T& fixed, byte_view& rest) {
  if (x.size() < sizeof(fixed))
    return false;
  std::memcpy(&fixed, x.data(), sizeof(fixed));
  rest = x.from(NLMSG_ALIGN(sizeof(fixed)));
  return true;
}

} // namespace

host_changes::host_changes(uint32_t port, uint32_t process_id)
  : port_(port),
    process_id_(process_id) {
}

// -- questions --

void host_changes::survey() {
  stage_ = stage::links;
  to_ask_ = true;
  lost_ = false;
  ++sequence_;
}

void host_changes::give_up() {
  stage_ = stage::none;
  to_ask_ = false;
  unseen_.clear();
}

std::optional<bytes> host_changes::poll_question() {
  if (!std::exchange(to_ask_, false))
    return std::nullopt;
  if (stage_ == stage::addresses)
    unseen_ = addresses_;
  struct {
    nlmsghdr head;
    ifinfomsg any;
  } request{};
  request.head.nlmsg_len = sizeof(request);
  request.head.nlmsg_type = stage_ == stage::links ? RTM_GETLINK : RTM_GETADDR;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.head.nlmsg_seq = sequence_;
  bytes result(sizeof(request));
  std::memcpy(result.data(), &request, sizeof(request));
  return result;
}

void host_changes::end_stage(bool answered) {
  if (answered && stage_ == stage::links) {
    stage_ = stage::addresses;
    to_ask_ = true;
    ++sequence_;
    return;
  }
  if (answered)
    for (auto& x : unseen_)
      if (addresses_.erase(x) > 0)
        gone_.insert(x);
  give_up();
}

// -- messages --

bool host_changes::is_answer(const nlmsghdr& h) const noexcept {
  return stage_ != stage::none && !to_ask_ && h.nlmsg_pid == port_
         && h.nlmsg_seq == sequence_;
}

void host_changes::handle_loss() {
  lost_ = true;
  devices_.insert(0);
}

void host_changes::handle(byte_view x) {
  while (x.size() >= sizeof(nlmsghdr)) {
    nlmsghdr head;
    std::memcpy(&head, x.data(), sizeof(head));
    if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > x.size())
      return;
    handle_message(head, x.first(head.nlmsg_len).from(NLMSG_HDRLEN));
    x = x.from(NLMSG_ALIGN(size_t{head.nlmsg_len}));
  }
}

void host_changes::handle_message(const nlmsghdr& h, byte_view content) {
  switch (h.nlmsg_type) {
    case NLMSG_DONE:
    case NLMSG_ERROR:
      if (is_answer(h))
        end_stage(h.nlmsg_type == NLMSG_DONE);
      break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
      handle_link(h, content);
      break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      handle_address(h, content);
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      handle_route(h, content);
      break;
    default:
      break;
  }
}

void host_changes::handle_link(const nlmsghdr& h, byte_view content) {
  ifinfomsg info;
  byte_view rest;
  // Bridges tell of their ports in messages of their own family.
  if (!split(content, info, rest) || info.ifi_family != AF_UNSPEC)
    return;
  auto deleted = h.nlmsg_type == RTM_DELLINK;
  constexpr unsigned wanted = IFF_UP | IFF_LOWER_UP;
  auto usable = !deleted && (info.ifi_flags & wanted) == wanted;
  auto& known = links_[info.ifi_index];
  // An answer tells what stands; it is news to us alone.
  if (known.usable != usable && !is_answer(h))
    devices_.insert(info.ifi_index);
  known.usable = usable;
  known.deleted = deleted;
  attributes<IFLA_IFNAME + 1> xs{rest};
  if (auto name = xs[IFLA_IFNAME]; name.size() > 0) {
    auto text = reinterpret_cast<const char*>(name.data());
    known.name.assign(text, ::strnlen(text, name.size()));
  }
}

void host_changes::handle_address(const nlmsghdr& h, byte_view content) {
  ifaddrmsg info;
  byte_view rest;
  if (!split(content, info, rest))
    return;
  attributes<IFA_FLAGS + 1> xs{rest};
  // With a peer the local end is apart.
  auto octets = xs[IFA_LOCAL].size() > 0 ? xs[IFA_LOCAL] : xs[IFA_ADDRESS];
  auto kind = info.ifa_family == AF_INET    ? family::v4
              : info.ifa_family == AF_INET6 ? family::v6
                                            : family::unspecified;
  if (kind == family::unspecified
      || octets.size() != (kind == family::v6 ? 16u : 4u))
    return;
  place where{static_cast<int>(info.ifa_index), {kind, {}}};
  std::copy(octets.begin(), octets.end(), where.second.second.begin());
  if (h.nlmsg_type == RTM_DELADDR) {
    unseen_.erase(where);
    if (addresses_.erase(where) > 0)
      gone_.insert(where);
    return;
  }
  unseen_.erase(where);
  // Nobody can use it before the kernel knows that it is the only one.
  auto flags = xs.number(IFA_FLAGS).value_or(info.ifa_flags);
  if ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0
      && (flags & IFA_F_OPTIMISTIC) == 0)
    return;
  // Lifetimes are told again and again.
  if (addresses_.insert(where).second && !is_answer(h))
    devices_.insert(where.first);
}

void host_changes::handle_route(const nlmsghdr& h, byte_view content) {
  rtmsg info;
  byte_view rest;
  // What HOST sets is for the tunnel, and no way but ours.
  if (!split(content, info, rest)
      || (h.nlmsg_pid != 0
          && (h.nlmsg_pid & process_bits) == (process_id_ & process_bits)))
    return;
  attributes<RTA_TABLE + 1> xs{rest};
  // Local routes follow addresses; cached ones are no ways.
  if (xs.number(RTA_TABLE).value_or(info.rtm_table) == RT_TABLE_LOCAL
      || (info.rtm_flags & RTM_F_CLONED) != 0)
    return;
  devices_.insert(static_cast<int>(xs.number(RTA_OIF).value_or(0)));
}

// -- what has changed --

bool host_changes::is_ignored(int device) const {
  auto i = links_.find(device);
  return i != links_.end() && !ignored_.empty() && i->second.name == ignored_;
}

std::optional<std::vector<ip_address>> host_changes::poll_changes() {
  std::vector<ip_address> result;
  auto any = std::any_of(devices_.begin(), devices_.end(), [this](int x) {
    return !is_ignored(x);
  });
  for (auto& [device, address] : gone_) {
    if (is_ignored(device))
      continue;
    any = true;
    ip_address x{address.first, address.second};
    auto stands = std::any_of(addresses_.begin(), addresses_.end(),
                              [&, wanted = address](const place& y) {
                                return y.second == wanted;
                              });
    if (!stands && std::find(result.begin(), result.end(), x) == result.end())
      result.push_back(x);
  }
  devices_.clear();
  gone_.clear();
  for (auto i = links_.begin(); i != links_.end();)
    i = i->second.deleted ? links_.erase(i) : std::next(i);
  if (!any)
    return std::nullopt;
  return result;
}

} // namespace vpn::actors
