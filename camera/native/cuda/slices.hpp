// What kernels that turn slices into histograms, voxel grids and time surfaces share with the host.
#pragma once
#include "memory.hpp"

namespace saccade::cuda {

// What becomes of a slice, and what of it is summed on the way, one cell for each value:
//
//   histogram  u32 [2][H][W]  events of a pixel and polarity, OFF first
//   voxels     i64 [B][H][W]  weights in units of 2^-30. Sums of whole numbers are the same in any
//              order of the threads, and more exact than those of floats: an event is rounded by
//              at most 2^-31, and 2^31 events of one voxel do not overflow.
//   surface    u64 [2][H][W]  of the pixel's last event its place in the stream (32 bits, high),
//              so that the largest is the last that came, and its time; 0 where there was none
enum class Form : std::uint32_t { kHistogram, kVoxels, kSurface };

enum class Value : std::uint32_t { kUint16, kFloat32, kFloat16 };

constexpr std::size_t value_bytes(Value value) { return value == Value::kFloat32 ? 4 : 2; }
constexpr std::size_t cell_bytes(Form form) { return form == Form::kHistogram ? 4 : 8; }

constexpr unsigned kWeightBits = 30;   // of a voxel's weight behind its point
constexpr std::int64_t kResidue = 64;  // less may be left of weights that cancel: 2^-24
constexpr unsigned kMomentBits = 56;   // of a moment: with at most 254 before its point it fits

// One piece of a slice, as Chunk is one of a frame: written to mapped memory before the launch.
struct Piece {
  static constexpr std::uint32_t kMeasure = 1;  // the span is that of the piece's own times
  static constexpr std::uint32_t kForget = 2;   // the surface begins anew after this slice

  const void* events = nullptr;          // packed, as Chunk's; aligned to 16 bytes
  const std::uint32_t* times = nullptr;  // one each, likewise; a histogram reads none
  std::uint64_t n = 0;
  std::int64_t origin = 0;           // surface: its clock where `times` are 0
  std::uint32_t begin = 0, end = 0;  // voxels: of `times`, from the first moment to the last
  std::uint32_t now = 0;             // surface: its clock at the slice's end
  std::uint32_t first = 0;           // surface: the first event's place in the stream
  std::uint32_t flags = 0;
  std::uint32_t unused[3] = {};  // 64 bytes
};
static_assert(sizeof(Piece) == 64, "one line of memory each");

// Over the voxels that are not 0, in their units: exact, so that no order of threads matters.
struct VoxelSums {
  std::uint64_t n = 0;
  std::uint64_t sum = 0;          // two's complement
  std::uint64_t squares[3] = {};  // in units of 1, 2^32 and 2^64
};

struct SliceStatus {
  std::uint32_t tick = 0;                      // pieces so far: the next is pieces[tick % n_pieces]
  std::uint32_t ticket = 0;                    // blocks of this launch that are done
  std::uint32_t latest = 0, not_earliest = 0;  // of the piece's times, the second inverted
  std::uint32_t now = 0, flags = 0;            // of the slice: its last piece's
  std::uint64_t saturated = 0, out_of_bounds = 0;
  VoxelSums sums;
};

// One accumulator: where everything lies, and what it makes.
struct Plan {
  SliceStatus* status = nullptr;
  const Piece* pieces = nullptr;
  std::uint32_t n_pieces = 0;
  Form form = Form::kHistogram;
  void* cells = nullptr;
  std::uint32_t width = 0, height = 0, planes = 0;
  std::uint32_t normalise = 0;  // voxels: those that are not 0, to mean 0 and deviation 1
  std::uint32_t linear = 0;     // surface: and not exponential
  std::uint32_t life_us = 0;    // surface: from this age on all is 0
  float per_us = 0;             // surface: linear 1 / tau, exponential log2(e) / tau

  SACCADE_HD std::uint64_t pixels() const { return std::uint64_t{width} * height; }
  SACCADE_HD std::uint64_t n_cells() const { return planes * pixels(); }
};

// [planes][height][width] of `value`.
struct Target {
  void* address = nullptr;
  Value value = Value::kFloat32;
};

// kMeasure, kGather once for each piece; kTally and kFinish once for each slice.
enum class Stage { kMeasure, kGather, kTally, kFinish, kRebase };

struct Step {
  Stage stage;
  Target to = {};           // kFinish
  std::uint32_t shift = 0;  // kRebase: what the surface's clock is set back by
};

}  // namespace saccade::cuda
