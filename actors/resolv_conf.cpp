#include "resolv_conf.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vpn::actors {

namespace {

using protocol::dns_config;
using protocol::dns_transport;

constexpr size_t max_file = 65536;
/// What is no file must neither hold us up nor become our terminal.
constexpr int careful = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
/// MAXNS of the C library.
constexpr size_t max_servers = 3;
constexpr uint16_t dns_port = 53;
/// Our first line, and what stands before each line of the former content: who
/// starts after a crash finds it there.
constexpr const char* marker
  = "# Written by vpn-actor while its tunnel is up; the former content:";
constexpr const char* kept = "#| ";
/// The same before a last line that did not end.
constexpr const char* kept_open = "#: ";

bool is_usual_port(const endpoint& x) {
  return x.port == 0 || x.port == dns_port;
}

/// A server without domains of its own answers for all names; only such can
/// stand in this file, unless there is no other.
std::vector<ip_address> chosen_servers(const dns_config& cfg) {
  std::vector<ip_address> result;
  for (auto split : {false, true}) {
    for (const auto& x : cfg.servers)
      if (x.transport == dns_transport::plain
          && x.resolve_domains.empty() != split)
        for (const auto& y : x.addresses)
          if (is_usual_port(y))
            result.push_back(y.address);
    if (!result.empty())
      break;
  }
  return result;
}

failure cannot(const std::string& what, const std::string& path) {
  return {reason::host_failed,
          "cannot " + what + " " + path + ": " + std::strerror(errno)};
}

} // namespace

bool is_ours(const std::string& text) {
  return text.compare(0, std::strlen(marker), marker) == 0;
}

std::string original_of(const std::string& text) {
  if (!is_ours(text))
    return text;
  std::string result;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);)
    if (line.compare(0, std::strlen(kept), kept) == 0)
      result += line.substr(std::strlen(kept)) + "\n";
    else if (line.compare(0, std::strlen(kept_open), kept_open) == 0)
      result += line.substr(std::strlen(kept_open));
  return result;
}

std::string make_resolv_conf(const dns_config& cfg,
                             const std::string& original) {
  std::ostringstream out;
  out << marker << '\n';
  auto servers = chosen_servers(cfg);
  servers.resize(std::min(servers.size(), max_servers));
  for (const auto& x : servers)
    out << "nameserver " << to_string(x) << '\n';
  if (!cfg.search_domains.empty()) {
    out << "search";
    for (const auto& x : cfg.search_domains)
      out << ' ' << x;
    out << '\n';
  }
  std::istringstream lines{original};
  for (std::string line; std::getline(lines, line);) {
    auto keeps = line.compare(0, 7, "options") == 0
                 || line.compare(0, 8, "sortlist") == 0
                 || (servers.empty() && line.compare(0, 10, "nameserver") == 0)
                 || (cfg.search_domains.empty()
                     && (line.compare(0, 6, "search") == 0
                         || line.compare(0, 6, "domain") == 0));
    if (keeps)
      out << line << '\n';
  }
  std::istringstream former{original};
  for (std::string line; std::getline(former, line);)
    out << (former.eof() ? kept_open : kept) << line << '\n';
  return out.str();
}

resolv_conf::resolv_conf(std::string path,
                         std::shared_ptr<const unique_fd> file)
  : path_(std::move(path)),
    file_(std::move(file)) {
}

// -- commands --

expected<std::vector<std::string>, failure>
resolv_conf::apply(const dns_config& cfg) {
  if (auto result = open(); !result)
    return result.error();
  auto now = read();
  if (!now)
    return cannot("read", path_);
  // Somebody else may have written meanwhile: theirs is what comes back.
  auto before = original_ && *now == written_ ? *original_ : original_of(*now);
  auto text = make_resolv_conf(cfg, before);
  if (text != *now && !write(text)) {
    auto why = cannot("write", path_);
    write(before);
    original_.reset();
    return why;
  }
  original_ = std::move(before);
  written_ = std::move(text);
  std::vector<std::string> warnings;
  auto servers = chosen_servers(cfg);
  if (servers.size() > max_servers)
    warnings.push_back(path_ + " takes three name servers, the tunnel has "
                       + std::to_string(servers.size()));
  for (const auto& x : cfg.servers) {
    auto name = "dns server " + std::to_string(x.priority);
    if (x.transport != dns_transport::plain)
      warnings.push_back(name + " wants an encrypted transport, which " + path_
                         + " cannot say: it is left out");
    else if (!std::any_of(x.addresses.begin(), x.addresses.end(),
                          is_usual_port))
      warnings.push_back(name + " has a port of its own, which " + path_
                         + " cannot say: it is left out");
    else if (!x.resolve_domains.empty())
      warnings.push_back(name + " is for some domains only, which " + path_
                         + " cannot say");
  }
  return warnings;
}

resolv_conf::restored resolv_conf::undo() {
  if (!original_)
    return {};
  auto now = read();
  if (!now)
    return {false, cannot("read", path_).text};
  if (*now != written_) {
    original_.reset();
    return {true, path_ + " was changed by somebody else and is left alone"};
  }
  if (!write(*original_))
    return {false, cannot("restore", path_).text};
  original_.reset();
  return {};
}

resolv_conf::restored resolv_conf::adopt() {
  if (auto result = open(); !result)
    return {errno == ENOENT, result.error().text};
  auto now = read();
  if (!now)
    return {false, cannot("read", path_).text};
  if (!is_ours(*now))
    return {true, path_ + " was changed by somebody else and is left alone"};
  original_ = original_of(*now);
  written_ = std::move(*now);
  return {};
}

// -- observers --

bool resolv_conf::points_to_resolved() {
  char real[PATH_MAX];
  if (realpath(path_.c_str(), real) != nullptr
      && std::string{real}.compare(0, 21, "/run/systemd/resolve/") == 0)
    return true;
  struct stat about {};
  if (stat(path_.c_str(), &about) != 0 || !S_ISREG(about.st_mode))
    return false;
  unique_fd fd{::open(path_.c_str(), O_RDONLY | careful)};
  if (!fd)
    return false;
  char text[4096];
  auto n = ::read(fd.get(), text, sizeof(text));
  if (n <= 0)
    return false;
  std::istringstream lines{std::string(text, static_cast<size_t>(n))};
  for (std::string line; std::getline(lines, line);)
    if (line.compare(0, 10, "nameserver") == 0)
      return line.find("127.0.0.53") != std::string::npos
             || line.find("127.0.0.54") != std::string::npos;
  return false;
}

// -- private --

expected<done_t, failure> resolv_conf::open() {
  // Others put a new file in the place of the old one.
  struct stat ours {};
  struct stat theirs {};
  if (file_ && fstat(file_->get(), &ours) == 0
      && stat(path_.c_str(), &theirs) == 0 && ours.st_dev == theirs.st_dev
      && ours.st_ino == theirs.st_ino)
    return done;
  file_.reset();
  // A link is followed: many hosts have one here. But some devices begin to act
  // as soon as they are opened, so it is looked at before as well.
  if (stat(path_.c_str(), &theirs) == 0 && !S_ISREG(theirs.st_mode)) {
    errno = EINVAL;
    return failure{reason::host_failed, path_ + " is not a file"};
  }
  unique_fd fd{::open(path_.c_str(), O_RDWR | careful)};
  if (!fd)
    return cannot("open", path_);
  if (fstat(fd.get(), &ours) != 0 || !S_ISREG(ours.st_mode)) {
    errno = EINVAL;
    return failure{reason::host_failed, path_ + " is not a file"};
  }
  file_ = std::make_shared<const unique_fd>(std::move(fd));
  return done;
}

std::optional<std::string> resolv_conf::read() const {
  std::string text(max_file, '\0');
  size_t used = 0;
  while (used < text.size()) {
    auto n = pread(file_->get(), text.data() + used, text.size() - used,
                   static_cast<off_t>(used));
    if (n < 0)
      return std::nullopt;
    if (n == 0)
      break;
    used += static_cast<size_t>(n);
  }
  if (used == text.size()) {
    errno = EFBIG;
    return std::nullopt;
  }
  text.resize(used);
  return text;
}

/// Grows or overwrites first and cuts last, so that no reader finds it empty.
/// What is cut has become empty lines by then: whoever dies in between leaves
/// nothing else.
bool resolv_conf::write(const std::string& text) const {
  struct stat about {};
  if (fstat(file_->get(), &about) != 0)
    return false;
  auto size = static_cast<size_t>(std::max<off_t>(about.st_size, 0));
  auto padded = text;
  padded.resize(std::max(text.size(), std::min(size, max_file)), '\n');
  auto n = pwrite(file_->get(), padded.data(), padded.size(), 0);
  return n == static_cast<ssize_t>(padded.size())
         && ftruncate(file_->get(), static_cast<off_t>(text.size())) == 0;
}

} // namespace vpn::actors
