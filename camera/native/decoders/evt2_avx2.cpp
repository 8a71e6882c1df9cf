// EVT2, eight words at a time.
#include "cpu.hpp"
#include "evt2.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

namespace saccade {

// Stores eight events and keeps those before the first word that is no event inside the sensor.
SACCADE_AVX2 std::size_t Evt2Decoder::wide(const std::uint8_t* words, std::size_t n_words,
                                           EventColumns& out) const {
  const __m256i type = _mm256_set1_epi32(static_cast<int>(0xe0000000u));
  const __m256i mask11 = _mm256_set1_epi32(0x7ff), mask6 = _mm256_set1_epi32(0x3f);
  const __m256i x_limit = _mm256_set1_epi32(static_cast<int>(width_ < 2048 ? width_ : 2048));
  const __m256i y_limit = _mm256_set1_epi32(static_cast<int>(height_ < 2048 ? height_ : 2048));
  const __m256i bytes =
      _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                       0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i time = _mm256_set1_epi64x(static_cast<long long>(clock_.value() << 6));
  std::size_t i = 0, k = out.size;
  for (; i + 8 <= n_words; i += 8, k += 8) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 4 * i));
    const __m256i x = _mm256_and_si256(_mm256_srli_epi32(w, 11), mask11);
    const __m256i y = _mm256_and_si256(w, mask11);
    const __m256i inside =
        _mm256_and_si256(_mm256_cmpgt_epi32(x_limit, x), _mm256_cmpgt_epi32(y_limit, y));
    const __m256i event = _mm256_cmpeq_epi32(_mm256_and_si256(w, type), _mm256_setzero_si256());
    const __m256i low = _mm256_and_si256(_mm256_srli_epi32(w, 22), mask6);
    const __m256i t0 = _mm256_cvtepu32_epi64(_mm256_castsi256_si128(low));
    const __m256i t1 = _mm256_cvtepu32_epi64(_mm256_extracti128_si256(low, 1));
    const __m256i xy = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, y), 0xd8);
    const __m256i on = _mm256_shuffle_epi8(_mm256_srli_epi32(w, 28), bytes);
    auto* t = reinterpret_cast<__m256i*>(out.t.get() + k);
    _mm256_storeu_si256(t, _mm256_or_si256(t0, time));
    _mm256_storeu_si256(t + 1, _mm256_or_si256(t1, time));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.x.get() + k), _mm256_castsi256_si128(xy));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.y.get() + k), _mm256_extracti128_si256(xy, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out.on.get() + k),
                     _mm_or_si128(_mm256_castsi256_si128(on), _mm256_extracti128_si256(on, 1)));
    const auto good = static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_and_si256(inside, event))));
    if (good != 0xff) {
      const auto n = static_cast<std::size_t>(__builtin_ctz(~good));
      i += n;
      k += n;
      break;
    }
  }
  out.size = k;
  return i;
}

}  // namespace saccade

#endif
