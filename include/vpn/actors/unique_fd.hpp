// A file descriptor with an owner: it is closed when the last one lets go.
#pragma once

#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace vpn::actors {

/// Owns one descriptor, or none. Move-only.
class unique_fd {
public:
  unique_fd() = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  ~unique_fd() { reset(); }

  int get() const noexcept { return fd_; }
  bool valid() const noexcept { return fd_ >= 0; }
  explicit operator bool() const noexcept { return valid(); }

  /// Gives the descriptor away without closing it.
  int release() noexcept { return std::exchange(fd_, -1); }

  /// Closes what it owns and owns `fd` from now on. `close` is not repeated
  /// after EINTR: on Linux the descriptor is gone by then.
  void reset(int fd = -1) noexcept {
    auto old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd)
      ::close(old);
  }

  /// A second descriptor of the same open file, close-on-exec; invalid when
  /// there is nothing to duplicate or no descriptor is left (see `errno`).
  unique_fd dup() const noexcept {
    return unique_fd{fd_ < 0 ? -1 : ::fcntl(fd_, F_DUPFD_CLOEXEC, 3)};
  }

private:
  int fd_ = -1;
};

/// A descriptor that outlives the actor that uses it: SUPERVISOR keeps one, so
/// that a restarted layer finds its socket or its device again.
using shared_fd = std::shared_ptr<const unique_fd>;

inline shared_fd share(unique_fd fd) {
  return std::make_shared<const unique_fd>(std::move(fd));
}

} // namespace vpn::actors
