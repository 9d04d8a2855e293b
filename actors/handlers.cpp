#include "vpn/actors/handlers.hpp"

#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message_view.hpp>
#include <caf/result.hpp>
#include <caf/sec.hpp>

#include <exception>

namespace vpn::actors {

void install_handlers(caf::scheduled_actor* self) {
  self->set_default_handler(
    [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
      return caf::sec::unexpected_message;
    });
  self->set_error_handler([](caf::scheduled_actor*, caf::error&) {
    // Answers that nobody waits for any more.
  });
  self->set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
  self->set_exception_handler(
    [](caf::scheduled_actor*, std::exception_ptr& p) -> caf::error {
      try {
        std::rethrow_exception(p);
      } catch (const std::exception& x) {
        return caf::make_error(caf::sec::runtime_error, x.what());
      } catch (...) {
        return caf::make_error(caf::sec::runtime_error, "unknown exception");
      }
    });
}

} // namespace vpn::actors
