#include "resize.hpp"

#include <algorithm>
#include <cmath>

#include "decoders/expand.hpp"
#ifdef SACCADE_X86
#include <immintrin.h>
#endif

namespace saccade {
namespace {

constexpr int kLanes = ResizeAxis::kLanes;

SACCADE_INLINE void add_row_inlined(const float* row, float weight, std::size_t n, bool first,
                                    float* to) {
  if (first) {
    for (std::size_t i = 0; i < n; ++i) to[i] = weight * row[i];
  } else {
    for (std::size_t i = 0; i < n; ++i) to[i] += weight * row[i];
  }
}

void add_row_anywhere(const float* row, float weight, std::size_t n, bool first, float* to) {
  add_row_inlined(row, weight, n, first, to);
}
SACCADE_AVX2 void add_row_avx2(const float* row, float weight, std::size_t n, bool first,
                               float* to) {
  add_row_inlined(row, weight, n, first, to);
}

void resize_row_anywhere(const ResizeAxis& axis, const float* row, float* out) {
  for (const Taps& t : axis.taps) {
    const float* w = &axis.weights[t.weights];
    float sum = 0;
    for (int i = 0; i < t.n; ++i) sum += w[i] * row[t.first + i];
    *out++ = sum;
  }
}

#ifdef SACCADE_X86
SACCADE_AVX2 __m256 weighted(const ResizeAxis& axis, const Taps& t, const float* row) {
  const float* w = &axis.weights[t.weights];
  const float* from = row + t.first;
  __m256 sum = _mm256_mul_ps(_mm256_loadu_ps(w), _mm256_loadu_ps(from));
  for (int i = kLanes; i < t.n; i += kLanes) {
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_loadu_ps(w + i), _mm256_loadu_ps(from + i)));
  }
  return sum;
}

// Eight outputs at a time: their sums are taken together.
SACCADE_AVX2 void resize_row_avx2(const ResizeAxis& axis, const float* row, float* out) {
  const std::size_t n = axis.taps.size();
  for (std::size_t o = 0; o < n; o += kLanes) {
    __m256 part[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
      part[i] = weighted(axis, axis.taps[std::min(o + i, n - 1)], row);
    }
    const __m256 a =
        _mm256_hadd_ps(_mm256_hadd_ps(part[0], part[1]), _mm256_hadd_ps(part[2], part[3]));
    const __m256 b =
        _mm256_hadd_ps(_mm256_hadd_ps(part[4], part[5]), _mm256_hadd_ps(part[6], part[7]));
    const __m256 sums =
        _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    if (o + kLanes <= n) {
      _mm256_storeu_ps(out + o, sums);
    } else {
      float few[kLanes];
      _mm256_storeu_ps(few, sums);
      std::copy_n(few, n - o, out + o);
    }
  }
}
#endif

void add_row(const float* row, float weight, std::size_t n, bool first, float* to) {
  (has_avx2() ? add_row_avx2 : add_row_anywhere)(row, weight, n, first, to);
}

void resize_row(const ResizeAxis& axis, const float* row, float* out) {
#ifdef SACCADE_X86
  if (has_avx2()) return resize_row_avx2(axis, row, out);
#endif
  resize_row_anywhere(axis, row, out);
}

}  // namespace

ResizeAxis::ResizeAxis(int in, int out) {
  const double ratio = static_cast<double>(in) / out;
  const double support = std::max(ratio, 1.0);
  for (int o = 0; o < out; ++o) {
    const double centre = (o + 0.5) * ratio;
    const int first = std::max(0, static_cast<int>(std::floor(centre - support)));
    const int last = std::min(in, static_cast<int>(std::ceil(centre + support)));
    std::vector<double> taps;
    double sum = 0;
    for (int i = first; i < last; ++i) {
      taps.push_back(std::max(0.0, 1.0 - std::abs(i + 0.5 - centre) / support));
      sum += taps.back();
    }
    this->taps.push_back({first, last - first, weights.size()});
    for (double w : taps) weights.push_back(static_cast<float>(w / sum));
    weights.resize((weights.size() + kLanes - 1) / kLanes * kLanes);
  }
}

Resizer::Resizer(int rows, int columns, int size)
    : columns_(columns),
      size_(size),
      vertical_(rows, size),
      horizontal_(columns, size),
      first_output_(static_cast<std::size_t>(rows), size),
      last_output_(static_cast<std::size_t>(rows), -1),
      stride_(static_cast<std::size_t>(columns) + 2 * kLanes) {
  for (int o = 0; o < size; ++o) {
    const Taps& t = vertical_.taps[o];
    for (int r = t.first; r < t.first + t.n; ++r) {
      first_output_[r] = std::min(first_output_[r], o);
      last_output_[r] = o;
    }
  }
  for (int r = 0; r < rows; ++r) ring_ = std::max(ring_, last_output_[r] - first_output_[r] + 1);
  row_.resize(stride_);
  open_.resize(static_cast<std::size_t>(ring_) * stride_);
  begun_.resize(static_cast<std::size_t>(ring_));
}

void Resizer::add(int r, float* out) {
  if (last_output_[r] < 0) return;
  close_before(first_output_[r], out);
  for (int o = first_output_[r]; o <= last_output_[r]; ++o) {
    const Taps& t = vertical_.taps[o];
    const float w = vertical_.weights[t.weights + static_cast<std::size_t>(r - t.first)];
    char& begun = begun_[o % ring_];
    add_row(row_.data(), w, static_cast<std::size_t>(columns_), !begun, open(o));
    begun = 1;
  }
}

void Resizer::finish(float* out) {
  close_before(size_, out);
  next_ = 0;
}

void Resizer::close_before(int o, float* out) {
  for (; next_ < o; ++next_) {
    float* const line = out + static_cast<std::size_t>(next_) * size_;
    char& begun = begun_[next_ % ring_];
    if (begun) {
      resize_row(horizontal_, open(next_), line);
    } else {
      std::fill_n(line, size_, 0.0f);
    }
    begun = 0;
  }
}

}  // namespace saccade
