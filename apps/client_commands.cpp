#include "client_commands.hpp"

#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/crypto_lists.hpp"
#include "vpn/protocol/fault_spec.hpp"
#include "vpn/protocol/key_files.hpp"
#include "vpn/protocol/profile.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "client_cleanup.hpp"
#include "client_setup.hpp"
#include "client_version.hpp"
#include <fcntl.h>
#include <unistd.h>

namespace vpn::client {

namespace {

using words_type = std::vector<std::string>;

constexpr const char* usage = R"(vpn-actor-client: an OpenVPN client

  vpn-actor-client FILE                      connect with this profile
  vpn-actor-client --config FILE --OPTION WORD... --OPTION WORD...
  vpn-actor-client --explain FILE            what each line does, without connecting

Options are OpenVPN's, in the file or, with two dashes, on the command line.
Often used:
  --remote HOST [PORT] [udp|tcp]   the server
  --auth-user-pass [FILE]          user name and password, asked for without FILE
  --verb N                         0 warnings only, 1 default, 3 host changes too
  --daemon, --log FILE, --writepid FILE, --status FILE [SECONDS]
  --user NAME                      give up root, keep the right to undo routes
  --dev null                       no device: connect and carry no traffic
  --connect-retry-max N            give up after N tries of each server
  --allow-faults --fault SPEC      disturb this tunnel on purpose; --show-faults

Keys and lists:
  --genkey secret|tls-crypt-v2-server|auth-token [FILE]
  --genkey tls-crypt-v2-client [FILE [METADATA]] --tls-crypt-v2 SERVER-KEY
  --show-ciphers, --show-digests, --show-tls, --show-groups, --version
  --cleanup [DIRECTORY]            undo what a client that was killed left behind

Signals: SIGINT and SIGTERM disconnect, twice at once; SIGHUP reads the profile
again and changes what changed, SIGUSR1 connects anew, SIGUSR2 prints counters.
Exit code: 0 ended as asked, 1 internal error, 2 configuration, 3 name
resolution, 4 no connection or answer, 5 TLS or certificate, 6 authentication,
7 a person is needed, 8 pushed configuration refused, 9 device or routes,
10 the server ended the session, 12 gave up restarting, 130 and 143 signals.
)";

int complain(const std::string& text) {
  std::fprintf(stderr, "vpn-actor-client: %s\n", text.c_str());
  return exit_code(reason::bad_config);
}

// -- lists --

void print(const std::vector<protocol::listed_algorithm>& list,
           const char* what) {
  for (const auto& x : list) {
    std::printf("%s", x.name.c_str());
    if (x.bits != 0)
      std::printf("  (%zu bit %s", x.bits, what);
    if (x.bits != 0 && x.block_bits != 0)
      std::printf(", %zu bit block", x.block_bits);
    if (x.bits != 0)
      std::printf(")");
    if (!x.note.empty())
      std::printf("  %s", x.note.c_str());
    std::printf("\n");
  }
}

int show_ciphers(const words_type&) {
  print(protocol::show_ciphers(), "key");
  return 0;
}

int show_digests(const words_type&) {
  print(protocol::show_digests(), "digest size");
  return 0;
}

int show_groups(const words_type&) {
  print(protocol::show_groups(), "strength");
  return 0;
}

int show_engines(const words_type&) {
  print(protocol::show_engines(), "");
  return 0;
}

/// Restricted by the options that stand beside it.
int show_tls(const words_type& words) {
  protocol::tls_config cfg;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--tls-cipher")
      cfg.ciphers = words[i + 1];
    else if (words[i] == "--tls-ciphersuites")
      cfg.ciphersuites = words[i + 1];
  }
  auto list = protocol::show_tls(cfg);
  if (!list)
    return complain(list.error().text);
  std::printf("For TLS 1.3 and newer (--tls-ciphersuites):\n\n");
  for (const auto& x : list->tls13)
    std::printf("%s\n", x.c_str());
  std::printf("\nFor TLS 1.2 (--tls-cipher):\n\n");
  for (const auto& x : list->tls12)
    std::printf("%s\n", x.c_str());
  return 0;
}

// -- keys --

/// A new file of its owner alone; without a name, or with "-", the standard
/// output.
int write_key(const std::string& path, const secret& text) {
  if (path.empty() || path == "-") {
    std::fwrite(text.view().data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  actors::unique_fd file{
    open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!file
      || write(file.get(), text.view().data(), text.size())
           != static_cast<ssize_t>(text.size()))
    return complain("cannot write " + path + ": " + std::strerror(errno));
  return 0;
}

/// The words after an option, up to the next one.
words_type words_of(const words_type& all, const std::string& option) {
  auto i = std::find(all.begin(), all.end(), option);
  if (i == all.end())
    return {};
  auto end = std::find_if(i + 1, all.end(), [](const std::string& x) {
    return x.compare(0, 2, "--") == 0;
  });
  return {i + 1, end};
}

int make_client_key(const words_type& all, const words_type& words) {
  auto server = words_of(all, "--tls-crypt-v2");
  if (server.empty())
    return complain("a client's key is wrapped for its server: add "
                    "--tls-crypt-v2 FILE with the server's key");
  std::string error;
  auto text = read_file(server[0], error);
  if (!text)
    return complain("cannot read " + server[0] + ": " + error);
  std::optional<std::string_view> metadata;
  if (words.size() > 2)
    metadata = words[2];
  instant now;
  now.unix_seconds = std::time(nullptr);
  auto key = protocol::make_crypt_v2_client_file(*text, metadata, now,
                                                 openssl_random());
  wipe(text->data(), text->size());
  if (!key)
    return complain(key.error() == errc::bad_value
                      ? "the metadata must be base64 of at most 733 bytes"
                      : server[0] + " is not a tls-crypt-v2 server key");
  return write_key(words.size() > 1 ? words[1] : "", *key);
}

int make_key(const words_type& all) {
  auto words = words_of(all, "--genkey");
  // The form of OpenVPN 2.4: --genkey --secret FILE.
  if (words.empty())
    if (auto old = words_of(all, "--secret"); !old.empty())
      words = {"secret", old[0]};
  auto kind = words.empty() ? std::string{"secret"} : words[0];
  auto path = words.size() > 1 ? words[1] : std::string{};
  auto random = openssl_random();
  if (kind == "secret" || kind == "tls-auth" || kind == "tls-crypt")
    return write_key(path, protocol::make_static_key_file(random));
  if (kind == "tls-crypt-v2-server")
    return write_key(path, protocol::make_crypt_v2_server_file(random));
  if (kind == "auth-token")
    return write_key(path, protocol::make_auth_token_file(random));
  if (kind == "tls-crypt-v2-client")
    return make_client_key(all, words);
  return complain(
    "--genkey makes secret, tls-auth, tls-crypt, "
    "tls-crypt-v2-server, tls-crypt-v2-client or auth-token, not '"
    + kind + "'");
}

// -- explain --

int explain(const words_type& all) {
  words_type rest;
  for (const auto& x : all)
    if (x != "--explain")
      rest.push_back(x);
  if (rest.empty())
    return complain("--explain needs a profile");
  auto lines = protocol::explain_command_line(rest, read_file);
  auto refused = false;
  for (const auto& x : lines) {
    auto place = x.file + (x.line > 0 ? ":" + std::to_string(x.line) : "");
    // An unknown line may be a password that lost its option.
    auto text = x.text.empty() && x.line > 0 ? "(not shown)" : x.text;
    std::printf("%s\n  %s\n  %s: %s\n", place.c_str(), text.c_str(),
                to_string(x.kind).c_str(), x.effect.c_str());
    refused = refused || x.kind == protocol::option_class::refused
              || x.kind == protocol::option_class::removed
              || x.kind == protocol::option_class::server_only;
  }
  return refused ? exit_code(reason::bad_config) : 0;
}

// -- faults, and what a killed client left behind --

int show_faults(const words_type&) {
  auto text = protocol::describe_fault_knobs();
  std::printf("--fault LAYER[.up|.down]:KNOB=VALUE[,KNOB=VALUE...]\n\n"
              "For example --allow-faults --fault "
              "network.up:drop=0.05,reorder=0.1,seed=7\n\nLayers:");
  for (auto x : protocol::all_layers)
    std::printf(" %s", to_string(x).c_str());
  std::printf("\n\n%s%s", text.c_str(),
              text.empty() || text.back() == '\n' ? "" : "\n");
  return 0;
}

int tidy_up(const words_type& all) {
  auto words = words_of(all, "--cleanup");
  if (words.size() > 1)
    return complain("--cleanup takes the directory of the journals, and "
                    "nothing else");
  return clean_up(words.empty() ? std::string{} : words[0]);
}

// -- the program --

int show_version(const words_type&) {
  std::printf("%s\nlibrary: %s\n", version, OpenSSL_version(OPENSSL_VERSION));
  return 0;
}

int show_usage(const words_type& words) {
  std::fputs(usage, words.empty() ? stderr : stdout);
  return words.empty() ? exit_code(reason::bad_config) : 0;
}

struct command {
  const char* name;
  int (*run)(const words_type&);
};

constexpr command commands[] = {
  {"--help", show_usage},           {"--version", show_version},
  {"--explain", explain},           {"--cleanup", tidy_up},
  {"--genkey", make_key},           {"--show-ciphers", show_ciphers},
  {"--show-curves", show_groups},   {"--show-digests", show_digests},
  {"--show-engines", show_engines}, {"--show-faults", show_faults},
  {"--show-groups", show_groups},   {"--show-tls", show_tls},
};

} // namespace

std::optional<int> run_command_line_tool(const words_type& words) {
  if (words.empty())
    return show_usage(words);
  if (words[0] == "-h")
    return show_usage(words);
  for (const auto& x : commands)
    if (std::find(words.begin(), words.end(), x.name) != words.end())
      return x.run(words);
  return std::nullopt;
}

} // namespace vpn::client
