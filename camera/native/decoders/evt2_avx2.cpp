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

namespace {

// What the fields of events must be below: x and y have 11 bits.
struct Limits {
  __m256i x, y;

  SACCADE_AVX2 Limits(std::uint32_t width, std::uint32_t height)
      : x(_mm256_set1_epi32(static_cast<int>(std::min(width, 2048u)))),
        y(_mm256_set1_epi32(static_cast<int>(std::min(height, 2048u)))) {}
};

// Eight words' fields.
struct Fields {
  __m256i x, y, type, low;  // type: of an event its polarity; low: of the time

  SACCADE_AVX2 explicit Fields(const std::uint8_t* words) {
    const __m256i mask11 = _mm256_set1_epi32(0x7ff);
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
    x = _mm256_and_si256(_mm256_srli_epi32(w, 11), mask11);
    y = _mm256_and_si256(w, mask11);
    type = _mm256_srli_epi32(w, 28);
    low = _mm256_and_si256(_mm256_srli_epi32(w, 22), _mm256_set1_epi32(0x3f));
  }

  // A bit for each that is an event inside the sensor.
  SACCADE_AVX2 unsigned events(const Limits& limits) const {
    const __m256i inside =
        _mm256_and_si256(_mm256_cmpgt_epi32(limits.x, x), _mm256_cmpgt_epi32(limits.y, y));
    const __m256i event = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), type);
    return static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_and_si256(inside, event))));
  }
};
constexpr unsigned kAll = 0xff;

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

// Stores eight events and keeps those before the first word that is no event inside the sensor.
SACCADE_AVX2 std::size_t Evt2Decoder::wide(const std::uint8_t* words, std::size_t n_words,
                                           EventColumns& out) const {
  const Limits limits(width_, height_);
  const __m256i bytes =
      _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                       0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i time = _mm256_set1_epi64x(static_cast<long long>(clock_.value() << 6));
  std::size_t i = 0, k = out.size;
  for (; i + 8 <= n_words; i += 8, k += 8) {
    const Fields f(words + 4 * i);
    const __m256i t0 = _mm256_cvtepu32_epi64(_mm256_castsi256_si128(f.low));
    const __m256i t1 = _mm256_cvtepu32_epi64(_mm256_extracti128_si256(f.low, 1));
    const __m256i xy = _mm256_permute4x64_epi64(_mm256_packus_epi32(f.x, f.y), 0xd8);
    const __m256i on = _mm256_shuffle_epi8(f.type, bytes);
    auto* t = reinterpret_cast<__m256i*>(out.t.get() + k);
    _mm256_storeu_si256(t, _mm256_or_si256(t0, time));
    _mm256_storeu_si256(t + 1, _mm256_or_si256(t1, time));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.x.get() + k), _mm256_castsi256_si128(xy));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.y.get() + k), _mm256_extracti128_si256(xy, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out.on.get() + k),
                     _mm_or_si128(_mm256_castsi256_si128(on), _mm256_extracti128_si256(on, 1)));
    const unsigned good = f.events(limits);
    if (good != kAll) {
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

std::size_t Evt2Decoder::count_wide(const std::uint8_t* words, std::size_t n_words,
                                    SliceCounter& to) {
  if (!counts_wide(to) || !clock_.started()) return 0;
  triggers_.clear();
  const bool sixteens = avx512_ && width_ > 0 && height_ > 0 && to.counters().takes_sixteens();
  return sixteens ? count_avx512(words, n_words, to) : count_eights(words, n_words, to);
}

SACCADE_AVX2 std::size_t Evt2Decoder::count_eights(const std::uint8_t* words, std::size_t n_words,
                                                   SliceCounter& to) {
  Counters::Adder adder(to.counters());
  const Limits limits(width_, height_);
  std::size_t i = 0;
  while (i < n_words) {
    const std::uint64_t time = clock_.value() << 6;
    const std::size_t first = i;
    Range lows;
    for (; i + 8 <= n_words; i += 8) {
      const Fields f(words + 4 * i);
      if (f.events(limits) != kAll || !to.takes(time, time | 0x3f, i + 8 - first)) break;
      adder.eight(f.x, f.y, f.type);
      lows.add(f.low);
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

#endif
