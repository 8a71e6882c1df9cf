// EVT2 counted sixteen words at a time.
#include <algorithm>
#include <cstring>

#include "cpu.hpp"
#include "event_runs_avx512.hpp"
#include "evt2.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86

namespace saccade {
namespace {

// Sixteen words' fields.
struct Fields {
  __m512i xy, low;       // x and y in a half of each; the time's six bits above others
  __mmask16 on, events;  // events: inside the sensor

  SACCADE_AVX512 Fields(const std::uint8_t* words, __mmask16 there, __m512i last) {
    // The bit from which each byte of two words' x and y is read.
    const __m512i from = _mm512_set1_epi64(0x2820332b0800130b);
    const __m512i w = _mm512_maskz_loadu_epi32(there, words);
    xy = _mm512_and_si512(_mm512_multishift_epi64_epi8(from, w), EventRuns::both(0x7ff, 0x7ff));
    low = _mm512_slli_epi32(w, 4);
    on = _mm512_test_epi32_mask(w, _mm512_set1_epi32(1 << 28));
    const __m512i outside = _mm512_subs_epu16(xy, last);
    events = _mm512_mask_cmplt_epu32_mask(_mm512_mask_testn_epi32_mask(there, outside, outside), w,
                                          _mm512_set1_epi32(kEventsBelow));
  }
};

}  // namespace

SACCADE_AVX512 std::size_t Evt2Decoder::count_avx512(const std::uint8_t* words, std::size_t n_words,
                                                     SliceCounter& to) {
  EventRuns runs(to.counters());
  const __m512i last = EventRuns::both(std::min(width_, 2048u) - 1, std::min(height_, 2048u) - 1);
  std::size_t i = 0;
  while (i < n_words) {
    const std::uint64_t time = clock_.value() << 6, most_events = to.most(time, time | 0x3f);
    __m512i least = _mm512_set1_epi32(-1), most = _mm512_setzero_si512();
    std::uint64_t n = 0;
    while (i < n_words) {
      const std::size_t left = n_words - i;
      const auto there = static_cast<__mmask16>(left < 16 ? (1u << left) - 1 : 0xffff);
      const Fields f(words + 4 * i, there, last);
      // A branch, so that the next words need not wait for what these are.
      if (f.events == 0xffff && n + 16 <= most_events) {
        least = _mm512_min_epu32(least, f.low);
        most = _mm512_max_epu32(most, f.low);
        runs.add(f.xy, f.on);
        n += 16;
        i += 16;
        continue;
      }
      const auto m = static_cast<unsigned>(__builtin_ctz(~unsigned{f.events}));
      const auto taken = static_cast<__mmask16>((1u << m) - 1);
      if (m == 0) break;
      if (n + m > most_events) {  // the slice ends within these 64 us
        const std::uint64_t lo = time | _mm512_mask_reduce_min_epu32(taken, f.low) >> 26;
        const std::uint64_t hi = time | _mm512_mask_reduce_max_epu32(taken, f.low) >> 26;
        if (!to.takes(lo, hi, n + m)) break;
      }
      least = _mm512_mask_min_epu32(least, taken, least, f.low);
      most = _mm512_mask_max_epu32(most, taken, most, f.low);
      n += m;
      i += m;
      if (m < 16) {
        runs.add(f.xy, f.on, m);
        break;
      }
      runs.add(f.xy, f.on);
    }
    if (n > 0) {
      to.took(time | _mm512_reduce_min_epu32(least) >> 26,
              time | _mm512_reduce_max_epu32(most) >> 26, n);
    }
    // A word that is no event inside, or one near the end of the slice.
    if (i == n_words) break;
    std::uint32_t word;
    std::memcpy(&word, words + 4 * i, 4);
    const std::uint32_t x = (word >> 11) & 0x7ff, y = word & 0x7ff;
    if (word >= kEventsBelow) {
      other_head(word);
    } else if (x >= width_ || y >= height_) {
      ++out_of_bounds_;
    } else {
      const std::uint64_t t = time | ((word >> 22) & 0x3f);
      if (!to.takes(t, t, 1)) break;
      runs.adder().one(x, y, word >> 28);
      to.took(t, t, 1);
    }
    ++i;
  }
  return i;
}

}  // namespace saccade

#endif
