// EVT3, 32 words at a time, without a branch on their types.
#include <algorithm>

#include "cpu.hpp"
#include "evt3.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

namespace saccade {
namespace {

constexpr std::size_t kWords = 32;
// In front of the words lie the state that they start with: a row, a lower time, a vector's base.
// 32 bytes, which keeps the words' fields aligned: a store across two lines is not forwarded.
constexpr unsigned kRow = 13, kLow = 14, kBase = 15, kFirst = 16;
constexpr std::size_t kMost = kWords * 12;  // events of one block

// The places of a byte's set bits, first to last: x of the events of eight mask bits.
struct Places {
  constexpr Places() : of() {
    for (unsigned byte = 0; byte < 256; ++byte) {
      unsigned k = 0;
      for (unsigned bit = 0; bit < 8; ++bit) {
        if ((byte >> bit & 1) != 0) of[byte][k++] = static_cast<std::uint8_t>(bit);
      }
    }
  }
  std::uint8_t of[256][8];
};
constexpr Places kPlaces;

// One bit for each of 32 comparisons of 16 bits.
SACCADE_AVX2 inline std::uint64_t bits(__m256i first, __m256i second) {
  const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi16(first, second), 0xd8);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(both));
}

// Which words are of which type, from bit kFirst on.
struct Kinds {
  std::uint64_t row, single, base, vector, vector8, low;
  std::uint64_t starts;  // of what gives events: each vector, each run of events within eight words
};

struct alignas(32) Fields {
  std::uint16_t row[kFirst + kWords + 16];  // y
  std::uint16_t low[kFirst + kWords + 16];  // lower time
  std::uint16_t x[kFirst + kWords + 16];    // of an event or of a base
  std::uint8_t on[kFirst + kWords + 16];    // 0 or 1
  std::uint16_t mask[kFirst + kWords + 16];
};
static_assert(kFirst % 16 == 0 && kWords % 16 == 0);

SACCADE_AVX2 inline unsigned last(std::uint64_t of, unsigned up_to) {
  return 63 - static_cast<unsigned>(_lzcnt_u64(_bzhi_u64(of, up_to + 1)));
}

SACCADE_AVX2 inline __m256i is(__m256i v, int value) {
  return _mm256_cmpeq_epi16(v, _mm256_set1_epi16(static_cast<short>(value)));
}

SACCADE_AVX2 inline void put(std::uint16_t* to, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
}

SACCADE_AVX2 inline void splat(std::uint16_t* to, std::uint16_t value) {
  put(to, _mm256_set1_epi16(static_cast<short>(value)));
}

// Sorts 32 words by type; false where one needs a word-by-word look.
SACCADE_AVX2 bool sort(const std::uint8_t* words, std::uint32_t width, std::uint32_t height,
                       std::uint32_t high, Fields& f, Kinds& kinds) {
  const __m256i low11 = _mm256_set1_epi16(0x7ff), low12 = _mm256_set1_epi16(0xfff);
  const __m256i low8 = _mm256_set1_epi16(0xff), one = _mm256_set1_epi16(1);
  const __m256i below = _mm256_set1_epi16(static_cast<short>(height));
  const __m256i right = _mm256_set1_epi16(static_cast<short>(width));
  __m256i row[2], single[2], base[2], v12[2], v8[2], low[2], none[2], on[2],
      bad = _mm256_setzero_si256();
  for (std::size_t i = 0; i < 2; ++i) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words) + i);
    const __m256i type = _mm256_srli_epi16(w, 12), x = _mm256_and_si256(w, low11);
    row[i] = is(type, 0x0);
    single[i] = is(type, 0x2);
    base[i] = is(type, 0x3);
    v12[i] = is(type, 0x4);
    v8[i] = is(type, 0x5);
    low[i] = is(type, 0x6);
    const __m256i same_high = is(w, static_cast<int>(0x8000 | high));
    const __m256i known = _mm256_or_si256(
        _mm256_or_si256(
            _mm256_or_si256(
                _mm256_and_si256(row[i], _mm256_cmpgt_epi16(below, x)),
                _mm256_or_si256(_mm256_and_si256(single[i], _mm256_cmpgt_epi16(right, x)),
                                base[i])),
            _mm256_or_si256(v12[i], v8[i])),
        _mm256_or_si256(low[i], same_high));
    bad = _mm256_or_si256(bad, is(known, 0));
    const __m256i mask =
        _mm256_or_si256(_mm256_or_si256(_mm256_and_si256(_mm256_and_si256(w, low12), v12[i]),
                                        _mm256_and_si256(_mm256_and_si256(w, low8), v8[i])),
                        _mm256_and_si256(single[i], one));
    none[i] = is(mask, 0);
    const std::size_t at = kFirst + 16 * i;
    put(f.row + at, x);
    put(f.x + at, x);
    put(f.low + at, _mm256_and_si256(w, low12));
    on[i] = _mm256_and_si256(_mm256_srli_epi16(w, 11), one);
    put(f.mask + at, mask);
  }
  if (!_mm256_testz_si256(bad, bad)) return false;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(f.on + kFirst),
                      _mm256_permute4x64_epi64(_mm256_packus_epi16(on[0], on[1]), 0xd8));
  kinds.row = bits(row[0], row[1]) << kFirst | 1u << kRow;
  kinds.low = bits(low[0], low[1]) << kFirst | 1u << kLow;
  kinds.base = bits(base[0], base[1]) << kFirst | 1u << kBase;
  kinds.single = bits(single[0], single[1]) << kFirst;
  kinds.vector8 = bits(v8[0], v8[1]) << kFirst;
  kinds.vector = bits(v12[0], v12[1]) << kFirst | kinds.vector8;
  const std::uint64_t emits = (bits(none[0], none[1]) ^ 0xffffffffu) << kFirst;
  kinds.starts = emits & (~(kinds.single & kinds.single << 1) | 0x0101010101010101u);
  // As sensors send them: a base, then up to three vectors, one of 8 bits only as the last.
  const std::uint64_t v = kinds.vector;
  return (v & ~((kinds.base | v) << 1)) == 0 && (v & kinds.vector8 << 1) == 0 &&
         (v & v << 1 & v << 2 & v << 3) == 0;
}

}  // namespace

SACCADE_AVX2 std::size_t Evt3Decoder::count_wide(const std::uint8_t* words, std::size_t n_words) {
  const __m256i low12 = _mm256_set1_epi16(0xfff), low8 = _mm256_set1_epi16(0xff);
  const __m256i one = _mm256_set1_epi16(1), nibble = _mm256_set1_epi8(0xf);
  const __m256i ones =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i + 16 <= n_words; i += 16) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 2 * i));
    const __m256i type = _mm256_srli_epi16(w, 12);
    const __m256i mask =
        _mm256_or_si256(_mm256_or_si256(_mm256_and_si256(_mm256_and_si256(w, low12), is(type, 4)),
                                        _mm256_and_si256(_mm256_and_si256(w, low8), is(type, 5))),
                        _mm256_and_si256(is(type, 2), one));
    const __m256i low = _mm256_shuffle_epi8(ones, _mm256_and_si256(mask, nibble));
    const __m256i high =
        _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(mask, 4), nibble));
    sum =
        _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256()));
  }
  alignas(32) std::uint64_t parts[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(parts), sum);
  return parts[0] + parts[1] + parts[2] + parts[3];
}

// Decodes whole blocks of 32 words up to the first that needs a look at each word; returns the
// words taken. Time and row must be known, and the row inside the sensor.
SACCADE_AVX2 std::size_t Evt3Decoder::wide(const std::uint8_t* words, std::size_t n_words,
                                           EventColumns& out) {
  alignas(32) std::uint16_t lows[kMost + 16];
  Fields f;
  Kinds kinds;
  std::size_t i = 0;
  const auto high = static_cast<std::uint32_t>(clock_.value() & 0xfff);
  const __m256i time = _mm256_set1_epi64x(static_cast<long long>(clock_.value() << 12));
  for (; i + kWords <= n_words; i += kWords) {
    if (!sort(words + 2 * i, width_, height_, high, f, kinds)) break;
    if (base_ > 0x7ff && (kinds.vector >> kFirst & 1) != 0) break;  // it runs on outside
    f.row[kRow] = static_cast<std::uint16_t>((packed_ >> 12) & 0x7ff);
    f.low[kLow] = static_cast<std::uint16_t>((packed_ >> 23) & 0xfff);
    f.x[kBase] = static_cast<std::uint16_t>(base_);
    f.on[kBase] = polarity_ != 0;
    const std::uint64_t origins = kinds.base | kinds.single;
    std::uint16_t* const x = out.x.get() + out.size;
    std::uint16_t* const y = out.y.get() + out.size;
    bool* const on = out.on.get() + out.size;
    std::size_t k = 0;
    for (std::uint64_t left = kinds.starts; left != 0; left = _blsr_u64(left)) {
      const auto at = static_cast<unsigned>(_tzcnt_u64(left));
      // Events in a row up to a multiple of eight words; 0 for a vector, which is expanded instead.
      const auto run =
          static_cast<unsigned>(_tzcnt_u64(~(kinds.single >> at) | 0x100u >> (at % 8)));
      const unsigned origin = last(origins, at);
      const unsigned from = f.x[origin] + 12 * (at - origin - 1);  // of a vector
      unsigned mask = f.mask[at] & ((run - 1) >> 16);              // none for events
      if (from + 12 > width_) {  // not for events, whose x is known to be inside
        const unsigned inside = from < width_ ? mask & ((1u << (width_ - from)) - 1) : 0;
        counters_.out_of_bounds += static_cast<unsigned>(_mm_popcnt_u32(mask & ~inside));
        mask = inside;
      }
      const auto first = run + static_cast<unsigned>(_mm_popcnt_u32(mask & 0xff));
      const __m128i start = _mm_set1_epi16(static_cast<short>(from));
      const auto* low8 = reinterpret_cast<const __m128i*>(kPlaces.of[mask & 0xff]);
      const auto* high4 = reinterpret_cast<const __m128i*>(kPlaces.of[mask >> 8]);
      const __m128i x0 = _mm_add_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64(low8)), start);
      const __m128i x1 = _mm_add_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64(high4)),
                                       _mm_add_epi16(start, _mm_set1_epi16(8)));
      const __m128i is_run = _mm_set1_epi8(static_cast<char>(-(run != 0)));
      const auto* xs = reinterpret_cast<const __m128i*>(f.x + at);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(x + k),
                       _mm_blendv_epi8(x0, _mm_loadu_si128(xs), is_run));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(x + k + first), x1);
      splat(y + k, f.row[last(kinds.row, at)]);
      splat(lows + k, f.low[last(kinds.low, at)]);
      const __m128i ons = _mm_loadu_si128(reinterpret_cast<const __m128i*>(f.on + at));
      _mm_storeu_si128(
          reinterpret_cast<__m128i*>(on + k),
          _mm_blendv_epi8(_mm_set1_epi8(static_cast<char>(f.on[origin])), ons, is_run));
      k += first + static_cast<unsigned>(_mm_popcnt_u32(mask >> 8));
    }
    std::uint64_t* const t = out.t.get() + out.size;
    for (std::size_t j = 0; j < k; j += 4) {
      const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(lows + j));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(t + j),
                          _mm256_or_si256(_mm256_cvtepu16_epi64(low), time));
    }
    out.size += k;
    const unsigned end = kFirst + kWords - 1, base = last(kinds.base, end);
    packed_ = std::uint64_t{f.row[last(kinds.row, end)]} << 12 |
              std::uint64_t{f.low[last(kinds.low, end)]} << 23;
    const std::uint32_t step = 12 * static_cast<unsigned>(_mm_popcnt_u64(kinds.vector >> base)) -
                               4 * static_cast<unsigned>(_mm_popcnt_u64(kinds.vector8 >> base));
    if (base != kBase) polarity_ = f.on[base] != 0 ? 0x800 : 0;
    if (base != kBase || step != 0) base_ = f.x[base] + step;
  }
  return i;
}

}  // namespace saccade

#endif
