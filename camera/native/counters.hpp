// Events counted per pixel and polarity, on the sensor's grid or on the encoder's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoders/cpu.hpp"
#ifdef SACCADE_X86
#include <immintrin.h>
#elif defined(SACCADE_NEON)
#include <arm_neon.h>
#endif

namespace saccade {

enum class Counting { kSensor, kEncoder };

// Counters of 16 bits that saturate, and that is counted. A row of the grid holds its OFF counters
// and then its ON counters, so that a vector of one row and polarity is added in one piece.
class Counters {
 public:
  static constexpr int kPadding = 32;  // counters behind each row, for vectors that end outside
  class Adder;

  // size: side of the encoder's grid.
  Counters(int width, int height, int size, Counting counting);

  // Adds n events. Those outside the sensor are counted and left out.
  void add(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on, std::size_t n);

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int width() const { return width_; }
  int height() const { return height_; }
  // The row's columns() counters of one polarity (0 or 1).
  std::uint16_t* row(int r, int on) {
    return &counts_[(2 * static_cast<std::size_t>(r) + static_cast<std::size_t>(on)) * stride_];
  }
  const std::uint16_t* row(int r, int on) const { return const_cast<Counters*>(this)->row(r, on); }
  // Whether an event landed in row r since it was cleared.
  bool touched(int r) const { return touched_[r] != 0; }
  void clear_row(int r);
  void clear();
  // The sum of the ON counters.
  std::uint64_t on() const;

  // Whether Adder::vector may be used: a cell of the grid is no smaller than a pixel.
  bool takes_vectors() const { return columns_ <= width_; }
  bool scaled() const { return scaled_; }
  // Whether Adder::eight may be used.
  bool takes_eights() const { return x_factor_ != 0 && y_factor_ != 0; }
  // Whether EventRuns may be used.
  bool takes_sixteens() const { return !scaled_ || (x_factor16_ != 0 && y_factor16_ != 0); }
  // A cell is (v * factor) >> 16; 0 where no factor of 16 bits gives it.
  std::uint32_t x_factor16() const { return x_factor16_; }
  std::uint32_t y_factor16() const { return y_factor16_; }
  std::uint32_t stride() const { return static_cast<std::uint32_t>(stride_); }

  std::uint64_t saturated() const { return saturated_; }
  std::uint64_t out_of_bounds() const { return out_of_bounds_; }

 private:
  void add_avx512(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                  std::size_t n);
  void add_inside_avx2(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                       std::size_t n);
  void add_inside(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                  std::size_t n);
  void make_cells();
  void make_pairs();
  static std::uint32_t factor(const std::vector<std::uint16_t>& map, int shift);

  int width_, height_, rows_, columns_;
  bool scaled_;
  std::size_t stride_;
  std::vector<std::uint16_t> counts_;   // [rows][2][stride]
  std::vector<std::uint16_t> touched_;  // [rows]: 0 or 1; of 16 bits, for bytes alias everything
  std::vector<std::uint16_t> x_map_, y_map_;  // sensor -> grid
  // The same as (v * factor) >> kShift; 0 where no factor gives it.
  static constexpr int kShift = 21;
  std::uint32_t x_factor_ = 0, y_factor_ = 0, x_factor16_ = 0, y_factor16_ = 0;
  std::vector<std::uint32_t> row_at_;  // [height]: where a row's OFF counters start
  // [width][n_cells]: which of 32 pixels from x on are in each cell from x's on.
  std::vector<std::uint32_t> cells_;
  std::uint32_t n_cells_ = 0;  // a multiple of 8
  // [width][2][32], where a cell has at most two columns: of each cell from x's on, which of 32
  // pixels from x on is its first one and its second one; kNoPixel for none.
  static constexpr std::uint8_t kNoPixel = 63;
  std::vector<std::uint8_t> pairs_;
  std::uint64_t saturated_ = 0, out_of_bounds_ = 0;
};

// Adds what lies inside the sensor, with the counters' fields at hand. One at a time.
class Counters::Adder {
 public:
  explicit Adder(Counters& to)
      : to_(to),
        counts_(to.counts_.data()),
        touched_(to.touched_.data()),
        x_map_(to.x_map_.data()),
        y_map_(to.y_map_.data()),
        row_at_(to.row_at_.data()),
        cells_(to.cells_.data()),
        n_cells_(to.n_cells_),
        pairs_(to.pairs_.empty() ? nullptr : to.pairs_.data()),
        stride_(static_cast<std::uint32_t>(to.stride_)) {}
  ~Adder() { to_.saturated_ += saturated_; }
  Adder(const Adder&) = delete;
  Adder& operator=(const Adder&) = delete;

  // Where the counter of an event is, whose row is marked as touched.
  std::uint32_t place(std::uint32_t x, std::uint32_t y, std::uint32_t on) {
    touched_[y_map_[y]] = 1;
    return row_at_[y] + on * stride_ + x_map_[x];
  }

  void one_at(std::uint32_t place) {
    if (__builtin_expect(++counts_[place] == 0, 0)) {  // a wrap costs less to see than a sum
      counts_[place] = 0xffff;
      ++saturated_;
    }
  }
  // n events of one counter; its row is to be touched.
  void some_at(std::uint32_t place, std::uint32_t n) {
    std::uint32_t sum = counts_[place] + n;
    if (__builtin_expect(sum > 0xffff, 0)) {
      saturated_ += sum - 0xffff;
      sum = 0xffff;
    }
    counts_[place] = static_cast<std::uint16_t>(sum);
  }
  void touch(std::uint32_t row) { touched_[row] = 1; }
  void one(std::uint32_t x, std::uint32_t y, std::uint32_t on) { one_at(place(x, y, on)); }

#ifdef SACCADE_X86
  // The events of a vector whose lowest bit stands for x, at place(x, y, on). kScaled:
  // counters().scaled().
  template <bool kScaled>
  SACCADE_AVX2 void vector_at(std::uint32_t place, std::uint32_t x, std::uint32_t mask) {
    std::uint16_t* const at = counts_ + place;
    if constexpr (kScaled) {
      const std::uint32_t* const cells = cells_ + static_cast<std::size_t>(x) * n_cells_;
      const __m256i bits = _mm256_set1_epi32(static_cast<int>(mask));
      add_cells(at, bits, cells);
      for (std::uint32_t i = 8; i < n_cells_; i += 8) add_cells(at + i, bits, cells + i);
    } else {
      add_pixels(at, mask & 0xffff);
      add_pixels(at + 16, mask >> 16);
    }
  }

  // Eight events, of 32 bits each, whose counters() takes_eights().
  SACCADE_AVX2 void eight(__m256i x, __m256i y, __m256i on) {
    const __m256i row = scaled(y, to_.y_factor_),
                  stride = _mm256_set1_epi32(static_cast<int>(stride_));
    const __m256i line = _mm256_add_epi32(_mm256_add_epi32(row, row), on);
    const __m256i places =
        _mm256_add_epi32(_mm256_mullo_epi32(line, stride), scaled(x, to_.x_factor_));
    alignas(32) std::uint32_t at[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(at), places);
    const __m256i first_row = _mm256_broadcastd_epi32(_mm256_castsi256_si128(row));
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi32(row, first_row)) == -1) {
      touched_[static_cast<std::uint32_t>(_mm256_cvtsi256_si32(row))] = 1;
    } else {
      alignas(32) std::uint32_t rows[8];
      _mm256_store_si256(reinterpret_cast<__m256i*>(rows), row);
      for (const std::uint32_t r : rows) touched_[r] = 1;
    }
    for (int i = 0; i < 8; ++i) one_at(at[i]);
  }

  // The same; one of AVX-512's masks has a bit for each of the 32 counters.
  template <bool kScaled>
  SACCADE_AVX512 void vector512_at(std::uint32_t place, std::uint32_t x, std::uint32_t mask) {
    std::uint16_t* const at = counts_ + place;
    if constexpr (kScaled) {
      if (pairs_) return add_pairs512(at, mask, pairs_ + std::size_t{64} * x);
      const std::uint32_t* const cells = cells_ + static_cast<std::size_t>(x) * n_cells_;
      const __m256i bits = _mm256_set1_epi32(static_cast<int>(mask));
      add_cells512(at, bits, cells);
      for (std::uint32_t i = 8; i < n_cells_; i += 8) add_cells512(at + i, bits, cells + i);
    } else {
      const __m512i before = _mm512_loadu_si512(at);
      const __m512i one = _mm512_set1_epi16(1);
      _mm512_storeu_si512(at, _mm512_mask_adds_epu16(before, mask, before, one));
      const __mmask32 lost = _mm512_mask_cmpeq_epi16_mask(mask, before, _mm512_set1_epi16(-1));
      if (lost != 0) saturated_ += static_cast<unsigned>(_mm_popcnt_u32(lost));
    }
  }

  // n vectors at their places. Every other one first: neighbours in a row share counters, and a
  // load of what was stored just now waits for it where it is not the same piece.
  template <bool kScaled>
  SACCADE_AVX512 void vectors512_at(const std::uint32_t* places, const std::uint64_t* x,
                                    const std::uint64_t* mask, std::size_t n) {
    for (std::size_t first = 0; first < 2; ++first) {
      for (std::size_t i = first; i < n; i += 2) {
        vector512_at<kScaled>(places[i], static_cast<std::uint32_t>(x[i]),
                              static_cast<std::uint32_t>(mask[i]));
      }
    }
  }

  // place() of n (1 to 8) events of 64 bits a field, to at[0...7].
  SACCADE_AVX512 void places512(__m512i x, __m512i y, __m512i on, unsigned n, std::uint32_t* at) {
    if (!to_.takes_eights()) return places_by_map(x, y, on, n, at);
    alignas(32) std::uint32_t rows[8];
    const __m512i row = scaled512(y, to_.y_factor_);
    const __m512i line = _mm512_add_epi64(_mm512_add_epi64(row, row), on);
    const __m512i start = _mm512_mullo_epi32(line, _mm512_set1_epi64(stride_));
    store_low(at, _mm512_add_epi64(start, scaled512(x, to_.x_factor_)));
    store_low(rows, row);
    for (unsigned i = 0; i < n; ++i) touched_[rows[i]] = 1;
  }
#elif defined(SACCADE_NEON)
  template <bool kScaled>
  void vector_at(std::uint32_t place, std::uint32_t x, std::uint32_t mask) {
    std::uint16_t* const at = counts_ + place;
    if constexpr (kScaled) {
      const std::uint32_t* const cells = cells_ + static_cast<std::size_t>(x) * n_cells_;
      const uint32x4_t bits = vdupq_n_u32(mask);
      for (std::uint32_t i = 0; i < n_cells_; i += 8) {
        const uint16x4_t low = vmovn_u32(bits_in(bits, cells + i));
        add_eight(at + i, vcombine_u16(low, vmovn_u32(bits_in(bits, cells + i + 4))));
      }
    } else {
      const std::uint16_t powers[8] = {1, 2, 4, 8, 16, 32, 64, 128};
      const uint16x8_t places = vld1q_u16(powers);
      for (unsigned i = 0; i < 32; i += 8) {
        const uint16x8_t byte = vdupq_n_u16(static_cast<std::uint16_t>(mask >> i & 0xff));
        add_eight(at + i, vshrq_n_u16(vtstq_u16(byte, places), 15));
      }
    }
  }

  // Eight events, of 32 bits each, whose counters() takes_eights().
  void eight(const uint32x4_t x[2], const uint32x4_t y[2], const uint32x4_t on[2]) {
    std::uint32_t at[8], rows[8];
    for (int i = 0; i < 2; ++i) {
      const uint32x4_t row = scaled(y[i], to_.y_factor_);
      const uint32x4_t line = vaddq_u32(vaddq_u32(row, row), on[i]);
      vst1q_u32(at + 4 * i, vmlaq_n_u32(scaled(x[i], to_.x_factor_), line, stride_));
      vst1q_u32(rows + 4 * i, row);
    }
    for (const std::uint32_t r : rows) touched_[r] = 1;
    for (const std::uint32_t place : at) one_at(place);
  }
#endif
#if defined(SACCADE_X86) || defined(SACCADE_NEON)
  template <bool kScaled>
  SACCADE_AVX2 void vector(std::uint32_t mask, std::uint32_t x, std::uint32_t y, std::uint32_t on) {
    vector_at<kScaled>(place(x, y, on), x, mask);
  }
#endif

 private:
#ifdef SACCADE_X86
  SACCADE_AVX2 static __m256i scaled(__m256i v, std::uint32_t factor) {
    return _mm256_srli_epi32(_mm256_mullo_epi32(v, _mm256_set1_epi32(static_cast<int>(factor))),
                             kShift);
  }

  SACCADE_AVX512 static __m512i scaled512(__m512i v, std::uint32_t factor) {
    return _mm512_srli_epi64(_mm512_mul_epu32(v, _mm512_set1_epi64(factor)), kShift);
  }

  SACCADE_AVX512 static void store_low(std::uint32_t* to, __m512i v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi64_epi32(v));
  }

  SACCADE_AVX512 void places_by_map(__m512i x, __m512i y, __m512i on, unsigned n,
                                    std::uint32_t* at) {
    alignas(64) std::uint32_t xs[8], ys[8], signs[8];
    store_low(xs, x);
    store_low(ys, y);
    store_low(signs, on);
    for (unsigned i = 0; i < n; ++i) at[i] = place(xs[i], ys[i], signs[i]);
  }

  SACCADE_AVX2 void add_pixels(std::uint16_t* at, std::uint32_t mask) {
    const __m256i places = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048,
                                             4096, 8192, 16384, -32768);
    const __m256i set = _mm256_and_si256(_mm256_set1_epi16(static_cast<short>(mask)), places);
    const __m256i n = _mm256_srli_epi16(_mm256_cmpeq_epi16(set, places), 15);
    auto* const to = reinterpret_cast<__m256i*>(at);
    const __m256i before = _mm256_loadu_si256(to);
    _mm256_storeu_si256(to, _mm256_adds_epu16(before, n));
    const __m256i lost = _mm256_and_si256(_mm256_cmpeq_epi16(before, _mm256_set1_epi16(-1)), n);
    if (!_mm256_testz_si256(lost, lost)) count_lost(lost);
  }

  // Adds to eight counters how many of the bits are in each of the cells.
  SACCADE_AVX2 void add_cells(std::uint16_t* at, __m256i bits, const std::uint32_t* cells) {
    const __m256i nibble = _mm256_set1_epi8(0xf);
    const __m256i ones =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i in =
        _mm256_and_si256(bits, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(cells)));
    const __m256i low = _mm256_shuffle_epi8(ones, _mm256_and_si256(in, nibble));
    const __m256i high =
        _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(in, 4), nibble));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(1));
    const __m256i sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    const __m128i n =
        _mm_packus_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    auto* const to = reinterpret_cast<__m128i*>(at);
    const __m128i before = _mm_loadu_si128(to), after = _mm_adds_epu16(before, n);
    _mm_storeu_si128(to, after);
    const __m128i lost = _mm_sub_epi16(n, _mm_sub_epi16(after, before));
    if (!_mm_testz_si128(lost, lost)) count_lost(_mm256_zextsi128_si256(lost));
  }

  SACCADE_AVX512 void add_cells512(std::uint16_t* at, __m256i bits, const std::uint32_t* cells) {
    const __m256i in =
        _mm256_and_si256(bits, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(cells)));
    const __m128i n = _mm256_cvtepi32_epi16(_mm256_popcnt_epi32(in));
    auto* const to = reinterpret_cast<__m128i*>(at);
    const __m128i before = _mm_loadu_si128(to), after = _mm_adds_epu16(before, n);
    _mm_storeu_si128(to, after);
    const __m128i lost = _mm_sub_epi16(n, _mm_sub_epi16(after, before));
    if (!_mm_testz_si128(lost, lost)) count_lost(_mm256_zextsi128_si256(lost));
  }

  // Adds to 32 counters what their first and second pixels have: all of a vector at once.
  SACCADE_AVX512 void add_pairs512(std::uint16_t* at, std::uint32_t mask,
                                   const std::uint8_t* pairs) {
    const __m512i set = _mm512_maskz_mov_epi8(mask, _mm512_set1_epi8(1));
    const __m512i both = _mm512_permutexvar_epi8(_mm512_loadu_si512(pairs), set);
    const __m256i sums =
        _mm256_add_epi8(_mm512_castsi512_si256(both), _mm512_extracti64x4_epi64(both, 1));
    const __m512i n = _mm512_cvtepu8_epi16(sums);
    const __m512i before = _mm512_loadu_si512(at), after = _mm512_adds_epu16(before, n);
    _mm512_storeu_si512(at, after);
    // Full, and so perhaps over.
    if (__builtin_expect(_mm512_cmpeq_epi16_mask(after, _mm512_set1_epi16(-1)) != 0, 0)) {
      const __m512i lost = _mm512_sub_epi16(n, _mm512_sub_epi16(after, before));
      count_lost(_mm512_castsi512_si256(lost));
      count_lost(_mm512_extracti64x4_epi64(lost, 1));
    }
  }

  SACCADE_AVX2 void count_lost(__m256i lost) {
    std::uint16_t lanes[16];
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), lost);
    for (const std::uint16_t n : lanes) saturated_ += n;
  }
#elif defined(SACCADE_NEON)
  static uint32x4_t scaled(uint32x4_t v, std::uint32_t factor) {
    return vshrq_n_u32(vmulq_n_u32(v, factor), kShift);
  }

  static uint32x4_t bits_in(uint32x4_t bits, const std::uint32_t* cells) {
    const uint8x16_t in = vreinterpretq_u8_u32(vandq_u32(bits, vld1q_u32(cells)));
    return vpaddlq_u16(vpaddlq_u8(vcntq_u8(in)));
  }

  void add_eight(std::uint16_t* at, uint16x8_t n) {
    const uint16x8_t before = vld1q_u16(at), after = vqaddq_u16(before, n);
    vst1q_u16(at, after);
    saturated_ += vaddvq_u16(vsubq_u16(n, vsubq_u16(after, before)));
  }
#endif

  Counters& to_;
  std::uint16_t *counts_, *touched_;
  const std::uint16_t *x_map_, *y_map_;
  const std::uint32_t* row_at_;
  const std::uint32_t* cells_;
  std::uint32_t n_cells_;
  const std::uint8_t* pairs_;
  std::uint32_t stride_;
  std::uint64_t saturated_ = 0;
};

}  // namespace saccade
