// EVT2, eight words at a time.
#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu.hpp"
#include "evt2.hpp"
#include "slice_counter.hpp"

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

bool Evt2Decoder::counts_wide(const SliceCounter& to) const {
  return wide_ && to.counters().takes_eights();
}

namespace {

// Eight words' fields, and whether all are events inside the sensor.
struct Fields {
  __m256i x, y, on, low;  // low: of the time

  SACCADE_AVX2 bool load(const std::uint8_t* words, __m256i x_limit, __m256i y_limit) {
    const __m256i mask11 = _mm256_set1_epi32(0x7ff);
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
    x = _mm256_and_si256(_mm256_srli_epi32(w, 11), mask11);
    y = _mm256_and_si256(w, mask11);
    on = _mm256_srli_epi32(w, 28);  // the type, which of an event is its polarity
    low = _mm256_and_si256(_mm256_srli_epi32(w, 22), _mm256_set1_epi32(0x3f));
    const __m256i good = _mm256_and_si256(
        _mm256_and_si256(_mm256_cmpgt_epi32(x_limit, x), _mm256_cmpgt_epi32(y_limit, y)),
        _mm256_cmpgt_epi32(_mm256_set1_epi32(2), on));
    return _mm256_movemask_epi8(good) == -1;
  }
};

// Lowest and highest of numbers seen eight at a time.
struct Range {
  __m256i least, most;

  SACCADE_AVX2 Range() : least(_mm256_set1_epi32(0x3f)), most(_mm256_setzero_si256()) {}
  SACCADE_AVX2 void add(__m256i v) {
    least = _mm256_min_epu32(least, v);
    most = _mm256_max_epu32(most, v);
  }
  SACCADE_AVX2 std::pair<std::uint64_t, std::uint64_t> get() const {
    alignas(32) std::uint32_t lo[8], hi[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lo), least);
    _mm256_store_si256(reinterpret_cast<__m256i*>(hi), most);
    return {*std::min_element(lo, lo + 8), *std::max_element(hi, hi + 8)};
  }
};

}  // namespace

SACCADE_AVX2 std::size_t Evt2Decoder::count_wide(const std::uint8_t* words, std::size_t n_words,
                                                 SliceCounter& to) {
  if (!counts_wide(to) || !clock_.started()) return 0;
  triggers_.clear();
  Counters::Adder adder(to.counters());
  const __m256i x_limit = _mm256_set1_epi32(static_cast<int>(width_ < 2048 ? width_ : 2048));
  const __m256i y_limit = _mm256_set1_epi32(static_cast<int>(height_ < 2048 ? height_ : 2048));
  std::size_t i = 0;
  while (i < n_words) {
    const std::uint64_t time = clock_.value() << 6;
    const std::size_t first = i;
    Fields f;
    Range lows;
    while (i + 8 <= n_words && f.load(words + 4 * i, x_limit, y_limit) &&
           to.takes(time, time | 0x3f, i + 8 - first)) {
      adder.eight(f.x, f.y, f.on);
      lows.add(f.low);
      i += 8;
    }
    if (i > first) {
      const auto [lo, hi] = lows.get();
      to.took(time | lo, time | hi, i - first);
    }
    // A word that is no event inside, one near the end of the slice, or too few for the wide loop.
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
      adder.one(x, y, word >> 28);
      to.took(t, t, 1);
    }
    ++i;
  }
  return i;
}

}  // namespace saccade

#else

namespace saccade {

bool Evt2Decoder::counts_wide(const SliceCounter&) const { return false; }
std::size_t Evt2Decoder::count_wide(const std::uint8_t*, std::size_t, SliceCounter&) { return 0; }

}  // namespace saccade

#endif
