// Event columns counted sixteen at a time.
#include "event_runs_avx512.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86

namespace saccade {
namespace {

SACCADE_AVX512 inline __m512i load16(const std::uint16_t* from, __mmask16 there) {
  return _mm512_castsi256_si512(_mm256_maskz_loadu_epi16(there, from));
}

SACCADE_AVX512 inline __m512i interleaved(__m512i x, __m512i y) {
  const __m512i pairs = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  return _mm512_permutex2var_epi16(x, pairs, y);
}

}  // namespace

SACCADE_AVX512 void Counters::add_avx512(const std::uint16_t* x, const std::uint16_t* y,
                                         const std::uint8_t* on, std::size_t n) {
  EventRuns runs(*this);
  const __m512i last = EventRuns::both(static_cast<std::uint32_t>(width_ - 1),
                                       static_cast<std::uint32_t>(height_ - 1));
  for (std::size_t i = 0; i < n; i += 16) {
    const std::size_t left = n - i;
    const auto there = static_cast<__mmask16>(left < 16 ? (1u << left) - 1 : 0xffff);
    const __m512i xy = interleaved(load16(x + i, there), load16(y + i, there));
    const __m128i flags = _mm_maskz_loadu_epi8(there, on + i);
    const __mmask16 lit = _mm_test_epi8_mask(flags, flags);
    const __m512i outside = _mm512_subs_epu16(xy, last);
    const __mmask16 inside = _mm512_mask_testn_epi32_mask(there, outside, outside);
    if (inside == 0xffff) {
      runs.add(xy, lit);
    } else {
      const auto kept = static_cast<unsigned>(_mm_popcnt_u32(inside));
      out_of_bounds_ += static_cast<unsigned>(_mm_popcnt_u32(there)) - kept;
      runs.add(_mm512_maskz_compress_epi32(inside, xy),
               static_cast<__mmask16>(_pext_u32(lit, inside)), kept);
    }
  }
}

SACCADE_AVX512 TimeRange time_range_avx512(const std::uint64_t* t, std::size_t n) {
  __m512i lo = _mm512_set1_epi64(-1), hi = _mm512_setzero_si512();
  for (std::size_t i = 0; i < n; i += 8) {
    const std::size_t left = n - i;
    const auto there = static_cast<__mmask8>(left < 8 ? (1u << left) - 1 : 0xff);
    const __m512i v = _mm512_maskz_loadu_epi64(there, t + i);
    lo = _mm512_mask_min_epu64(lo, there, lo, v);
    hi = _mm512_max_epu64(hi, v);
  }
  return {_mm512_reduce_min_epu64(lo), _mm512_reduce_max_epu64(hi)};
}

}  // namespace saccade

#endif
