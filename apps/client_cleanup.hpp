// What clients that died have left on this host: taken back by the next start,
// and by --cleanup.
#pragma once

#include "vpn/actors/host_journal.hpp"

#include <memory>
#include <string>

namespace vpn::client {

/// `--cleanup`: says on standard output what was restored. Without a name it
/// looks where clients of this host have their journals. The exit code: 0 when
/// nothing is left, 9 when something could not be restored.
int clean_up(const std::string& directory);

/// Before the first session: the same, said in the log. Without root, or with
/// nothing to restore, it does nothing and says nothing.
void recover_at_start();

/// The journal of this process, opened while it still may. Without a file it is
/// one in memory, and the log says what that means. Call it after `daemon`,
/// which changes the number of the process.
std::shared_ptr<actors::host_journal> open_journal();

} // namespace vpn::client
