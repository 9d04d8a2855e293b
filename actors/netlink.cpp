// A thin wrapper of libnl-route: links, addresses and routes as plain values,
// errors with the kernel's own words.
#include "netlink.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "netlink_values.hpp"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

namespace vpn::actors {

namespace {

/// The kernel's sentence in an error message, behind the request it repeats.
std::string sentence_of(const nlmsgerr* error) {
  auto start = reinterpret_cast<const uint8_t*>(error);
  nlmsghdr header;
  std::memcpy(&header, start - NLMSG_HDRLEN, sizeof(header));
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0
      || header.nlmsg_len < NLMSG_HDRLEN + sizeof(nlmsgerr))
    return {};
  size_t size = header.nlmsg_len - NLMSG_HDRLEN;
  size_t at = sizeof(nlmsgerr);
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0) {
    if (error->msg.nlmsg_len < NLMSG_HDRLEN)
      return {};
    at += error->msg.nlmsg_len - NLMSG_HDRLEN;
  }
  at = NLMSG_ALIGN(at);
  while (at + NLA_HDRLEN <= size) {
    nlattr attribute;
    std::memcpy(&attribute, start + at, sizeof(attribute));
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > size - at)
      return {};
    if ((attribute.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG) {
      auto text = reinterpret_cast<const char*>(start + at + NLA_HDRLEN);
      auto length = size_t{attribute.nla_len} - NLA_HDRLEN;
      return {text, ::strnlen(text, length)};
    }
    at += NLA_ALIGN(attribute.nla_len);
  }
  return {};
}

/// libnl folds many errnos into few codes; this keeps the errno.
int keep_error(sockaddr_nl*, nlmsgerr* error, void* out) {
  auto& kept = *static_cast<os_error*>(out);
  kept.code = -error->error;
  kept.text = sentence_of(error);
  return -nl_syserr2nlerr(kept.code);
}

template <class Fun>
void for_each(nl_cache* cache, Fun f) {
  for (auto i = nl_cache_get_first(cache); i != nullptr; i
                                                         = nl_cache_get_next(i))
    f(i);
}

} // namespace

struct netlink::state {
  nl_sock_ptr socket;
  os_error last;
};

netlink::netlink(std::unique_ptr<state> x) : state_(std::move(x)) {
}
netlink::netlink(netlink&&) noexcept = default;
netlink& netlink::operator=(netlink&&) noexcept = default;
netlink::~netlink() = default;

kernel_result<netlink> netlink::open() {
  auto fresh = std::make_unique<state>();
  fresh->socket.reset(nl_socket_alloc());
  if (!fresh->socket)
    return os_error{ENOMEM, "no memory for a netlink socket"};
  auto socket = fresh->socket.get();
  if (auto code = nl_connect(socket, NETLINK_ROUTE); code < 0)
    return os_error{errno, nl_geterror(code)};
  // Only better words; kernels without them still give the errno.
  int on = 1;
  ::setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_EXT_ACK, &on,
               sizeof(on));
  nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, &keep_error, &fresh->last);
  return netlink{std::move(fresh)};
}

// -- commands --

kernel_result<done_t> netlink::set_link(uint32_t index,
                                        const link_change& what) {
  link_ptr old{rtnl_link_alloc()};
  link_ptr fresh{rtnl_link_alloc()};
  if (!old || !fresh)
    return error_of(-NLE_NOMEM);
  rtnl_link_set_ifindex(old.get(), static_cast<int>(index));
  if (what.mtu)
    rtnl_link_set_mtu(fresh.get(), *what.mtu);
  if (what.tx_queue_length)
    rtnl_link_set_txqlen(fresh.get(), *what.tx_queue_length);
  if (what.address_generation)
    if (auto code = rtnl_link_inet6_set_addr_gen_mode(fresh.get(),
                                                      *what.address_generation);
        code < 0)
      return error_of(code);
  if (what.up) {
    // The request carries all flags, so it starts from those of now.
    rtnl_link* now = nullptr;
    state_->last = {};
    if (auto code = rtnl_link_get_kernel(handle(), static_cast<int>(index),
                                         nullptr, &now);
        code < 0)
      return error_of(code);
    old.reset(now);
    if (*what.up)
      rtnl_link_set_flags(fresh.get(), IFF_UP);
    else
      rtnl_link_unset_flags(fresh.get(), IFF_UP);
  }
  state_->last = {};
  return result_of(rtnl_link_change(handle(), old.get(), fresh.get(), 0));
}

kernel_result<done_t> netlink::add_address(const link_address& x) {
  auto request = to_nl(x);
  if (!request)
    return error_of(-NLE_INVAL);
  state_->last = {};
  return result_of(rtnl_addr_add(handle(), request.get(), NLM_F_EXCL));
}

kernel_result<done_t> netlink::remove_address(const link_address& x) {
  auto request = to_nl(x);
  if (!request)
    return error_of(-NLE_INVAL);
  state_->last = {};
  return result_of(rtnl_addr_delete(handle(), request.get(), 0));
}

kernel_result<done_t> netlink::add_route(const kernel_route& x) {
  auto request = to_nl(x);
  if (!request)
    return error_of(-NLE_INVAL);
  state_->last = {};
  return result_of(rtnl_route_add(handle(), request.get(), NLM_F_EXCL));
}

kernel_result<done_t> netlink::remove_route(const kernel_route& x) {
  auto request = to_nl(x);
  if (!request)
    return error_of(-NLE_INVAL);
  state_->last = {};
  return result_of(rtnl_route_delete(handle(), request.get(), 0));
}

// -- observers --

kernel_result<link_state> netlink::link(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    return error_of(-NLE_NODEV);
  return link(0, name.c_str());
}

kernel_result<link_state> netlink::link(uint32_t index) {
  if (index == 0)
    return error_of(-NLE_NODEV);
  return link(static_cast<int>(index), nullptr);
}

kernel_result<link_state> netlink::link(int index, const char* name) {
  rtnl_link* found = nullptr;
  state_->last = {};
  if (auto code = rtnl_link_get_kernel(handle(), index, name, &found); code < 0)
    return error_of(code);
  link_ptr guard{found};
  return from_nl(found);
}

kernel_result<std::vector<link_address>> netlink::addresses() {
  nl_cache* found = nullptr;
  state_->last = {};
  if (auto code = rtnl_addr_alloc_cache(handle(), &found); code < 0)
    return error_of(code);
  nl_cache_ptr guard{found};
  std::vector<link_address> result;
  for_each(found, [&](nl_object* i) {
    result.push_back(from_nl(reinterpret_cast<rtnl_addr*>(i)));
  });
  return result;
}

kernel_result<std::vector<kernel_route>> netlink::routes(family kind) {
  nl_cache* found = nullptr;
  state_->last = {};
  if (auto code = rtnl_route_alloc_cache(handle(), to_af(kind), 0, &found);
      code < 0)
    return error_of(code);
  nl_cache_ptr guard{found};
  std::vector<kernel_route> result;
  for_each(found, [&](nl_object* i) {
    auto x = reinterpret_cast<rtnl_route*>(i);
    if (rtnl_route_get_table(x) == RT_TABLE_MAIN
        && rtnl_route_get_type(x) == RTN_UNICAST
        && (rtnl_route_get_flags(x) & RTM_F_CLONED) == 0)
      result.push_back(from_nl(x));
  });
  return result;
}

kernel_result<kernel_route> netlink::route_to(const ip_address& x) {
  auto destination = to_nl(x);
  rtnl_route* found = nullptr;
  state_->last = {};
  auto code = destination
                ? rtnl_route_lookup(handle(), destination.get(), &found)
                : -NLE_NOMEM;
  if (code < 0)
    return error_of(code);
  route_ptr guard{found};
  return from_nl(found);
}

nl_sock* netlink::handle() noexcept {
  return state_->socket.get();
}

// -- errors --

kernel_result<done_t> netlink::result_of(int code) {
  if (code < 0)
    return error_of(code);
  return done;
}

os_error netlink::error_of(int code) {
  auto result = state_->last;
  if (result.code == 0) {
    // libnl itself refused; few of its codes matter to anybody.
    switch (-code) {
      case NLE_NOMEM:
        result.code = ENOMEM;
        break;
      case NLE_NODEV:
      case NLE_OBJ_NOTFOUND:
        result.code = ENODEV;
        break;
      default:
        result.code = EINVAL;
        break;
    }
    result.text = result.code == EINVAL
                    ? std::string{nl_geterror(code)}
                    : std::generic_category().message(result.code);
  } else if (result.text.empty()) {
    result.text = std::generic_category().message(result.code);
  }
  while (!result.text.empty() && result.text.back() == '.')
    result.text.pop_back();
  return result;
}

} // namespace vpn::actors
