#include "counters.hpp"

#include <algorithm>

namespace saccade {
namespace {

std::vector<std::uint16_t> scale_map(int in, int out) {
  std::vector<std::uint16_t> map(static_cast<std::size_t>(in));
  for (int i = 0; i < in; ++i) map[i] = static_cast<std::uint16_t>(std::int64_t{i} * out / in);
  return map;
}

// Rows an even number of cache lines apart would share few of the cache's sets.
std::size_t odd_lines(std::size_t counters) {
  constexpr std::size_t kLine = 64 / sizeof(std::uint16_t);
  return ((counters + kLine - 1) / kLine | 1) * kLine;
}

bool all_below(const std::uint16_t* values, std::size_t n, int limit) {
  std::uint16_t most = 0;
  for (std::size_t i = 0; i < n; ++i) most = std::max(most, values[i]);
  return most < limit;
}

}  // namespace

Counters::Counters(int width, int height, int size, Counting counting)
    : width_(width),
      height_(height),
      rows_(counting == Counting::kSensor ? height : size),
      columns_(counting == Counting::kSensor ? width : size),
      scaled_(counting == Counting::kEncoder),
      stride_(odd_lines(static_cast<std::size_t>(columns_) + kPadding)),
      counts_(2 * static_cast<std::size_t>(rows_) * stride_),
      touched_(static_cast<std::size_t>(rows_)),
      x_map_(scale_map(width, columns_)),
      y_map_(scale_map(height, rows_)),
      row_at_(static_cast<std::size_t>(height)) {
  for (int y = 0; y < height; ++y) row_at_[y] = static_cast<std::uint32_t>(2 * y_map_[y] * stride_);
  x_factor_ = factor(x_map_, kShift);
  y_factor_ = factor(y_map_, kShift);
  x_factor16_ = factor(x_map_, 16);
  y_factor16_ = factor(y_map_, 16);
  if (x_factor16_ > 0xffff || y_factor16_ > 0xffff) x_factor16_ = 0;
  if (scaled_ && takes_vectors()) make_cells();
  if (scaled_ && takes_vectors() && width_ <= 2 * columns_) make_pairs();
}

std::uint32_t Counters::factor(const std::vector<std::uint16_t>& map, int shift) {
  const std::uint64_t in = map.size(), out = std::uint64_t{map.back()} + 1;
  const std::uint64_t factor = ((out << shift) + in - 1) / in;
  for (std::uint64_t v = 0; v < in; ++v) {
    const std::uint64_t product = v * factor;
    if (product >> 32 != 0 || product >> shift != map[v]) return 0;
  }
  return static_cast<std::uint32_t>(factor);
}

void Counters::make_cells() {
  constexpr int kPixels = 32;
  const int most = kPixels * columns_ / width_ + 2;  // a partial cell at either end
  n_cells_ = static_cast<std::uint32_t>(std::min(most, kPixels) + 7) / 8 * 8;
  cells_.resize(static_cast<std::size_t>(width_) * n_cells_);
  for (int x = 0; x < width_; ++x) {
    std::uint32_t* const cells = &cells_[static_cast<std::size_t>(x) * n_cells_];
    for (int i = 0; i < kPixels && x + i < width_; ++i) {
      cells[x_map_[x + i] - x_map_[x]] |= std::uint32_t{1} << i;
    }
  }
}

void Counters::make_pairs() {
  constexpr int kPixels = 32;
  pairs_.assign(static_cast<std::size_t>(width_) * 2 * kPixels, kNoPixel);
  for (int x = 0; x < width_; ++x) {
    std::uint8_t* const first = &pairs_[static_cast<std::size_t>(x) * 2 * kPixels];
    for (int i = 0; i < kPixels && x + i < width_; ++i) {
      std::uint8_t* cell = first + x_map_[x + i] - x_map_[x];
      if (*cell != kNoPixel) cell += kPixels;
      *cell = static_cast<std::uint8_t>(i);
    }
  }
}

// Nearly always all are inside, which a pass of wide comparisons shows for less than a test of
// each.
void Counters::add(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                   std::size_t n) {
#ifdef SACCADE_X86
  if (n >= 16 && takes_sixteens() && has_avx512()) return add_avx512(x, y, on, n);
#endif
  constexpr std::size_t kPiece = 1024;
  for (std::size_t i = 0; i < n; i += kPiece) {
    const std::size_t m = std::min(kPiece, n - i);
    if (all_below(x + i, m, width_) && all_below(y + i, m, height_)) {
      add_inside(x + i, y + i, on + i, m);
      continue;
    }
    for (std::size_t j = i; j < i + m; ++j) {
      if (x[j] < width_ && y[j] < height_) {
        add_inside(x + j, y + j, on + j, 1);
      } else {
        ++out_of_bounds_;
      }
    }
  }
}

#ifdef SACCADE_X86
namespace {

SACCADE_AVX2 inline __m256i widened(const std::uint16_t* from) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

}  // namespace

SACCADE_AVX2 void Counters::add_inside_avx2(const std::uint16_t* x, const std::uint16_t* y,
                                            const std::uint8_t* on, std::size_t n) {
  Adder adder(*this);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i flags = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(on + i));
    const __m128i ones = _mm_min_epu8(flags, _mm_set1_epi8(1));
    adder.eight(widened(x + i), widened(y + i), _mm256_cvtepu8_epi32(ones));
  }
  for (; i < n; ++i) adder.one(x[i], y[i], on[i] != 0);
}
#endif

void Counters::add_inside(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                          std::size_t n) {
#ifdef SACCADE_X86
  if (n >= 8 && takes_eights() && has_avx2()) return add_inside_avx2(x, y, on, n);
#endif
  Adder adder(*this);
  for (std::size_t i = 0; i < n; ++i) adder.one(x[i], y[i], on[i] != 0);
}

void Counters::clear_row(int r) {
  std::fill_n(row(r, 0), 2 * stride_, std::uint16_t{0});
  touched_[r] = 0;
}

std::uint64_t Counters::on() const {
  std::uint64_t sum = 0;
  for (int r = 0; r < rows_; ++r) {
    if (!touched(r)) continue;
    std::uint32_t of_row = 0;  // of at most 8192 counters
    for (int c = 0; c < columns_; ++c) of_row += row(r, 1)[c];
    sum += of_row;
  }
  return sum;
}

void Counters::clear() {
  for (int r = 0; r < rows_; ++r) {
    if (touched(r)) clear_row(r);
  }
}

}  // namespace saccade
