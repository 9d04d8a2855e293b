#include "client_cleanup.hpp"

#include "vpn/protocol/reason.hpp"

#include <cstdio>

#include "client_log.hpp"
#include <unistd.h>

namespace vpn::client {

int clean_up(const std::string& directory) {
  auto found = actors::recover_journals(
    directory.empty() ? actors::journal_directory : directory,
    [](const std::string& command) {
      std::printf("%s\n", command.c_str());
    });
  if (found.living > 0)
    std::printf("# clients that run and keep their settings: %zu\n",
                found.living);
  if (found.elsewhere > 0)
    std::printf("# clients that died in another network namespace: %zu; what "
                "they left can be restored there only\n",
                found.elsewhere);
  if (found.left > 0) {
    std::printf("# not restored: %zu%s\n", found.left,
                geteuid() == 0 ? "" : "; try again as root");
    return exit_code(reason::host_failed);
  }
  if (found.restored == 0)
    std::printf("# nothing to restore\n");
  return 0;
}

void recover_at_start() {
  if (geteuid() != 0)
    return;
  auto found
    = actors::recover_journals(actors::journal_directory, log_host_change);
  if (found.restored > 0)
    log_warning("what " + std::to_string(found.restored)
                + " client(s) that died had left on this host is restored");
  if (found.left > 0)
    log_warning("something that a client left when it died cannot be restored: "
                "vpn-actor-client --cleanup says what");
}

std::shared_ptr<actors::host_journal> open_journal() {
  auto result = actors::host_journal::create(
    actors::journal_directory, "client-" + std::to_string(getpid()),
    log_warning);
  if (result)
    return std::move(*result);
  log_warning("no journal (" + result.error().text
              + "): should this process be killed, routes and name servers "
                "would not be restored");
  return std::make_shared<actors::host_journal>();
}

} // namespace vpn::client
