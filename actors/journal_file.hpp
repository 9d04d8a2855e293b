// The file of a journal: who may own it, who holds it, and how it is written
// without losing what stands in it.
#pragma once

#include "vpn/actors/unique_fd.hpp"
#include "vpn/protocol/error.hpp"
#include "vpn/protocol/reason.hpp"

#include <optional>
#include <string>

namespace vpn::actors {

class journal_file {
public:
  /// A journal is small; what is larger is none.
  static constexpr size_t max_size = size_t{16} << 20;

  /// A directory that nobody but its owner can write to, and whose owner is
  /// this process's user or root. Symbolic links are refused.
  static expected<shared_fd, failure> open_directory(const std::string& path,
                                                     bool make_it);

  /// A new one, locked; a file that is there already is never taken.
  static expected<journal_file, failure> create(shared_fd directory,
                                                const std::string& name);

  /// One that is there. Nothing when it has gone meanwhile.
  static expected<std::optional<journal_file>, failure>
  open(shared_fd directory, const std::string& name);

  // -- commands --
  /// False while its owner lives, and when it has gone meanwhile.
  bool lock();
  /// All or nothing.
  bool append(const std::string& text);
  /// Over what stands there, from byte `at` on.
  bool overwrite(const std::string& text, size_t at);
  bool truncate(size_t size);
  /// From its directory; who may not do that empties it.
  void remove();

  // -- observers --
  size_t size() const noexcept { return size_; }
  std::optional<std::string> read() const;

private:
  journal_file(shared_fd directory, std::string name, unique_fd fd);
  failure check();

  shared_fd directory_;
  std::string name_;
  unique_fd fd_;
  size_t size_ = 0;
};

} // namespace vpn::actors
