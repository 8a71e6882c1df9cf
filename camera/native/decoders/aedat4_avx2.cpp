// Eight records of 16 bytes at a time to columns. Only whole good eights are taken: the first with
// an event that must be dropped ends the run, and the plain path goes on from there.
#include "aedat4_records.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

#include <algorithm>

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

}  // namespace

SACCADE_AVX2 std::size_t read_records_avx2(const std::uint8_t* records, std::size_t n,
                                           std::uint32_t width, std::uint32_t height,
                                           EventColumns& to) {
  if (width == 0 || height == 0) return 0;
  const auto last = [](std::uint32_t side) {
    return static_cast<short>(std::min(side - 1, 0xffffu));  // the bits of an unsigned
  };
  const __m128i last_x = _mm_set1_epi16(last(width)), last_y = _mm_set1_epi16(last(height));
  const __m128i low = _mm_set1_epi32(0xffff), byte = _mm_set1_epi32(0xff);
  std::uint64_t* t = to.t.get() + to.size;
  std::uint16_t *x = to.x.get() + to.size, *y = to.y.get() + to.size;
  bool* on = to.on.get() + to.size;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const std::uint8_t* from = records + 16 * i;
    __m128i times[4], rest[4];  // two events each; rest: x, y, on, padding
    for (int j = 0; j < 4; ++j) {
      const __m128i a = load(from + 32 * j), b = load(from + 32 * j + 16);
      times[j] = _mm_unpacklo_epi64(a, b);
      rest[j] = _mm_unpackhi_epi64(a, b);
    }
    const __m128i xy0 = dwords(rest[0], rest[1], false), xy1 = dwords(rest[2], rest[3], false);
    const __m128i on0 = dwords(rest[0], rest[1], true), on1 = dwords(rest[2], rest[3], true);
    const __m128i xs = _mm_packus_epi32(_mm_and_si128(xy0, low), _mm_and_si128(xy1, low));
    const __m128i ys = _mm_packus_epi32(_mm_srli_epi32(xy0, 16), _mm_srli_epi32(xy1, 16));
    const __m128i outside = _mm_or_si128(_mm_subs_epu16(xs, last_x), _mm_subs_epu16(ys, last_y));
    const __m128i signs =
        _mm_or_si128(_mm_or_si128(times[0], times[1]), _mm_or_si128(times[2], times[3]));
    if (!_mm_testz_si128(outside, outside) || _mm_movemask_pd(_mm_castsi128_pd(signs))) break;
    for (int j = 0; j < 4; ++j) store(t + i + 2 * j, times[j]);
    store(x + i, xs);
    store(y + i, ys);
    const __m128i words = _mm_packus_epi32(_mm_and_si128(on0, byte), _mm_and_si128(on1, byte));
    const __m128i flags = _mm_min_epu8(_mm_packus_epi16(words, words), _mm_set1_epi8(1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(on + i), flags);
  }
  to.size += i;
  return i;
}

}  // namespace saccade
#endif
