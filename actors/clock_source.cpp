#include "vpn/actors/clock_source.hpp"

namespace vpn::actors {

clock_source::~clock_source() = default;

instant system_clock_source::now() const {
  using namespace std::chrono;
  return {
    steady_clock::now(),
    duration_cast<seconds>(system_clock::now().time_since_epoch()).count()};
}

} // namespace vpn::actors
