// Key method 2 records, options strings and peer info.
// spec: openvpn-wire 5.2, 5.3, 6, 15.8

#define CAF_SUITE protocol.key_method

#include "vpn/protocol/key_method.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <random>

using namespace vpn;
using namespace vpn::protocol;

namespace {

key_method_record sample() {
  key_method_record x;
  uint8_t next = 1;
  for (auto& b : x.source.pre_master)
    b = next++;
  for (auto& b : x.source.random1)
    b = next++;
  for (auto& b : x.source.random2)
    b = next++;
  x.options = "V4,dev-type tun";
  x.username = "alice";
  x.password = secret{std::string_view{"pass word"}};
  x.peer_info = "IV_VER=1\nIV_PROTO=14\n";
  return x;
}

bytes written(const key_method_record& x, role from) {
  return write_key_method(x, from).view().copy();
}

constexpr size_t client_head = 5 + 48 + 32 + 32;
constexpr size_t server_head = 5 + 32 + 32;

/// A server's record whose strings are `tail`, byte for byte.
bytes server_record(const bytes& tail) {
  bytes result(server_head, 0x11);
  std::fill(result.begin(), result.begin() + 4, uint8_t{0});
  result[4] = 2;
  result.insert(result.end(), tail.begin(), tail.end());
  return result;
}

void append_string(bytes& out, const std::string& x) {
  byte_writer w{out};
  w.u16(static_cast<uint16_t>(x.size() + 1));
  w.append(byte_view{std::string_view{x}});
  w.u8(0);
}

bool fails(byte_view record, role from, errc with) {
  auto x = read_key_method(record, from);
  return !x && x.error() == with;
}

// minivpn internal/tlssession/controlmsg_test.go
const char* old_server
  = "0000000002"
    "a490a20a83086e255b4d6c2a10ee9c488d683d1a1337bd4b32b24196a49c9863"
    "2f00fddcab2c261cb6efae333eed9e1a7f83f3095a0da79b7a6f4709fe1ae040"
    "0088";
const std::string old_server_options
  = "V4,dev-type tun,link-mtu 1551,tun-mtu 1500,proto TCPv4_SERVER,cipher "
    "AES-256-GCM,auth [null-digest],keysize 256,key-method 2,tls-server";

} // namespace

CAF_TEST(a client record has the documented layout) {
  auto x = sample();
  auto xs = written(x, role::client);
  std::string tail = "0010" + to_hex(byte_view{std::string_view{x.options}})
                     + "00" + "0006616c69636500" + "000a7061737320776f726400"
                     + "0016" + to_hex(byte_view{std::string_view{x.peer_info}})
                     + "00";
  CAF_CHECK_EQUAL(to_hex(byte_view{xs}.first(5)), "0000000002");
  CAF_CHECK(byte_view{xs}.from(5).first(48) == x.source.pre_master.view());
  CAF_CHECK(byte_view{xs}.from(53).first(32) == x.source.random1.view());
  CAF_CHECK(byte_view{xs}.from(85).first(32) == x.source.random2.view());
  CAF_CHECK_EQUAL(to_hex(byte_view{xs}.from(client_head)), tail);
}

CAF_TEST(a server record has no pre master and empty strings are two bytes) {
  auto x = sample();
  x.options = make_options_string({role::server});
  x.username.clear();
  x.password.clear();
  x.peer_info.clear();
  auto xs = written(x, role::server);
  // The size an installed 2.6.14 server sends.
  CAF_CHECK_EQUAL(xs.size(), 178u);
  CAF_CHECK(byte_view{xs}.from(5).first(32) == x.source.random1.view());
  CAF_CHECK_EQUAL(to_hex(byte_view{xs}.from(172)), "000000000000");
}

CAF_TEST(what is written can be read) {
  for (auto from : {role::client, role::server}) {
    auto x = sample();
    auto y = read_key_method(written(x, from), from);
    CAF_REQUIRE(y);
    CAF_CHECK(y->source.random1.view() == x.source.random1.view());
    CAF_CHECK(y->source.random2.view() == x.source.random2.view());
    CAF_CHECK((y->source.pre_master.view() == x.source.pre_master.view())
              == (from == role::client));
    CAF_CHECK_EQUAL(y->options, x.options);
    CAF_CHECK_EQUAL(y->username, x.username);
    CAF_CHECK(y->password.text() == x.password.text());
    CAF_CHECK_EQUAL(y->peer_info, x.peer_info);
  }
}

CAF_TEST(an old servers record without trailing strings is read) {
  auto xs = from_hex(old_server);
  for (auto c : old_server_options)
    xs.push_back(static_cast<uint8_t>(c));
  xs.push_back(0);
  auto x = read_key_method(xs, role::server);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(to_hex(x->source.random1.view()),
                  "a490a20a83086e255b4d6c2a10ee9c488d683d1a1337bd4b32b24196a49"
                  "c9863");
  CAF_CHECK_EQUAL(to_hex(x->source.random2.view()),
                  "2f00fddcab2c261cb6efae333eed9e1a7f83f3095a0da79b7a6f4709fe1"
                  "ae040");
  CAF_CHECK_EQUAL(x->options, old_server_options);
  CAF_CHECK_EQUAL(x->username, "");
  CAF_CHECK(x->password.empty());
  CAF_CHECK_EQUAL(x->peer_info, "");
}

CAF_TEST(a record may end after any string but nowhere else) {
  for (auto from : {role::client, role::server}) {
    auto xs = written(sample(), from);
    auto head = from == role::client ? client_head : server_head;
    auto after_options = head + 2 + 16;
    auto after_username = after_options + 2 + 6;
    auto after_password = after_username + 2 + 10;
    for (size_t n = 0; n < xs.size(); ++n) {
      auto x = read_key_method(byte_view{xs}.first(n), from);
      auto is_end
        = n == after_options || n == after_username || n == after_password;
      CAF_CHECK_EQUAL(static_cast<bool>(x), is_end);
      if (!x)
        CAF_CHECK(x.error() == errc::truncated);
    }
  }
}

CAF_TEST(bytes after the last string are ignored) {
  auto xs = written(sample(), role::client);
  xs.insert(xs.end(), 100, 0xff);
  CAF_CHECK(read_key_method(xs, role::client));
}

CAF_TEST(a record of another method is refused) {
  auto xs = written(sample(), role::client);
  for (size_t i = 0; i < 4; ++i) {
    auto ys = xs;
    ys[i] = 1;
    CAF_CHECK(fails(ys, role::client, errc::bad_key_method));
  }
  for (unsigned method = 0; method < 256; ++method) {
    auto ys = xs;
    ys[4] = static_cast<uint8_t>(method);
    // The upper half is reserved and ignored.
    CAF_CHECK_EQUAL(static_cast<bool>(read_key_method(ys, role::client)),
                    (method & 15) == 2);
  }
}

CAF_TEST(the options string has one to 512 bytes) {
  auto with_length = [](size_t n) {
    bytes tail;
    byte_writer{tail}.u16(static_cast<uint16_t>(n));
    tail.resize(2 + n, 'x');
    return server_record(tail);
  };
  CAF_CHECK(fails(with_length(0), role::server, errc::bad_key_method));
  CAF_CHECK(read_key_method(with_length(1), role::server));
  CAF_CHECK(read_key_method(with_length(512), role::server));
  CAF_CHECK(fails(with_length(513), role::server, errc::bad_key_method));
  CAF_CHECK(fails(with_length(65535), role::server, errc::bad_key_method));
  // The last byte is taken for the NUL.
  auto x = read_key_method(with_length(3), role::server);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->options, "xx");
}

CAF_TEST(user name and password have at most 4096 bytes) {
  for (auto which : {0, 1}) {
    for (size_t n : {size_t{4095}, size_t{4096}, size_t{65534}}) {
      bytes tail;
      append_string(tail, "V4");
      if (which == 1)
        append_string(tail, "user");
      append_string(tail, std::string(n, 'u'));
      auto x = read_key_method(server_record(tail), role::server);
      CAF_CHECK_EQUAL(static_cast<bool>(x), n == 4095);
    }
  }
}

CAF_TEST(strings end at their first NUL) {
  bytes tail;
  append_string(tail, std::string("V4\0,evil", 8));
  append_string(tail, std::string("root\0x", 6));
  append_string(tail, std::string("pw\0y", 4));
  append_string(tail, std::string("IV_VER=1\n\0IV_PROTO=2\n", 21));
  auto x = read_key_method(server_record(tail), role::server);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->options, "V4");
  CAF_CHECK_EQUAL(x->username, "root");
  CAF_CHECK(x->password.text() == "pw");
  CAF_CHECK_EQUAL(x->peer_info, "IV_VER=1\n");
}

CAF_TEST(control characters of the peer do not survive) {
  bytes tail;
  append_string(tail, "V4\x1b[2J\n\x7f\xff");
  append_string(tail, "al\nice\x1b \xc3\xa4");
  append_string(tail, "p\nw");
  append_string(tail, "IV_VER=\x1b[31m\r\nUV_A=\x80\n");
  auto x = read_key_method(server_record(tail), role::server);
  CAF_REQUIRE(x);
  CAF_CHECK_EQUAL(x->options, "V4_[2J___");
  CAF_CHECK_EQUAL(x->username, "al_ice_ \xc3\xa4");
  // A password is compared, never shown.
  CAF_CHECK(x->password.text() == "p\nw");
  CAF_CHECK_EQUAL(x->peer_info, "IV_VER=_[31m_\nUV_A=_\n");
}

CAF_TEST(texts that are too long are cut when written) {
  auto x = sample();
  x.options = std::string(2000, 'o');
  x.username = std::string(5000, 'u') + "\n";
  x.password = secret{std::string_view{std::string(5000, 'p')}};
  x.peer_info = std::string(70000, 'i');
  auto xs = written(x, role::client);
  CAF_CHECK(xs.size() <= 16384);
  auto y = read_key_method(xs, role::client);
  CAF_REQUIRE(y);
  CAF_CHECK_EQUAL(y->options.size(), 511u);
  CAF_CHECK_EQUAL(y->username.size(), 4095u);
  CAF_CHECK_EQUAL(y->password.size(), 4095u);
  CAF_CHECK_EQUAL(y->peer_info.size(), 4095u);
}

CAF_TEST(random records are refused or read but never break anything) {
  std::mt19937 rng{20240501};
  auto good = written(sample(), role::client);
  size_t read = 0;
  for (auto round = 0; round < 20000; ++round) {
    bytes xs;
    if (round % 2 == 0) {
      xs.resize(rng() % 400);
      for (auto& x : xs)
        x = static_cast<uint8_t>(rng());
    } else {
      xs = good;
      for (auto i = rng() % 8; i > 0; --i)
        xs[rng() % xs.size()] = static_cast<uint8_t>(rng());
    }
    auto from = rng() % 2 == 0 ? role::client : role::server;
    if (auto x = read_key_method(xs, from)) {
      ++read;
      CAF_REQUIRE(x->options.size() < 512);
      CAF_REQUIRE(x->username.size() < 4096);
      for (auto c : x->options)
        CAF_REQUIRE(c >= 0x20 && c < 0x7f);
    }
  }
  CAF_CHECK(read > 1000);
}

CAF_TEST(the options string is that of a current peer) {
  options_string_config cfg;
  cfg.self = role::server;
  CAF_CHECK_EQUAL(make_options_string(cfg),
                  "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,"
                  "auth SHA1,keysize 128,key-method 2,tls-server");
  cfg.tls_auth = true;
  cfg.key_direction = 0;
  // 196 bytes of record at an installed server.
  CAF_CHECK_EQUAL(make_options_string(cfg).size() + 1 + server_head + 8, 196u);
  CAF_CHECK_EQUAL(make_options_string(cfg),
                  "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,"
                  "keydir 0,auth SHA1,keysize 128,tls-auth,key-method 2,"
                  "tls-server");
}

CAF_TEST(the options string tells transport and digest) {
  options_string_config cfg;
  cfg.tcp = true;
  cfg.ipv6 = true;
  cfg.auth = "SHA256";
  cfg.tun_mtu = 1400;
  CAF_CHECK_EQUAL(make_options_string(cfg),
                  "V4,dev-type tun,link-mtu 1455,tun-mtu 1400,proto "
                  "TCPv6_CLIENT,auth SHA256,keysize 128,key-method 2,"
                  "tls-client");
  cfg.self = role::server;
  cfg.ipv6 = false;
  CAF_CHECK(make_options_string(cfg).find("TCPv4_SERVER") != std::string::npos);
  cfg.tcp = false;
  cfg.ipv6 = true;
  cfg.auth = "none";
  CAF_CHECK(make_options_string(cfg).find("UDPv6,auth [null-digest],")
            != std::string::npos);
}

CAF_TEST(the options string tells framings in their places) {
  // source: openvpn-wire 5.3, numbers of OpenVPN 2.6.14
  options_string_config cfg;
  cfg.compression = true;
  CAF_CHECK_EQUAL(make_options_string(cfg),
                  "V4,dev-type tun,link-mtu 1542,tun-mtu 1500,proto UDPv4,"
                  "comp-lzo,auth SHA1,keysize 128,key-method 2,tls-client");
  cfg.fragment = true;
  cfg.tls_auth = true;
  cfg.key_direction = 1;
  CAF_CHECK_EQUAL(make_options_string(cfg),
                  "V4,dev-type tun,link-mtu 1546,tun-mtu 1500,proto UDPv4,"
                  "comp-lzo,mtu-dynamic,keydir 1,auth SHA1,keysize 128,"
                  "tls-auth,key-method 2,tls-client");
  cfg = {};
  cfg.fragment = true;
  cfg.tcp = true;
  CAF_CHECK(make_options_string(cfg).find("link-mtu 1547,")
            != std::string::npos);
}

CAF_TEST(peer info lists what we can do in the usual order) {
  peer_info_config cfg;
  cfg.version = "1.0";
  cfg.ciphers = {"AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305"};
  cfg.extra = {{"UV_ID", "laptop"}};
  CAF_CHECK_EQUAL(make_peer_info(cfg),
                  "IV_VER=1.0\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\n"
                  "IV_NCP=2\n"
                  "IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\n"
                  "IV_PROTO=8158\nIV_LZO_STUB=1\nIV_COMP_STUB=1\n"
                  "IV_COMP_STUBv2=1\nUV_ID=laptop\n");
}

CAF_TEST(peer info of a talkative client keeps the usual order) {
  peer_info_config cfg;
  cfg.version = "1.0";
  cfg.proto = 990;
  cfg.allow_compressed = true;
  cfg.hardware_address = "00:11:22:33:44:55";
  cfg.tls_library = "OpenSSL 3.0";
  cfg.platform_version = "6.1";
  cfg.sso = "webauth,openurl,crtext";
  cfg.extra = {{"IV_GUI_VER", "gui_1"}, {"UV_B", "b"}, {"UV_A", "a"}};
  CAF_CHECK_EQUAL(make_peer_info(cfg),
                  "IV_VER=1.0\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\n"
                  "IV_PROTO=990\nIV_LZ4=1\nIV_LZ4v2=1\nIV_LZO=1\n"
                  "IV_COMP_STUB=1\nIV_COMP_STUBv2=1\n"
                  "IV_HWADDR=00:11:22:33:44:55\nIV_SSL=OpenSSL 3.0\n"
                  "IV_PLAT_VER=6.1\nUV_B=b\nUV_A=a\nIV_GUI_VER=gui_1\n"
                  "IV_SSO=webauth,openurl,crtext\n");
  // What the profile says about this comes first.
  cfg.extra = {{"IV_SSO", "openurl"}};
  CAF_CHECK_EQUAL(peer_info_value(make_peer_info(cfg), "IV_SSO"), "openurl");
}

CAF_TEST(peer info promises compression only where packets can be opened) {
  peer_info_config cfg;
  for (auto name : {"IV_LZO", "IV_LZ4", "IV_LZ4v2"}) {
    cfg.allow_compressed = false;
    CAF_CHECK_EQUAL(peer_info_value(make_peer_info(cfg), name), "");
    cfg.allow_compressed = true;
    CAF_CHECK_EQUAL(peer_info_value(make_peer_info(cfg), name), "1");
  }
}

CAF_TEST(peer info does not promise ciphers that are switched off) {
  peer_info_config cfg;
  cfg.ciphers = {"AES-256-GCM"};
  CAF_CHECK_EQUAL(peer_info_value(make_peer_info(cfg), "IV_NCP"), "");
  cfg.ciphers.clear();
  CAF_CHECK(make_peer_info(cfg).find("IV_CIPHERS") == std::string::npos);
}

CAF_TEST(extra peer info cannot forge other lines) {
  peer_info_config cfg;
  cfg.extra = {{"UV_A", "x\nIV_PROTO=2"},
               {"UV B", "x"},
               {"", "x"},
               {"IV_PLAT", "win"},
               {"UV_C\nIV_X", "y"}};
  auto text = make_peer_info(cfg);
  CAF_CHECK_EQUAL(peer_info_value(text, "UV_A"), "x_IV_PROTO=2");
  CAF_CHECK_EQUAL(peer_info_value(text, "IV_PLAT"), "linux");
  CAF_CHECK_EQUAL(peer_info_value(text, "IV_PROTO"), "8158");
  CAF_CHECK(text.find("UV B") == std::string::npos);
  CAF_CHECK(text.find("IV_X") == std::string::npos);
}

CAF_TEST(a value is found by its whole key only) {
  std::string text = "UV_IV_VER=no\nIV_VER=2.6=x\nIV_VERSION=3\nIV_E=\nIV_L=z";
  CAF_CHECK_EQUAL(peer_info_value(text, "IV_VER"), "2.6=x");
  CAF_CHECK_EQUAL(peer_info_value(text, "VER"), "");
  CAF_CHECK_EQUAL(peer_info_value(text, "IV_V"), "");
  CAF_CHECK_EQUAL(peer_info_value(text, "IV_E"), "");
  CAF_CHECK_EQUAL(peer_info_value(text, "IV_L"), "z");
  CAF_CHECK_EQUAL(peer_info_value("", "IV_L"), "");
  CAF_CHECK_EQUAL(peer_info_value("\n\n=\n", "IV_L"), "");
  CAF_CHECK_EQUAL(peer_info_value("IV_L", "IV_L"), "");
}

CAF_TEST(what two ends say differently is told in the words of OpenVPN) {
  options_string_config ours;
  auto theirs = ours;
  theirs.self = role::server;
  auto local = make_options_string(ours);
  CAF_CHECK(options_differences(local, make_options_string(theirs)).empty());
  // Settled elsewhere, or different by nature.
  CAF_CHECK(options_differences(local + ",cipher X,keydir 1,tls-auth",
                                make_options_string(theirs) + ",tun-ipv6")
              .empty());
  theirs.fragment = true;
  theirs.auth = "SHA256";
  auto texts = options_differences(local, make_options_string(theirs));
  auto has = [&](const std::string& x) {
    return std::find(texts.begin(), texts.end(), x) != texts.end();
  };
  CAF_CHECK(has("'auth' is used inconsistently, local='auth SHA1', "
                "remote='auth SHA256'"));
  CAF_CHECK(has("'mtu-dynamic' is present in remote config but missing in "
                "local config, remote='mtu-dynamic'"));
  texts = options_differences(local + ",comp-lzo", "V4,dev-type tun");
  CAF_CHECK(has("'comp-lzo' is present in local config but missing in remote "
                "config, local='comp-lzo'"));
  // Whatever a peer sends, the list stays short.
  std::string many;
  for (int i = 0; i < 200; ++i)
    many += "x" + std::to_string(i) + ",";
  CAF_CHECK_EQUAL(options_differences(local, many).size(), 16u);
  CAF_CHECK(options_differences("", "").empty());
  CAF_CHECK(options_differences(",,", ", ,").empty());
}
