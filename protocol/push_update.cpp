// The list of pushed options over the life of a session: changed by
// PUSH_UPDATE, and compared between two connections.
// spec: openvpn-wire 7.1, 7.8
#include "vpn/protocol/option_lexer.hpp"
#include "vpn/protocol/push_options.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "push_handlers.hpp"

namespace vpn::protocol {

namespace {

using strings = std::vector<std::string>;

/// Options that may change while the session lives. Those of one group shape
/// the same thing and go together; a list keeps what follows its first member.
struct updatable {
  std::string_view name;
  std::string_view group;
  bool is_list;
};

constexpr std::string_view keepalive = "keepalive";

constexpr updatable updatables[] = {
  {"block-ipv6", "block-ipv6", false},
  {"block-outside-dns", "block-outside-dns", false},
  {"dhcp-option", "dhcp-option", true},
  {"dns", "dns", true},
  {"ifconfig", "ifconfig", false},
  {"ifconfig-ipv6", "ifconfig-ipv6", false},
  // The list holds `ping` and `ping-restart` in its place.
  {keepalive, keepalive, false},
  {"redirect-gateway", "redirect", true},
  {"redirect-private", "redirect", true},
  {"route", "route", true},
  {"route-gateway", "route-gateway", false},
  {"route-ipv6", "route-ipv6", true},
  {"route-metric", "route-metric", false},
  {"topology", "topology", false},
  {"tun-mtu", "tun-mtu", false},
};

const updatable* find_updatable(std::string_view name) {
  auto i
    = std::find_if(std::begin(updatables), std::end(updatables), [&](auto& x) {
        return x.name == name;
      });
  return i == std::end(updatables) ? nullptr : i;
}

/// The first word as it stands; the server that sent it writes it plainly.
std::string_view name_of(std::string_view option) {
  auto begin = std::min(option.find_first_not_of(' '), option.size());
  option.remove_prefix(begin);
  return option.substr(0, option.find(' '));
}

bool is_member(std::string_view option, const updatable& of) {
  auto name = name_of(option);
  if (of.name == keepalive)
    return name == "ping" || name == "ping-restart" || name == "ping-exit";
  auto x = find_updatable(name);
  return x != nullptr && x->group == of.group;
}

void discard(strings& options, const updatable& x) {
  options.erase(std::remove_if(options.begin(), options.end(),
                               [&](auto& option) {
                                 return is_member(option, x);
                               }),
                options.end());
}

/// One option of an update without its prefix.
struct update_item {
  std::string_view text;
  bool removes = false;
  bool is_optional = false;
};

update_item parse_item(std::string_view text) {
  update_item result;
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  if (!text.empty() && text.front() == '-') {
    result.removes = true;
    text.remove_prefix(1);
  }
  if (!text.empty() && text.front() == '?') {
    result.is_optional = true;
    text.remove_prefix(1);
  }
  result.text = text;
  return result;
}

class updater {
public:
  explicit updater(const strings& current) : options_(current) {}

  /// The text says why the item cannot be applied.
  std::string apply(const update_item& item) {
    if (item.text.size() > max_pushed_size)
      return "it is too long";
    if (!is_printable(item.text))
      return "it has control characters";
    auto x = find_updatable(name_of(item.text));
    if (x == nullptr)
      return "it cannot change while the session lives";
    if (item.removes) {
      discard(options_, *x);
      return {};
    }
    auto is_first
      = std::find(seen_.begin(), seen_.end(), x->group) == seen_.end();
    // Values are looked at later; but these must become other options now.
    if (x->name == keepalive)
      return set_keepalive(item.text);
    if (is_first || !x->is_list)
      discard(options_, *x);
    if (is_first)
      seen_.push_back(x->group);
    if (options_.size() >= max_pushed)
      return "there are too many options";
    options_.emplace_back(item.text);
    return {};
  }
  strings take() { return std::move(options_); }

private:
  std::string set_keepalive(std::string_view text) {
    auto line = lex_option_line(text);
    if (line.words.size() != 3 || !parse_number(line.words[1])
        || !parse_number(line.words[2]))
      return "two numbers belong after it";
    discard(options_, *find_updatable(keepalive));
    options_.push_back("ping " + line.words[1]);
    options_.push_back("ping-restart " + line.words[2]);
    return {};
  }

  strings options_;
  std::vector<std::string_view> seen_;
};

} // namespace

expected<strings, failure> apply_update(strings& current,
                                        const strings& update) {
  constexpr size_t max_skipped = 64;
  if (update.size() > max_pushed)
    return failure{reason::push_refused, "PUSH_UPDATE with too many options"};
  strings skipped;
  updater result{current};
  for (auto& text : update) {
    auto item = parse_item(text);
    // The continuation belongs to the message, not to the list.
    if (item.text.empty() || name_of(item.text) == "push-continuation")
      continue;
    auto error = result.apply(item);
    if (error.empty())
      continue;
    auto what = "option " + shown_name(item.text) + " of an update: " + error;
    if (!item.is_optional)
      return failure{reason::push_refused, what};
    if (skipped.size() < max_skipped)
      skipped.push_back(what + "; skipped, as the server allows");
  }
  current = result.take();
  return skipped;
}

std::string digest_of(const strings& pushed) {
  // They differ from one connection to the next, and no device depends on them.
  static constexpr std::string_view left_out[] = {
    "auth-token", "auth-token-user", "cipher", "peer-id", "push-continuation"};
  std::string text;
  for (auto& option : pushed)
    if (std::find(std::begin(left_out), std::end(left_out), name_of(option))
        == std::end(left_out))
      text.append(option).push_back('\0');
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  size_t size = 0;
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(),
                   digest.data(), &size)
      != 1)
    return {};
  return to_hex({digest.data(), size});
}

} // namespace vpn::protocol
