// Names and ports of `remote` lines. No test asks a name server.
#define CAF_SUITE actors.name_lookup
#include "vpn/actors/name_lookup.hpp"

#include "tests/support/fresh_network.hpp"

#include "caf/test/unit_test.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "actors/socket_address.hpp"
#include <netdb.h>
#include <sched.h>
#include <sys/mount.h>

using namespace vpn;
using namespace vpn::actors;
using vpn::test::ip;

namespace {

using endpoints = std::vector<endpoint>;

constexpr auto any = family::unspecified;

endpoints found(const std::string& host, const std::string& port,
                family kind = any) {
  auto result = look_up(host, port, kind, false);
  if (!result)
    CAF_FAIL(result.error().text);
  return *result;
}

failure refused(const std::string& host, const std::string& port,
                family kind = any) {
  auto result = look_up(host, port, kind, false);
  if (result)
    CAF_FAIL("found " << host);
  return result.error();
}

/// Runs `f` where names and services are what these files say, and where no
/// name server can be reached. Nobody else sees the files.
template <class F>
void with_name_files(const std::string& hosts, const std::string& services,
                     F f) {
  char folder[] = "/tmp/vpn_names_XXXXXX";
  CAF_REQUIRE(::mkdtemp(folder) != nullptr);
  auto root = std::string{folder};
  std::pair<const char*, std::string> files[]
    = {{"hosts", hosts},
       {"services", services},
       {"nsswitch.conf", "hosts: files dns\nservices: files\n"},
       {"resolv.conf", "nameserver 127.0.0.9\noptions timeout:1 attempts:1\n"}};
  std::string problem;
  // Only this thread has its own view of the files.
  std::thread{[&] {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0
        || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      problem = "no mount namespace: these tests need root";
      return;
    }
    for (auto& [name, content] : files) {
      auto path = root + "/" + name;
      std::ofstream{path} << content;
      auto target = std::string{"/etc/"} + name;
      std::error_code ignored;
      // Where /etc/resolv.conf is a link its goal is covered.
      auto real = std::filesystem::weakly_canonical(target, ignored);
      if (std::filesystem::exists(real, ignored)
          && ::mount(path.c_str(), real.c_str(), nullptr, MS_BIND, nullptr)
               != 0)
        problem = "cannot cover " + target;
    }
    if (problem.empty())
      f();
  }}.join();
  std::filesystem::remove_all(root);
  if (!problem.empty())
    CAF_FAIL(problem);
}

const std::string some_hosts = "192.0.2.9 many.example\n"
                               "192.0.2.3 many.example\n"
                               "2001:db8::5 many.example\n"
                               "192.0.2.9 many.example\n"
                               "192.0.2.1 only4.example\n"
                               "2001:db8::1 only6.example\n";
const std::string some_services = "vpn-test 7001/tcp\n"
                                  "vpn-test 7002/udp\n"
                                  "only-tcp 7003/tcp\n";

} // namespace

CAF_TEST(numbers need no resolver) {
  CAF_CHECK(found("192.0.2.1", "1194")
            == (endpoints{{ip("192.0.2.1"), 1194, 0}}));
  CAF_CHECK(found("2001:db8::1", "65535")
            == (endpoints{{ip("2001:db8::1"), 65535, 0}}));
  CAF_CHECK(found("2001:db8::1", "1", family::v6)
            == (endpoints{{ip("2001:db8::1"), 1, 0}}));
}

CAF_TEST(a link local address keeps its device) {
  CAF_CHECK(found("fe80::1%lo", "1194")
            == (endpoints{{ip("fe80::1"), 1194, 1}}));
}

CAF_TEST(an address of the other family is refused) {
  auto v4 = refused("192.0.2.1", "1194", family::v6);
  CAF_CHECK(v4.why == reason::resolve_failed);
  CAF_CHECK_EQUAL(v4.text,
                  "cannot use host '192.0.2.1': it is not an address of IPv6");
  auto v6 = refused("::1", "1194", family::v4);
  CAF_CHECK_EQUAL(v6.text,
                  "cannot use host '::1': it is not an address of IPv4");
}

CAF_TEST(a port is a number that can be one) {
  for (auto port : {"", "0", "65536", "99999999999999999999"}) {
    auto result = refused("192.0.2.1", port);
    CAF_CHECK(result.why == reason::bad_config);
    CAF_CHECK_EQUAL(result.text,
                    "port '" + std::string{port}
                      + "' of host '192.0.2.1' is not a number of 1 to 65535");
  }
  for (auto port : {"-1", "1194x", "no-such-service"})
    CAF_CHECK(refused("192.0.2.1", port).why == reason::bad_config);
}

CAF_TEST(a name that cannot be resolved is named in the failure) {
  test::own_namespace without_name_servers;
  for (auto host : {"no..name", "this.name.is.invalid"}) {
    auto result = refused(host, "1194");
    CAF_CHECK(result.why == reason::resolve_failed);
    auto start = "cannot resolve host '" + std::string{host} + "': ";
    CAF_CHECK_EQUAL(result.text.substr(0, start.size()), start);
    CAF_CHECK(result.text.size() > start.size());
  }
}

CAF_TEST(hostile names are shown harmlessly) {
  test::own_namespace without_name_servers;
  CAF_CHECK(refused("", "1194").why == reason::bad_config);
  CAF_CHECK(refused(std::string{"127.0.0.1\0.evil", 15}, "1194").why
            == reason::bad_config);
  auto text = refused("a\x1b[2Jb\nc", "1194").text;
  CAF_CHECK_EQUAL(text.substr(0, 32), "cannot resolve host 'a?[2Jb?c': ");
  CAF_CHECK(refused(std::string(5000, 'x'), "1194").text.size() < 400);
}

CAF_TEST(services have a port for each transport) {
  with_name_files(some_hosts, some_services, [] {
    auto port = [](const std::string& host, const std::string& name, bool tcp) {
      auto result = look_up(host, name, any, tcp);
      if (!result)
        CAF_FAIL(result.error().text);
      return result->front().port;
    };
    for (auto host : {"only4.example", "192.0.2.1", "2001:db8::1"}) {
      CAF_CHECK_EQUAL(port(host, "vpn-test", true), 7001);
      CAF_CHECK_EQUAL(port(host, "vpn-test", false), 7002);
      CAF_CHECK_EQUAL(port(host, "only-tcp", true), 7003);
    }
    auto wrong = refused("only4.example", "only-tcp");
    CAF_CHECK(wrong.why == reason::bad_config);
    CAF_CHECK_EQUAL(wrong.text, "port 'only-tcp' of host 'only4.example': no "
                                "service has this name");
  });
}

CAF_TEST(a name gives all its addresses of a family once) {
  with_name_files(some_hosts, some_services, [] {
    auto of = [](family kind) {
      auto result = found("many.example", "1194", kind);
      // The order is that of the resolver, which sorts by its own rules.
      addrinfo hints{};
      hints.ai_family = kind == family::v4   ? AF_INET
                        : kind == family::v6 ? AF_INET6
                                             : AF_UNSPEC;
      hints.ai_socktype = SOCK_DGRAM;
      addrinfo* list = nullptr;
      CAF_REQUIRE_EQUAL(getaddrinfo("many.example", "1194", &hints, &list), 0);
      size_t next = 0;
      endpoints seen;
      for (auto* x = list; x != nullptr; x = x->ai_next) {
        actors::socket_address sa;
        std::memcpy(&sa.storage, x->ai_addr, x->ai_addrlen);
        auto y = to_endpoint(sa);
        if (std::find(seen.begin(), seen.end(), y) != seen.end())
          continue;
        seen.push_back(y);
        CAF_REQUIRE(next < result.size());
        CAF_CHECK(result[next++] == y);
      }
      CAF_CHECK_EQUAL(next, result.size());
      freeaddrinfo(list);
      return result.size();
    };
    CAF_CHECK_EQUAL(of(family::v4), 2u);
    CAF_CHECK_EQUAL(of(family::v6), 1u);
    CAF_CHECK_EQUAL(of(any), 3u);
  });
}

CAF_TEST(a failure tells a name that is wrong from servers that are silent) {
  with_name_files(some_hosts, some_services, [] {
    auto silent = refused("somewhere.example", "1194");
    CAF_CHECK(silent.why == reason::resolve_failed);
    CAF_CHECK_EQUAL(silent.text, "cannot resolve host 'somewhere.example': no "
                                 "name server answered; this may pass");
    auto wrong = refused("no..name", "1194");
    CAF_CHECK_EQUAL(wrong.text,
                    "cannot resolve host 'no..name': the name does not exist");
  });
}

CAF_TEST(an address of the other family is refused with any port) {
  CAF_CHECK(refused("192.0.2.1", "no-such-service", family::v6)
              .text.find("not an address of IPv6")
            != std::string::npos);
}
