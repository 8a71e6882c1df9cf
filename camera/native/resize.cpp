#include "resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "decoders/expand.hpp"
#ifdef SACCADE_X86
#include <immintrin.h>
#endif

namespace saccade {
namespace {

constexpr int kRows = Resizer::kRows;

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

void add_row(const float* row, float weight, std::size_t n, bool first, float* to) {
  (has_avx2() ? add_row_avx2 : add_row_anywhere)(row, weight, n, first, to);
}

void resize_row(const ResizeAxis& axis, const float* row, float* out) {
  for (const Taps& t : axis.taps) {
    const float* w = &axis.weights[t.weights];
    float sum = 0;
    for (int i = 0; i < t.n; ++i) sum += w[i] * row[t.first + i];
    *out++ = sum;
  }
}

#ifdef SACCADE_X86
// Rows become columns.
SACCADE_AVX2 inline void transpose(__m256 (&r)[8]) {
  __m256 a[8], b[8];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    a[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
    b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
    b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
    b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
  }
}

SACCADE_AVX2 inline __m256 taken(const Taps& t, const float* weights, const float* turned) {
  const float* const w = weights + t.weights;
  const float* const from = turned + static_cast<std::size_t>(t.first) * kRows;
  __m256 sum = _mm256_setzero_ps();
  for (int i = 0; i < t.n; ++i) {
    sum = _mm256_add_ps(
        sum, _mm256_mul_ps(_mm256_broadcast_ss(w + i), _mm256_load_ps(from + i * kRows)));
  }
  return sum;
}

// Eight rows at a time, turned so that a vector holds a column of them: the taps differ from output
// to output, but not from row to row.
SACCADE_AVX2 void resize_eight(const ResizeAxis& axis, const float* const (&rows)[kRows],
                               std::size_t columns, float* turned, float* const (&lines)[kRows],
                               int n_lines) {
  __m256 eight[kRows];
  for (std::size_t c = 0; c < columns; c += 8) {
    for (int i = 0; i < kRows; ++i) eight[i] = _mm256_loadu_ps(rows[i] + c);
    transpose(eight);
    for (int i = 0; i < kRows; ++i)
      _mm256_store_ps(turned + (c + static_cast<std::size_t>(i)) * kRows, eight[i]);
  }
  const std::size_t size = axis.taps.size();
  const float* const weights = axis.weights.data();
  for (std::size_t o = 0; o < size; o += 8) {
    const std::size_t n = std::min<std::size_t>(8, size - o);
    for (std::size_t i = 0; i < 8; ++i)
      eight[i] = taken(axis.taps[o + std::min(i, n - 1)], weights, turned);
    transpose(eight);
    for (int i = 0; i < n_lines; ++i) {
      if (n == 8) {
        _mm256_storeu_ps(lines[i] + o, eight[i]);
      } else {
        float few[8];
        _mm256_storeu_ps(few, eight[i]);
        std::copy_n(few, n, lines[i] + o);
      }
    }
  }
}
#endif

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
  }
}

Resizer::Resizer(int rows, int columns, int size)
    : columns_(columns),
      size_(size),
      vertical_(rows, size),
      horizontal_(columns, size),
      first_output_(static_cast<std::size_t>(rows), size),
      last_output_(static_cast<std::size_t>(rows), -1),
      stride_((static_cast<std::size_t>(columns) + 7) / 8 * 8) {
  for (int o = 0; o < size; ++o) {
    const Taps& t = vertical_.taps[o];
    for (int r = t.first; r < t.first + t.n; ++r) {
      first_output_[r] = std::min(first_output_[r], o);
      last_output_[r] = o;
    }
  }
  for (int r = 0; r < rows; ++r) {
    ring_ = std::max(ring_, last_output_[r] - first_output_[r] + 1 + kRows);
  }
  row_.resize(stride_);
  zeros_.resize(stride_);
  sums_.resize(static_cast<std::size_t>(ring_) * stride_);
  begun_.resize(static_cast<std::size_t>(ring_));
  turned_.resize(stride_ * kRows + kRows);
}

void Resizer::add(int r, float* out) {
  if (last_output_[r] < 0) return;
  write_before(first_output_[r], out);
  for (int o = first_output_[r]; o <= last_output_[r]; ++o) {
    const Taps& t = vertical_.taps[o];
    const float w = vertical_.weights[t.weights + static_cast<std::size_t>(r - t.first)];
    char& begun = begun_[o % ring_];
    add_row(row_.data(), w, static_cast<std::size_t>(columns_), !begun, sum(o));
    begun = 1;
  }
}

void Resizer::finish(float* out) {
  write_before(size_ + kRows - 1, out);
  next_ = 0;
}

void Resizer::write_before(int o, float* out) {
  for (; next_ + kRows <= o; next_ += kRows) write_eight(next_, out);
}

const float* Resizer::sum_or_zero(int o) { return begun_[o % ring_] ? sum(o) : zeros_.data(); }

// Outputs first to first + 7, as far as there are any.
void Resizer::write_eight(int first, float* out) {
  const int n = std::min(kRows, size_ - first);
  float* const line = out + static_cast<std::size_t>(first) * size_;
  const float* rows[kRows];
  float* lines[kRows];
  bool any = false;
  for (int i = 0; i < kRows; ++i) {
    rows[i] = i < n ? sum_or_zero(first + i) : zeros_.data();
    lines[i] = line + static_cast<std::size_t>(std::min(i, n - 1)) * size_;
    any = any || rows[i] != zeros_.data();
    if (i < n) begun_[(first + i) % ring_] = 0;
  }
  if (!any) {
    std::fill_n(line, static_cast<std::size_t>(n) * size_, 0.0f);
    return;
  }
#ifdef SACCADE_X86
  if (has_avx2()) {
    auto at = reinterpret_cast<std::uintptr_t>(turned_.data());
    auto* const turned = reinterpret_cast<float*>((at + 31) / 32 * 32);
    return resize_eight(horizontal_, rows, stride_, turned, lines, n);
  }
#endif
  for (int i = 0; i < n; ++i) resize_row(horizontal_, rows[i], lines[i]);
}

}  // namespace saccade
