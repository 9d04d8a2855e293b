// A directory for journals of a test's own. Include it after CAF_SUITE is
// defined.
#pragma once

#include "vpn/actors/host_journal.hpp"

#include "caf/test/unit_test.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace vpn::test {

struct journal_folder {
  std::string path;

  journal_folder() {
    char name[] = "/tmp/vpn-journal-XXXXXX";
    CAF_REQUIRE(mkdtemp(name) != nullptr);
    top_ = path = name;
  }
  journal_folder(const journal_folder&) = delete;
  journal_folder& operator=(const journal_folder&) = delete;
  ~journal_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }

  std::shared_ptr<actors::host_journal>
  create(actors::host_journal::warning_log warn = {}, const std::string& name
                                                      = "client-1") {
    auto result = actors::host_journal::create(path, name, std::move(warn));
    if (!result)
      CAF_FAIL("no journal: " << result.error().text);
    return std::move(*result);
  }

  std::string file(const std::string& name = "client-1") const {
    return path + "/" + name + ".journal";
  }
  std::string text(const std::string& name = "client-1") const {
    return read(file(name));
  }
  static std::string read(const std::string& where) {
    std::ostringstream out;
    out << std::ifstream{where}.rdbuf();
    return out.str();
  }

  /// Names, sorted.
  std::vector<std::string> files() const {
    std::vector<std::string> result;
    for (const auto& x : std::filesystem::directory_iterator{path})
      result.push_back(x.path().filename());
    std::sort(result.begin(), result.end());
    return result;
  }

private:
  std::string top_;
};

} // namespace vpn::test
