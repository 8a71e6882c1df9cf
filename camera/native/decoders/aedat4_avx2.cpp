// Eight records of 16 bytes at a time to columns. Only whole good eights are taken: the first with
// an event that must be dropped ends the run, and the plain path goes on from there.
#include "aedat4_records.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

#include <algorithm>
#include <utility>

namespace saccade {
namespace {

SACCADE_AVX2 inline __m128i load(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

template <typename T>
SACCADE_AVX2 inline void store(T* to, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
}

SACCADE_AVX2 inline __m128i dwords(__m128i a, __m128i b, bool odd) {
  const __m128 x = _mm_castsi128_ps(a), y = _mm_castsi128_ps(b);
  return _mm_castps_si128(odd ? _mm_shuffle_ps(x, y, 0xdd) : _mm_shuffle_ps(x, y, 0x88));
}

SACCADE_AVX2 inline std::uint64_t lower(__m128i v) {
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(v));
}
SACCADE_AVX2 inline std::uint64_t upper(__m128i v) {
  return static_cast<std::uint64_t>(_mm_extract_epi64(v, 1));
}
SACCADE_AVX2 inline __m128i last_of(std::uint32_t side) {
  return _mm_set1_epi16(static_cast<short>(std::min(side - 1, 0xffffu)));  // an unsigned's bits
}

// Eight records, sorted into columns.
struct Eight {
  __m128i times[4];  // two each
  __m128i x, y, on;  // on: a byte each, in the lower half

  SACCADE_AVX2 explicit Eight(const std::uint8_t* from) {
    __m128i rest[4];  // two events each: x, y, on, padding
    for (int j = 0; j < 4; ++j) {
      const __m128i a = load(from + 32 * j), b = load(from + 32 * j + 16);
      times[j] = _mm_unpacklo_epi64(a, b);
      rest[j] = _mm_unpackhi_epi64(a, b);
    }
    const __m128i low = _mm_set1_epi32(0xffff), byte = _mm_set1_epi32(0xff);
    const __m128i xy0 = dwords(rest[0], rest[1], false), xy1 = dwords(rest[2], rest[3], false);
    const __m128i on0 = dwords(rest[0], rest[1], true), on1 = dwords(rest[2], rest[3], true);
    x = _mm_packus_epi32(_mm_and_si128(xy0, low), _mm_and_si128(xy1, low));
    y = _mm_packus_epi32(_mm_srli_epi32(xy0, 16), _mm_srli_epi32(xy1, 16));
    const __m128i words = _mm_packus_epi32(_mm_and_si128(on0, byte), _mm_and_si128(on1, byte));
    on = _mm_min_epu8(_mm_packus_epi16(words, words), _mm_set1_epi8(1));
  }

  // Whether all are inside the sensor and none has a negative time.
  SACCADE_AVX2 bool good(__m128i last_x, __m128i last_y) const {
    const __m128i outside = _mm_or_si128(_mm_subs_epu16(x, last_x), _mm_subs_epu16(y, last_y));
    const __m128i signs =
        _mm_or_si128(_mm_or_si128(times[0], times[1]), _mm_or_si128(times[2], times[3]));
    return _mm_testz_si128(outside, outside) && !_mm_movemask_pd(_mm_castsi128_pd(signs));
  }

  // The earliest and the latest time, none of them negative.
  SACCADE_AVX2 std::pair<std::uint64_t, std::uint64_t> range() const {
    __m128i lo = times[0], hi = times[0];
    for (int j = 1; j < 4; ++j) {
      lo = _mm_blendv_epi8(lo, times[j], _mm_cmpgt_epi64(lo, times[j]));
      hi = _mm_blendv_epi8(hi, times[j], _mm_cmpgt_epi64(times[j], hi));
    }
    return {std::min(lower(lo), upper(lo)), std::max(lower(hi), upper(hi))};
  }
};

}  // namespace

SACCADE_AVX2 std::size_t read_records_avx2(const std::uint8_t* records, std::size_t n,
                                           std::uint32_t width, std::uint32_t height,
                                           EventColumns& to) {
  if (width == 0 || height == 0) return 0;
  const __m128i last_x = last_of(width), last_y = last_of(height);
  std::uint64_t* t = to.t.get() + to.size;
  std::uint16_t *x = to.x.get() + to.size, *y = to.y.get() + to.size;
  bool* on = to.on.get() + to.size;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const Eight e(records + 16 * i);
    if (!e.good(last_x, last_y)) break;
    for (int j = 0; j < 4; ++j) store(t + i + 2 * j, e.times[j]);
    store(x + i, e.x);
    store(y + i, e.y);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(on + i), e.on);
  }
  to.size += i;
  return i;
}

SACCADE_AVX2 std::size_t count_records_avx2(const std::uint8_t* records, std::size_t n,
                                            std::uint32_t width, std::uint32_t height,
                                            SliceCounter& to) {
  if (width == 0 || height == 0 || !to.counters().takes_eights()) return 0;
  const __m128i last_x = last_of(width), last_y = last_of(height);
  Counters::Adder adder(to.counters());
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const Eight e(records + 16 * i);
    if (!e.good(last_x, last_y)) break;
    const auto [lo, hi] = e.range();
    if (!to.takes(lo, hi, 8)) break;
    adder.eight(_mm256_cvtepu16_epi32(e.x), _mm256_cvtepu16_epi32(e.y), _mm256_cvtepu8_epi32(e.on));
    to.took(lo, hi, 8);
  }
  return i;
}

}  // namespace saccade
#endif
