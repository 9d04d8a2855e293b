// What this host must get back: the present state in memory, the way to it in a
// file.
#include "vpn/actors/host_journal.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "journal_file.hpp"
#include "journal_text.hpp"

namespace vpn::actors {

namespace {

/// Where it begins to matter that a file only grows.
constexpr size_t tolerated_size = size_t{256} << 10;
/// Later files of the same name: the number of a process that died comes back.
constexpr int names_to_try = 16;

} // namespace

struct host_journal::impl {
  bool empty() const noexcept { return entries.empty() && !names.set(); }
  void write(const std::string& lines);
  bool put(const std::string& text);
  bool write_anew();
  std::string snapshot() const;
  void settle();

  mutable std::mutex mutex;
  /// With the numbers they have in the file.
  std::vector<std::pair<uint64_t, host_change>> entries;
  uint64_t last_number = 0;
  host_names names;

  std::mutex turn;
  standing_tunnel standing;

  std::optional<journal_file> file;
  std::string header;
  warning_log warn;
  uint64_t written = 0;
  /// Size after everything was written anew.
  size_t fresh_size = 0;
  /// Something could not be written: the file does not say what is.
  bool outdated = false;
  bool warned = false;
};

// -- the file --

void host_journal::impl::write(const std::string& lines) {
  if (!file)
    return;
  auto grown = file->size() > tolerated_size && file->size() / 4 > fresh_size;
  auto fine = outdated || grown
                ? write_anew()
                : put(file->size() == 0 ? header + lines : lines);
  outdated = !fine;
  if (fine || std::exchange(warned, true) || !warn)
    return;
  warn("the journal of changes of this host cannot be written: after a crash "
       "they would not all be taken back");
}

bool host_journal::impl::put(const std::string& text) {
  if (!file->append(text))
    return false;
  written += text.size();
  return true;
}

/// The new text first stands behind the old one, so that there is no moment in
/// which a crash leaves neither.
bool host_journal::impl::write_anew() {
  auto text = snapshot();
  if (file->size() < header.size() + text.size()) {
    if (!put(file->size() == 0 ? header + text : text))
      return false;
  } else {
    if (!put(text) || !file->overwrite(text, header.size())
        || !file->truncate(header.size() + text.size()))
      return false;
    written += text.size();
  }
  fresh_size = file->size();
  return true;
}

std::string host_journal::impl::snapshot() const {
  auto result = again_line();
  for (const auto& [number, x] : entries)
    result += add_line(number, x);
  if (names.set())
    result += names_line(names);
  return result + done_line();
}

/// Nothing is left, so nothing is to be read.
void host_journal::impl::settle() {
  if (!file || file->size() == 0)
    return;
  outdated = !file->truncate(0);
  fresh_size = 0;
}

// -- host_journal --

host_journal::host_journal() : impl_(std::make_unique<impl>()) {
}

host_journal::host_journal(journal_file file, const journal_content& content,
                           warning_log warn)
  : host_journal() {
  auto& x = *impl_;
  for (const auto& [number, change] : content.changes)
    x.entries.emplace_back(number, change);
  if (!x.entries.empty())
    x.last_number = x.entries.back().first;
  x.names = content.names;
  x.header = first_line(content.owner ? *content.owner : this_process());
  x.warn = std::move(warn);
  x.file.emplace(std::move(file));
  // Half a line must not become the beginning of the next one.
  if (content.whole < x.file->size())
    x.file->truncate(content.whole);
}

expected<std::shared_ptr<host_journal>, failure>
host_journal::create(const std::string& directory, const std::string& name,
                     warning_log warn) {
  auto where = journal_file::open_directory(directory, true);
  if (!where)
    return where.error();
  failure why;
  for (int i = 0; i < names_to_try; ++i) {
    auto suffix = i == 0 ? std::string{} : "." + std::to_string(i);
    auto file = journal_file::create(*where, name + suffix + ".journal");
    if (file)
      return std::make_shared<host_journal>(std::move(*file), journal_content{},
                                            std::move(warn));
    why = file.error();
  }
  why.text = directory + "/" + why.text;
  return why;
}

host_journal::~host_journal() {
  if (impl_->file && impl_->empty())
    impl_->file->remove();
}

// -- commands --

void host_journal::add(const host_change& x) {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  auto number = ++impl_->last_number;
  impl_->entries.emplace_back(number, x);
  impl_->write(add_line(number, x));
}

void host_journal::drop(const host_change& x) {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  auto& all = impl_->entries;
  // Most often the last one.
  auto i = std::find_if(all.rbegin(), all.rend(), [&](const auto& y) {
    return y.second == x;
  });
  if (i == all.rend())
    return;
  auto number = i->first;
  all.erase(std::next(i).base());
  if (impl_->empty())
    impl_->settle();
  else
    impl_->write(drop_line(number));
}

void host_journal::set_names(host_names x) {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  if (!x.set() && !impl_->names.set())
    return;
  impl_->names = std::move(x);
  if (impl_->empty())
    impl_->settle();
  else
    impl_->write(names_line(impl_->names));
}

std::unique_lock<std::mutex> host_journal::turn() {
  return std::unique_lock<std::mutex>{impl_->turn};
}

standing_tunnel& host_journal::standing() noexcept {
  return impl_->standing;
}

// -- observers --

std::vector<host_change> host_journal::changes() const {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  std::vector<host_change> result;
  result.reserve(impl_->entries.size());
  for (const auto& x : impl_->entries)
    result.push_back(x.second);
  return result;
}

host_names host_journal::names() const {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  return impl_->names;
}

bool host_journal::empty() const {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  return impl_->empty();
}

uint64_t host_journal::bytes_written() const {
  std::lock_guard<std::mutex> guard{impl_->mutex};
  return impl_->written;
}

} // namespace vpn::actors
