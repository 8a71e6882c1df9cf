#include "representations.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "decay.hpp"

namespace saccade {

namespace {
constexpr std::uint64_t kNewest = std::uint64_t{1} << 31;  // where the surface's clock begins
constexpr double kLog2E = 1.4426950408889634;
constexpr std::uint32_t kLivesExponential = 17;

#if defined(__GNUC__) || defined(__clang__)
inline void prefetch(const void* at) { __builtin_prefetch(at, 1); }
#else
inline void prefetch(const void*) {}
#endif

// Gives each event inside the sensor to locate(i, pixel), which asks for its memory, and some
// events later what that said to update(), since the cells of a large sensor come from far away.
// Returns how many events lay outside.
template <typename Locate, typename Update>
std::uint64_t for_each_inside(const EventColumnsView& e, int width, int height, Locate locate,
                              Update update) {
  constexpr std::size_t kBlock = 64;
  decltype(locate(std::size_t{0}, std::size_t{0})) found[kBlock];
  std::uint64_t outside = 0;
  for (std::size_t first = 0; first < e.n; first += kBlock) {
    const std::size_t last = std::min(first + kBlock, e.n);
    std::size_t n = 0;
    for (std::size_t i = first; i < last; ++i) {
      const std::uint32_t x = e.x[i], y = e.y[i];
      if (x < static_cast<std::uint32_t>(width) && y < static_cast<std::uint32_t>(height)) {
        found[n++] = locate(i, static_cast<std::size_t>(y) * width + x);
      } else {
        ++outside;
      }
    }
    for (std::size_t k = 0; k < n; ++k) update(found[k]);
  }
  return outside;
}

void decay_row_plain(const std::uint32_t* last, std::size_t n, const Decay& d, float* out) {
  decay_row(last, n, d, out);
}
}  // namespace

template <typename T>
Planes<T>::Planes(int planes, int width, int height)
    : planes_(planes),
      width_(width),
      height_(height),
      pixels_(static_cast<std::size_t>(width) * height),
      values_(pixels_ * planes),
      marks_(((pixels_ >> kShift) + 1 + 7) / 8 * 8),
      target_(values_.data()) {}

template <typename T>
template <typename F>
void Planes<T>::for_each_touched(F f) {
  for (std::size_t eight = 0; eight < marks_.size(); eight += 8) {
    std::uint64_t any;
    std::memcpy(&any, &marks_[eight], sizeof any);
    if (!any) continue;
    for (std::size_t line = eight; line < eight + 8; ++line) {
      if (!marks_[line]) continue;
      std::size_t last = line + 1;
      while (last < eight + 8 && marks_[last]) ++last;
      const std::size_t first = line << kShift, n = std::min(last << kShift, pixels_) - first;
      for (int p = 0; p < planes_; ++p) f(plane(p) + first, n);
      line = last;
    }
  }
}

template <typename T>
void Planes<T>::begin(T* out) {
  const auto touched = std::accumulate(marks_.begin(), marks_.end(), std::size_t{0});
  if (target_ == values_.data()) {
    if (touched * 4 > marks_.size()) {  // from about here on one sweep is faster
      std::fill(values_.begin(), values_.end(), T{0});
    } else {
      for_each_touched([](T* values, std::size_t n) { std::fill_n(values, n, T{0}); });
    }
  }
  std::fill(marks_.begin(), marks_.end(), std::uint8_t{0});
  target_ = out ? out : values_.data();
  if (out) std::fill_n(out, values_.size(), T{0});
}

template class Planes<float>;
template class Planes<std::uint16_t>;

template <typename T>
void Histogram<T>::add(const EventColumnsView& e) {
  T* planes[2] = {counts_.plane(0), counts_.plane(1)};
  std::uint64_t saturated = 0;
  out_of_bounds_ += for_each_inside(
      e, counts_.width(), counts_.height(),
      [&](std::size_t i, std::size_t pixel) {
        T* count = planes[e.on[i] != 0] + pixel;
        prefetch(count);
        counts_.mark(pixel);
        return count;
      },
      [&](T* count) {
        const bool full = *count == kFull;
        saturated += full;
        *count = static_cast<T>(*count + static_cast<T>(!full));
      });
  saturated_ += saturated;
}

template class Histogram<float>;
template class Histogram<std::uint16_t>;

void VoxelGrid::begin(std::uint64_t begin_us, std::uint64_t end_us, float* out) {
  grid_.begin(out);
  begin_us_ = begin_us;
  // As a signed number, which is faster to make a float of; longer spans end there.
  constexpr std::uint64_t kLongest = std::numeric_limits<std::int64_t>::max();
  span_us_ = end_us > begin_us ? std::min(end_us - begin_us, kLongest) : 0;
  scale_ = span_us_ ? (bins_ - 1) / static_cast<double>(span_us_) : 0.0;
}

void VoxelGrid::add(const EventColumnsView& e) {
  struct Part {
    float* voxel;
    float sign, later;
  };
  // The last moment is reached from the one before it, so that an event at the end needs no test;
  // with one bin there is no other, and all goes to it.
  const int last_pair = std::max(bins_ - 2, 0);
  const std::size_t pixels = grid_.pixels(), to_next = bins_ > 1 ? pixels : 0;
  float* grid = grid_.plane(0);
  out_of_bounds_ += for_each_inside(
      e, grid_.width(), grid_.height(),
      [&](std::size_t i, std::size_t pixel) {
        const std::uint64_t after = e.t[i] < begin_us_ ? 0 : std::min(e.t[i] - begin_us_, span_us_);
        const double moment = static_cast<double>(static_cast<std::int64_t>(after)) * scale_;
        const int pair = std::min(static_cast<int>(moment), last_pair);
        float* voxel = grid + static_cast<std::size_t>(pair) * pixels + pixel;
        prefetch(voxel);
        prefetch(voxel + to_next);
        grid_.mark(pixel);
        return Part{voxel, e.on[i] ? 1.0f : -1.0f, static_cast<float>(moment - pair)};
      },
      [to_next](const Part& part) {
        part.voxel[0] += part.sign * (1.0f - part.later);
        part.voxel[to_next] += part.sign * part.later;
      });
}

void VoxelGrid::normalise() {
  constexpr std::size_t kLanes = 8;  // sums side by side, which need not wait for one another
  double sums[kLanes] = {}, squares[kLanes] = {};
  std::int64_t counts[kLanes] = {};
  const auto tally = [&](std::size_t lane, double v) {
    counts[lane] += v != 0;
    sums[lane] += v;
    squares[lane] += v * v;
  };
  grid_.for_each_touched([&](const float* v, std::size_t n) {
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane) tally(lane, v[i + lane]);
    for (; i < n; ++i) tally(0, v[i]);
  });
  const auto total = [](auto& lanes) {
    return static_cast<double>(std::accumulate(lanes + 1, lanes + kLanes, lanes[0]));
  };
  const double n = std::max(total(counts), 1.0), mean = total(sums) / n;
  const double deviation = std::sqrt(std::max(total(squares) / n - mean * mean, 0.0));
  const double scale = deviation > 0 ? 1 / deviation : 1.0;
  grid_.for_each_touched([mean, scale](float* v, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto there = static_cast<float>(v[i] != 0);
      v[i] = there * static_cast<float>((v[i] - mean) * scale);
    }
  });
}

TimeSurface::TimeSurface(int width, int height, bool linear, std::uint32_t tau_us)
    : width_(width),
      height_(height),
      linear_(linear),
      tau_us_(tau_us),
      life_us_(linear ? tau_us : tau_us * kLivesExponential),
      now_(kNewest),
      last_(static_cast<std::size_t>(width) * height * 2),
      row_last_(static_cast<std::size_t>(height) * 2),
      surface_(last_.size()),
      surface_live_(row_last_.size()) {}

void TimeSurface::begin(std::uint64_t now_us) {
  if (now_us < now_us_) {
    forget();
    now_us_ = now_us;
  }
  now_ += std::min(now_us - now_us_, std::uint64_t{1} << 33);
  now_us_ = now_us;
  if (now_ >> 32) rebase();
}

void TimeSurface::rebase() {
  const std::uint64_t shift = now_ - kNewest;
  const auto earlier = [shift](std::uint32_t& t) {
    t = t > shift ? static_cast<std::uint32_t>(t - shift) : 0;
  };
  std::for_each(last_.begin(), last_.end(), earlier);
  std::for_each(row_last_.begin(), row_last_.end(), earlier);
  now_ = kNewest;
}

void TimeSurface::forget() {
  const auto width = static_cast<std::size_t>(width_);
  for (std::size_t r = 0; r < row_last_.size(); ++r) {
    if (!row_last_[r]) continue;
    std::fill_n(last_.begin() + static_cast<std::ptrdiff_t>(r * width), width_, 0u);
    row_last_[r] = 0;
  }
}

void TimeSurface::add(const EventColumnsView& e) {
  struct Stamp {
    std::uint32_t* last;
    std::uint32_t t;
  };
  const std::size_t pixels = static_cast<std::size_t>(width_) * height_;
  const auto now = static_cast<std::uint32_t>(now_);
  out_of_bounds_ += for_each_inside(
      e, width_, height_,
      [&](std::size_t i, std::size_t pixel) {
        const std::size_t polarity = e.on[i] != 0;
        const std::uint64_t age = e.t[i] < now_us_ ? now_us_ - e.t[i] : 0;
        std::uint32_t* last = &last_[polarity * pixels + pixel];
        prefetch(last);
        row_last_[polarity * height_ + e.y[i]] = now;
        return Stamp{last, age < now ? static_cast<std::uint32_t>(now - age) : 0};
      },
      [](const Stamp& stamp) { *stamp.last = stamp.t; });
}

void TimeSurface::finish(float* out) {
  const double per_us = (linear_ ? 1.0 : kLog2E) / tau_us_;
  const Decay decay{static_cast<std::uint32_t>(now_), static_cast<std::int32_t>(life_us_),
                    static_cast<float>(per_us), linear_};
  const bool own = out == nullptr;
  const auto width = static_cast<std::size_t>(width_);
  auto* row_function = &decay_row_plain;
#ifdef SACCADE_X86
  if (has_avx2()) row_function = &decay_row_avx2;
#endif
  for (std::size_t r = 0; r < row_last_.size(); ++r) {
    float* row = (own ? surface_.data() : out) + r * width;
    const bool live = now_ - row_last_[r] < life_us_;
    if (live) {
      row_function(&last_[r * width], width, decay, row);
    } else if (!own || surface_live_[r]) {
      std::fill(row, row + width, 0.0f);
    }
    if (own) surface_live_[r] = live;
  }
}

}  // namespace saccade
