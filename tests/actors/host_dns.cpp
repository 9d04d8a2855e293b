// Name servers in resolv.conf, on files of this test's own. systemd-resolved is
// tested against a bus in tests/interop/dns.sh.
#define CAF_SUITE actors.host_dns
#include "vpn/actors/host_dns.hpp"

#include "vpn/actors/host_journal.hpp"

#include "caf/test/unit_test.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>

#include "actors/resolv_conf.hpp"
#include <sys/stat.h>
#include <unistd.h>

using namespace vpn;
using namespace vpn::actors;
using protocol::dns_config;
using protocol::dns_server;

namespace {

dns_server server(int priority, std::initializer_list<const char*> addresses) {
  dns_server result;
  result.priority = priority;
  for (auto x : addresses)
    result.addresses.push_back({*parse_ip(x), 0, 0});
  return result;
}

struct fixture {
  char directory[24] = "/tmp/vpn-dns-XXXXXX";
  dns_places places;
  std::vector<std::string> said;
  const std::string original = "# mine\nnameserver 192.0.2.53\nsearch home\n"
                               "options edns0\n";

  fixture() {
    CAF_REQUIRE(mkdtemp(directory) != nullptr);
    places.resolv_conf = std::string{directory} + "/resolv.conf";
    places.system_bus = "unix:path=/nonexistent";
    write(original);
  }
  ~fixture() {
    unlink(places.resolv_conf.c_str());
    rmdir(directory);
  }
  void write(const std::string& text) {
    std::ofstream{places.resolv_conf} << text;
  }
  std::string read() const {
    std::ostringstream out;
    out << std::ifstream{places.resolv_conf}.rdbuf();
    return out.str();
  }
  /// Gives the file a date that a write would change.
  void age() const {
    timespec long_ago[2] = {{1000, 0}, {1000, 0}};
    CAF_REQUIRE_EQUAL(
      utimensat(AT_FDCWD, places.resolv_conf.c_str(), long_ago, 0), 0);
  }
  bool is_aged() const {
    struct stat about {};
    return stat(places.resolv_conf.c_str(), &about) == 0
           && about.st_mtim.tv_sec == 1000;
  }
  change_log to_said() {
    return [this](const std::string& x) {
      said.push_back(x);
    };
  }
  dns_config two_servers() const {
    dns_config result;
    result.servers = {server(0, {"10.8.0.1", "fd00::1"})};
    result.search_domains = {"corp.example", "example.net"};
    return result;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_dns_tests, fixture)

CAF_TEST(the file names the tunnel and then its old self again) {
  host_dns dns{places, to_said()};
  auto warnings = dns.apply(two_servers(), "tun0", 7);
  CAF_REQUIRE(warnings);
  CAF_CHECK(warnings->empty());
  auto text = read();
  CAF_CHECK(text.find("nameserver 10.8.0.1\nnameserver fd00::1\n"
                      "search corp.example example.net\noptions edns0\n")
            != std::string::npos);
  CAF_CHECK(text.find("\nnameserver 192.0.2.53") == std::string::npos);
  CAF_CHECK_EQUAL(dns.backend(), places.resolv_conf);
  dns.undo();
  CAF_CHECK_EQUAL(read(), original);
  CAF_CHECK_EQUAL(dns.backend(), "");
  dns.undo();
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST(the end of the object is enough) {
  {
    host_dns dns{places};
    CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  }
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST(a second configuration replaces the first) {
  host_dns dns{places};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  dns_config other;
  other.servers = {server(0, {"10.9.0.1"})};
  CAF_REQUIRE(dns.apply(other, "tun0", 7));
  auto text = read();
  CAF_CHECK(text.find("10.8.0.1") == std::string::npos);
  CAF_CHECK(text.find("nameserver 10.9.0.1\n") != std::string::npos);
  // Without search domains of its own the old ones stay.
  CAF_CHECK(text.find("search home\n") != std::string::npos);
  dns.undo();
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST(only domains keep the old servers) {
  host_dns dns{places};
  dns_config cfg;
  cfg.search_domains = {"corp.example"};
  CAF_REQUIRE(dns.apply(cfg, "tun0", 7));
  auto text = read();
  CAF_CHECK(text.find("nameserver 192.0.2.53\n") != std::string::npos);
  CAF_CHECK(text.find("search corp.example\n") != std::string::npos);
  CAF_CHECK(text.find("\nsearch home") == std::string::npos);
}

CAF_TEST(a run that died has left the former content in the file) {
  places.resolv_conf_file = nullptr;
  CAF_CHECK_EQUAL(original_of(original), original);
  write(make_resolv_conf(two_servers(), original));
  CAF_CHECK_EQUAL(original_of(read()), original);
  host_dns dns{places};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  dns.undo();
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST(a file that was put in the place of ours is found) {
  host_dns dns{places};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  dns.undo();
  auto other = std::string{directory} + "/other";
  std::ofstream{other} << "nameserver 203.0.113.1\n";
  CAF_REQUIRE_EQUAL(rename(other.c_str(), places.resolv_conf.c_str()), 0);
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  CAF_CHECK(read().find("nameserver 10.8.0.1\n") != std::string::npos);
  dns.undo();
  CAF_CHECK_EQUAL(read(), "nameserver 203.0.113.1\n");
}

CAF_TEST(nothing to say is nothing to do) {
  host_dns dns{places, to_said()};
  CAF_REQUIRE(dns.apply({}, "tun0", 7));
  CAF_CHECK_EQUAL(read(), original);
  CAF_CHECK(said.empty());
}

CAF_TEST(what the file cannot say is a warning) {
  auto split = server(1, {"10.8.0.2"});
  split.resolve_domains = {"corp.example"};
  auto secure = server(2, {"10.8.0.3"});
  secure.transport = protocol::dns_transport::tls;
  auto odd = server(3, {"10.8.0.4"});
  odd.addresses[0].port = 5353;
  dns_config cfg;
  cfg.servers = {server(0, {"10.8.0.1", "10.8.0.5", "10.8.0.6", "10.8.0.7"}),
                 split, secure, odd};
  host_dns dns{places};
  auto warnings = dns.apply(cfg, "tun0", 7);
  CAF_REQUIRE(warnings);
  CAF_CHECK_EQUAL(warnings->size(), 4u);
  auto text = read();
  CAF_CHECK(text.find("10.8.0.6") != std::string::npos);
  for (auto x : {"10.8.0.7", "10.8.0.2", "10.8.0.3", "10.8.0.4"})
    CAF_CHECK(text.find(x) == std::string::npos);
}

CAF_TEST(servers for some domains are better than none) {
  auto split = server(1, {"10.8.0.2"});
  split.resolve_domains = {"corp.example"};
  dns_config cfg;
  cfg.servers = {split};
  CAF_CHECK(make_resolv_conf(cfg, original).find("nameserver 10.8.0.2\n")
            != std::string::npos);
}

CAF_TEST(a file that somebody else has written is left alone) {
  host_dns dns{places, to_said()};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  write("nameserver 203.0.113.9\n");
  said.clear();
  dns.undo();
  CAF_CHECK_EQUAL(read(), "nameserver 203.0.113.9\n");
  CAF_REQUIRE_EQUAL(said.size(), 1u);
  CAF_CHECK(said[0].find("changed by somebody else") != std::string::npos);
}

CAF_TEST(a file that is not there is a failure that names it) {
  unlink(places.resolv_conf.c_str());
  host_dns dns{places};
  auto result = dns.apply(two_servers(), "tun0", 7);
  CAF_REQUIRE(!result);
  CAF_CHECK(result.error().text.find(places.resolv_conf) != std::string::npos);
}

CAF_TEST(what is not a file is neither opened nor waited for) {
  unlink(places.resolv_conf.c_str());
  CAF_REQUIRE_EQUAL(mkfifo(places.resolv_conf.c_str(), 0600), 0);
  host_dns dns{places, to_said()};
  auto result = dns.apply(two_servers(), "tun0", 7);
  CAF_REQUIRE(!result);
  CAF_CHECK_EQUAL(result.error().text, places.resolv_conf + " is not a file");
}

CAF_TEST(a file of absurd size is a failure and stays) {
  write(std::string(1 << 20, 'x'));
  host_dns dns{places};
  CAF_CHECK(!dns.apply(two_servers(), "tun0", 7));
  CAF_CHECK_EQUAL(read().size(), size_t{1} << 20);
}

CAF_TEST(a file opened before privileges were given up still serves) {
  places.resolv_conf_file = std::make_shared<const unique_fd>(
    unique_fd{open(places.resolv_conf.c_str(), O_RDWR | O_CLOEXEC)});
  host_dns dns{places};
  // It can be looked at, but not opened.
  chmod(directory, 0711);
  chmod(places.resolv_conf.c_str(), 0600);
  CAF_REQUIRE_EQUAL(::seteuid(65534), 0);
  auto result = dns.apply(two_servers(), "tun0", 7);
  dns.undo();
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  chmod(directory, 0700);
  CAF_CHECK(result);
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST(the stub of systemd resolved is recognised) {
  for (auto [text, expected] :
       {std::pair{"nameserver 127.0.0.53\n", true},
        {"# x\nnameserver 127.0.0.54\n", true},
        {"nameserver 192.0.2.1\nnameserver 127.0.0.53\n", false},
        {"", false}}) {
    write(text);
    resolv_conf file{places.resolv_conf, nullptr};
    CAF_CHECK_EQUAL(file.points_to_resolved(), expected);
  }
}

CAF_TEST(content of every form comes back byte by byte) {
  for (auto text :
       {"", "\n", "\n\n", "nameserver 192.0.2.1", "a\n\nb", "#| x\n#: y",
        "# Written by somebody else\n", "search home\r\nx\n"}) {
    write(text);
    host_dns dns{places};
    CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
    CAF_CHECK_EQUAL(original_of(read()), text);
    dns.undo();
    CAF_CHECK_EQUAL(read(), text);
  }
}

CAF_TEST(the same names again are not written again) {
  host_dns dns{places, to_said()};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  said.clear();
  age();
  auto warnings = dns.apply(two_servers(), "tun0", 7);
  CAF_CHECK(warnings && warnings->empty());
  CAF_CHECK(said.empty());
  CAF_CHECK(is_aged());
}

CAF_TEST(names that somebody else has changed meanwhile are set anew) {
  host_dns dns{places, to_said()};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  write("nameserver 203.0.113.9\n");
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  CAF_CHECK(read().find("nameserver 10.8.0.1\n") != std::string::npos);
  dns.undo();
  CAF_CHECK_EQUAL(read(), "nameserver 203.0.113.9\n");
}

CAF_TEST(one with the same journal goes on where the first has ended) {
  auto journal = std::make_shared<host_journal>();
  {
    host_dns dead{places, to_said(), journal};
    CAF_REQUIRE(dead.apply(two_servers(), "tun0", 7));
    CAF_CHECK_EQUAL(journal->names().file, places.resolv_conf);
  }
  auto written = read();
  CAF_CHECK(written != original);
  said.clear();
  age();
  {
    host_dns next{places, to_said(), journal};
    CAF_CHECK_EQUAL(next.backend(), places.resolv_conf);
    CAF_REQUIRE(next.apply(two_servers(), "tun0", 7));
    CAF_CHECK(said.empty());
    CAF_CHECK(is_aged());
  }
  auto other = two_servers();
  other.servers = {server(0, {"10.9.0.1"})};
  {
    host_dns next{places, to_said(), journal};
    CAF_REQUIRE(next.apply(other, "tun0", 7));
    CAF_CHECK_EQUAL(said.size(), 1u);
    CAF_CHECK_EQUAL(original_of(read()), original);
  }
  host_dns last{places, to_said(), journal};
  last.undo();
  CAF_CHECK_EQUAL(read(), original);
  CAF_CHECK(journal->empty());
  CAF_CHECK_EQUAL(last.backend(), "");
}

CAF_TEST(an empty configuration after a death takes the names back) {
  auto journal = std::make_shared<host_journal>();
  {
    host_dns dead{places, {}, journal};
    CAF_REQUIRE(dead.apply(two_servers(), "tun0", 7));
  }
  host_dns next{places, {}, journal};
  CAF_REQUIRE(next.apply({}, "tun0", 7));
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST(names are in the journal before they are set) {
  auto journal = std::make_shared<host_journal>();
  host_dns dns{places,
               [&](const std::string&) {
                 CAF_CHECK_EQUAL(journal->names().file, places.resolv_conf);
               },
               journal};
  CAF_REQUIRE(dns.apply(two_servers(), "tun0", 7));
  // What fails is not in it afterwards.
  unlink(places.resolv_conf.c_str());
  auto other = std::make_shared<host_journal>();
  host_dns failing{places, {}, other};
  CAF_CHECK(!failing.apply(two_servers(), "tun0", 7));
  CAF_CHECK(other->empty());
}

CAF_TEST(what cannot be restored stays in the journal) {
  auto journal = std::make_shared<host_journal>();
  {
    host_dns dead{places, {}, journal};
    CAF_REQUIRE(dead.apply(two_servers(), "tun0", 7));
  }
  host_dns next{places, to_said(), journal};
  chmod(places.resolv_conf.c_str(), 0600);
  chmod(directory, 0711);
  CAF_REQUIRE_EQUAL(::seteuid(65534), 0);
  next.undo();
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  CAF_CHECK_EQUAL(said.size(), 1u);
  CAF_CHECK(journal->names().set());
  next.undo();
  CAF_CHECK(journal->empty());
  CAF_CHECK_EQUAL(read(), original);
}

CAF_TEST_FIXTURE_SCOPE_END()
