// The file of a journal: who may own it, who holds it, and how it is written
// without losing what stands in it.
#include "journal_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vpn::actors {

namespace {

failure refused(const std::string& path, const std::string& why) {
  return {reason::host_failed, path + ": " + why};
}

failure refused(const std::string& path) {
  return refused(path, std::strerror(errno));
}

/// Commands are carried out from here as root: only root, or whoever we are,
/// may have written them.
const char* complaint(const struct stat& x) {
  if (x.st_uid != 0 && x.st_uid != geteuid())
    return "belongs to another user";
  if ((x.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return "others may write to it";
  return nullptr;
}

bool write_all(int fd, const std::string& text, size_t at) {
  size_t done = 0;
  while (done < text.size()) {
    auto n = pwrite(fd, text.data() + done, text.size() - done,
                    static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

} // namespace

expected<shared_fd, failure>
journal_file::open_directory(const std::string& path, bool make_it) {
  if (make_it && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return refused(path);
  unique_fd fd{
    ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct stat about {};
  if (!fd || fstat(fd.get(), &about) != 0)
    return refused(path);
  if (auto why = complaint(about))
    return refused(path, why);
  return share(std::move(fd));
}

expected<journal_file, failure> journal_file::create(shared_fd directory,
                                                     const std::string& name) {
  unique_fd fd{::openat(directory->get(), name.c_str(),
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        0600)};
  if (!fd)
    return refused(name);
  journal_file result{std::move(directory), name, std::move(fd)};
  if (auto why = result.check(); why.why != reason::none)
    return why;
  // Who takes it for a dead one in this very moment also removes it.
  if (!result.lock())
    return refused(name, "another process holds it");
  return result;
}

expected<std::optional<journal_file>, failure>
journal_file::open(shared_fd directory, const std::string& name) {
  // What is no file must not hold us up.
  unique_fd fd{::openat(directory->get(), name.c_str(),
                        O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!fd && errno == ENOENT)
    return std::optional<journal_file>{};
  if (!fd)
    return refused(name);
  journal_file result{std::move(directory), name, std::move(fd)};
  if (auto why = result.check(); why.why != reason::none)
    return why;
  return std::optional<journal_file>{std::move(result)};
}

// -- commands --

bool journal_file::lock() {
  struct stat about {};
  return flock(fd_.get(), LOCK_EX | LOCK_NB) == 0
         && fstat(fd_.get(), &about) == 0 && about.st_nlink > 0;
}

bool journal_file::append(const std::string& text) {
  if (text.size() <= max_size && size_ <= max_size - text.size()
      && write_all(fd_.get(), text, size_)) {
    size_ += text.size();
    return true;
  }
  // Half a line is none, but the next one must not be its end.
  static_cast<void>(ftruncate(fd_.get(), static_cast<off_t>(size_)));
  return false;
}

bool journal_file::overwrite(const std::string& text, size_t at) {
  return at + text.size() <= size_ && write_all(fd_.get(), text, at);
}

bool journal_file::truncate(size_t size) {
  if (ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
    return false;
  size_ = size;
  return true;
}

void journal_file::remove() {
  if (unlinkat(directory_->get(), name_.c_str(), 0) != 0)
    truncate(0);
}

// -- observers --

std::optional<std::string> journal_file::read() const {
  std::string result(size_, '\0');
  size_t done = 0;
  while (done < result.size()) {
    auto n = pread(fd_.get(), result.data() + done, result.size() - done,
                   static_cast<off_t>(done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return std::nullopt;
    if (n == 0)
      break; // its owner has emptied it meanwhile
    done += static_cast<size_t>(n);
  }
  result.resize(done);
  return result;
}

// -- private --

journal_file::journal_file(shared_fd directory, std::string name, unique_fd fd)
  : directory_(std::move(directory)),
    name_(std::move(name)),
    fd_(std::move(fd)) {
}

failure journal_file::check() {
  struct stat about {};
  if (fstat(fd_.get(), &about) != 0)
    return refused(name_);
  if (!S_ISREG(about.st_mode))
    return refused(name_, "is no file");
  if (about.st_nlink > 1)
    return refused(name_, "has another name elsewhere");
  if (auto why = complaint(about))
    return refused(name_, why);
  if (about.st_size > static_cast<off_t>(max_size))
    return refused(name_, "is larger than a journal can be");
  size_ = static_cast<size_t>(about.st_size);
  return {reason::none, {}};
}

} // namespace vpn::actors
