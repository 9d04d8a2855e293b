// What one packet costs on the data path, without system calls. `ns_per_packet`
// is the figure to compare.
#include "vpn/protocol/data_channel.hpp"
#include "vpn/protocol/packet_coalescer.hpp"

#include "tests/support/inner_packets.hpp"
#include "tests/support/seeded.hpp"

#include <benchmark/benchmark.h>

using namespace vpn;
using namespace vpn::protocol;
using vpn::test::owned_slab;

namespace {

data_key_spec spec_of(data_cipher cipher, role self, bool epoch = false) {
  data_key_spec result;
  result.epoch = epoch;
  result.cipher = cipher;
  result.self = self;
  result.peer_id = 5;
  test::seeded random{7};
  for (auto& x : result.keys)
    x = random.byte();
  return result;
}

data_cipher cipher_of(const benchmark::State& state) {
  return static_cast<data_cipher>(state.range(0));
}

void report(benchmark::State& state, int64_t packets, int64_t size) {
  state.counters["ns_per_packet"] = benchmark::Counter(
    static_cast<double>(packets),
    benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(packets * size);
}

/// `n` segments of one TCP flow, 1440 bytes each.
std::vector<bytes> segments(uint32_t n) {
  test::flow f;
  f.options = from_hex("0101080a0000000100000002");
  std::vector<bytes> result;
  for (uint32_t i = 0; i < n; ++i) {
    test::segment s;
    s.sequence = 1 + i * 1388;
    s.id = static_cast<uint16_t>(i);
    result.push_back(test::make_packet(f, s, bytes(1388, uint8_t(i))));
  }
  return result;
}

void seal_with(benchmark::State& state, const data_key_spec& spec) {
  auto key = data_key::make(spec);
  bytes plain(static_cast<size_t>(state.range(1)), 0x45);
  bytes out(plain.size() + key->head_room() + key->tail_room());
  for (auto _ : state)
    benchmark::DoNotOptimize(key->seal(plain, out.data()));
  report(state, state.iterations(), state.range(1));
}

// Opening works in place and takes each packet once, so a batch is sealed
// outside of the measured time.
void open_with(benchmark::State& state, bool epoch) {
  constexpr int64_t batch = 4096;
  auto sender = data_key::make(spec_of(cipher_of(state), role::client, epoch));
  auto receiver
    = data_key::make(spec_of(cipher_of(state), role::server, epoch));
  auto size = static_cast<size_t>(state.range(1));
  bytes plain(size, 0x45);
  std::vector<bytes> sealed(batch, bytes(sender->sealed_size(size)));
  while (state.KeepRunningBatch(batch)) {
    state.PauseTiming();
    for (auto& x : sealed)
      benchmark::DoNotOptimize(sender->seal(plain, x.data()));
    state.ResumeTiming();
    for (auto& x : sealed)
      benchmark::DoNotOptimize(receiver->open({x.data(), x.size()}));
  }
  report(state, state.iterations(), state.range(1));
}

void seal_packet(benchmark::State& state) {
  seal_with(state, spec_of(cipher_of(state), role::client));
}

void open_packet(benchmark::State& state) {
  open_with(state, false);
}

void seal_epoch(benchmark::State& state) {
  seal_with(state, spec_of(cipher_of(state), role::client, true));
}

void open_epoch(benchmark::State& state) {
  open_with(state, true);
}

void ciphers_and_sizes(benchmark::internal::Benchmark* x) {
  for (int64_t cipher : {0, 2, 3})
    for (int64_t size : {64, 1440})
      x->Args({cipher, size});
}

// A super-packet as TUN hands it over: 47 segments, 64 KiB.
void seal_train(benchmark::State& state) {
  constexpr int64_t count = 47;
  data_channel channel;
  instant now;
  if (!channel.install(spec_of(cipher_of(state), role::client), now))
    state.SkipWithError("no key");
  test::flow f;
  f.options = from_hex("0101080a0000000100000002");
  auto train = test::make_packet(f, {}, bytes(count * 1388, 0x5a));
  owned_slab in;
  owned_slab out;
  auto& run = in.put(train);
  run.train = train_kind::tcp4;
  run.stride = 1388;
  run.needs_checksum = true;
  run.checksum_start = 20;
  run.checksum_offset = 16;
  for (auto _ : state) {
    // Splitting overwrites the length of the first header.
    std::copy_n(train.begin(), 52, in.slab.data);
    out.slab.clear();
    benchmark::DoNotOptimize(channel.seal(in.slab, out.slab, now));
  }
  if (out.packets().size() != count)
    state.SkipWithError("not all segments were sealed");
  report(state, state.iterations() * count, 1440);
}

void split_train(benchmark::State& state) {
  constexpr int64_t count = 47;
  test::flow f;
  f.options = from_hex("0101080a0000000100000002");
  auto train = test::make_packet(f, {}, bytes(count * 1388, 0x5a));
  owned_slab in;
  auto& run = in.put(train);
  run.train = train_kind::tcp4;
  run.stride = 1388;
  for (auto _ : state) {
    std::copy_n(train.begin(), 52, in.slab.data);
    auto splitter = train_splitter::make(in.slab, run);
    while (splitter->next().size != 0)
      benchmark::ClobberMemory();
  }
  report(state, state.iterations() * count, 1440);
}

void open_batch(benchmark::State& state) {
  constexpr int64_t count = 44;
  auto size = static_cast<size_t>(state.range(1));
  auto sender = data_key::make(spec_of(cipher_of(state), role::client));
  data_channel channel;
  instant now;
  if (!channel.install(spec_of(cipher_of(state), role::server), now))
    state.SkipWithError("no key");
  bytes plain(size, 0x45);
  bytes sealed(size + 24);
  constexpr size_t rounds = 64;
  std::vector<std::unique_ptr<owned_slab>> batches;
  for (size_t i = 0; i < rounds; ++i)
    batches.push_back(std::make_unique<owned_slab>(1 << 16, 64));
  while (state.KeepRunningBatch(rounds)) {
    state.PauseTiming();
    for (auto& batch : batches) {
      batch->slab.clear();
      for (int64_t i = 0; i < count; ++i) {
        benchmark::DoNotOptimize(sender->seal(plain, sealed.data()));
        batch->put(sealed);
      }
    }
    state.ResumeTiming();
    for (auto& batch : batches)
      channel.open(batch->slab, now);
  }
  if (channel.statistics().drops.total() != 0)
    state.SkipWithError("packets were dropped");
  report(state, state.iterations() * count, state.range(1));
}

void coalesce(benchmark::State& state) {
  constexpr int64_t count = 44;
  owned_slab in;
  for (auto& x : segments(count))
    in.put(x);
  packet_coalescer coalescer{{}};
  for (auto _ : state) {
    coalescer.join(in.slab);
    benchmark::DoNotOptimize(coalescer.writes().data());
  }
  if (coalescer.writes().size() != 1)
    state.SkipWithError("the segments were not joined");
  report(state, state.iterations() * count, 1440);
}

void coalesce_acks(benchmark::State& state) {
  constexpr int64_t count = 44;
  owned_slab in;
  for (int64_t i = 0; i < count; ++i)
    in.put(test::make_packet({}, {}, {}));
  packet_coalescer coalescer{{}};
  for (auto _ : state) {
    coalescer.join(in.slab);
    benchmark::DoNotOptimize(coalescer.writes().data());
  }
  report(state, state.iterations() * count, 40);
}

void checksum(benchmark::State& state) {
  bytes xs(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state)
    benchmark::DoNotOptimize(checksum_partial(xs));
  report(state, state.iterations(), state.range(0));
}

/// CBC with SHA1, and SHA1 alone.
void old_ciphers(benchmark::internal::Benchmark* x) {
  for (int64_t cipher : {6, 7})
    x->Args({cipher, 1440});
}

BENCHMARK(seal_packet)
  ->Apply(ciphers_and_sizes)
  ->Apply(old_ciphers)
  ->ArgNames({"cipher", "size"});
BENCHMARK(open_packet)
  ->Apply(ciphers_and_sizes)
  ->Apply(old_ciphers)
  ->ArgNames({"cipher", "size"});
BENCHMARK(seal_epoch)->Apply(ciphers_and_sizes)->ArgNames({"cipher", "size"});
BENCHMARK(open_epoch)->Apply(ciphers_and_sizes)->ArgNames({"cipher", "size"});
BENCHMARK(seal_train)->Arg(0)->Arg(2)->Arg(3)->ArgName("cipher");
BENCHMARK(split_train);
BENCHMARK(open_batch)->Apply(ciphers_and_sizes)->ArgNames({"cipher", "size"});
BENCHMARK(coalesce);
BENCHMARK(coalesce_acks);
BENCHMARK(checksum)->Arg(20)->Arg(64)->Arg(1388);

} // namespace
