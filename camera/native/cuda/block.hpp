// A block of threads, as the kernels are written against it: steps with a barrier after each.
#pragma once
#include <random>
#include <vector>

#include "memory.hpp"

namespace saccade::cuda {

constexpr std::uint32_t kThreads = 256;  // of a block, at most

// The threads take their turns, forwards or backwards by chance in each step, so that one that
// needs what another does in the same step is found out.
struct HostBlock {
  std::uint32_t index, count, threads;
  std::mt19937* random;

  // A variable of each thread that lives from one step to the next.
  template <typename T>
  struct Local {
    explicit Local(const HostBlock& block) : values(block.threads) {}
    T& operator[](std::uint32_t thread) { return values[thread]; }
    std::vector<T> values;
  };

  template <typename Step>
  void each(const Step& step) const {
    const bool backwards = ((*random)() & 1) != 0;
    for (std::uint32_t i = 0; i < threads; ++i) step(backwards ? threads - 1 - i : i);
  }
};

#ifdef __CUDACC__
struct DeviceBlock {
  std::uint32_t index, count, threads;

  template <typename T>
  struct Local {
    __device__ explicit Local(const DeviceBlock&) {}
    __device__ T& operator[](std::uint32_t) { return value; }
    T value;
  };

  template <typename Step>
  __device__ __forceinline__ void each(const Step& step) const {
    step(threadIdx.x);
    __syncthreads();
  }
};
#define SACCADE_KERNEL __device__ __forceinline__
#else
#define SACCADE_KERNEL inline
#endif

// What a block works on and what its threads found, before one of them adds it to the device's.
struct Found {
  Chunk chunk;
  std::uint32_t tallies[kTallies];
  Maxima maxima;
  std::uint32_t last;  // this block is the last one of the launch
};

// Called by every thread of the block.
SACCADE_HD void raise(Maxima& top, const Maxima& by) {
  const Maxima all = {warp_max(by.off), warp_max(by.on), warp_max(by.sum)};
  if (!leads_warp() || all.sum == 0) return;
  atomic_max(&top.off, all.off);
  atomic_max(&top.on, all.on);
  atomic_max(&top.sum, all.sum);
}

// Adds one thread's events to the counters, and keeps their maxima from what the atomics return.
//
// The counters of a pixel share a word, so OFF may overflow into ON. Each overflow is seen by
// exactly one thread, the one whose addition did it, and noted beside the counters; the launch's
// last block then works out the true counts (`repair`), so the result depends on no order of the
// threads.
class Adder {
 public:
  SACCADE_HD Adder(const Problem& p, Found& found)
      : problem(p),
        counts(p.memory.counts[p.memory.status->current]),
        t_begin(found.chunk.t_begin),
        t_end(found.chunk.t_end),
        silent(found.chunk.flags & Chunk::kSilent),
        shared(found) {}

  SACCADE_HD void tally(Tally what, std::uint32_t n) {
    if (silent == 0) atomic_add(&shared.tallies[what], n);
  }

  SACCADE_HD void events(const Events& e) {
    std::uint32_t inside = 0;
    if (problem.grid.holds(e.x, e.y)) {
      const std::uint32_t room = problem.grid.width - e.x;
      inside = room < 32 ? e.mask & ((1u << room) - 1) : e.mask;
    }
    if (inside != e.mask) tally(kOutOfBounds, bit_count(e.mask & ~inside));
    const std::uint32_t n = bit_count(inside);
    if (e.t < t_begin) {
      early += n;
    } else if (e.t >= t_end) {
      late += n;
    } else {
      counted += n;
      for (; inside != 0; inside &= inside - 1) {
        const std::uint32_t cell = problem.grid.cell(e.x + lowest_bit(inside), e.y);
        const std::uint32_t one = one_event(e.on);
        note(cell, one, atomic_add(&counts[cell], one));
      }
    }
  }

  // Four packed events, whose additions are under way at once.
  SACCADE_HD void packed(const Quad& events) {
    constexpr std::uint32_t kNowhere = ~0u;
    std::uint32_t cells[4], ones[4], olds[4];
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int k = 0; k < 4; ++k) {
      const std::uint32_t event = events.v[k], x = event & 0x7ff, y = (event >> 11) & 0x7ff;
      ones[k] = one_event(event & (1u << 22));
      const bool inside = event < kOutside && problem.grid.holds(x, y);
      cells[k] = inside ? problem.grid.cell(x, y) : kNowhere;
      olds[k] = inside ? atomic_add(&counts[cells[k]], ones[k]) : 0;
    }
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int k = 0; k < 4; ++k) {
      if (cells[k] != kNowhere) {
        note(cells[k], ones[k], olds[k]);
      } else if (events.v[k] != kNothing) {
        tally(kOutOfBounds, 1);
      }
    }
  }

  SACCADE_HD void packed_one(std::uint32_t event) {
    packed({{event, kNothing, kNothing, kNothing}});
  }

  // Called by every thread of the block.
  SACCADE_HD void finish() {
    raise(shared.maxima, maxima);
    add_all(kCounted, counted);
    add_all(kEarly, early);
    add_all(kLate, late);
  }

 private:
  SACCADE_HD void add_all(Tally what, std::uint32_t n) {
    const std::uint32_t all = warp_sum(n);
    if (leads_warp() && all != 0) atomic_add(&shared.tallies[what], all);
  }

  static SACCADE_HD std::uint32_t one_event(std::uint32_t on) { return on != 0 ? 1u << 16 : 1u; }

  SACCADE_HD void note(std::uint32_t cell, std::uint32_t one, std::uint32_t old) {
    const std::uint32_t now = old + one, off = now & kMax16, on = now >> 16;
    const std::uint32_t carry = one == 1 && off == 0, wrap = now < old;
    if ((carry | wrap) != 0) {
      atomic_add(&problem.memory.wraps[cell], carry | wrap << 16);
      atomic_max(&problem.memory.status->wrapped, 1);
    }
    maxima.off = most(maxima.off, off);
    maxima.on = most(maxima.on, on);
    maxima.sum = most(maxima.sum, off + on);
  }

  const Problem& problem;
  std::uint32_t* const counts;
  const std::uint64_t t_begin, t_end;
  const std::uint32_t silent;
  Found& shared;
  std::uint32_t counted = 0, early = 0, late = 0;
  Maxima maxima;
};

// With C overflows of OFF and W of the word, OFF is low + 2^16 C and ON is high + 2^16 W - C.
SACCADE_HD std::uint32_t repaired(std::uint32_t raw, std::uint32_t wraps, std::uint64_t& lost) {
  const std::uint64_t carries = wraps & kMax16;
  const std::uint64_t off = (raw & kMax16) + (carries << 16);
  const std::uint64_t on = (raw >> 16) + (std::uint64_t{wraps >> 16} << 16) - carries;
  const std::uint64_t kept_off = least(off, std::uint64_t{kMax16});
  const std::uint64_t kept_on = least(on, std::uint64_t{kMax16});
  lost += off - kept_off + on - kept_on;
  return static_cast<std::uint32_t>(kept_off | kept_on << 16);
}

// Counters that overflowed become full ones, and the maxima are taken anew. One block.
template <typename Block>
SACCADE_KERNEL void repair(Block& block, const Problem& p) {
  Status& status = *p.memory.status;
  block.each([&](std::uint32_t thread) {
    if (thread == 0) status.maxima = Maxima();
  });
  block.each([&](std::uint32_t thread) {
    std::uint32_t* const counts = p.memory.counts[status.current];
    Maxima maxima;
    std::uint64_t lost = 0;
    for (std::uint32_t cell = thread; cell < p.grid.cells(); cell += block.threads) {
      std::uint32_t count = fresh(&counts[cell]);
      const std::uint32_t wraps = fresh(&p.memory.wraps[cell]);
      if (wraps != 0) {
        count = repaired(count, wraps, lost);
        counts[cell] = count;
        p.memory.wraps[cell] = 0;
      }
      const std::uint32_t off = count & kMax16, on = count >> 16;
      maxima = {most(maxima.off, off), most(maxima.on, on), most(maxima.sum, off + on)};
    }
    fence();
    raise(status.maxima, maxima);
    if (lost != 0) atomic_add(&status.tallies[kSaturated], lost);
  });
}

// One thread reads the piece's head for all, as that may lie in the host's memory.
template <typename Block>
SACCADE_KERNEL void open(Block& block, Found& found, const Memory& memory) {
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    found = Found();
    found.chunk = memory.chunks[memory.status->tick % memory.n_chunks];
  });
}

// What the block found becomes the device's; the launch's last block leaves all ready for the next.
// `decoded`: it was words, and the state after them was left in `end`.
template <typename Block>
SACCADE_KERNEL void close(Block& block, Found& found, const Problem& p, bool decoded) {
  Status& status = *p.memory.status;
  block.each([&](std::uint32_t) { fence(); });
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    for (std::uint32_t i = 0; i < kTallies; ++i) {
      if (found.tallies[i] != 0) {
        atomic_add(&status.tallies[i], std::uint64_t{found.tallies[i]});
      }
    }
    atomic_max(&status.maxima.off, found.maxima.off);
    atomic_max(&status.maxima.on, found.maxima.on);
    atomic_max(&status.maxima.sum, found.maxima.sum);
    fence();
    found.last = atomic_add(&status.ticket, 1) + 1 == block.count;
  });
  if (found.last == 0) return;
  if (fresh(&status.wrapped) != 0) repair(block, p);
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    fence();
    if (decoded) {
      const bool again = (found.chunk.flags & Chunk::kRestart) != 0;
      const bool begins = (found.chunk.flags & Chunk::kBegins) != 0;
      if (begins && !again) status.before = fresh_copy(&status.after);
      status.after = fresh_copy(&status.end);
    }
    ++status.tick;
    status.ticket = 0;
    status.wrapped = 0;
  });
}

}  // namespace saccade::cuda
