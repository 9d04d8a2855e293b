// Text messages: each kind, its odd forms, and a peer that sends nonsense.
#define CAF_SUITE protocol.control_message

#include "vpn/protocol/control_message.hpp"

#include "caf/test/unit_test.hpp"

#include <random>

using namespace vpn::protocol;

namespace {

using strings = std::vector<std::string>;

template <class T>
T parse_as(std::string_view text) {
  auto message = parse_text_message(text);
  CAF_MESSAGE(std::string{text});
  CAF_REQUIRE(std::holds_alternative<T>(message));
  return std::get<T>(message);
}

} // namespace

CAF_TEST(a push reply is cut at its commas) {
  // source: openvpn-wire 7.1, a reply of OpenVPN 2.6.14
  auto reply = parse_as<push_reply>(
    "PUSH_REPLY,route 192.168.77.0 255.255.255.0,route-gateway 10.199.0.1,"
    "topology subnet,ping 10,ping-restart 60,ifconfig 10.199.0.2 "
    "255.255.255.0,peer-id 0,cipher AES-256-GCM,protocol-flags cc-exit "
    "tls-ekm dyn-tls-crypt,tun-mtu 1500");
  CAF_REQUIRE_EQUAL(reply.options.size(), 10u);
  CAF_CHECK_EQUAL(reply.options[0], "route 192.168.77.0 255.255.255.0");
  CAF_CHECK_EQUAL(reply.options[8],
                  "protocol-flags cc-exit tls-ekm dyn-tls-crypt");
  CAF_CHECK(!reply.more);
}

CAF_TEST(continuations say whether another part follows) {
  auto first = parse_as<push_reply>("PUSH_REPLY,ping 10,push-continuation 2");
  CAF_CHECK_EQUAL(first.options, strings{"ping 10"});
  CAF_CHECK(first.more);
  auto last = parse_as<push_reply>("PUSH_REPLY,ping 11,push-continuation 1");
  CAF_CHECK_EQUAL(last.options, strings{"ping 11"});
  CAF_CHECK(!last.more);
  CAF_CHECK(!parse_as<push_reply>("PUSH_REPLY,push-continuation 0").more);
}

CAF_TEST(a push reply may be empty) {
  CAF_CHECK(parse_as<push_reply>("PUSH_REPLY").options.empty());
  CAF_CHECK(parse_as<push_reply>("PUSH_REPLY,").options.empty());
  CAF_CHECK_EQUAL(parse_as<push_reply>("PUSH_REPLY,, ,ping 1,").options,
                  strings{"ping 1"});
}

CAF_TEST(a refused login comes with or without its reason) {
  auto plain = parse_as<auth_failed>("AUTH_FAILED");
  CAF_CHECK_EQUAL(plain.reason, "");
  CAF_CHECK(!plain.temporary);
  auto reason = parse_as<auth_failed>("AUTH_FAILED,no, really");
  CAF_CHECK_EQUAL(reason.reason, "no, really");
  CAF_CHECK(!reason.temporary);
  auto challenge
    = parse_as<auth_failed>("AUTH_FAILED,CRV1:R,E:id:dXNlcg==:OTP");
  CAF_CHECK_EQUAL(challenge.reason, "CRV1:R,E:id:dXNlcg==:OTP");
}

CAF_TEST(a temporary failure has its backoff) {
  auto full = parse_as<auth_failed>(
    "AUTH_FAILED,TEMP[backoff 42,advance no,colour blue]:busy: come back");
  CAF_CHECK(full.temporary);
  CAF_CHECK_EQUAL(full.backoff_seconds, 42u);
  CAF_CHECK_EQUAL(full.reason, "busy: come back");
  auto spaces
    = parse_as<auth_failed>("AUTH_FAILED,TEMP[advance no, backoff 7]");
  CAF_CHECK(spaces.temporary);
  CAF_CHECK_EQUAL(spaces.backoff_seconds, 7u);
  CAF_CHECK_EQUAL(spaces.reason, "");
  CAF_CHECK(parse_as<auth_failed>("AUTH_FAILED,TEMP").temporary);
  CAF_CHECK_EQUAL(parse_as<auth_failed>("AUTH_FAILED,TEMP:later").reason,
                  "later");
}

CAF_TEST(a malformed temporary failure is final or without backoff) {
  for (auto text :
       {"AUTH_FAILED,TEMPORARILY closed", "AUTH_FAILED,TEMP[backoff 42:x",
        "AUTH_FAILED,TEMP[backoff 42]x"})
    CAF_CHECK(!parse_as<auth_failed>(text).temporary);
  for (auto text :
       {"AUTH_FAILED,TEMP[]", "AUTH_FAILED,TEMP[backoff]",
        "AUTH_FAILED,TEMP[backoff -1]", "AUTH_FAILED,TEMP[backoff 4294967296]",
        "AUTH_FAILED,TEMP[backoff42]", "AUTH_FAILED,TEMP[backoff 1x]"}) {
    auto message = parse_as<auth_failed>(text);
    CAF_CHECK(message.temporary);
    CAF_CHECK_EQUAL(message.backoff_seconds, 0u);
  }
}

CAF_TEST(a temporary failure says where to try next) {
  auto where = [](const std::string& keys) {
    auto x = parse_as<auth_failed>("AUTH_FAILED,TEMP[" + keys + "]:x");
    CAF_CHECK(x.temporary);
    return x.where;
  };
  CAF_CHECK(where("advance no") == advance::no);
  CAF_CHECK(where("advance addr") == advance::address);
  CAF_CHECK(where("backoff 3, advance remote") == advance::remote);
  for (auto keys : {"", "backoff 3", "advance", "advance ", "advance all",
                    "advanced remote", "advance  remote x", "Advance remote"})
    CAF_CHECK(where(keys) == advance::no);
  CAF_CHECK(parse_as<auth_failed>("AUTH_FAILED,TEMP").where == advance::no);
}

CAF_TEST(pending authentication may name its time limit) {
  CAF_CHECK_EQUAL(parse_as<auth_pending>("AUTH_PENDING").timeout_seconds, 0u);
  CAF_CHECK_EQUAL(
    parse_as<auth_pending>("AUTH_PENDING,timeout 90").timeout_seconds, 90u);
  CAF_CHECK_EQUAL(
    parse_as<auth_pending>("AUTH_PENDING,timeout ninety").timeout_seconds, 0u);
}

CAF_TEST(the server may stop or restart us) {
  auto restart = parse_as<server_stop>("RESTART");
  CAF_CHECK(!restart.halt && !restart.keep_credentials && !restart.next_remote);
  auto flags = parse_as<server_stop>("RESTART,[PN]maintenance, soon");
  CAF_CHECK(!flags.halt && flags.keep_credentials && flags.next_remote);
  CAF_CHECK_EQUAL(flags.text, "maintenance, soon");
  auto keep = parse_as<server_stop>("RESTART,[P]");
  CAF_CHECK(keep.keep_credentials && !keep.next_remote);
  auto halt = parse_as<server_stop>("HALT,[N");
  CAF_CHECK(halt.halt && !halt.next_remote);
  CAF_CHECK_EQUAL(halt.text, "[N");
  CAF_CHECK_EQUAL(parse_as<server_stop>("HALT,P]x").text, "P]x");
}

CAF_TEST(information is handed on) {
  CAF_CHECK_EQUAL(parse_as<info_message>("INFO,hello, you").text, "hello, you");
  CAF_CHECK_EQUAL(parse_as<info_message>("INFO_PRE,PROXY:x").text, "PROXY:x");
}

CAF_TEST(an address to open comes with or without flags) {
  auto plain = parse_as<open_url>("INFO_PRE,OPEN_URL:https://vpn.example/");
  CAF_CHECK_EQUAL(plain.url, "https://vpn.example/");
  CAF_CHECK_EQUAL(plain.flags, "");
  auto web = parse_as<open_url>(
    "INFO_PRE,WEB_AUTH:hidden,external:HTTPS://vpn.example:8443/a?b=c&d=%20#e");
  CAF_CHECK_EQUAL(web.url, "HTTPS://vpn.example:8443/a?b=c&d=%20#e");
  CAF_CHECK_EQUAL(web.flags, "hidden,external");
  CAF_CHECK_EQUAL(parse_as<open_url>("INFO,WEB_AUTH::http://[::1]/").url,
                  "http://[::1]/");
}

CAF_TEST(what is not an address of the web is only shown) {
  for (auto text : {"OPEN_URL:",
                    "OPEN_URL",
                    "OPEN_URL:ftp://a/",
                    "OPEN_URL:file:///etc/passwd",
                    "OPEN_URL:javascript:x()",
                    "OPEN_URL:https:a",
                    "OPEN_URL:https://",
                    "OPEN_URL:https:///x",
                    "OPEN_URL:https://-x/",
                    "OPEN_URL: https://a/",
                    "OPEN_URL:https://a/ b",
                    "OPEN_URL:https://a/\"b",
                    "OPEN_URL:https://a/<b>",
                    "OPEN_URL:https://a/`id`",
                    "OPEN_URL:https://a/\\b",
                    "OPEN_URL:https://a/b|c",
                    "OPEN_URL:https://a/\xc3\xa4",
                    "OPEN_URL:https://a/\x1b[2J",
                    "OPEN_URL:-https://a/",
                    "open_url:https://a/",
                    "OPEN_URLS:https://a/",
                    "WEB_AUTH:https://a/",
                    "WEB_AUTH:hidden",
                    "WEB_AUTH:a b:https://a/",
                    "WEB_AUTH:$(id):https://a/",
                    "WEB_AUTH:hidden:ftp://a/"})
    parse_as<info_message>("INFO_PRE," + std::string{text});
  auto url = "https://a/" + std::string(2038, 'x');
  parse_as<open_url>("INFO_PRE,OPEN_URL:" + url);
  parse_as<info_message>("INFO_PRE,OPEN_URL:" + url + "x");
  auto flags = std::string(64, 'f');
  parse_as<open_url>("INFO_PRE,WEB_AUTH:" + flags + ":https://a/");
  parse_as<info_message>("INFO_PRE,WEB_AUTH:" + flags + "f:https://a/");
}

CAF_TEST(a challenge while the server waits has its flags) {
  auto both = parse_as<challenge_text>("INFO_PRE,CR_TEXT:R,E:Code: now");
  CAF_CHECK_EQUAL(both.text, "Code: now");
  CAF_CHECK(both.echo && both.needs_response);
  auto none = parse_as<challenge_text>("INFO_PRE,CR_TEXT::Look at your phone");
  CAF_CHECK(!none.echo && !none.needs_response);
  auto other = parse_as<challenge_text>("INFO_PRE,CR_TEXT:R,RE,x:t");
  CAF_CHECK(!other.echo && other.needs_response);
  CAF_CHECK_EQUAL(parse_as<challenge_text>("INFO_PRE,CR_TEXT:R:a\x1b[2J").text,
                  "a_[2J");
  for (auto text :
       {"CR_TEXT", "CR_TEXT:", "CR_TEXT:R", "CR_TEXT:R:", "CR_TEXT:R E:x"})
    parse_as<info_message>("INFO_PRE," + std::string{text});
}

CAF_TEST(a response to a challenge is decoded) {
  CAF_CHECK_EQUAL(parse_as<challenge_response>("CR_RESPONSE,MTIzNDU2").response,
                  "123456");
  CAF_CHECK_EQUAL(parse_as<challenge_response>("CR_RESPONSE,eA==").response,
                  "x");
  CAF_CHECK_EQUAL(parse_as<challenge_response>("CR_RESPONSE").response, "");
  CAF_CHECK_EQUAL(parse_as<challenge_response>("CR_RESPONSE,").response, "");
  // Half a secret is not told.
  for (auto text : {"MTIzNDU", "MTI=NDU2", "!!!!", "Cg==", "AAAA", "MTIz NDU2",
                    "====", "MTIzNDU2\n"})
    CAF_CHECK_EQUAL(
      parse_as<unknown_message>("CR_RESPONSE," + std::string{text}).text,
      "CR_RESPONSE");
}

CAF_TEST(an update of pushed options is cut like a reply) {
  auto x = parse_as<push_update>(
    "PUSH_UPDATE,-route, ?dns search-domains a,-?dns,push-continuation 2");
  CAF_CHECK_EQUAL(x.options,
                  (strings{"-route", "?dns search-domains a", "-?dns"}));
  CAF_CHECK(x.more);
  CAF_CHECK(!parse_as<push_update>("PUSH_UPDATE").more);
  parse_as<unknown_message>("PUSH_UPDATES,x");
}

CAF_TEST(a token in a message that is unknown is not told) {
  for (auto text : {"PUSH_REPLYX,auth-token SECRET", "X auth-token-user SECRET",
                    "auth-token SECRET"})
    CAF_CHECK(parse_as<unknown_message>(text).text.find("SECRET")
              == std::string::npos);
}

CAF_TEST(short messages are recognised whole only) {
  parse_as<push_request>("PUSH_REQUEST");
  parse_as<exit_message>("EXIT");
  for (auto text :
       {"", "exit", "EXITS", "PUSH_REQUESTS", "PUSH_REPLYX", "AUTH_FAILEDX",
        "INFORMATION", "ACC,muxed", " EXIT", "HALTED"})
    parse_as<unknown_message>(text);
}

CAF_TEST(control characters are replaced and long texts cut) {
  CAF_CHECK_EQUAL(parse_as<info_message>("INFO,a\x1b[2J\nb").text, "a_[2J_b");
  auto text = "INFO," + std::string(100000, 'x');
  CAF_CHECK_EQUAL(parse_as<info_message>(text).text.size(), 2048u);
}

CAF_TEST(a short list of options is one message without continuation) {
  auto empty = write_push_reply({});
  CAF_CHECK_EQUAL(*empty, strings{"PUSH_REPLY"});
  auto two = write_push_reply({"ping 10", "topology subnet"});
  CAF_CHECK_EQUAL(*two, strings{"PUSH_REPLY,ping 10,topology subnet"});
}

CAF_TEST(a long list is cut and comes back whole) {
  strings options;
  for (int i = 0; i < 200; ++i)
    options.push_back("route 10." + std::to_string(i) + ".0.0 255.255.0.0");
  auto parts = write_push_reply(options);
  CAF_REQUIRE(parts);
  CAF_CHECK_GREATER(parts->size(), 5u);
  strings joined;
  for (auto& part : *parts) {
    CAF_CHECK_LESS_OR_EQUAL(part.size() + 1, 1024u);
    auto reply = parse_as<push_reply>(part);
    CAF_CHECK_EQUAL(reply.more, &part != &parts->back());
    joined.insert(joined.end(), reply.options.begin(), reply.options.end());
  }
  CAF_CHECK_EQUAL(joined, options);
}

CAF_TEST(what cannot be pushed is refused) {
  for (auto& option :
       strings{"", "dns server 0 address 1.1.1.1,2.2.2.2", "ping\n10",
               "echo " + std::string(300, 'x'), std::string("a\0b", 3)}) {
    auto parts = write_push_reply({"ping 10", option});
    CAF_REQUIRE(!parts);
    CAF_CHECK(parts.error() == vpn::errc::bad_value);
  }
}

CAF_TEST(the longest option is pushed alone) {
  strings options(20, "echo " + std::string(250, 'x'));
  auto parts = write_push_reply(options);
  CAF_REQUIRE(parts);
  for (auto& part : *parts)
    CAF_CHECK_LESS_OR_EQUAL(part.size() + 1, 1024u);
}

CAF_TEST(every cut and every flipped bit of a message is still a message) {
  const strings texts{
    "AUTH_FAILED,TEMP[backoff 42,advance no]:later",
    "PUSH_REPLY,ping 10,route 10.0.0.0 255.0.0.0,push-continuation 2",
    "PUSH_UPDATE,-?route,push-continuation 1",
    "RESTART,[PN]text",
    "AUTH_PENDING,timeout 60",
    "INFO_PRE,WEB_AUTH:external:https://vpn.example/",
    "INFO_PRE,CR_TEXT:R,E:code",
    "CR_RESPONSE,MTIzNDU2"};
  for (auto& text : texts)
    for (size_t i = 0; i < text.size(); ++i) {
      parse_text_message(text.substr(0, i));
      for (int bit = 0; bit < 8; ++bit) {
        auto flipped = text;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        parse_text_message(flipped);
      }
    }
}

CAF_TEST(random text never breaks the parser) {
  std::minstd_rand rng{99};
  const strings heads{"AUTH_FAILED,TEMP",
                      "PUSH_REPLY,",
                      "RESTART,[",
                      "AUTH_PENDING,",
                      "push-continuation ",
                      ",",
                      "[",
                      "]",
                      "backoff ",
                      "advance ",
                      "INFO_PRE,WEB_AUTH:",
                      "CR_TEXT:",
                      "https://",
                      "CR_RESPONSE,",
                      "2"};
  for (int i = 0; i < 50000; ++i) {
    std::string text;
    for (auto n = rng() % 8; n > 0; --n)
      if (rng() % 3 == 0)
        text.push_back(static_cast<char>(rng() % 256));
      else
        text += heads[rng() % heads.size()];
    parse_text_message(text);
  }
}
