// A profile while its options are read: the values so far, what depends on
// several options, and everything that was found wrong.
#pragma once

#include "vpn/protocol/profile.hpp"

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

/// What `port`, `rport` and `proto` say for the remotes of their scope: the
/// whole profile, or one <connection> block.
struct remote_defaults {
  std::optional<std::string> port;
  std::optional<transport> proto;
};

/// A `remote` that may lack its port and protocol.
struct remote_draft {
  std::string host;
  std::optional<std::string> port;
  std::optional<transport> proto;
};

/// Where text comes from.
struct config_place {
  std::string file;
  size_t line = 0;
};

struct profile_builder {
  explicit profile_builder(const file_reader& reader) : read_file(reader) {}

  // -- messages --
  void fail(std::string text);
  void warn(std::string text);
  /// So many errors that reading on is of no use.
  bool is_hopeless() const;

  // -- files --
  /// The text that an option names or holds. Nothing, and no error either, for
  /// the placeholder "[inline]" of old profiles, whose block follows.
  std::optional<secret> load(const option_use& use, option_outcome& outcome);

  bool was_given(const std::string& name) const {
    return given.find(name) != given.end();
  }
  /// The defaults that `port` and `proto` set at this place.
  remote_defaults& defaults() {
    return block_defaults ? *block_defaults : global_defaults;
  }

  const file_reader& read_file;
  config_place place;
  profile result;
  std::vector<config_error> errors;

  /// Names of all options that were there, also of those with an error.
  std::set<std::string> given;
  /// Options that may be unknown.
  std::set<std::string> may_be_unknown;
  bool forward_compatible = false;

  std::vector<remote_draft> remotes;
  remote_defaults global_defaults;
  /// Set while a <connection> block is read.
  std::optional<remote_defaults> block_defaults;
  size_t block_begin = 0;

  tunnel_draft draft;
  bool is_client = false;
  bool pulls = false;
  bool has_dev_type = false;
  bool nobind = false;
  std::optional<uint16_t> local_port;
  std::optional<key_direction> direction;
  key_block tls_auth_key, tls_crypt_key;
  bool has_tls_auth = false, has_tls_crypt = false;
  /// Ciphers of `data-ciphers`, when it was given.
  std::optional<std::vector<data_cipher>> ciphers;
  /// The cipher of the option `cipher`, when we have it.
  std::optional<data_cipher> old_cipher;
  std::optional<uint32_t> max_tun_mtu;

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

/// Handlers of general options, of those about the way to the server, and of
/// those about keys and certificates.
profile_option_range general_profile_options();
profile_option_range network_profile_options();
profile_option_range tls_profile_options();

/// The handler of an accepted option; none for those that shape the tunnel,
/// which are in `find_tunnel_option`.
profile_handler find_profile_handler(std::string_view name);

/// Puts together what depends on several options, and says what is missing.
void complete_profile(profile_builder& builder);

} // namespace vpn::protocol
