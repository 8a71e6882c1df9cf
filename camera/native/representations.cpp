#include "representations.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "decay.hpp"

namespace saccade {

namespace {
constexpr std::uint64_t kNewest = std::uint64_t{1} << 31;  // where the surface's clock begins
constexpr double kLog2E = 1.4426950408889634;
constexpr std::uint32_t kLivesExponential = 17;

inline bool inside(std::uint32_t x, std::uint32_t y, int width, int height) {
  return x < static_cast<std::uint32_t>(width) && y < static_cast<std::uint32_t>(height);
}

void decay_row_plain(const std::uint32_t* last, std::size_t n, const Decay& d, float* out) {
  decay_row_body(last, n, d, out);
}
}  // namespace

template <typename T>
Planes<T>::Planes(int planes, int width, int height)
    : planes_(planes),
      width_(width),
      height_(height),
      pixels_(static_cast<std::size_t>(width) * height),
      values_(pixels_ * planes),
      marks_(((pixels_ >> kShift) + 1 + 7) / 8 * 8) {}

template <typename T>
template <typename F>
void Planes<T>::for_each_run(F f) const {
  const std::size_t lines = (pixels_ + (1u << kShift) - 1) >> kShift;
  std::size_t first = 0;
  while (first < lines) {
    const std::uint8_t mark = marks_[first];
    const std::uint64_t alike = mark * 0x0101010101010101u;
    std::size_t last = first + 1;
    while (last < lines && marks_[last] == mark) {
      std::uint64_t eight;
      ++last;
      while (last + 8 <= marks_.size() &&
             (std::memcpy(&eight, &marks_[last], sizeof eight), eight == alike))
        last += 8;
    }
    f(first << kShift, std::min(std::min(last, lines) << kShift, pixels_), mark != 0);
    first = last;
  }
}

template <typename T>
void Planes<T>::clear() {
  for_each_run([this](std::size_t first, std::size_t last, bool touched) {
    if (!touched) return;
    for (int p = 0; p < planes_; ++p) std::fill(plane(p) + first, plane(p) + last, T{0});
  });
  std::fill(marks_.begin(), marks_.end(), std::uint8_t{0});
}

template <typename T>
void Planes<T>::copy(T* out) const {
  for (int p = 0; p < planes_; ++p) {
    const T* from = values_.data() + p * pixels_;
    T* to = out + p * pixels_;
    for_each_run([from, to](std::size_t first, std::size_t last, bool touched) {
      if (touched) {
        std::copy(from + first, from + last, to + first);
      } else {
        std::fill(to + first, to + last, T{0});
      }
    });
  }
}

template class Planes<float>;
template class Planes<std::uint16_t>;

template <typename T>
void Histogram<T>::add(const EventColumnsView& e) {
  const int width = counts_.width(), height = counts_.height();
  T* planes[2] = {counts_.plane(0), counts_.plane(1)};
  std::uint64_t saturated = 0, outside = 0;
  for (std::size_t i = 0; i < e.n; ++i) {
    if (!inside(e.x[i], e.y[i], width, height)) {
      ++outside;
      continue;
    }
    const std::size_t pixel = static_cast<std::size_t>(e.y[i]) * width + e.x[i];
    T& count = planes[e.on[i] != 0][pixel];
    counts_.mark(pixel);
    const bool full = count == kFull;
    saturated += full;
    count = static_cast<T>(count + static_cast<T>(!full));
  }
  saturated_ += saturated;
  out_of_bounds_ += outside;
}

template class Histogram<float>;
template class Histogram<std::uint16_t>;

void VoxelGrid::begin(std::uint64_t begin_us, std::uint64_t end_us) {
  grid_.clear();
  begin_us_ = begin_us;
  span_us_ = end_us > begin_us ? end_us - begin_us : 0;
  scale_ = span_us_ ? (bins_ - 1) / static_cast<double>(span_us_) : 0.0;
}

void VoxelGrid::add(const EventColumnsView& e) {
  const int width = grid_.width(), height = grid_.height();
  // The last moment is reached from the one before it, so that an event at the end needs no test;
  // with one bin there is no other, and all goes to it.
  const int last_pair = std::max(bins_ - 2, 0);
  const std::size_t to_next = bins_ > 1 ? grid_.pixels() : 0;
  float* grid = grid_.plane(0);
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < e.n; ++i) {
    if (!inside(e.x[i], e.y[i], width, height)) {
      ++outside;
      continue;
    }
    const std::size_t pixel = static_cast<std::size_t>(e.y[i]) * width + e.x[i];
    const std::uint64_t after = e.t[i] < begin_us_ ? 0 : std::min(e.t[i] - begin_us_, span_us_);
    const double moment = static_cast<double>(static_cast<std::int64_t>(after)) * scale_;
    const int pair = std::min(static_cast<int>(moment), last_pair);
    const auto later = static_cast<float>(moment - pair);
    const float sign = e.on[i] ? 1.0f : -1.0f;
    float* voxel = grid + static_cast<std::size_t>(pair) * grid_.pixels() + pixel;
    grid_.mark(pixel);
    voxel[0] += sign * (1.0f - later);
    voxel[to_next] += sign * later;
  }
  out_of_bounds_ += outside;
}

void VoxelGrid::normalise() {
  double sum = 0, squares = 0;
  std::size_t n = 0;
  const auto each = [this](auto f) {
    grid_.for_each_run([this, f](std::size_t first, std::size_t last, bool touched) {
      for (int p = 0; touched && p < bins_; ++p) f(grid_.plane(p) + first, grid_.plane(p) + last);
    });
  };
  each([&](const float* v, const float* end) {
    for (; v < end; ++v) {
      n += *v != 0;
      sum += *v;
    }
  });
  if (!n) return;
  const double mean = sum / static_cast<double>(n);
  each([&](const float* v, const float* end) {
    for (; v < end; ++v) squares += *v != 0 ? (*v - mean) * (*v - mean) : 0.0;
  });
  const double deviation = std::sqrt(squares / static_cast<double>(n));
  const double scale = deviation > 0 ? 1 / deviation : 1.0;
  each([&](float* v, const float* end) {
    for (; v < end; ++v) *v = *v != 0 ? static_cast<float>((*v - mean) * scale) : 0.0f;
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
  const std::size_t pixels = static_cast<std::size_t>(width_) * height_;
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < e.n; ++i) {
    if (!inside(e.x[i], e.y[i], width_, height_)) {
      ++outside;
      continue;
    }
    const std::size_t polarity = e.on[i] != 0;
    const std::uint64_t age = e.t[i] < now_us_ ? now_us_ - e.t[i] : 0;
    last_[polarity * pixels + static_cast<std::size_t>(e.y[i]) * width_ + e.x[i]] =
        age < now_ ? static_cast<std::uint32_t>(now_ - age) : 0;
    row_last_[polarity * height_ + e.y[i]] = static_cast<std::uint32_t>(now_);
  }
  out_of_bounds_ += outside;
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
