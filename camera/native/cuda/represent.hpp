// The kernels' bodies for histograms, voxel grids and time surfaces: events to cells, cells to an
// array. The results depend on no order of the threads.
#pragma once
#include "block.hpp"
#include "slices.hpp"

namespace saccade::cuda {

// What a block works on and what its threads found.
struct Gathered {
  Piece piece;
  std::uint64_t step;                  // voxels: moments of 2^-56 in a unit of `times`
  std::uint32_t latest, not_earliest;  // of the times that its threads saw
  std::uint32_t outside;
  std::uint64_t saturated;
  VoxelSums sums;
  std::uint32_t last;  // this block is the last one of the launch
};

// Gives each index below n to one thread of the grid.
template <typename Block, typename Use>
SACCADE_KERNEL void share(const Block& block, std::uint32_t thread, std::uint64_t n,
                          const Use& use) {
  const std::uint64_t step = std::uint64_t{block.count} * block.threads;
  for (std::uint64_t i = std::uint64_t{block.index} * block.threads + thread; i < n; i += step) {
    use(i);
  }
}

// One thread reads the piece's head for all, and works out what its times mean.
template <typename Block>
SACCADE_KERNEL void open(Block& block, Gathered& shared, const Plan& plan) {
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    const SliceStatus& status = *plan.status;
    shared = Gathered();
    Piece& piece = shared.piece;
    piece = plan.pieces[status.tick % plan.n_pieces];
    if (plan.form != Form::kVoxels) return;
    if ((piece.flags & Piece::kMeasure) != 0) {
      piece.begin = ~status.not_earliest;
      piece.end = status.latest;
    }
    const std::uint64_t span = piece.end > piece.begin ? piece.end - piece.begin : 0;
    if (span == 0) return;
    // To the nearest, so that a time after the whole span is off by half of the span at most.
    shared.step = ((std::uint64_t{plan.planes - 1} << kMomentBits) + span / 2) / span;
  });
}

// True in the launch's last block, for all of its threads.
template <typename Block>
SACCADE_KERNEL bool is_last(Block& block, Gathered& shared, SliceStatus& status) {
  block.each([&](std::uint32_t) { fence(); });
  block.each([&](std::uint32_t thread) {
    if (thread == 0) shared.last = atomic_add(&status.ticket, 1) + 1 == block.count;
  });
  return shared.last != 0;
}

// The earliest and the latest of a piece's times, where its span shall be that of its events.
template <typename Block>
SACCADE_KERNEL void measure(Block& block, Gathered& shared, const Plan& plan) {
  SliceStatus& status = *plan.status;
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    shared = Gathered();
    shared.piece = plan.pieces[status.tick % plan.n_pieces];
  });
  const Piece& piece = shared.piece;
  if ((piece.flags & Piece::kMeasure) == 0) return;
  block.each([&](std::uint32_t thread) {
    std::uint32_t latest = 0, not_earliest = 0;
    share(block, thread, piece.n, [&](std::uint64_t i) {
      latest = most(latest, piece.times[i]);
      not_earliest = most(not_earliest, ~piece.times[i]);
    });
    latest = warp_max(latest);
    not_earliest = warp_max(not_earliest);
    if (!leads_warp()) return;
    atomic_max(&shared.latest, latest);
    atomic_max(&shared.not_earliest, not_earliest);
  });
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    atomic_max(&status.latest, shared.latest);
    atomic_max(&status.not_earliest, shared.not_earliest);
  });
}

// Polarity (+1, -1) to the two nearest moments, as VoxelGrid of representations.cpp.
SACCADE_HD void add_voxels(const Plan& plan, const Gathered& shared, std::uint64_t pixel,
                           std::uint32_t on, std::uint32_t time) {
  const Piece& piece = shared.piece;
  const std::uint32_t span = piece.end > piece.begin ? piece.end - piece.begin : 0;
  const std::uint32_t after = time > piece.begin ? least(time - piece.begin, span) : 0;
  const std::uint64_t moment = after * shared.step;
  // The last moment is reached from the one before it.
  const std::uint32_t last_pair = plan.planes > 1 ? plan.planes - 2 : 0;
  const auto pair = least(static_cast<std::uint32_t>(moment >> kMomentBits), last_pair);
  constexpr unsigned kDrop = kMomentBits - kWeightBits;
  constexpr std::uint64_t kOne = std::uint64_t{1} << kWeightBits,
                          kHalf = std::uint64_t{1} << (kDrop - 1);
  const std::uint64_t rest = moment - (std::uint64_t{pair} << kMomentBits);
  const std::uint64_t later = least((rest + kHalf) >> kDrop, kOne), sooner = kOne - later;
  auto* const voxel = static_cast<std::uint64_t*>(plan.cells) + pair * plan.pixels() + pixel;
  if (sooner != 0) atomic_add(voxel, on != 0 ? sooner : 0 - sooner);
  if (later != 0) atomic_add(voxel + plan.pixels(), on != 0 ? later : 0 - later);
}

// The time of an event as the surface's clock tells it: none is newer than the slice's end, and
// none older than 0, where nothing is left of it.
SACCADE_HD std::uint32_t stamp_of(const Piece& piece, std::uint32_t time) {
  const std::int64_t at = piece.origin + time;
  return static_cast<std::uint32_t>(least(most(at, std::int64_t{0}), std::int64_t{piece.now}));
}

template <Form kForm>
SACCADE_HD void add_event(const Plan& plan, const Gathered& shared, std::uint64_t pixel,
                          std::uint32_t on, std::uint64_t i, std::uint32_t time) {
  const std::uint64_t cell = (on != 0 ? plan.pixels() : 0) + pixel;
  if constexpr (kForm == Form::kHistogram) {
    atomic_add(static_cast<std::uint32_t*>(plan.cells) + cell, 1u);
  } else if constexpr (kForm == Form::kVoxels) {
    add_voxels(plan, shared, pixel, on, time);
  } else {
    const auto place = static_cast<std::uint32_t>(shared.piece.first + i);
    const std::uint64_t last = std::uint64_t{place} << 32 | stamp_of(shared.piece, time);
    atomic_max(static_cast<std::uint64_t*>(plan.cells) + cell, last);
  }
}

// Events to cells; a grid of any size strides over them, four a thread.
template <Form kForm, typename Block>
SACCADE_KERNEL void gather(Block& block, Gathered& shared, const Plan& plan) {
  open(block, shared, plan);
  const Piece& piece = shared.piece;
  block.each([&](std::uint32_t thread) {
    std::uint32_t outside = 0;
    const auto one = [&](std::uint64_t i, std::uint32_t event, std::uint32_t time) {
      const std::uint32_t x = event & 0x7ff, y = (event >> 11) & 0x7ff;
      if (event >= kOutside || x >= plan.width || y >= plan.height) {
        ++outside;
        return;
      }
      add_event<kForm>(plan, shared, std::uint64_t{y} * plan.width + x, event & (1u << 22), i,
                       time);
    };
    const auto* const events = static_cast<const std::uint32_t*>(piece.events);
    const auto* const quads = static_cast<const Quad*>(piece.events);
    const auto* const times = reinterpret_cast<const Quad*>(piece.times);
    share(block, thread, piece.n / 4, [&](std::uint64_t i) {
      const Quad four = quads[i];
      Quad their = {};
      if constexpr (kForm != Form::kHistogram) their = times[i];
      for (std::uint32_t k = 0; k < 4; ++k) one(4 * i + k, four.v[k], their.v[k]);
    });
    share(block, thread, piece.n % 4, [&](std::uint64_t k) {
      const std::uint64_t i = piece.n / 4 * 4 + k;
      one(i, events[i], kForm == Form::kHistogram ? 0 : piece.times[i]);
    });
    const std::uint32_t all = warp_sum(outside);
    if (leads_warp() && all != 0) atomic_add(&shared.outside, all);
  });
  SliceStatus& status = *plan.status;
  block.each([&](std::uint32_t thread) {
    if (thread == 0 && shared.outside != 0) {
      atomic_add(&status.out_of_bounds, std::uint64_t{shared.outside});
    }
  });
  if (!is_last(block, shared, status)) return;
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    status.now = piece.now;
    status.flags = piece.flags;
    status.latest = status.not_earliest = 0;
    ++status.tick;
    status.ticket = 0;
  });
}

// Whether a voxel counts as one that is not 0.
SACCADE_HD bool is_there(std::int64_t v) { return v >= kResidue || v <= -kResidue; }

// Adds v^2, of a |v| below 2^62, to sums of its three parts.
SACCADE_HD void add_square(std::uint64_t (&squares)[3], std::int64_t v) {
  const auto size = static_cast<std::uint64_t>(v < 0 ? -v : v);
  const std::uint64_t high = size >> 32, low = size & ~0u;
  const std::uint64_t ends = low * low, middle = 2 * high * low;
  squares[0] += ends & ~0u;
  squares[1] += (ends >> 32) + (middle & ~0u);
  squares[2] += (middle >> 32) + high * high;
}

// The sums by which a voxel grid is normalised.
template <typename Block>
SACCADE_KERNEL void tally(Block& block, Gathered& shared, const Plan& plan) {
  VoxelSums& found = shared.sums;
  block.each([&](std::uint32_t thread) {
    if (thread == 0) shared = Gathered();
  });
  block.each([&](std::uint32_t thread) {
    VoxelSums own;
    const auto* const cells = static_cast<const std::int64_t*>(plan.cells);
    share(block, thread, plan.n_cells(), [&](std::uint64_t i) {
      const std::int64_t v = cells[i];
      if (!is_there(v)) return;
      ++own.n;
      own.sum += static_cast<std::uint64_t>(v);
      add_square(own.squares, v);
    });
    if (own.n == 0) return;
    atomic_add(&found.n, own.n);
    atomic_add(&found.sum, own.sum);
    for (std::uint32_t k = 0; k < 3; ++k) atomic_add(&found.squares[k], own.squares[k]);
  });
  block.each([&](std::uint32_t thread) {
    if (thread != 0 || found.n == 0) return;
    VoxelSums& sums = plan.status->sums;
    atomic_add(&sums.n, found.n);
    atomic_add(&sums.sum, found.sum);
    for (std::uint32_t k = 0; k < 3; ++k) atomic_add(&sums.squares[k], found.squares[k]);
  });
}

// What a voxel is normalised by: mean 0 and deviation 1, or mean 0 alone where all are alike.
struct Normal {
  double mean = 0, scale = 1;

  static SACCADE_HD Normal of(const VoxelSums& sums) {
    constexpr double kUnit = 1.0 / (std::uint64_t{1} << kWeightBits), k32 = 4294967296.0;
    Normal out;
    if (sums.n == 0) return out;
    const double n = static_cast<double>(sums.n);
    const double sum = static_cast<double>(static_cast<std::int64_t>(sums.sum)) * kUnit;
    const double squares =
        (static_cast<double>(sums.squares[0]) +
         (static_cast<double>(sums.squares[1]) + static_cast<double>(sums.squares[2]) * k32) *
             k32) *
        kUnit * kUnit;
    out.mean = sum / n;
    const double variance = squares / n - out.mean * out.mean;
    if (variance > 0) out.scale = 1 / sqrt(variance);
    return out;
  }

  SACCADE_HD float operator()(std::int64_t v) const {
    constexpr double kUnit = 1.0 / (std::uint64_t{1} << kWeightBits);
    if (!is_there(v)) return 0;
    return static_cast<float>((static_cast<double>(v) * kUnit - mean) * scale);
  }
};

SACCADE_HD void write(const Target& to, std::uint64_t i, float value) {
  constexpr float kMost = 65504;  // of fp16: what is beyond ends there
  if (to.value == Value::kFloat16) {
    static_cast<std::uint16_t*>(to.address)[i] = half_bits(most(least(value, kMost), -kMost));
  } else {
    static_cast<float*>(to.address)[i] = value;
  }
}

// Where a histogram of this type stops: from 2^24 on a float could not grow by 1.
SACCADE_HD std::uint32_t full_of(Value value) {
  if (value == Value::kUint16) return kMax16;
  return value == Value::kFloat16 ? 65504 : 1u << 24;
}

// What is left of an event, as TimeSurface of representations.cpp.
SACCADE_HD float left_of(const Plan& plan, std::uint32_t age) {
  if (age >= plan.life_us) return 0;
  const float faded = static_cast<float>(age) * plan.per_us;
  return plan.linear != 0 ? 1.0f - faded : exp2_of(-faded);
}

// What all cells of a slice are finished by.
struct Finishing {
  Normal normal;
  std::uint32_t now, forget;

  static SACCADE_HD Finishing of(const Plan& plan) {
    const SliceStatus& status = *plan.status;
    return {plan.normalise != 0 ? Normal::of(status.sums) : Normal(), status.now,
            status.flags & Piece::kForget};
  }
};

// Writes one value, clears its cell, and gives how many events a full counter lost.
template <Form kForm>
SACCADE_HD std::uint64_t finish_cell(const Plan& plan, const Target& to, const Finishing& by,
                                     std::uint64_t i) {
  if constexpr (kForm == Form::kHistogram) {
    std::uint32_t& cell = static_cast<std::uint32_t*>(plan.cells)[i];
    const std::uint32_t all = cell, count = least(all, full_of(to.value));
    if (to.value == Value::kUint16) {
      static_cast<std::uint16_t*>(to.address)[i] = static_cast<std::uint16_t>(count);
    } else {
      write(to, i, static_cast<float>(count));
    }
    if (all != 0) cell = 0;
    return all - count;
  } else if constexpr (kForm == Form::kVoxels) {
    constexpr float kUnit = 1.0f / (1u << kWeightBits);
    std::int64_t& cell = static_cast<std::int64_t*>(plan.cells)[i];
    const std::int64_t sum = cell;
    write(to, i, plan.normalise != 0 ? by.normal(sum) : static_cast<float>(sum) * kUnit);
    if (sum != 0) cell = 0;
  } else {
    std::uint64_t& cell = static_cast<std::uint64_t*>(plan.cells)[i];
    write(to, i, left_of(plan, by.now - static_cast<std::uint32_t>(cell)));
    if (by.forget != 0) cell = 0;
  }
  return 0;
}

// Cells to the array, and all ready for the next slice.
template <Form kForm, typename Block>
SACCADE_KERNEL void finish(Block& block, Gathered& shared, const Plan& plan, const Target& to) {
  SliceStatus& status = *plan.status;
  block.each([&](std::uint32_t thread) {
    if (thread == 0) shared = Gathered();
  });
  block.each([&](std::uint32_t thread) {
    const Finishing by = Finishing::of(plan);
    std::uint64_t saturated = 0;
    share(block, thread, plan.n_cells(),
          [&](std::uint64_t i) { saturated += finish_cell<kForm>(plan, to, by, i); });
    if (saturated != 0) atomic_add(&shared.saturated, saturated);
  });
  block.each([&](std::uint32_t thread) {
    if (thread == 0 && shared.saturated != 0) atomic_add(&status.saturated, shared.saturated);
  });
  if (!is_last(block, shared, status)) return;
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    status.sums = VoxelSums();
    status.ticket = 0;
  });
}

// Sets the surface's clock back, and the stream's count of events to 0.
template <typename Block>
SACCADE_KERNEL void rebase(Block& block, const Plan& plan, std::uint32_t shift) {
  auto* const cells = static_cast<std::uint64_t*>(plan.cells);
  block.each([&](std::uint32_t thread) {
    share(block, thread, plan.n_cells(), [&](std::uint64_t i) {
      const auto stamp = static_cast<std::uint32_t>(cells[i]);
      cells[i] = stamp > shift ? stamp - shift : 0;
    });
  });
}

}  // namespace saccade::cuda
