// The journal of a host's changes: what is written is what is read, whatever
// happens in between.
#define CAF_SUITE actors.host_journal
#include "vpn/actors/host_journal.hpp"

#include "tests/support/journal_entries.hpp"
#include "tests/support/journal_folder.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

#include <csignal>

#include "actors/journal_text.hpp"
#include <sys/resource.h>

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

namespace {

ip_address some_address(test::seeded& random, family kind) {
  ip_address result;
  result.kind = kind;
  for (size_t i = 0; i < result.size(); ++i)
    result.octets[i] = random.byte();
  return result;
}

host_change some_change(test::seeded& random) {
  host_change x;
  x.kind = static_cast<host_change_kind>(random.below(6));
  x.device = random.one_in(2) ? "tun0" : "a \"name\"\\ of 15";
  x.device_index = 1 + random.below(1u << 20);
  if (x.kind <= host_change_kind::link_up) {
    x.before = random.below(65536);
    x.after = random.below(65536);
    return x;
  }
  auto kind = random.one_in(2) ? family::v4 : family::v6;
  x.prefix
    = {some_address(random, kind),
       static_cast<uint8_t>(random.below(kind == family::v4 ? 33 : 129))};
  if (random.one_in(2))
    x.gateway = some_address(random, kind);
  if (random.one_in(4))
    x.source = some_address(random, kind);
  if (random.one_in(2))
    x.metric = random.below(4) * 0x55555555u;
  if (random.one_in(2))
    x.protocol = random.byte();
  if (random.one_in(2))
    x.scope = random.byte();
  x.on_link = random.one_in(4);
  return x;
}

using fixture = journal_folder;

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_journal_tests, fixture)

// -- what is written is what is read --

CAF_TEST(each change is in the file before add returns) {
  auto journal = create();
  CAF_CHECK_EQUAL(text(), "");
  test::seeded random{1};
  changes made;
  for (int i = 0; i < 150; ++i) {
    made.push_back(some_change(random));
    journal->add(made.back());
    auto content = parse_journal(text());
    CAF_REQUIRE(content.owner);
    CAF_REQUIRE(changes_of(content) == made);
    CAF_REQUIRE_EQUAL(content.not_understood, 0u);
  }
  CAF_CHECK(journal->changes() == made);
}

CAF_TEST(any order of adding and dropping is read as it is) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    test::seeded random{seed};
    auto journal = create();
    changes made;
    for (int i = 0; i < 120; ++i) {
      if (!made.empty() && random.one_in(2)) {
        auto at = random.below(static_cast<uint32_t>(made.size()));
        journal->drop(made[at]);
        made.erase(made.begin() + at);
      } else if (random.one_in(8)) {
        journal->set_names(random.one_in(2) ? file_names("/etc/resolv.conf")
                                            : host_names{});
      } else {
        made.push_back(some_change(random));
        journal->add(made.back());
      }
      auto content = parse_journal(text());
      CAF_REQUIRE(changes_of(content) == made);
      CAF_REQUIRE(journal->changes() == made);
      CAF_REQUIRE_EQUAL(content.names.file, journal->names().file);
    }
    journal->set_names({});
    for (auto& x : made)
      journal->drop(x);
    CAF_CHECK_EQUAL(text(), "");
    CAF_CHECK(journal->empty());
  }
}

CAF_TEST(of two equal changes the later one is dropped) {
  auto journal = create();
  host_change x = some_route(1);
  journal->add(x);
  journal->add(some_route(2));
  journal->add(x);
  journal->drop(x);
  CAF_CHECK(journal->changes() == (changes{x, some_route(2)}));
  CAF_CHECK(changes_of(parse_journal(text())) == journal->changes());
  // One that is not there is no reason to write.
  auto before = text();
  journal->drop(some_route(3));
  CAF_CHECK_EQUAL(text(), before);
}

CAF_TEST(names of both kinds are read as they are) {
  auto journal = create();
  journal->set_names(file_names("/etc/\"resolv\".conf"));
  CAF_CHECK_EQUAL(parse_journal(text()).names.file, "/etc/\"resolv\".conf");
  host_names link;
  link.device = "tun7";
  link.device_index = 77;
  journal->set_names(link);
  auto read = parse_journal(text()).names;
  CAF_CHECK_EQUAL(read.file, "");
  CAF_CHECK_EQUAL(read.device, "tun7");
  CAF_CHECK_EQUAL(read.device_index, 77u);
  journal->set_names({});
  CAF_CHECK_EQUAL(text(), "");
}

CAF_TEST(the first line says whose it is) {
  auto journal = create();
  journal->add(some_route(1));
  auto owner = *parse_journal(text()).owner;
  CAF_CHECK_EQUAL(owner.pid, static_cast<uint64_t>(getpid()));
  CAF_CHECK(owner.started > 0);
  CAF_CHECK_EQUAL(owner.boot.size(), 36u);
  CAF_CHECK_EQUAL(owner.network, this_process().network);
  CAF_CHECK(!owner.network.empty());
}

CAF_TEST(a device name that is no text does no harm) {
  auto journal = create();
  auto x = some_route(1);
  x.device = "\xff\xfe";
  journal->add(x);
  CAF_CHECK_EQUAL(parse_journal(text()).changes.size(), 1u);
}

// -- what it costs --

CAF_TEST(a thousand routes cost little) {
  auto journal = create();
  for (size_t i = 0; i < 1000; ++i)
    journal->add(some_route(i));
  for (size_t i = 1000; i-- > 0;)
    journal->drop(some_route(i));
  CAF_CHECK(journal->empty());
  CAF_CHECK_LESS(journal->bytes_written(), uint64_t{1} << 18);
  CAF_CHECK_EQUAL(text(), "");
}

CAF_TEST(a long life does not fill the memory) {
  auto journal = create();
  for (size_t i = 0; i < 10; ++i)
    journal->add(some_route(i));
  size_t largest = 0;
  for (size_t i = 10; i < 8000; ++i) {
    journal->add(some_route(i));
    journal->drop(some_route(i - 10));
    if (i % 400 == 0) {
      auto now = text();
      largest = std::max(largest, now.size());
      CAF_REQUIRE(changes_of(parse_journal(now)) == journal->changes());
    }
  }
  CAF_CHECK_LESS(largest, size_t{300} << 10);
  CAF_CHECK(changes_of(parse_journal(text())) == journal->changes());
}

// -- a crash in the middle --

CAF_TEST(whatever part of the file is there says what was so at that time) {
  auto journal = create();
  test::seeded random{7};
  // The states the file went through, by its size.
  std::map<size_t, changes> states{{0, {}}};
  std::map<size_t, std::string> names{{0, ""}};
  changes made;
  for (int i = 0; i < 30; ++i) {
    if (i % 3 == 2) {
      journal->drop(made[1]);
      made.erase(made.begin() + 1);
    } else if (i % 10 == 9) {
      journal->set_names(file_names("/etc/resolv.conf"));
    } else {
      made.push_back(some_change(random));
      journal->add(made.back());
    }
    states[text().size()] = made;
    names[text().size()] = journal->names().file;
  }
  auto all = text();
  for (size_t n = 0; n <= all.size(); ++n) {
    auto content = parse_journal(std::string_view{all}.substr(0, n));
    auto at = std::prev(states.upper_bound(n));
    CAF_REQUIRE(changes_of(content) == at->second);
    CAF_REQUIRE_EQUAL(content.names.file, names[at->first]);
    CAF_REQUIRE(content.whole <= n);
    CAF_REQUIRE_EQUAL(content.not_understood, 0u);
  }
}

CAF_TEST(a full disk is said once and does no harm) {
  std::vector<std::string> warnings;
  auto journal = create([&](const std::string& x) {
    warnings.push_back(x);
  });
  for (size_t i = 0; i < 20; ++i)
    journal->add(some_route(i));
  auto full = text();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  CAF_REQUIRE_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
  // Half a line fits.
  auto now = before;
  now.rlim_cur = full.size() + 40;
  CAF_REQUIRE_EQUAL(setrlimit(RLIMIT_FSIZE, &now), 0);
  for (size_t i = 20; i < 40; ++i)
    journal->add(some_route(i));
  auto meanwhile = text();
  CAF_REQUIRE_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  CAF_CHECK_EQUAL(warnings.size(), 1u);
  CAF_CHECK_EQUAL(journal->changes().size(), 40u);
  CAF_CHECK_EQUAL(meanwhile, full);
  // With room again the file says what is.
  journal->add(some_route(40));
  CAF_CHECK(changes_of(parse_journal(text())) == journal->changes());
  journal->drop(some_route(3));
  CAF_CHECK(changes_of(parse_journal(text())) == journal->changes());
}

// -- the file --

CAF_TEST(the file goes with its journal when nothing is left) {
  {
    auto journal = create();
    journal->add(some_route(1));
    CAF_CHECK_EQUAL(files().size(), 1u);
    journal->drop(some_route(1));
    CAF_CHECK_EQUAL(files().size(), 1u);
  }
  CAF_CHECK(files().empty());
  {
    auto journal = create();
    journal->add(some_route(1));
  }
  CAF_CHECK_EQUAL(files().size(), 1u);
}

CAF_TEST(directory and file are for nobody else) {
  path += "/new";
  auto journal = create();
  journal->add(some_route(1));
  struct stat about {};
  CAF_REQUIRE_EQUAL(stat(path.c_str(), &about), 0);
  CAF_CHECK_EQUAL(about.st_mode & 07777, 0700u);
  CAF_REQUIRE_EQUAL(stat(file().c_str(), &about), 0);
  CAF_CHECK_EQUAL(about.st_mode & 07777, 0600u);
}

CAF_TEST(a file of the same name is left alone) {
  std::ofstream{file()} << "somebody's";
  auto journal = create();
  journal->add(some_route(1));
  CAF_CHECK_EQUAL(text(), "somebody's");
  CAF_CHECK_EQUAL(files().size(), 2u);
}

CAF_TEST(a directory that others could have a hand in is refused) {
  auto refuses = [&](const std::string& why) {
    auto result = host_journal::create(path, "client-1");
    CAF_REQUIRE(!result);
    CAF_CHECK(result.error().text.find(why) != std::string::npos);
    CAF_CHECK(result.error().text.find(path) != std::string::npos);
  };
  CAF_REQUIRE_EQUAL(chmod(path.c_str(), 0770), 0);
  refuses("others may write");
  CAF_REQUIRE_EQUAL(chmod(path.c_str(), 0702), 0);
  refuses("others may write");
  CAF_REQUIRE_EQUAL(chmod(path.c_str(), 0700), 0);
  CAF_REQUIRE_EQUAL(chown(path.c_str(), 65534, 0), 0);
  refuses("another user");
  CAF_REQUIRE_EQUAL(chown(path.c_str(), 0, 0), 0);
  auto real = path;
  path = real + "/link";
  CAF_REQUIRE_EQUAL(symlink(real.c_str(), path.c_str()), 0);
  refuses("Not a directory");
  path = real + "/file";
  std::ofstream{path} << "x";
  refuses("Not a directory");
  path = real + "/no/such";
  refuses("No such file");
  CAF_CHECK_EQUAL(unlink((real + "/link").c_str()), 0);
  CAF_CHECK_EQUAL(unlink((real + "/file").c_str()), 0);
  path = real;
}

CAF_TEST(without privileges the file is still written and emptied) {
  auto journal = create();
  CAF_REQUIRE_EQUAL(::seteuid(65534), 0);
  journal->add(some_route(1));
  journal->add(some_route(2));
  journal->drop(some_route(1));
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  CAF_CHECK(changes_of(parse_journal(text())) == changes{some_route(2)});
  CAF_REQUIRE_EQUAL(::seteuid(65534), 0);
  journal->drop(some_route(2));
  journal = nullptr;
  CAF_REQUIRE_EQUAL(::seteuid(0), 0);
  // The directory is root's, so the file stays; but it says nothing.
  CAF_CHECK_EQUAL(files().size(), 1u);
  CAF_CHECK_EQUAL(text(), "");
}

CAF_TEST(a journal in memory does the same without a file) {
  host_journal journal;
  CAF_CHECK(journal.empty());
  journal.add(some_route(1));
  journal.set_names(file_names("/etc/resolv.conf"));
  journal.drop(some_route(1));
  CAF_CHECK(!journal.empty());
  CAF_CHECK_EQUAL(journal.names().file, "/etc/resolv.conf");
  CAF_CHECK_EQUAL(journal.bytes_written(), 0u);
  CAF_CHECK(files().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
