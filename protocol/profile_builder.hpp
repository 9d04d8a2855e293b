// A profile while its options are read: the values so far, what depends on
// several options, and everything that was found wrong.
#pragma once

#include "vpn/protocol/profile.hpp"
#include "vpn/protocol/tls_crypt_v2.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel_options.hpp"

namespace vpn::protocol {

/// One option as it was written.
struct option_use {
  /// Its name and its words. An inline block counts as one word, whose text is
  /// in `block` and nowhere else: it may be a key.
  std::vector<std::string> words;
  bool is_inline = false;
  std::string_view block;

  const std::string& name() const { return words[0]; }
  /// Words after the name.
  size_t count() const { return words.size() - 1; }
};

struct transport {
  bool tcp = false;
  family kind = family::unspecified;
};

/// A `remote` outside of the blocks; what it lacks comes from `port` and
/// `proto`, which may stand below it.
struct remote_draft {
  std::string host;
  std::optional<std::string> port;
  std::optional<transport> proto;
};

/// Keys of the control channel, of the whole profile or of one block. A named
/// option without a key is a placeholder whose block never came.
struct wrap_draft {
  bool names_auth = false, names_crypt = false, names_crypt_v2 = false;
  std::optional<key_block> auth, crypt;
  std::optional<crypt_v2_client_key> crypt_v2;
  std::optional<key_direction> direction;

  bool names_any() const { return names_auth || names_crypt || names_crypt_v2; }
};

/// Everything that may stand in a <connection> block. The one of the profile
/// itself is where blocks below begin from, and plain remotes.
struct connection_draft {
  std::optional<std::string> host;
  std::string port = "1194";
  transport proto;
  connection_settings settings;

  bool binds = false, nobind = false;
  bool has_local_address = false, has_local_port = false;
  uint16_t local_port = 1194;

  bool has_mssfix = false;
  std::optional<uint32_t> max_tun_mtu;

  /// A proxy counts when its host is named.
  proxy_config http, socks;
  bool has_http_options = false;

  wrap_draft wrap;
};

/// `allow-compression`.
enum class compression_policy : uint8_t { unset, no, asym };

/// Where text comes from.
struct config_place {
  std::string file;
  size_t line = 0;
};

struct profile_builder {
  explicit profile_builder(const file_reader& reader) : read_file(reader) {}

  // -- messages --
  void fail(std::string text);
  /// Leaves out what was said already: several remotes may have one defect.
  void fail_once(std::string text);
  void warn(std::string text);
  void warn_once(std::string text);
  /// So many errors that reading on is of no use.
  bool is_hopeless() const;

  // -- files --
  /// A name of a file, seen from the directory of `cd`.
  std::string path_of(const std::string& name) const;
  /// The text that an option names or holds. Nothing, and no error either, for
  /// the placeholder "[inline]" of old profiles, whose block follows.
  std::optional<secret> load(const option_use& use, option_outcome& outcome);
  std::optional<secret> load_file(const std::string& name,
                                  option_outcome& outcome);
  /// Remembers the option just applied, whatever became of it, and with it the
  /// files that were loaded for it.
  void record(const option_use& use);

  bool was_given(const std::string& name) const {
    return given.find(name) != given.end();
  }
  bool in_block() const { return block.has_value(); }
  /// The settings that options of a remote set at this place.
  connection_draft& connection() { return block ? *block : defaults; }

  const file_reader& read_file;
  config_place place;
  profile result;
  std::vector<config_error> errors;
  size_t error_limit = 20;

  /// Names of all options that were there, also of those with an error.
  std::set<std::string> given;
  /// Options that may be unknown.
  std::set<std::string> may_be_unknown;
  bool forward_compatible = false;

  std::vector<remote_draft> remotes;
  connection_draft defaults;
  /// Set while a <connection> block is read.
  std::optional<connection_draft> block;
  std::vector<connection_draft> connections;
  /// `proto-force`: TCP or not.
  std::optional<bool> forced_tcp;

  tunnel_draft draft;
  bool is_client = false;
  bool pulls = false;
  bool has_dev_type = false;
  /// An own `dns-updown`, or `force`.
  bool has_dns_updown = false;
  /// Ciphers of `data-ciphers`, when it was given.
  std::optional<std::vector<data_cipher>> ciphers;
  /// The cipher of the option `cipher`, when we have it.
  std::optional<data_cipher> old_cipher;
  compression_policy compression = compression_policy::unset;
  /// `compat-mode`, as 20401 for 2.4.1; zero: none.
  uint32_t compatible_with = 0;

  /// Digests of the files that the option being applied has loaded.
  bytes loaded;
  /// What the option just applied wants to be read next.
  std::optional<std::string> include;
  std::optional<std::string_view> connection_block;
};

using profile_handler = option_outcome (*)(profile_builder&, const option_use&);

struct profile_option {
  std::string_view name;
  profile_handler apply;
};

struct profile_option_range {
  const profile_option* first;
  const profile_option* last;
  const profile_option* begin() const noexcept { return first; }
  const profile_option* end() const noexcept { return last; }
};

/// All handlers, by what they are about: role and timers, the way to the
/// server, its sizes, proxies, keys and certificates, whom to trust, logging
/// in, ciphers and compression, scripts, the process.
std::vector<profile_option_range> all_profile_options();
profile_option_range general_profile_options();
profile_option_range network_profile_options();
profile_option_range link_profile_options();
profile_option_range proxy_profile_options();
profile_option_range tls_profile_options();
profile_option_range trust_profile_options();
profile_option_range login_profile_options();
profile_option_range data_profile_options();
profile_option_range script_profile_options();
profile_option_range process_profile_options();

/// The handler of an accepted option; none for those that shape the tunnel,
/// which are in `find_tunnel_option`.
profile_handler find_profile_handler(std::string_view name);

/// True for options of a single remote.
bool may_stand_in_block(std::string_view name);

/// Gives a remote what its line says.
void load_remote(connection_draft& out, const remote_draft& x);

/// Puts together what depends on several options, and says what is missing.
void complete_profile(profile_builder& builder);
/// The part of it that is about remotes.
void complete_remotes(profile_builder& builder);

} // namespace vpn::protocol
