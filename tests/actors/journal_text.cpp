// The lines of a journal: whatever stands there, reading it does no harm.
#define CAF_SUITE actors.journal_text
#include "actors/journal_text.hpp"

#include "tests/support/journal_entries.hpp"
#include "tests/support/seeded.hpp"

#include "caf/test/unit_test.hpp"

using namespace vpn;
using namespace vpn::actors;
using namespace vpn::test;

CAF_TEST(a crash while all is written anew loses nothing) {
  changes made;
  auto lines = std::string{};
  for (size_t i = 0; i < 6; ++i) {
    made.push_back(some_route(i));
    lines += add_line(i + 1, made.back());
  }
  lines += drop_line(1) + names_line(file_names("/etc/resolv.conf"));
  made.erase(made.begin());
  auto fresh = again_line();
  for (size_t i = 1; i < 6; ++i)
    fresh += add_line(i + 1, some_route(i));
  fresh += names_line(file_names("/etc/resolv.conf")) + done_line();
  auto header = first_line(this_process());
  auto holds = [&](const std::string& text) {
    auto content = parse_journal(text);
    return changes_of(content) == made
           && content.names.file == "/etc/resolv.conf";
  };
  // First behind the old text, then over it, and then it is cut.
  auto old = header + lines;
  for (size_t n = 0; n <= fresh.size(); ++n)
    CAF_REQUIRE(holds(old + fresh.substr(0, n)));
  auto both = old + fresh;
  for (size_t n = 0; n <= fresh.size(); ++n) {
    auto text = both;
    text.replace(header.size(), n, fresh, 0, n);
    CAF_REQUIRE(holds(text));
  }
  CAF_CHECK(holds(header + fresh));
}

CAF_TEST(a device whose name is no text comes back byte by byte) {
  auto x = some_route(1);
  for (auto name : {"tun0", "t\xc3\xbcn", "t\xfcn", "\xff\xfe\x80", "\x01\""}) {
    x.device = name;
    host_names names;
    names.device = name;
    names.device_index = 5;
    auto content = parse_journal(first_line(this_process()) + add_line(1, x)
                                 + names_line(names));
    CAF_CHECK(changes_of(content) == changes{x});
    CAF_CHECK_EQUAL(content.names.device, name);
  }
}

CAF_TEST(random bytes are no journal and no trouble) {
  test::seeded random{3};
  for (int i = 0; i < 3000; ++i) {
    auto noise = random.some_bytes(400);
    std::string text{noise.begin(), noise.end()};
    CAF_REQUIRE(parse_journal(text).changes.empty());
    auto header = first_line(this_process());
    auto content = parse_journal(header + text + "\n");
    CAF_REQUIRE(content.owner);
    CAF_REQUIRE(content.changes.empty());
  }
}

CAF_TEST(every flipped bit is survived) {
  auto text = first_line(this_process()) + add_line(1, some_route(1))
              + names_line(file_names("/etc/resolv.conf"));
  for (size_t i = 0; i < text.size() * 8; ++i) {
    auto other = text;
    other[i / 8] = static_cast<char>(other[i / 8] ^ (1 << (i % 8)));
    CAF_REQUIRE(parse_journal(other).changes.size() <= 1);
  }
}

CAF_TEST(a line that makes no sense is left out and counted) {
  auto header = first_line(this_process());
  std::string device = R"("device":"tun0","index":5,)";
  for (auto& line : std::vector<std::string>{
         "",
         "null",
         "[]",
         "{}",
         "7",
         "{\"add\":",
         R"({"what":1})",
         R"({"add":1})",
         R"({"add":-1,)" + device + R"("kind":"up"})",
         R"({"add":"1",)" + device + R"("kind":"up"})",
         R"({"add":1e3,)" + device + R"("kind":"up"})",
         R"({"add":1,)" + device + R"("kind":"rocket"})",
         R"({"add":1,)" + device + R"("kind":5})",
         R"({"add":1,)" + device + R"("kind":"route"})",
         R"({"add":1,)" + device + R"("kind":"route","prefix":"10.0.0.0/33"})",
         R"({"add":1,)" + device + R"("kind":"route","prefix":"tun0"})",
         R"({"add":1,)" + device + R"("kind":"route","prefix":["::/0"]})",
         R"({"add":1,)" + device
           + R"("kind":"route","prefix":"::/0","gateway":"x"})",
         R"({"add":1,)" + device
           + R"("kind":"route","prefix":"::/0","metric":4294967296})",
         R"({"add":1,)" + device
           + R"("kind":"route","prefix":"::/0","scope":256})",
         R"({"add":1,)" + device
           + R"("kind":"route","prefix":"::/0","onlink":1})",
         R"({"add":1,"kind":"up","device":"tun0"})",
         R"({"add":1,"kind":"up","device":"tun0","index":0})",
         R"({"add":1,"kind":"up","device":"tun0","index":2147483648})",
         R"({"add":1,"kind":"up","device":"","index":1})",
         R"({"add":1,"kind":"up","device":"a-name-of-16-byt","index":1})",
         R"({"add":1,"kind":"up","device bytes":[],"index":1})",
         R"({"add":1,"kind":"up","device bytes":"tun0","index":1})",
         R"({"add":1,"kind":"up","device bytes":[256],"index":1})",
         R"({"add":1,"kind":"up","device bytes":[-1],"index":1})",
         R"({"add":1,"kind":"up","index":1,"device bytes":)"
         R"([1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]})",
         R"({"drop":"1"})",
         R"({"names":7})",
         R"({"names":{"file":7}})",
         R"({"names":{"file":"etc/resolv.conf"}})",
         R"({"names":{"index":7}})",
         std::string(100000, '['),
         R"({"add":1,)" + device + R"("kind":"up","x":")"
           + std::string(20000, 'x') + "\"}"}) {
    auto content = parse_journal(header + line + "\n");
    CAF_CHECK_EQUAL(content.not_understood, 1u);
    CAF_CHECK(content.changes.empty());
    CAF_CHECK(!content.names.set());
    // What follows is understood again.
    content = parse_journal(header + line + "\n" + add_line(9, some_route(9)));
    CAF_CHECK_EQUAL(content.changes.size(), 1u);
  }
  // A number that was used is not used again.
  auto content = parse_journal(header + add_line(1, some_route(1))
                               + add_line(1, some_route(2)));
  CAF_CHECK(changes_of(content) == changes{some_route(1)});
  CAF_CHECK_EQUAL(content.not_understood, 1u);
}

CAF_TEST(a first line of somebody else leaves the rest unread) {
  for (auto [line, why] :
       {std::pair{"nonsense\n", "is no journal"},
        {"{}\n", "is no journal"},
        {"{\"vpn-actor-journal\":0}\n", "is no journal"},
        {"{\"vpn-actor-journal\":\"1\"}\n", "is no journal"},
        {"{\"vpn-actor-journal\":1,\"pid\":\"x\"}\n", "is no journal"},
        {"{\"vpn-actor-journal\":2}\n", "was written by another version"}}) {
    auto content = parse_journal(line + add_line(1, some_route(1)));
    CAF_CHECK(!content.owner);
    CAF_CHECK_EQUAL(content.foreign, why);
    CAF_CHECK(content.changes.empty());
  }
}
