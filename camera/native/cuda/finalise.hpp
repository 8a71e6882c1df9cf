// Counters to one frame: normalised, resized with antialiasing, written where the encoder reads it.
#pragma once
#include "block.hpp"

namespace saccade::cuda {

// Weights of one count of OFF and of ON.
struct Scale {
  float off, on;
};

SACCADE_HD Scale scale_of(const Look& look, const Maxima& maxima) {
  if (look.kind == Kind::kPaper) {
    const float each = 1.0f / static_cast<float>(maxima.sum + 1);
    return {each, each};
  }
  if (look.kind == Kind::kSigned) {
    return {1.0f / static_cast<float>(maxima.off + 1), 1.0f / static_cast<float>(maxima.on + 1)};
  }
  const std::uint32_t top = least(maxima.sum, look.clamp);
  const float each = top != 0 ? 1.0f / static_cast<float>(top) : 0.0f;
  return {each, each};
}

SACCADE_HD float normalised(const Look& look, Scale scale, std::uint32_t count) {
  const std::uint32_t off = count & kMax16, on = count >> 16;
  if (look.kind == Kind::kClamped) {
    return static_cast<float>(least(off + on, look.clamp)) * scale.on;
  }
  return static_cast<float>(off) * scale.off + static_cast<float>(on) * scale.on;
}

SACCADE_HD void write(const Output& out, const Look& look, std::uint64_t pixel, float value) {
  const std::uint64_t plane = std::uint64_t{look.size} * look.size;
  for (std::uint32_t c = 0; c < out.channels; ++c) {
    const std::uint64_t i = c * plane + pixel;
    if (out.half != 0) {
      static_cast<std::uint16_t*>(out.address)[i] = half_bits(value);
    } else {
      static_cast<float*>(out.address)[i] = value;
    }
  }
}

// One row of the frame a block. `line` has room for a row of the counting grid: its columns are
// summed over the rows first, so that neighbouring threads read neighbouring counters.
//
// Clears the buffer that is not counted in, which then becomes the one that is.
template <typename Block>
SACCADE_KERNEL void finalise(Block& block, float* line, std::uint32_t& last, const Problem& p,
                             const Output& out) {
  Status& status = *p.memory.status;
  const std::uint32_t current = status.current;
  const std::uint32_t* const counts = p.memory.counts[current];
  const Scale scale = scale_of(p.look, status.maxima);
  block.each([&](std::uint32_t thread) {
    const Tap tap = p.memory.vertical.taps[block.index];
    const float* const weights = p.memory.vertical.weights + tap.weights;
    for (std::uint32_t c = thread; c < p.grid.columns; c += block.threads) {
      float sum = 0;
      for (std::uint32_t i = 0; i < tap.n; ++i) {
        const std::uint32_t count = counts[(tap.first + i) * p.grid.columns + c];
        sum += weights[i] * normalised(p.look, scale, count);
      }
      line[c] = sum;
    }
    std::uint32_t* const other = p.memory.counts[1 - current];
    const std::uint32_t first = block.index * block.threads + thread;
    for (std::uint32_t i = first; i < p.grid.cells(); i += block.count * block.threads) {
      other[i] = 0;
    }
  });
  block.each([&](std::uint32_t thread) {
    // `signed` is -1 where nothing happened; the taps of a pixel sum to one, so -1 commutes.
    const float empty = p.look.kind == Kind::kSigned ? -1.0f : 0.0f;
    for (std::uint32_t o = thread; o < p.look.size; o += block.threads) {
      const Tap tap = p.memory.horizontal.taps[o];
      const float* const weights = p.memory.horizontal.weights + tap.weights;
      float sum = 0;
      for (std::uint32_t i = 0; i < tap.n; ++i) sum += weights[i] * line[tap.first + i];
      write(out, p.look, std::uint64_t{block.index} * p.look.size + o, sum + empty);
    }
    fence();
  });
  block.each([&](std::uint32_t thread) {
    if (thread != 0) return;
    last = atomic_add(&status.ticket, 1) + 1 == block.count;
    if (last == 0) return;
    status.maxima = Maxima();
    status.current = 1 - current;
    status.ticket = 0;
  });
}

}  // namespace saccade::cuda
