// What clients that died have left behind, and how it is taken back.
// spec: design 6
#include "vpn/actors/host_journal.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>
#include <utility>

#include "journal_file.hpp"
#include "journal_text.hpp"
#include "resolv_conf.hpp"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace vpn::actors {

namespace {

constexpr const char* suffix = ".journal";
/// Nobody has so many clients.
constexpr size_t max_files = 4096;

bool is_journal(const std::string& name) {
  auto n = std::string{suffix}.size();
  return name.size() > n && name.compare(name.size() - n, n, suffix) == 0;
}

/// In order of name, so that what is said is the same every time.
std::vector<std::string> names_in(const shared_fd& directory) {
  std::vector<std::string> result;
  // A descriptor of its own: the stream closes it.
  unique_fd own{
    ::openat(directory->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  auto stream = own ? fdopendir(own.get()) : nullptr;
  if (stream == nullptr)
    return result;
  own.release();
  while (auto entry = readdir(stream))
    if (is_journal(entry->d_name) && result.size() < max_files)
      result.emplace_back(entry->d_name);
  closedir(stream);
  std::sort(result.begin(), result.end());
  return result;
}

class recovery {
public:
  recovery(const change_log& log, const dns_places& names)
    : log_(log),
      names_(names) {}

  journal_recovery run(const std::string& directory);

private:
  struct found {
    std::string name;
    uint64_t started = 0;
  };
  struct opened {
    journal_file file;
    bool dead = false;
    journal_content content;
  };

  std::optional<opened> open(const shared_fd& directory,
                             const std::string& name);
  void look_at(const shared_fd& directory, const std::string& name);
  void take_back(const shared_fd& directory, const std::string& name);
  void take_back(const std::string& name, opened x);
  void restore_names_of_earlier_boot();
  bool is_claimed(const std::string& file) const;
  void say(const std::string& text) const {
    if (log_)
      log_(text);
  }

  const change_log& log_;
  const dns_places& names_;
  const journal_owner here_ = this_process();
  std::vector<found> dead_;
  /// Files that clients that live have written.
  std::vector<std::string> claimed_;
  journal_recovery result_;
};

/// Nothing when it has gone meanwhile or was refused.
std::optional<recovery::opened> recovery::open(const shared_fd& directory,
                                               const std::string& name) {
  auto file = journal_file::open(directory, name);
  if (!file) {
    say("# refused: " + file.error().text);
    ++result_.left;
    return std::nullopt;
  }
  if (!*file)
    return std::nullopt;
  auto dead = (*file)->lock();
  auto text = (*file)->read();
  if (!text) {
    say("# refused: " + name + ": cannot be read");
    ++result_.left;
    return std::nullopt;
  }
  return opened{std::move(**file), dead, parse_journal(*text)};
}

/// Only one is open at a time: there may be more than a process can have.
void recovery::look_at(const shared_fd& directory, const std::string& name) {
  auto x = open(directory, name);
  if (!x)
    return;
  auto& content = x->content;
  if (x->dead) {
    dead_.push_back({name, content.owner ? content.owner->started : 0});
    return;
  }
  ++result_.living;
  if (!content.names.file.empty())
    claimed_.push_back(content.names.file);
}

void recovery::take_back(const shared_fd& directory, const std::string& name) {
  auto x = open(directory, name);
  if (!x)
    return;
  if (x->dead)
    take_back(name, std::move(*x));
  else // somebody else takes it back in this very moment
    ++result_.living;
}

void recovery::take_back(const std::string& name, opened x) {
  auto& content = x.content;
  if (!content.foreign.empty()) {
    say("# refused: " + name + ": " + content.foreign);
    ++result_.left;
    return;
  }
  if (!content.owner) {
    // It died before it had changed anything.
    x.file.remove();
    return;
  }
  auto same_boot = content.owner->boot == here_.boot;
  if (same_boot && content.owner->network != here_.network) {
    if (content.changes.empty() && !content.names.set())
      x.file.remove();
    else
      ++result_.elsewhere;
    return;
  }
  if (!same_boot) {
    // Routes and addresses have gone with the kernel that had them, and links.
    content.changes.clear();
    content.names.device_index = 0;
  }
  if (is_claimed(content.names.file))
    content.names.file.clear();
  // Its writer may have been anybody, and we may be root.
  if (!content.names.file.empty() && content.names.file != names_.resolv_conf) {
    say("# refused: " + name + ": names a file that no client writes");
    content.names.file.clear();
    ++result_.left;
  }
  say("# process " + std::to_string(content.owner->pid)
      + " has died and left its changes of this host behind");
  if (content.not_understood > 0)
    say("# lines of its journal that are not understood: "
        + std::to_string(content.not_understood));
  auto journal
    = std::make_shared<host_journal>(std::move(x.file), std::move(content));
  host_dns{names_, log_, journal}.undo();
  host_network{log_, journal}.undo();
  auto left = journal->changes().size() + journal->names().set();
  result_.left += left;
  result_.restored += left == 0;
}

bool recovery::is_claimed(const std::string& file) const {
  return std::find(claimed_.begin(), claimed_.end(), file) != claimed_.end();
}

/// Journals do not survive a reboot, but resolv.conf does. What was written
/// since may belong to a client that has no journal.
void recovery::restore_names_of_earlier_boot() {
  if (is_claimed(names_.resolv_conf))
    return;
  struct stat about {};
  timespec now{};
  timespec up{};
  if (stat(names_.resolv_conf.c_str(), &about) != 0
      || clock_gettime(CLOCK_REALTIME, &now) != 0
      || clock_gettime(CLOCK_BOOTTIME, &up) != 0
      || about.st_mtim.tv_sec >= now.tv_sec - up.tv_sec - 1)
    return;
  resolv_conf file{names_.resolv_conf, names_.resolv_conf_file};
  if (!file.adopt().settled || !file.applied())
    return;
  auto outcome = file.undo();
  if (outcome.problem.empty())
    say("# name servers of an earlier boot restored in " + names_.resolv_conf);
  else
    say("# " + outcome.problem);
  result_.left += !outcome.settled;
  result_.restored += outcome.settled;
}

journal_recovery recovery::run(const std::string& path) {
  struct stat about {};
  if (lstat(path.c_str(), &about) == 0) {
    auto directory = journal_file::open_directory(path, false);
    if (!directory) {
      say("# refused: " + directory.error().text);
      ++result_.left;
      return result_;
    }
    for (const auto& name : names_in(*directory))
      look_at(*directory, name);
    // The newest first, as it is with the changes of one.
    std::sort(dead_.begin(), dead_.end(), [](const found& x, const found& y) {
      return x.started > y.started;
    });
    for (const auto& x : dead_)
      take_back(*directory, x.name);
  }
  restore_names_of_earlier_boot();
  return result_;
}

} // namespace

journal_recovery recover_journals(const std::string& directory,
                                  const change_log& log,
                                  const dns_places& names) {
  return recovery{log, names}.run(directory);
}

} // namespace vpn::actors
