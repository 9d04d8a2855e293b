// The lines of a journal, one JSON object each: what was added, what was
// dropped, which names are set.
#include "journal_text.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <utility>

#include <net/if.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vpn::actors {

namespace {

using json = nlohmann::json;

constexpr const char* version_key = "vpn-actor-journal";
constexpr uint64_t version = 1;
/// A path is the longest thing in a line.
constexpr size_t max_line = 16384;

constexpr std::array<const char*, 6> kinds
  = {"mtu", "queue", "up", "address", "route", "no route"};

bool is_value(host_change_kind x) {
  return x <= host_change_kind::link_up;
}

/// Bytes that are no text become a sign that stands for them: never an
/// exception.
std::string to_line(const json& x) {
  return x.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// -- reading: what is absent keeps its value, what is wrong is an error --

template <class T>
bool take(const json& x, const char* key, T& out) {
  auto i = x.find(key);
  if (i == x.end())
    return true;
  if (!i->is_number_unsigned())
    return false;
  auto value = i->get<uint64_t>();
  if (value > std::numeric_limits<T>::max())
    return false;
  out = static_cast<T>(value);
  return true;
}

template <class T>
bool take(const json& x, const char* key, std::optional<T>& out) {
  T value{};
  if (!take(x, key, value))
    return false;
  if (x.contains(key))
    out = value;
  return true;
}

bool take(const json& x, const char* key, bool& out) {
  auto i = x.find(key);
  if (i == x.end())
    return true;
  if (!i->is_boolean())
    return false;
  out = i->get<bool>();
  return true;
}

bool take(const json& x, const char* key, std::string& out) {
  auto i = x.find(key);
  if (i == x.end())
    return true;
  auto text = i->get_ptr<const json::string_t*>();
  if (text == nullptr)
    return false;
  out = *text;
  return true;
}

bool take(const json& x, const char* key, ip_address& out) {
  std::string text;
  if (!take(x, key, text))
    return false;
  if (text.empty())
    return true;
  auto parsed = parse_ip(text);
  if (parsed)
    out = *parsed;
  return static_cast<bool>(parsed);
}

bool take(const json& x, const char* key, ip_prefix& out) {
  std::string text;
  if (!take(x, key, text))
    return false;
  if (text.empty())
    return true;
  auto kind = text.find(':') == text.npos ? family::v4 : family::v6;
  auto parsed = parse_prefix(text, kind);
  if (parsed)
    out = *parsed;
  return static_cast<bool>(parsed);
}

bool take(const json& x, const char* key, host_change_kind& out) {
  std::string text;
  if (!take(x, key, text))
    return false;
  auto i = std::find(kinds.begin(), kinds.end(), text);
  if (i == kinds.end())
    return false;
  out = static_cast<host_change_kind>(i - kinds.begin());
  return true;
}

/// The kernel takes names that are no text; these are written as numbers.
bool is_text(const std::string& name) {
  try {
    static_cast<void>(json(name).dump());
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

void put_device(json& x, const std::string& name) {
  if (is_text(name))
    x["device"] = name;
  else
    x["device bytes"] = std::vector<uint8_t>{name.begin(), name.end()};
}

bool take_device(const json& x, std::string& out) {
  auto i = x.find("device bytes");
  if (i == x.end())
    return take(x, "device", out);
  if (!i->is_array() || i->size() >= IFNAMSIZ)
    return false;
  for (const auto& y : *i) {
    if (!y.is_number_unsigned() || y.get<uint64_t>() > 0xff)
      return false;
    out += static_cast<char>(y.get<uint8_t>());
  }
  return true;
}

bool is_device(const std::string& name, uint32_t index) {
  return !name.empty() && name.size() < IFNAMSIZ && index != 0
         && index <= std::numeric_limits<int32_t>::max();
}

std::optional<host_change> parse_change(const json& x) {
  host_change y;
  auto all = take(x, "kind", y.kind) && take_device(x, y.device)
             && take(x, "index", y.device_index) && take(x, "prefix", y.prefix)
             && take(x, "gateway", y.gateway) && take(x, "source", y.source)
             && take(x, "metric", y.metric) && take(x, "protocol", y.protocol)
             && take(x, "scope", y.scope) && take(x, "onlink", y.on_link)
             && take(x, "before", y.before) && take(x, "after", y.after);
  if (!all || !is_device(y.device, y.device_index)
      || (!is_value(y.kind) && !y.prefix.address.defined()))
    return std::nullopt;
  return y;
}

std::optional<host_names> parse_names(const json& x) {
  host_names y;
  if (!x.is_object() || !take(x, "file", y.file) || !take_device(x, y.device)
      || !take(x, "index", y.device_index))
    return std::nullopt;
  if ((!y.file.empty() && y.file[0] != '/')
      || (y.device_index != 0 && !is_device(y.device, y.device_index)))
    return std::nullopt;
  return y;
}

/// What stands after some lines, and what is to take its place once complete.
class line_reader {
public:
  explicit line_reader(journal_content& out) : out_(out) {}

  bool read(const json& x) {
    if (!x.is_object())
      return false;
    uint64_t number = 0;
    if (x.contains("add"))
      return take(x, "add", number) && add(number, x);
    if (x.contains("drop")) {
      if (!take(x, "drop", number))
        return false;
      now().changes.erase(number);
      return true;
    }
    if (auto i = x.find("names"); i != x.end()) {
      auto names = parse_names(*i);
      if (names)
        now().names = std::move(*names);
      return names.has_value();
    }
    if (x.contains("again")) {
      next_ = state{};
      return true;
    }
    if (!x.contains("done"))
      return false;
    if (next_)
      last_ = std::move(*next_);
    next_.reset();
    out_.not_understood = 0; // it stood before, and counts no more
    return true;
  }

  void finish() {
    out_.changes = std::move(last_.changes);
    out_.names = std::move(last_.names);
  }

private:
  struct state {
    std::map<uint64_t, host_change> changes;
    host_names names;
  };

  state& now() { return next_ ? *next_ : last_; }

  bool add(uint64_t number, const json& x) {
    auto change = parse_change(x);
    return change && now().changes.emplace(number, std::move(*change)).second;
  }

  journal_content& out_;
  state last_;
  std::optional<state> next_;
};

std::optional<journal_owner> parse_owner(const json& x, std::string& foreign) {
  uint64_t number = 0;
  if (!x.is_object() || !take(x, version_key, number) || number == 0) {
    foreign = "is no journal";
    return std::nullopt;
  }
  if (number != version) {
    foreign = "was written by another version";
    return std::nullopt;
  }
  journal_owner y;
  if (!take(x, "pid", y.pid) || !take(x, "started", y.started)
      || !take(x, "boot", y.boot) || !take(x, "network", y.network)) {
    foreign = "is no journal";
    return std::nullopt;
  }
  return y;
}

// -- this process --

std::string first_word_of(const char* path) {
  std::string result;
  std::ifstream{path} >> result;
  return result;
}

/// Field 22 of its stat; the name of the program stands in brackets before and
/// may hold anything.
uint64_t start_of_process() {
  std::ifstream file{"/proc/self/stat"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  auto at = text.rfind(')');
  for (int field = 2; field < 22 && at != text.npos; ++field)
    at = text.find(' ', at + 1);
  if (at == text.npos)
    return 0;
  uint64_t result = 0;
  for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
    result = result * 10 + static_cast<uint64_t>(text[at] - '0');
  return result;
}

/// The kernel's cookie is never used twice in one boot; an inode number is.
std::string name_of_network() {
  constexpr int cookie_option = 71; // SO_NETNS_COOKIE, Linux 5.14
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  unique_fd any{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (any
      && getsockopt(any.get(), SOL_SOCKET, cookie_option, &cookie, &size) == 0)
    return "cookie " + std::to_string(cookie);
  struct stat about {};
  if (stat("/proc/thread-self/ns/net", &about) != 0)
    return {};
  return "inode " + std::to_string(about.st_ino);
}

} // namespace

journal_owner this_process() {
  journal_owner result;
  result.pid = static_cast<uint64_t>(getpid());
  result.started = start_of_process();
  result.boot = first_word_of("/proc/sys/kernel/random/boot_id");
  result.network = name_of_network();
  return result;
}

journal_content parse_journal(std::string_view text) {
  journal_content result;
  line_reader reader{result};
  auto first = true;
  for (auto end = text.find('\n'); end != text.npos;
       end = text.find('\n', result.whole)) {
    auto line = text.substr(result.whole, end - result.whole);
    result.whole = end + 1;
    json x = json::value_t::discarded;
    if (line.size() <= max_line)
      x = json::parse(line.begin(), line.end(), nullptr, false);
    if (std::exchange(first, false)) {
      result.owner = parse_owner(x, result.foreign);
      if (!result.owner)
        return result;
    } else if (x.is_discarded() || !reader.read(x)) {
      ++result.not_understood;
    }
  }
  reader.finish();
  return result;
}

// -- the lines --

std::string first_line(const journal_owner& x) {
  return to_line({{version_key, version},
                  {"pid", x.pid},
                  {"started", x.started},
                  {"boot", x.boot},
                  {"network", x.network}});
}

std::string add_line(uint64_t number, const host_change& x) {
  json y = {{"add", number},
            {"kind", kinds[static_cast<size_t>(x.kind)]},
            {"index", x.device_index}};
  put_device(y, x.device);
  if (x.prefix.address.defined())
    y["prefix"] = to_string(x.prefix);
  if (x.gateway.defined())
    y["gateway"] = to_string(x.gateway);
  if (x.source.defined())
    y["source"] = to_string(x.source);
  if (x.metric)
    y["metric"] = *x.metric;
  if (x.protocol != 0)
    y["protocol"] = x.protocol;
  if (x.scope)
    y["scope"] = *x.scope;
  if (x.on_link)
    y["onlink"] = true;
  if (is_value(x.kind)) {
    y["before"] = x.before;
    y["after"] = x.after;
  }
  return to_line(y);
}

std::string drop_line(uint64_t number) {
  return to_line({{"drop", number}});
}

std::string names_line(const host_names& x) {
  auto y = json::object();
  if (!x.file.empty())
    y["file"] = x.file;
  if (x.device_index != 0) {
    put_device(y, x.device);
    y["index"] = x.device_index;
  }
  return to_line({{"names", std::move(y)}});
}

std::string again_line() {
  return to_line({{"again", true}});
}

std::string done_line() {
  return to_line({{"done", true}});
}

} // namespace vpn::actors
