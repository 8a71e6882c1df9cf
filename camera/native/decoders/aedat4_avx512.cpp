// AEDAT4's event records counted sixteen at a time.
#include <algorithm>

#include "aedat4_records.hpp"
#include "event_runs_avx512.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86

namespace saccade {
namespace {

constexpr std::size_t kPieces = 4;  // of sixteen records, which are looked at together

// Up to kPieces times sixteen records.
struct Pieces {
  __m512i xy[kPieces];
  __mmask16 on[kPieces];
  std::uint64_t lo, hi;
  bool inside;

  SACCADE_AVX512 Pieces(const std::uint8_t* records, std::size_t n, __m512i last) {
    const __m512i upper = _mm512_setr_epi32(2, 6, 10, 14, 18, 22, 26, 30,  // x and y
                                            3, 7, 11, 15, 19, 23, 27, 31);
    __m512i least = _mm512_set1_epi64(-1), most = _mm512_setzero_si512(), outside = most;
    for (std::size_t i = 0; i < n; ++i, records += 256) {
      const __m512i a = _mm512_loadu_si512(records), b = _mm512_loadu_si512(records + 64);
      const __m512i c = _mm512_loadu_si512(records + 128), d = _mm512_loadu_si512(records + 192);
      const __m512i first = _mm512_permutex2var_epi32(a, upper, b);
      const __m512i second = _mm512_permutex2var_epi32(c, upper, d);
      xy[i] = _mm512_shuffle_i64x2(first, second, 0x44);
      on[i] = _mm512_test_epi32_mask(_mm512_shuffle_i64x2(first, second, 0xee),
                                     _mm512_set1_epi32(0xff));
      outside = _mm512_or_si512(outside, _mm512_subs_epu16(xy[i], last));
      const __m512i low = _mm512_min_epu64(_mm512_min_epu64(a, b), _mm512_min_epu64(c, d));
      const __m512i high = _mm512_max_epu64(_mm512_max_epu64(a, b), _mm512_max_epu64(c, d));
      least = _mm512_min_epu64(least, low);
      most = _mm512_max_epu64(most, high);
    }
    lo = _mm512_mask_reduce_min_epu64(0x55, least);  // times are every other number
    hi = _mm512_mask_reduce_max_epu64(0x55, most);
    inside = _mm512_test_epi32_mask(outside, outside) == 0;
  }
};

}  // namespace

SACCADE_AVX512 std::size_t count_records_avx512(const std::uint8_t* records, std::size_t n,
                                                std::uint32_t width, std::uint32_t height,
                                                SliceCounter& to) {
  if (width == 0 || height == 0) return 0;
  EventRuns runs(to.counters());
  const __m512i last = EventRuns::both(std::min(width - 1, 0xffffu), std::min(height - 1, 0xffffu));
  std::size_t i = 0, most = kPieces;
  while (n - i >= 16) {
    const std::size_t pieces = std::min(most, (n - i) / 16);
    const Pieces p(records + 16 * i, pieces, last);
    // A negative time is a very late one.
    if (!p.inside || p.hi >> 63 != 0 || !to.takes(p.lo, p.hi, 16 * pieces)) {
      if (pieces == 1) break;
      most = 1;
      continue;
    }
    for (std::size_t j = 0; j < pieces; ++j) runs.add(p.xy[j], p.on[j]);
    to.took(p.lo, p.hi, 16 * pieces);
    i += 16 * pieces;
  }
  return i;
}

}  // namespace saccade

#endif
