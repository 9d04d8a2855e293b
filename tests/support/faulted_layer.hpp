// A fault actor before a dummy that wears everything. Include it last.
#pragma once

#include "vpn/actors/fault_actor.hpp"

#include "tests/support/layer_fixture.hpp"

#include <cstring>

namespace vpn::test {

struct faulted_layer : layer_fixture {
  using fault_hdl = world_actor::extend_with<actors::fault_control_actor>;

  actors::pool_ptr pool
    = caf::make_counted<actors::batch_pool>(actors::pool_config{8, 65536, 128});
  /// For control packets, control messages and TLS bytes.
  bool goes_up = true;

  static protocol::fault_spec spec_of(const std::string& text) {
    auto x = protocol::parse_fault_spec(text);
    if (!x)
      CAF_FAIL(text << ": " << x.error().text);
    return *x;
  }

  actors::fault_config config_of(const std::string& text) {
    actors::fault_config cfg;
    cfg.spec = spec_of(text);
    cfg.name = "x";
    cfg.goes_up = goes_up;
    cfg.clock = &clock;
    return cfg;
  }

  fault_hdl start(const std::string& text) {
    return own(spawn_fault(sys, config_of(text), around));
  }

  actors::layer_status status(const fault_hdl& hdl) {
    auto x = ask<actors::layer_status>(hdl, atom::fault_v, atom::status_v);
    CAF_REQUIRE(x);
    return *x;
  }
  std::string fault_text(const fault_hdl& hdl) { return status(hdl).text; }
  uint64_t counter(const fault_hdl& hdl, const std::string& name) {
    for (auto& x : status(hdl).counters)
      if (x.name == name)
        return x.value;
    CAF_FAIL("no counter " << name);
  }

  /// Each packet in a run of its own.
  actors::batch_ptr make_batch(const std::vector<bytes>& packets) {
    auto result = pool->get();
    CAF_REQUIRE(result);
    for (auto& x : packets) {
      std::memcpy(result->data + result->used, x.data(), x.size());
      CAF_REQUIRE(result->add(result->used, static_cast<uint32_t>(x.size())));
      result->used += static_cast<uint32_t>(x.size());
    }
    return result;
  }

  /// All of them in one run.
  actors::batch_ptr make_train(const std::vector<bytes>& packets,
                               uint16_t stride) {
    bytes all;
    for (auto& x : packets)
      all.insert(all.end(), x.begin(), x.end());
    auto result = make_batch({all});
    result->runs[0].stride = stride;
    return result;
  }
};

} // namespace vpn::test
