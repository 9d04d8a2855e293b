// What messages of the kernel say about this host: byte for byte, without a
// kernel.
// spec: design 6
#define CAF_SUITE actors.host_changes
#include "actors/host_changes.hpp"

#include "caf/test/unit_test.hpp"

#include <array>
#include <cstring>
#include <random>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

using namespace vpn;
using namespace vpn::actors;

namespace {

template <class T>
void append(bytes& to, const T& x) {
  auto begin = reinterpret_cast<const uint8_t*>(&x);
  to.insert(to.end(), begin, begin + sizeof(x));
}

bytes finished(bytes x) {
  auto size = static_cast<uint32_t>(x.size());
  std::memcpy(x.data(), &size, sizeof(size));
  return x;
}

/// "192.0.2.11/24" comes to or goes from this device.
bytes address_message(uint16_t type, uint32_t device = 2, uint32_t flags = 0,
                      uint32_t port = 0, uint32_t sequence = 0) {
  bytes result;
  append(result, nlmsghdr{0, type, 0, sequence, port});
  append(result, ifaddrmsg{AF_INET, 24, 0, RT_SCOPE_UNIVERSE, device});
  for (uint16_t what : {IFA_FLAGS, IFA_ADDRESS, IFA_LOCAL}) {
    append(result, rtattr{8, what});
    append(result, what == IFA_FLAGS ? flags : uint32_t{0x0b0200c0});
  }
  return finished(result);
}

bytes link_message(uint16_t type, int device, unsigned flags,
                   uint8_t kind = AF_UNSPEC) {
  bytes result;
  append(result, nlmsghdr{0, type, 0, 0, 0});
  append(result, ifinfomsg{kind, 0, 0, device, flags, 0});
  append(result, rtattr{9, IFLA_IFNAME});
  append(result, std::array<char, 8>{'u', 'p', '0', '7'});
  return finished(result);
}

bytes route_message(uint8_t table, unsigned flags, uint32_t port) {
  bytes result;
  append(result, nlmsghdr{0, RTM_NEWROUTE, 0, 0, port});
  append(result,
         rtmsg{AF_INET, 24, 0, 0, table, RTPROT_BOOT, 0, RTN_UNICAST, flags});
  append(result, rtattr{8, RTA_OIF});
  append(result, uint32_t{2});
  return finished(result);
}

bytes end_message(uint16_t type, uint32_t port, uint32_t sequence) {
  bytes result;
  append(result, nlmsghdr{0, type, 0, sequence, port});
  append(result, int32_t{0});
  return finished(result);
}

constexpr unsigned usable = IFF_UP | IFF_LOWER_UP;
constexpr uint32_t port = 77, process = 0x1234;

struct changes_fixture {
  host_changes uut{port, process};
  uint32_t sequence = 0;

  bool tells(const bytes& x) {
    uut.handle(x);
    return uut.poll_changes().has_value();
  }

  /// Takes the next question and says what it is about.
  uint16_t question() {
    auto x = uut.poll_question();
    CAF_REQUIRE(x);
    nlmsghdr h;
    std::memcpy(&h, x->data(), sizeof(h));
    CAF_CHECK_EQUAL(h.nlmsg_len, x->size());
    CAF_CHECK(!uut.poll_question());
    sequence = h.nlmsg_seq;
    return h.nlmsg_type;
  }

  void answer_links() {
    CAF_CHECK_EQUAL(question(), uint16_t{RTM_GETLINK});
    uut.handle(end_message(NLMSG_DONE, port, sequence));
    CAF_CHECK_EQUAL(question(), uint16_t{RTM_GETADDR});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_changes_tests, changes_fixture)

CAF_TEST(an address that cannot be used yet is none) {
  CAF_CHECK(!tells(address_message(RTM_NEWADDR, 2, IFA_F_TENTATIVE)));
  CAF_CHECK(!tells(address_message(RTM_NEWADDR, 2, IFA_F_DADFAILED)));
  CAF_CHECK(!tells(address_message(RTM_DELADDR)));
  CAF_CHECK(
    tells(address_message(RTM_NEWADDR, 2, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)));
  // Nor is one that is told again.
  CAF_CHECK(!tells(address_message(RTM_NEWADDR)));
  CAF_CHECK(tells(address_message(RTM_DELADDR)));
  CAF_CHECK(!tells(address_message(RTM_DELADDR)));
}

CAF_TEST(a link counts when it can be used) {
  CAF_CHECK(!tells(link_message(RTM_NEWLINK, 3, 0)));
  CAF_CHECK(!tells(link_message(RTM_NEWLINK, 3, IFF_UP)));
  CAF_CHECK(tells(link_message(RTM_NEWLINK, 3, usable)));
  CAF_CHECK(!tells(link_message(RTM_NEWLINK, 3, usable | IFF_PROMISC)));
  // A bridge tells of its ports.
  CAF_CHECK(!tells(link_message(RTM_DELLINK, 3, usable, AF_BRIDGE)));
  CAF_CHECK(tells(link_message(RTM_DELLINK, 3, usable)));
  CAF_CHECK(!tells(link_message(RTM_DELLINK, 3, usable)));
}

CAF_TEST(routes of others in tables of ways count) {
  CAF_CHECK(tells(route_message(RT_TABLE_MAIN, 0, 0)));
  CAF_CHECK(tells(route_message(100, 0, 999)));
  CAF_CHECK(!tells(route_message(RT_TABLE_LOCAL, 0, 0)));
  CAF_CHECK(!tells(route_message(RT_TABLE_MAIN, RTM_F_CLONED, 0)));
  for (uint32_t socket : {0u, 1u, 5u})
    CAF_CHECK(!tells(route_message(RT_TABLE_MAIN, 0, process | socket << 22)));
}

CAF_TEST(a survey tells nothing but what is missing) {
  uut.survey();
  answer_links();
  for (uint32_t device : {2, 3})
    uut.handle(address_message(RTM_NEWADDR, device, 0, port, sequence));
  CAF_CHECK(uut.surveying());
  // Of another question, or for another program.
  uut.handle(end_message(NLMSG_DONE, port, sequence + 1));
  uut.handle(end_message(NLMSG_DONE, port + 1, sequence));
  CAF_CHECK(uut.surveying());
  uut.handle(end_message(NLMSG_DONE, port, sequence));
  CAF_CHECK(!uut.surveying());
  CAF_CHECK(!uut.changed());
  // The second one finds one address less, and then none.
  for (auto left : {1u, 0u}) {
    uut.handle_loss();
    CAF_CHECK(uut.lossy());
    uut.survey();
    CAF_CHECK(!uut.lossy());
    answer_links();
    if (left == 1)
      uut.handle(address_message(RTM_NEWADDR, 3, 0, port, sequence));
    uut.handle(end_message(NLMSG_DONE, port, sequence));
    auto gone = uut.poll_changes();
    CAF_REQUIRE(gone);
    CAF_CHECK_EQUAL(gone->size(), 1 - left);
  }
}

CAF_TEST(a survey that is refused takes nothing away) {
  CAF_CHECK(tells(address_message(RTM_NEWADDR)));
  uut.survey();
  answer_links();
  uut.handle(end_message(NLMSG_ERROR, port, sequence));
  CAF_CHECK(!uut.surveying());
  CAF_CHECK(!uut.changed());
  CAF_CHECK(!uut.poll_question());
  CAF_CHECK(tells(address_message(RTM_DELADDR)));
}

CAF_TEST(messages that are cut short are no changes) {
  auto whole = address_message(RTM_NEWADDR);
  for (size_t n = 0; n <= whole.size(); ++n) {
    // On the heap, so that a sanitizer sees who reads beyond.
    bytes part{whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n)};
    CAF_CHECK_EQUAL(tells(part), n == whole.size());
    uut = host_changes{port, process};
    // The same with a length that fits: one of both attributes will do.
    if (n >= sizeof(nlmsghdr))
      CAF_CHECK_EQUAL(tells(finished(part)), n + 8 >= whole.size());
    uut = host_changes{port, process};
  }
}

CAF_TEST(random bytes do no harm) {
  std::mt19937 random{7};
  auto whole = address_message(RTM_NEWADDR);
  for (int i = 0; i < 20000; ++i) {
    host_changes x{port, process};
    x.survey();
    x.poll_question();
    auto data = whole;
    for (int k = 0; k < 4; ++k)
      data[random() % data.size()] = static_cast<uint8_t>(random());
    for (uint16_t type :
         {RTM_NEWLINK, RTM_DELLINK, RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE}) {
      x.handle(data);
      std::memcpy(data.data() + 4, &type, sizeof(type));
    }
    x.poll_changes();
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
