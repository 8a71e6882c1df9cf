// DAT counted sixteen records at a time.
#include <cstring>

#include "dat.hpp"
#include "event_runs_avx512.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86

namespace saccade {

// As run_good(), and as far as all belongs to the slice.
SACCADE_AVX512 std::size_t DatDecoder::count_avx512(const std::uint8_t* records, std::size_t n,
                                                    SliceCounter& to) {
  EventRuns runs(to.counters());
  const bool old = version_ == 1;
  // The bit from which each byte of two words' x and y is read.
  const __m512i from = _mm512_set1_epi64(old ? 0x3129282011090800 : 0x362e2820160e0800);
  const __m512i bits = old ? EventRuns::both(0x1ff, 0xff) : EventRuns::both(0x3fff, 0x3fff);
  const __m512i sign = _mm512_set1_epi32(old ? 1 << 17 : 1 << 28);
  const __m512i last = EventRuns::both(width_ - 1, height_ - 1);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  const std::uint64_t epoch = time_ >> 32 << 32;
  const auto first = static_cast<std::uint32_t>(time_);
  std::uint32_t newest = first;
  __m512i before = _mm512_set1_epi32(static_cast<int>(first));
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m512i a = _mm512_loadu_si512(records + kWord * i);
    const __m512i b = _mm512_loadu_si512(records + kWord * i + 64);
    const __m512i t = _mm512_permutex2var_epi32(a, even, b);
    const __m512i w = _mm512_permutex2var_epi32(a, odd, b);
    const __m512i xy = _mm512_and_si512(_mm512_multishift_epi64_epi8(from, w), bits);
    const __m512i outside = _mm512_subs_epu16(xy, last);
    const __mmask16 bad = _mm512_test_epi32_mask(outside, outside) |
                          _mm512_cmplt_epu32_mask(t, _mm512_alignr_epi32(t, before, 15));
    std::uint32_t lo, hi;
    std::memcpy(&lo, records + kWord * i, 4);
    std::memcpy(&hi, records + kWord * (i + 15), 4);
    if (bad != 0 || hi - first >= kRise || !to.takes(epoch | lo, epoch | hi, 16)) break;
    to.took(epoch | lo, epoch | hi, 16);
    runs.add(xy, _mm512_test_epi32_mask(w, sign));
    before = t;
    newest = hi;
  }
  if (i > 0) {
    clock_.advance(newest >> kLowBits);
    time_ = epoch | newest;
  }
  return i;
}

}  // namespace saccade

#endif
