// Names and ports of `remote` lines. No test asks a name server.
#define CAF_SUITE actors.name_lookup
#include "vpn/actors/name_lookup.hpp"

#include "tests/support/fresh_network.hpp"

#include "caf/test/unit_test.hpp"

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
