// The kernels' bodies: events or words to counters, counters to a frame.
#pragma once
#include "block.hpp"

namespace saccade::cuda {

// Packed events to counters; a grid of any size strides over them.
template <typename Block>
SACCADE_KERNEL void count_packed(Block& block, Found& found, const Problem& p) {
  open(block, found, p.memory);
  block.each([&](std::uint32_t thread) {
    const Chunk& chunk = found.chunk;
    const auto* const events = static_cast<const std::uint32_t*>(chunk.data);
    const auto* const quads = static_cast<const Quad*>(chunk.data);
    const std::uint64_t step = std::uint64_t{block.count} * block.threads;
    const std::uint64_t begin = std::uint64_t{block.index} * block.threads + thread;
    Adder adder(p, found);
    for (std::uint64_t i = begin; i < chunk.n / 4; i += step) adder.packed(quads[i]);
    const std::uint64_t rest = chunk.n / 4 * 4 + begin;
    if (rest < chunk.n) adder.packed_one(events[rest]);
    adder.finish();
  });
  close(block, found, p, false);
}

template <typename Format>
constexpr std::uint32_t kRoom = 32 / sizeof(typename Format::Word);  // words of one thread

// The 32 bytes of each thread of a tile, in shared memory and not in registers, so that loops over
// them need not be unrolled: a decoder's code is long, and 16 copies of it fit no instruction
// cache. Neighbouring threads' words lie in neighbouring banks.
class Words {
 public:
  template <typename Format>
  SACCADE_HD void load(const Chunk& chunk, std::uint64_t first, std::uint32_t t) {
    using Word = typename Format::Word;
    n[t] = static_cast<std::uint16_t>(
        first < chunk.n ? least(chunk.n - first, std::uint64_t{kRoom<Format>}) : 0);
    const Word* const from = static_cast<const Word*>(chunk.data) + first;
    if (n[t] == kRoom<Format>) {
      const auto* const quads = reinterpret_cast<const Quad*>(from);
      const Quad low = quads[0], high = quads[1];
      for (std::uint32_t k = 0; k < 4; ++k) v[k][t] = low.v[k];
      for (std::uint32_t k = 0; k < 4; ++k) v[4 + k][t] = high.v[k];
      return;
    }
    constexpr std::uint32_t kEach = 4 / sizeof(Word);  // words in 32 bits
    for (std::uint32_t i = 0; i < n[t]; ++i) {
      const std::uint32_t before = i % kEach == 0 ? 0 : v[i / kEach][t];
      v[i / kEach][t] = before | static_cast<std::uint32_t>(from[i]) << (i % kEach * 16);
    }
  }

  // Calls use(word) for each of a thread's, in order.
  template <typename Format, typename Use>
  SACCADE_HD void each(std::uint32_t t, const Use& use) const {
#ifdef __CUDA_ARCH__
#pragma unroll 1
#endif
    for (std::uint32_t i = 0; i < n[t]; ++i) {
      if (sizeof(typename Format::Word) == 4) {
        use(v[i][t]);
      } else {
        use((v[i / 2][t] >> (i % 2 * 16)) & kMax16);
      }
    }
  }

  template <typename Format>
  SACCADE_HD typename Format::Span span(std::uint32_t t) const {
    typename Format::Span out;
    each<Format>(t, [&](std::uint32_t word) { Format::append(out, word); });
    return out;
  }

 private:
  std::uint32_t v[8][kThreads];
  std::uint16_t n[kThreads];  // words that are there
};

// The tiles, kThreads * 32 bytes each, that are a block's: [begin, end) of all.
struct Tiles {
  std::uint64_t begin, end, all, words;

  template <typename Format>
  static SACCADE_HD Tiles of(const Chunk& chunk, std::uint32_t index, std::uint32_t count,
                             std::uint32_t threads) {
    const std::uint64_t words = std::uint64_t{threads} * kRoom<Format>;
    const std::uint64_t all = (chunk.n + words - 1) / words;
    return {all * index / count, all * (index + 1) / count, all, words};
  }
};

template <typename Format>
struct Scan {
  Words words;
  typename Format::Span spans[kThreads];
  typename Format::Span run;  // of the tiles so far
  State state;                // before the next tile
  Found found;
};

// spans[0] becomes that of all threads, in their order.
template <typename Format, typename Block>
SACCADE_KERNEL void reduce(Block& block, typename Format::Span* spans) {
  for (std::uint32_t d = 1; d < block.threads; d *= 2) {
    block.each([&](std::uint32_t t) {
      if (t % (2 * d) == 0 && t + d < block.threads) {
        spans[t] = Format::combine(spans[t], spans[t + d]);
      }
    });
  }
}

// spans[t] becomes that of the threads up to and with t.
template <typename Format, typename Block>
SACCADE_KERNEL void scan(Block& block, typename Format::Span* spans) {
  using Span = typename Format::Span;
  typename Block::template Local<Span> own(block);
  block.each([&](std::uint32_t t) { own[t] = spans[t]; });
  for (std::uint32_t d = 1; d < block.threads; d *= 2) {
    block.each([&](std::uint32_t t) {
      if (t >= d) own[t] = Format::combine(spans[t - d], own[t]);
    });
    block.each([&](std::uint32_t t) { spans[t] = own[t]; });
  }
}

// The first of two passes over words: what each block's tiles do to a decoder.
template <typename Format, typename Block>
SACCADE_KERNEL void summarise(Block& block, Scan<Format>& shared, const Problem& p) {
  open(block, shared.found, p.memory);
  const Chunk& chunk = shared.found.chunk;
  const Tiles tiles = Tiles::of<Format>(chunk, block.index, block.count, block.threads);
  block.each([&](std::uint32_t t) {
    if (t != 0) return;
    shared.run = typename Format::Span();
    if (block.index == 0 && (chunk.flags & Chunk::kBegins) != 0) {
      std::uint64_t* const tallies = p.memory.status->tallies;
      tallies[kCounted] = tallies[kEarly] = tallies[kLate] = 0;
    }
  });
  for (std::uint64_t tile = tiles.begin; tile < tiles.end; ++tile) {
    block.each([&](std::uint32_t t) {
      shared.words.template load<Format>(chunk, tile * tiles.words + t * kRoom<Format>, t);
      shared.spans[t] = shared.words.template span<Format>(t);
    });
    reduce<Format>(block, shared.spans);
    block.each([&](std::uint32_t t) {
      if (t == 0) shared.run = Format::combine(shared.run, shared.spans[0]);
    });
  }
  block.each([&](std::uint32_t t) {
    using Span = typename Format::Span;
    if (t == 0) static_cast<Span*>(p.memory.spans)[block.index] = shared.run;
  });
}

// The decoder's state before this block's tiles, from the spans of the blocks before.
template <typename Format, typename Block>
SACCADE_KERNEL void begin_state(Block& block, Scan<Format>& shared, const Problem& p) {
  using Span = typename Format::Span;
  const auto* const spans = static_cast<const Span*>(p.memory.spans);
  const std::uint32_t each = (block.index + block.threads - 1) / block.threads;
  block.each([&](std::uint32_t t) {
    Span own;
    const std::uint32_t end = least(each * (t + 1), block.index);
    for (std::uint32_t i = each * t; i < end; ++i) own = Format::combine(own, spans[i]);
    shared.spans[t] = own;
  });
  reduce<Format>(block, shared.spans);
  block.each([&](std::uint32_t t) {
    if (t != 0) return;
    const Status& status = *p.memory.status;
    const bool again = (shared.found.chunk.flags & Chunk::kRestart) != 0;
    shared.state = Format::apply(again ? status.before : status.after, shared.spans[0]);
  });
}

// The second pass: each thread starts from its exact state, and decodes as one would alone.
template <typename Format, typename Block>
SACCADE_KERNEL void decode(Block& block, Scan<Format>& shared, const Problem& p) {
  open(block, shared.found, p.memory);
  const Chunk& chunk = shared.found.chunk;
  const Tiles tiles = Tiles::of<Format>(chunk, block.index, block.count, block.threads);
  begin_state(block, shared, p);
  for (std::uint64_t tile = tiles.begin; tile < tiles.end; ++tile) {
    block.each([&](std::uint32_t t) {
      shared.words.template load<Format>(chunk, tile * tiles.words + t * kRoom<Format>, t);
      shared.spans[t] = shared.words.template span<Format>(t);
    });
    scan<Format>(block, shared.spans);
    block.each([&](std::uint32_t t) {
      State state = shared.state;
      if (t != 0) state = Format::apply(state, shared.spans[t - 1]);
      Adder adder(p, shared.found);
      shared.words.template each<Format>(
          t, [&](std::uint32_t word) { Format::decode(state, word, adder); });
      adder.finish();
    });
    block.each([&](std::uint32_t t) {
      if (t == 0) shared.state = Format::apply(shared.state, shared.spans[block.threads - 1]);
    });
  }
  block.each([&](std::uint32_t t) {
    const bool last = tiles.all == 0 ? block.index == 0 : tiles.begin < tiles.end;
    if (t == 0 && last && tiles.end == tiles.all) p.memory.status->end = shared.state;
  });
  close(block, shared.found, p, true);
}

}  // namespace saccade::cuda
