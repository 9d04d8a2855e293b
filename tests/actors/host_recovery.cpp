// What a client that died has left on the host, taken back by somebody else, in
// a network namespace of the test's own.
#define CAF_SUITE actors.host_recovery
#include "vpn/actors/host_journal.hpp"

#include "tests/support/journal_folder.hpp"
#include "tests/support/tunnel_host.hpp"

#include "caf/test/unit_test.hpp"

#include <csignal>

#include "actors/journal_text.hpp"
#include "actors/resolv_conf.hpp"
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

struct fixture : tunnel_host, journal_folder {
  dns_places places;
  const std::string original = "nameserver 192.0.2.53\nsearch home";
  lines before;

  fixture() {
    places.resolv_conf = path + "/resolv.conf";
    places.system_bus = "unix:path=/nonexistent";
    write_names(original);
    add_default_routes();
    redirect(false);
    push("10.0.0.0/8", gateway_kind::net);
    tunnel.dns.search_domains = {"corp.example"};
    // A tunnel's device goes with the process that had it.
    device.fd.reset();
    before = dump();
  }

  void write_names(const std::string& text) {
    std::ofstream{places.resolv_conf} << text;
  }
  std::string names() const { return read(places.resolv_conf); }

  /// A client sets all up and dies. Returns the bytes of its journal.
  std::string die(const std::string& name = "client-1") {
    device = open_device();
    {
      auto journal = create({}, name);
      host_network network{{}, journal};
      apply(network);
      host_dns dns{places, {}, journal};
      CAF_REQUIRE(dns.apply(tunnel.dns, device.name, index(device.name)));
    }
    device.fd.reset();
    CAF_REQUIRE(dump() != before);
    CAF_REQUIRE(names() != original);
    return text(name);
  }

  journal_recovery recover() {
    said.clear();
    return recover_journals(path, to_said(), places);
  }

  void expect(const journal_recovery& x, size_t restored, size_t living,
              size_t elsewhere, size_t left) {
    CAF_CHECK_EQUAL(x.restored, restored);
    CAF_CHECK_EQUAL(x.living, living);
    CAF_CHECK_EQUAL(x.elsewhere, elsewhere);
    CAF_CHECK_EQUAL(x.left, left);
  }

  /// All is as before, and nobody is left.
  void expect_clean() {
    CAF_CHECK_EQUAL(dump(), before);
    CAF_CHECK_EQUAL(names(), original);
    CAF_CHECK_EQUAL(files(), lines{"resolv.conf"});
  }

  /// Another first line before the same changes.
  void rewrite(const std::string& all, const journal_owner& owner) {
    std::ofstream{file()} << first_line(owner)
                          << all.substr(all.find('\n') + 1);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_recovery_tests, fixture)

// -- the ordinary case --

CAF_TEST(what a dead client has changed is as before) {
  die();
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "none");
  expect(recover(), 1, 0, 0, 0);
  expect_clean();
  CAF_CHECK(has("ip route add default via 192.0.2.1 dev up0 proto boot"));
  CAF_CHECK(has("ip route del 10.0.0.0/8 via 192.0.2.1 dev up0"));
  CAF_CHECK(has("ip route del 198.51.100.7/32 via 192.0.2.1 dev up0"));
  CAF_CHECK(has("# name servers restored in " + places.resolv_conf));
  CAF_CHECK(has("# process " + std::to_string(getpid())
                + " has died and left its changes of this host behind"));
  // The tunnel's own device is gone, so nothing of it is worth a word.
  CAF_CHECK(!has_part(said, "tun0"));
  expect(recover(), 0, 0, 0, 0);
  CAF_CHECK(said.empty());
}

CAF_TEST(nothing to restore is nothing to say) {
  expect(recover(), 0, 0, 0, 0);
  path += "/absent";
  expect(recover(), 0, 0, 0, 0);
  CAF_CHECK(said.empty());
  CAF_CHECK(!std::filesystem::exists(path));
}

CAF_TEST(several dead clients are taken back the newest first) {
  die("client-2");
  auto first = dump();
  // The second one finds a host without a default route and adds to it.
  tunnel.redirect.ipv4 = false;
  tunnel.routes.clear();
  push("172.16.0.0/12", gateway_kind::address, "192.0.2.9");
  die("client-1");
  auto later = this_process();
  later.started += 1000;
  rewrite(text(), later);
  expect(recover(), 2, 0, 0, 0);
  expect_clean();
}

CAF_TEST(a device that lives on gets back what it had) {
  // As with a device that somebody made persistent.
  device = open_device();
  auto now = dump();
  {
    auto journal = create();
    host_network network{{}, journal};
    apply(network);
  }
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK_EQUAL(dump(), now);
  CAF_CHECK(has("ip addr del 10.8.0.2/24 dev tun0"));
  CAF_CHECK(has("ip link set dev tun0 mtu 1500"));
}

// -- who lives --

CAF_TEST(what a living client has changed stays) {
  device = open_device();
  auto journal = create();
  host_network network{{}, journal};
  apply(network);
  host_dns dns{places, {}, journal};
  CAF_REQUIRE(dns.apply(tunnel.dns, device.name, index(device.name)));
  auto stands = dump();
  auto text = names();
  expect(recover(), 0, 1, 0, 0);
  CAF_CHECK(said.empty());
  CAF_CHECK_EQUAL(dump(), stands);
  CAF_CHECK_EQUAL(names(), text);
  dns.undo();
  network.undo();
}

CAF_TEST(a process that is killed counts as dead from then on) {
  int ready[2];
  CAF_REQUIRE_EQUAL(pipe(ready), 0);
  auto child = fork();
  CAF_REQUIRE(child >= 0);
  if (child == 0) {
    host_change x;
    x.device = "up0";
    x.device_index = index("up0");
    x.prefix = net("10.66.0.0/16");
    x.gateway = ip("192.0.2.66");
    auto journal = host_journal::create(path, "client-1");
    if (journal)
      (*journal)->add(x);
    auto kernel = netlink::open();
    auto done
      = kernel && kernel->add_route(route("10.66.0.0/16", "192.0.2.66", "up0"));
    auto answer = done ? 'y' : 'n';
    static_cast<void>(!write(ready[1], &answer, 1));
    for (;;)
      pause();
  }
  char answer = 0;
  CAF_REQUIRE_EQUAL(::read(ready[0], &answer, 1), 1);
  CAF_CHECK_EQUAL(answer, 'y');
  expect(recover(), 0, 1, 0, 0);
  CAF_CHECK_EQUAL(way_to("10.66.0.1"), "up0 via 192.0.2.66");
  kill(child, SIGKILL);
  CAF_CHECK_EQUAL(waitpid(child, nullptr, 0), child);
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK(has_part(said, "# process " + std::to_string(child)));
  expect_clean();
  close(ready[0]);
  close(ready[1]);
}

CAF_TEST(two that recover at once do not meet) {
  die();
  unique_fd other{::open(file().c_str(), O_RDWR | O_CLOEXEC)};
  CAF_REQUIRE_EQUAL(flock(other.get(), LOCK_EX), 0);
  expect(recover(), 0, 1, 0, 0);
  other.reset();
  expect(recover(), 1, 0, 0, 0);
  expect_clean();
}

CAF_TEST(names that a living client has written meanwhile stay) {
  die();
  auto journal = create({}, "client-2");
  {
    host_dns dns{places, {}, journal};
    CAF_REQUIRE(dns.apply(tunnel.dns, "tun1", 7));
  }
  auto theirs = names();
  expect(recover(), 1, 1, 0, 0);
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK_EQUAL(names(), theirs);
  host_dns{places, {}, journal}.undo();
  CAF_CHECK_EQUAL(names(), original);
}

// -- what cannot be done --

CAF_TEST(what the kernel refuses stays for another attempt) {
  die();
  set_up("up0", false);
  expect(recover(), 0, 0, 0, 1);
  CAF_CHECK(has_part(said, "# ip route add default via 192.0.2.1 dev up0"));
  CAF_CHECK_EQUAL(names(), original);
  CAF_CHECK_EQUAL(files().size(), 2u);
  set_up("up0", true);
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK_EQUAL(way_to("8.8.8.8"), "up0 via 192.0.2.1");
  CAF_CHECK_EQUAL(files().size(), 1u);
}

CAF_TEST(names that somebody else has written stay) {
  die();
  write_names("nameserver 203.0.113.9\n");
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK_EQUAL(names(), "nameserver 203.0.113.9\n");
  CAF_CHECK(has_part(said, "changed by somebody else"));
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK_EQUAL(files().size(), 1u);
}

CAF_TEST(names whose file is gone are nothing to restore) {
  die();
  CAF_REQUIRE_EQUAL(unlink(places.resolv_conf.c_str()), 0);
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK(files().empty());
}

// -- other places and times --

CAF_TEST(after a reboot only names are restored) {
  auto all = die();
  auto stands = dump();
  auto owner = this_process();
  owner.boot = "00000000-0000-0000-0000-000000000000";
  rewrite(all, owner);
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK_EQUAL(dump(), stands);
  CAF_CHECK_EQUAL(names(), original);
  CAF_CHECK_EQUAL(files().size(), 1u);
}

CAF_TEST(a journal of another network namespace is left to it) {
  die();
  auto text = names();
  auto stands = dump();
  {
    own_namespace elsewhere;
    expect(recover(), 0, 0, 1, 0);
    CAF_CHECK(said.empty());
  }
  CAF_CHECK_EQUAL(dump(), stands);
  CAF_CHECK_EQUAL(names(), text);
  expect(recover(), 1, 0, 0, 0);
  expect_clean();
}

CAF_TEST(names of an earlier boot need no journal) {
  device = open_device();
  {
    auto lost = std::make_shared<host_journal>();
    host_dns dns{places, {}, lost};
    CAF_REQUIRE(dns.apply(tunnel.dns, device.name, index(device.name)));
  }
  device.fd.reset();
  // They may belong to somebody who lives and has no journal.
  expect(recover(), 0, 0, 0, 0);
  CAF_CHECK(names() != original);
  timespec long_ago[2] = {{1000, 0}, {1000, 0}};
  CAF_REQUIRE_EQUAL(
    utimensat(AT_FDCWD, places.resolv_conf.c_str(), long_ago, 0), 0);
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK_EQUAL(said.size(), 1u);
  expect_clean();
  // A file that was never ours is as old as it likes.
  CAF_REQUIRE_EQUAL(
    utimensat(AT_FDCWD, places.resolv_conf.c_str(), long_ago, 0), 0);
  expect(recover(), 0, 0, 0, 0);
  expect_clean();
}

// -- crashes and hostile files --

CAF_TEST(a crash after each line of the journal is taken back) {
  auto all = die();
  for (size_t n = all.size(); n > 0; n = all.rfind('\n', n - 2) + 1) {
    // With the beginning of the next line behind it.
    std::ofstream{file()} << all.substr(0, n) << all.substr(n, 9);
    recover();
    CAF_CHECK(!has_part(said, "not understood"));
    CAF_CHECK_EQUAL(files().size(), 1u);
    if (n == all.size())
      expect_clean();
    if (all.rfind('\n', n - 2) == all.npos)
      break;
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(a file without one whole line says that nothing was changed) {
  for (auto text : {"", "{", "{\"vpn-actor-journal\":1,\"pid\":5"}) {
    std::ofstream{file()} << text;
    expect(recover(), 0, 0, 0, 0);
    CAF_CHECK(said.empty());
    expect_clean();
  }
}

CAF_TEST(a file that is no journal is refused and kept) {
  for (auto text : {"nonsense\n", "{\"vpn-actor-journal\":9}\n", "\n"}) {
    std::ofstream{file()} << text;
    expect(recover(), 0, 0, 0, 1);
    CAF_CHECK(has_part(said, "# refused: client-1.journal: "));
    CAF_CHECK_EQUAL(this->text(), text);
  }
  CAF_CHECK_EQUAL(dump(), before);
}

CAF_TEST(lines that are not understood do not keep the others back) {
  auto all = die();
  all.insert(all.find('\n') + 1, "{\"add\":7000,\"kind\":\"rocket\"}\n");
  std::ofstream{file()} << all;
  expect(recover(), 1, 0, 0, 0);
  CAF_CHECK(has("# lines of its journal that are not understood: 1"));
  expect_clean();
}

CAF_TEST(a journal cannot name another file than that of the names) {
  auto other = path + "/other";
  auto text = make_resolv_conf({}, "nameserver 203.0.113.9\n");
  std::ofstream{other} << text;
  CAF_REQUIRE(is_ours(text));
  auto all = die();
  host_names names;
  names.file = other;
  std::ofstream{file(), std::ios::app} << names_line(names);
  write_names(original);
  expect(recover(), 1, 0, 0, 1);
  CAF_CHECK(has("# refused: client-1.journal: names a file that no client "
                "writes"));
  // What else it says is as true as before.
  CAF_CHECK_EQUAL(dump(), before);
  CAF_CHECK_EQUAL(read(other), text);
  CAF_CHECK(!std::filesystem::exists(file()));
}

CAF_TEST(there may be more dead clients than files a process can open) {
  rlimit usual{};
  CAF_REQUIRE_EQUAL(getrlimit(RLIMIT_NOFILE, &usual), 0);
  for (int i = 0; i < 100; ++i)
    std::ofstream{file("client-" + std::to_string(i))}
      << first_line(this_process());
  auto few = usual;
  few.rlim_cur = 80;
  CAF_REQUIRE_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
  auto result = recover();
  CAF_REQUIRE_EQUAL(setrlimit(RLIMIT_NOFILE, &usual), 0);
  expect(result, 100, 0, 0, 0);
  expect_clean();
}

CAF_TEST(files that others could have a hand in are refused) {
  auto all = die();
  auto stands = dump();
  auto refuses = [&](const std::string& why) {
    expect(recover(), 0, 0, 0, 1);
    CAF_CHECK(has_part(said, why));
    CAF_CHECK_EQUAL(dump(), stands);
  };
  CAF_REQUIRE_EQUAL(chmod(file().c_str(), 0622), 0);
  refuses("others may write");
  CAF_REQUIRE_EQUAL(chmod(file().c_str(), 0600), 0);
  CAF_REQUIRE_EQUAL(chown(file().c_str(), 65534, 0), 0);
  refuses("another user");
  CAF_REQUIRE_EQUAL(chown(file().c_str(), 0, 0), 0);
  auto other = path + "/other";
  CAF_REQUIRE_EQUAL(link(file().c_str(), other.c_str()), 0);
  refuses("another name");
  CAF_REQUIRE_EQUAL(unlink(file().c_str()), 0);
  CAF_REQUIRE_EQUAL(symlink(other.c_str(), file().c_str()), 0);
  refuses("symbolic links");
  CAF_REQUIRE_EQUAL(unlink(file().c_str()), 0);
  CAF_REQUIRE_EQUAL(mkfifo(file().c_str(), 0600), 0);
  refuses("no file");
  CAF_REQUIRE_EQUAL(unlink(file().c_str()), 0);
  CAF_REQUIRE_EQUAL(mkdir(file().c_str(), 0700), 0);
  refuses("directory");
  CAF_REQUIRE_EQUAL(rmdir(file().c_str()), 0);
  std::ofstream{file()} << all;
  CAF_REQUIRE_EQUAL(truncate(file().c_str(), off_t{1} << 30), 0);
  refuses("larger than");
  CAF_REQUIRE_EQUAL(unlink(file().c_str()), 0);
  CAF_REQUIRE_EQUAL(rename(other.c_str(), file().c_str()), 0);
  CAF_REQUIRE_EQUAL(chmod(path.c_str(), 0777), 0);
  refuses("others may write");
  CAF_REQUIRE_EQUAL(chmod(path.c_str(), 0700), 0);
  expect(recover(), 1, 0, 0, 0);
  expect_clean();
}

CAF_TEST_FIXTURE_SCOPE_END()
