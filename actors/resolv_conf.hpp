// resolv.conf: other name servers for a while, then the old content again.
#pragma once

#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/dns_config.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vpn::actors {

/// Writes into the file as it is, never over it: it may be a mount of its own,
/// a link, or open since before privileges were given up.
class resolv_conf {
public:
  /// `settled`: there is nothing to do any more. The text says what else there
  /// is to say.
  struct restored {
    bool settled = true;
    std::string problem;
  };

  resolv_conf(std::string path, std::shared_ptr<const unique_fd> file);

  // -- commands --
  /// Returns warnings about what such a file cannot say. What is there already
  /// is not written again.
  expected<std::vector<std::string>, failure>
  apply(const protocol::dns_config& cfg);
  /// Puts the old content back, unless somebody else has written meanwhile.
  restored undo();
  /// Takes what stands there as written by this object, if it is by one of
  /// these.
  restored adopt();

  // -- observers --
  bool applied() const noexcept { return original_.has_value(); }
  /// True when all questions go to systemd-resolved.
  bool points_to_resolved();

private:
  expected<done_t, failure> open();
  std::optional<std::string> read() const;
  bool write(const std::string& text) const;

  std::string path_;
  std::shared_ptr<const unique_fd> file_;
  std::optional<std::string> original_;
  std::string written_;
};

/// The lines that say `cfg`; options of the original stay. At most three name
/// servers are asked by the C library.
std::string make_resolv_conf(const protocol::dns_config& cfg,
                             const std::string& original);

/// True for a text of `make_resolv_conf`.
bool is_ours(const std::string& text);

/// What stood there before a text of `make_resolv_conf`; any other text itself.
std::string original_of(const std::string& text);

} // namespace vpn::actors
