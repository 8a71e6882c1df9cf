// What the kernels share: the input's layout, the counters, and what lies in the device's memory.
#pragma once
#include "words.hpp"

namespace saccade::cuda {

// Packed events, one u32 each: x in bits 0..10, y in 11..21, polarity (1: brighter) in 22. A word
// with any bit from 23 on is an event outside of any sensor; kNothing is none.
constexpr std::uint32_t kOutside = 1u << 23, kNothing = ~0u;
constexpr std::uint32_t kMaxSide = 2048;  // of a sensor: 11 bits
constexpr std::uint32_t kMax16 = 0xffff;

// An event as packed ones are.
inline std::uint32_t packed(std::uint32_t x, std::uint32_t y, bool on) {
  const std::uint32_t outside = (x | y) >= kMaxSide ? kOutside : 0;
  return (x & 0x7ff) | (y & 0x7ff) << 11 | (on ? 1u << 22 : 0) | outside;
}

// One piece of the input. The host writes it to mapped memory before the launch that reads it, so
// that a CUDA graph needs no new parameters.
struct Chunk {
  static constexpr std::uint32_t kRestart = 1;  // decode from where the last add began, not ended
  static constexpr std::uint32_t kBegins = 2;   // the first piece of an add
  static constexpr std::uint32_t kSilent = 4;   // seen before: its losses are in the tallies

  const void* data = nullptr;  // on the device or mapped; aligned to 16 bytes
  std::uint64_t n = 0;         // packed events, or words
  std::uint64_t t_begin = 0, t_end = ~std::uint64_t{0};  // us: [t_begin, t_end) is counted
  std::uint32_t flags = 0;
  std::uint32_t unused[7] = {};  // 64 bytes
};
static_assert(sizeof(Chunk) == 64, "one line of memory each");

// Of the slice being counted, over its pixels.
struct Maxima {
  std::uint32_t off = 0, on = 0, sum = 0;
};

struct Status {
  std::uint32_t current = 0;  // which of the two buffers is counted in
  std::uint32_t tick = 0;     // pieces so far: the next is chunks[tick % n_chunks]
  std::uint32_t ticket = 0;   // blocks of this launch that are done
  std::uint32_t wrapped = 0;  // a counter has overflowed in this launch
  Maxima maxima;
  std::uint32_t unused = 0;
  std::uint64_t tallies[kTallies] = {};
  State before, after, end;  // the decoder's: before the last add, after it, and to become `after`
};

// Where events are counted: on the sensor's grid, or on the encoder's with coordinates scaled.
struct Grid {
  std::uint32_t width = 0, height = 0;  // the sensor's
  std::uint32_t rows = 0, columns = 0;
  std::uint32_t scaled = 0;
  std::uint64_t x_scale = 0, y_scale = 0;  // x * columns // width = x * columns * x_scale >> 40

  // ceil(2^40 / side): with a side of at most 2^11 and a product below 2^24 the error, less than
  // 2^35 / 2^40 of the quotient's unit / side, never reaches the next whole number.
  static constexpr std::uint64_t reciprocal(std::uint32_t side) {
    return ((std::uint64_t{1} << 40) + side - 1) / side;
  }

  SACCADE_HD bool holds(std::uint32_t x, std::uint32_t y) const { return x < width && y < height; }

  SACCADE_HD std::uint32_t cell(std::uint32_t x, std::uint32_t y) const {
    if (scaled == 0) return y * columns + x;
    const auto column = static_cast<std::uint32_t>(std::uint64_t{x * columns} * x_scale >> 40);
    const auto row = static_cast<std::uint32_t>(std::uint64_t{y * rows} * y_scale >> 40);
    return row * columns + column;
  }

  SACCADE_HD std::uint32_t cells() const { return rows * columns; }
};

// One output sample of a resize: input samples [first, first + n), weights from `weights` on.
struct Tap {
  std::uint32_t first, n, weights;
};

struct Axis {
  const Tap* taps = nullptr;
  const float* weights = nullptr;
};

struct Memory {
  Status* status = nullptr;
  std::uint32_t* counts[2] = {};   // [rows][columns]: OFF in the low 16 bits, ON in the high
  std::uint32_t* wraps = nullptr;  // [rows][columns]: overflows of OFF low, of the whole high
  const Chunk* chunks = nullptr;
  std::uint32_t n_chunks = 0;
  void* spans = nullptr;  // one for each block of summarise
  Axis horizontal, vertical;
};

enum class Kind : std::uint32_t { kPaper, kSigned, kClamped };

struct Look {
  Kind kind = Kind::kPaper;
  std::uint32_t clamp = 0;
  std::uint32_t size = 0;
};

// [channels][size][size], equal channels, fp16 or fp32.
struct Output {
  void* address = nullptr;
  std::uint32_t channels = 1;
  std::uint32_t half = 0;
};

struct Problem {
  Memory memory;
  Grid grid;
  Look look;
};

}  // namespace saccade::cuda
