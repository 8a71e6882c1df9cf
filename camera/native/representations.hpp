// Slices of events as arrays: counts, voxel grids and time surfaces, in memory that is kept.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace saccade {

// Columns of one packet; t may be null where it is not read.
struct EventColumnsView {
  const std::uint64_t* t;  // us
  const std::uint16_t* x;
  const std::uint16_t* y;
  const std::uint8_t* on;
  std::size_t n;
};

// Planes of one value per pixel, of which only the touched lines are ever cleared: a line is 16
// pixels in a row of memory, so that a quiet slice of a large sensor costs next to nothing.
template <typename T>
class Planes {
 public:
  Planes(int planes, int width, int height);

  // All 0, in own memory or, where it is given, in that of the caller, who keeps it while in use.
  void begin(T* out);
  T* plane(int p) { return target_ + static_cast<std::size_t>(p) * pixels_; }
  void mark(std::size_t pixel) { marks_[pixel >> kShift] = 1; }
  // Calls f(values, n) for all of each plane that lies in touched lines.
  template <typename F>
  void for_each_touched(F f);

  const T* data() const { return values_.data(); }
  int planes() const { return planes_; }
  int width() const { return width_; }
  int height() const { return height_; }
  std::size_t pixels() const { return pixels_; }

 private:
  static constexpr int kShift = 4;
  int planes_, width_, height_;
  std::size_t pixels_;
  std::vector<T> values_;
  std::vector<std::uint8_t> marks_;  // a multiple of 8, the last ones of no line
  T* target_;
};

// Events per pixel and polarity, OFF first. Counts stop at 2^16 - 1, those in float at 2^24, from
// where they could not grow by 1; that is counted.
template <typename T>
class Histogram {
 public:
  Histogram(int width, int height) : counts_(2, width, height) {}

  void begin(T* out) { counts_.begin(out); }
  void add(const EventColumnsView& events);
  const Planes<T>& values() const { return counts_; }

  std::uint64_t saturated() const { return saturated_; }
  std::uint64_t out_of_bounds() const { return out_of_bounds_; }

 private:
  static constexpr T kFull = static_cast<T>(std::is_same_v<T, float> ? 0x1000000 : 0xffff);
  Planes<T> counts_;
  std::uint64_t saturated_ = 0, out_of_bounds_ = 0;
};

// Polarity (+1, -1) spread over the two nearest of B moments: t* = (B-1) (t - begin) / (end -
// begin).
class VoxelGrid {
 public:
  VoxelGrid(int width, int height, int bins) : bins_(bins), grid_(bins, width, height) {}

  // Times before `begin` count as `begin`, those after `end` as `end`; all are 0 where these agree.
  void begin(std::uint64_t begin_us, std::uint64_t end_us, float* out);
  void add(const EventColumnsView& events);
  // Brings the values that are not 0 to mean 0 and deviation 1 (of the population); where they are
  // all alike, to mean 0 alone.
  void normalise();
  const Planes<float>& values() const { return grid_; }

  std::uint64_t out_of_bounds() const { return out_of_bounds_; }

 private:
  int bins_;
  Planes<float> grid_;
  std::uint64_t begin_us_ = 0, span_us_ = 0;
  double scale_ = 0;  // moments per us
  std::uint64_t out_of_bounds_ = 0;
};

// How much of the last event of each pixel and polarity is left at a time: exp(-age / tau), 0 from
// 17 tau on (4e-8), or max(0, 1 - age / tau).
class TimeSurface {
 public:
  TimeSurface(int width, int height, bool linear, std::uint32_t tau_us);

  // Where the clock falls the memory begins anew.
  void begin(std::uint64_t now_us);
  void add(const EventColumnsView& events);
  // Writes [2][height][width] as of `now_us`, OFF first; null is the array of `data`.
  void finish(float* out);
  void forget();

  const float* data() const { return surface_.data(); }
  int width() const { return width_; }
  int height() const { return height_; }
  std::uint64_t out_of_bounds() const { return out_of_bounds_; }

 private:
  void rebase();

  int width_, height_;
  bool linear_;
  std::uint32_t tau_us_, life_us_;  // from the age life_us_ on all is 0
  std::uint64_t now_us_ = 0;
  // Times are kept as 32 bits of a clock that reads `now_` at now_us_ and 2^31 at least, so that 0,
  // where nothing happened yet, is older than any life.
  std::uint64_t now_;
  std::vector<std::uint32_t> last_;         // [2][height][width]
  std::vector<std::uint32_t> row_last_;     // [2][height]: no event of the row is newer
  std::vector<float> surface_;              // [2][height][width]
  std::vector<std::uint8_t> surface_live_;  // [2][height]: not all of the row is 0
  std::uint64_t out_of_bounds_ = 0;
};

}  // namespace saccade
