// EVT3, 32 words at a time, without a branch on their types.
#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu.hpp"
#include "evt3.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

namespace saccade {

constexpr std::size_t kWords = 32;
// In front of the words lie the state that they start with: a row, a lower time, a vector's base.
// 32 bytes, which keeps the words' fields aligned: a store across two lines is not forwarded.
constexpr unsigned kRow = 13, kLow = 14, kBase = 15, kFirst = 16;
constexpr std::size_t kMost = kWords * 12;  // events of one block

// One block, sorted. The places of its words' kinds are bits, and their fields are arrays.
struct alignas(32) Evt3Decoder::WideBlock {
  std::uint64_t row, single, base, vector, vector8, low;
  std::uint64_t emits;   // of words that give events
  std::uint64_t starts;  // the same, but of events in a row, within 16 words, the first one only
  alignas(32) std::uint16_t y[kFirst + kWords + 16];
  std::uint16_t low_time[kFirst + kWords + 16];
  std::uint16_t x[kFirst + kWords + 16];  // of an event or of a base
  std::uint16_t mask[kFirst + kWords + 16];
  std::uint8_t on[kFirst + kWords + 16];  // 0 or 1
};
static_assert(kFirst % 16 == 0 && kWords % 16 == 0);

namespace {

// The places of a vector's set bits, first to last: 64 KiB, of which a scene uses few lines.
struct Places {
  constexpr Places() : of() {
    for (unsigned mask = 0; mask < 4096; ++mask) {
      unsigned k = 0;
      for (unsigned bit = 0; bit < 12; ++bit) {
        if ((mask >> bit & 1) != 0) of[mask][k++] = static_cast<std::uint8_t>(bit);
      }
    }
  }
  alignas(64) std::uint8_t of[4096][16];
};
constexpr Places kPlaces;

// One bit for each of 32 comparisons of 16 bits.
SACCADE_AVX2 inline std::uint64_t bits(__m256i first, __m256i second) {
  const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi16(first, second), 0xd8);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(both));
}

SACCADE_AVX2 inline unsigned last(std::uint64_t of, unsigned up_to) {
  return 63 - static_cast<unsigned>(_lzcnt_u64(_bzhi_u64(of, up_to + 1)));
}

SACCADE_AVX2 inline __m256i is(__m256i v, int value) {
  return _mm256_cmpeq_epi16(v, _mm256_set1_epi16(static_cast<short>(value)));
}

SACCADE_AVX2 inline void put(std::uint16_t* to, __m256i v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
}

SACCADE_AVX2 inline __m128i get128(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}

SACCADE_AVX2 inline void put128(void* to, __m128i v) {
  _mm_storeu_si128(static_cast<__m128i*>(to), v);
}

SACCADE_AVX2 inline void splat(std::uint16_t* to, std::uint16_t value) {
  put(to, _mm256_set1_epi16(static_cast<short>(value)));
}

// Sorts 32 words by type; false where one needs a word-by-word look.
template <typename Block>
SACCADE_AVX2 inline bool sort(const std::uint8_t* words, std::uint32_t width, std::uint32_t height,
                              std::uint32_t high, Block& b) {
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
    put(b.y + at, x);
    put(b.x + at, x);
    put(b.low_time + at, _mm256_and_si256(w, low12));
    on[i] = _mm256_and_si256(_mm256_srli_epi16(w, 11), one);
    put(b.mask + at, mask);
  }
  if (!_mm256_testz_si256(bad, bad)) return false;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(b.on + kFirst),
                      _mm256_permute4x64_epi64(_mm256_packus_epi16(on[0], on[1]), 0xd8));
  b.row = bits(row[0], row[1]) << kFirst | 1u << kRow;
  b.low = bits(low[0], low[1]) << kFirst | 1u << kLow;
  b.base = bits(base[0], base[1]) << kFirst | 1u << kBase;
  b.single = bits(single[0], single[1]) << kFirst;
  b.vector8 = bits(v8[0], v8[1]) << kFirst;
  b.vector = bits(v12[0], v12[1]) << kFirst | b.vector8;
  b.emits = (bits(none[0], none[1]) ^ 0xffffffffu) << kFirst;
  b.starts = b.emits & (~(b.single & b.single << 1) | 0x0001000100010001u);
  // As sensors send them: a base, then up to three vectors, one of 8 bits only as the last.
  const std::uint64_t v = b.vector;
  return (v & ~((b.base | v) << 1)) == 0 && (v & b.vector8 << 1) == 0 &&
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

// What the block leaves to the next one: row, lower time, and where a vector would go on.
SACCADE_AVX2 inline void Evt3Decoder::leave(const WideBlock& b) {
  const unsigned end = kFirst + kWords - 1, base = last(b.base, end);
  packed_ = std::uint64_t{b.y[last(b.row, end)]} << 12 | std::uint64_t{b.low_time[last(b.low, end)]}
                                                             << 23;
  const std::uint32_t step = 12 * static_cast<unsigned>(_mm_popcnt_u64(b.vector >> base)) -
                             4 * static_cast<unsigned>(_mm_popcnt_u64(b.vector8 >> base));
  if (base != kBase) polarity_ = b.on[base] != 0 ? 0x800 : 0;
  if (base != kBase || step != 0) base_ = b.x[base] + step;
}

// The events of one block; their lower times go to `lows`. Every store is as wide as it can be, and
// what is too much is overwritten by the next one.
SACCADE_AVX2 inline std::size_t Evt3Decoder::expand(const WideBlock& b, std::uint16_t* lows,
                                                    const EventColumns& out) {
  const std::uint64_t origins = b.base | b.single;
  std::uint16_t* const x = out.x.get() + out.size;
  std::uint16_t* const y = out.y.get() + out.size;
  bool* const on = out.on.get() + out.size;
  std::size_t k = 0;
  for (std::uint64_t left = b.starts; left != 0; left = _blsr_u64(left)) {
    const auto at = static_cast<unsigned>(_tzcnt_u64(left));
    // Events in a row up to a multiple of 16 words; 0 for a vector, which is expanded instead.
    const auto run = static_cast<unsigned>(_tzcnt_u64(~(b.single >> at) | 0x10000u >> (at % 16)));
    const unsigned origin = last(origins, at);
    const unsigned from = b.x[origin] + 12 * (at - origin - 1);  // of a vector
    unsigned mask = b.mask[at] & ((run - 1) >> 16);              // none for events
    if (from + 12 > width_) {  // not for events, whose x is known to be inside
      const unsigned inside = from < width_ ? mask & ((1u << (width_ - from)) - 1) : 0;
      counters_.out_of_bounds += static_cast<unsigned>(_mm_popcnt_u32(mask & ~inside));
      mask = inside;
    }
    const __m256i start = _mm256_set1_epi16(static_cast<short>(from));
    const __m256i x0 = _mm256_add_epi16(_mm256_cvtepu8_epi16(get128(kPlaces.of[mask])), start);
    const __m256i is_run = _mm256_set1_epi8(static_cast<char>(-(run != 0)));
    const __m128i one_on = _mm_set1_epi8(static_cast<char>(b.on[origin]));
    put(x + k, _mm256_blendv_epi8(
                   x0, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b.x + at)), is_run));
    splat(y + k, b.y[last(b.row, at)]);
    splat(lows + k, b.low_time[last(b.low, at)]);
    put128(on + k, _mm_blendv_epi8(one_on, get128(b.on + at), _mm256_castsi256_si128(is_run)));
    k += run + static_cast<unsigned>(_mm_popcnt_u32(mask));
  }
  return k;
}

// A block with the state that it starts with; false where it needs a look at each word.
SACCADE_AVX2 inline bool Evt3Decoder::begin(const std::uint8_t* words, WideBlock& b) const {
  const auto high = static_cast<std::uint32_t>(clock_.value() & 0xfff);
  if (!sort(words, width_, height_, high, b)) return false;
  if (base_ > 0x7ff && (b.vector >> kFirst & 1) != 0) return false;  // it runs on outside
  b.y[kRow] = static_cast<std::uint16_t>((packed_ >> 12) & 0x7ff);
  b.low_time[kLow] = static_cast<std::uint16_t>((packed_ >> 23) & 0xfff);
  b.x[kBase] = static_cast<std::uint16_t>(base_);
  b.on[kBase] = polarity_ != 0;
  return true;
}

SACCADE_AVX2 std::size_t Evt3Decoder::wide(const std::uint8_t* words, std::size_t n_words,
                                           EventColumns& out) {
  alignas(32) std::uint16_t lows[kMost + 16];
  WideBlock b;
  std::size_t i = 0;
  const __m256i time = _mm256_set1_epi64x(static_cast<long long>(clock_.value() << 12));
  for (; i + kWords <= n_words; i += kWords) {
    if (!begin(words + 2 * i, b)) break;
    const std::size_t k = expand(b, lows, out);
    std::uint64_t* const t = out.t.get() + out.size;
    for (std::size_t j = 0; j < k; j += 4) {
      const __m256i low =
          _mm256_cvtepu16_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(lows + j)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(t + j), _mm256_or_si256(low, time));
    }
    out.size += k;
    leave(b);
  }
  return i;
}

namespace {

// First and last lower time that an event of the block has.
SACCADE_AVX2 inline std::pair<unsigned, unsigned> times_of(std::uint64_t emits, std::uint64_t low,
                                                           const std::uint16_t* low_time) {
  unsigned lo = 0xfff, hi = 0;
  for (std::uint64_t left = emits; left != 0;) {
    const auto at = static_cast<unsigned>(_tzcnt_u64(left));
    const unsigned t = low_time[last(low, at)];
    lo = std::min(lo, t);
    hi = std::max(hi, t);
    const auto next = static_cast<unsigned>(_tzcnt_u64(low >> at >> 1));  // 64: none follows
    if (next >= 63 - at) break;
    left &= ~std::uint64_t{0} << (at + next + 1);
  }
  return {lo, hi};
}

}  // namespace

// What is to be added to the counters: of many blocks, since a loop over few of them ends with a
// mispredicted branch each time.
template <bool kScaled>
struct Additions {
  static constexpr std::size_t kRoom = 1024;

  explicit Additions(Counters& counters) : adder(counters) {}
  SACCADE_AVX2 ~Additions() { flush(); }

  SACCADE_AVX2 void flush() {
    for (std::size_t i = 0; i < n_vectors; ++i) adder.vector_at<kScaled>(at[i], x[i], mask[i]);
    for (std::size_t i = 0; i < n_events; ++i) adder.one_at(event_at[i]);
    n_vectors = n_events = 0;
  }
  SACCADE_AVX2 void make_room() {
    if (n_vectors + kWords > kRoom || n_events + kWords > kRoom) flush();
  }

  Counters::Adder adder;
  std::size_t n_vectors = 0, n_events = 0;
  std::uint32_t at[kRoom], x[kRoom], mask[kRoom], event_at[kRoom];
};

// Where what the block gives is to be added, behind what `to` holds; false where some is outside.
// `n` becomes the number of events, and of vectors.
template <bool kScaled>
SACCADE_AVX2 inline bool Evt3Decoder::place(const WideBlock& b, Additions<kScaled>& to,
                                            std::size_t& n_events, std::size_t& n_vectors) const {
  std::uint64_t outside = 0;
  std::size_t k = to.n_vectors, n = 0;
  for (std::uint64_t left = b.base & b.vector >> 1; left != 0; left = _blsr_u64(left)) {
    const auto base = static_cast<unsigned>(_tzcnt_u64(left));
    const auto run = static_cast<unsigned>(_tzcnt_u64(~(b.vector >> base >> 1)));  // 1 to 3
    std::uint64_t words;
    std::memcpy(&words, b.mask + base + 1, sizeof words);
    const std::uint64_t mask =
        _bzhi_u64((words & 0xfff) | (words >> 4 & 0xfff000) | (words >> 8 & 0xfff000000), 12 * run);
    const unsigned inside = b.x[base] < width_ ? width_ - b.x[base] : 0;
    outside |= mask >> std::min(inside, 63u);
    const unsigned x = std::min<unsigned>(b.x[base], width_ - 1);
    to.x[k] = x;
    to.at[k] = to.adder.place(x, b.y[last(b.row, base)], b.on[base]);
    to.mask[k] = static_cast<std::uint32_t>(mask);
    ++k;
    n += static_cast<unsigned>(_mm_popcnt_u64(mask));
    if (mask >> 32 != 0 && inside > 32) {  // three vectors of 12
      to.x[k] = x + 32;
      to.at[k] = to.adder.place(x + 32, b.y[last(b.row, base)], b.on[base]);
      to.mask[k] = static_cast<std::uint32_t>(mask >> 32);
      ++k;
    }
  }
  std::size_t j = to.n_events;
  for (std::uint64_t left = b.single; left != 0; left = _blsr_u64(left)) {
    const auto at = static_cast<unsigned>(_tzcnt_u64(left));
    to.event_at[j++] = to.adder.place(b.x[at], b.y[last(b.row, at)], b.on[at]);
  }
  n_vectors = k - to.n_vectors;
  n_events = n + (j - to.n_events);
  return outside == 0;
}

// As wide(), but what a base and its vectors hold is added to the counters as one vector.
template <bool kScaled>
SACCADE_AVX2 std::size_t Evt3Decoder::count_blocks(const std::uint8_t* words, std::size_t n_words,
                                                   SliceCounter& to) {
  Additions<kScaled> additions(to.counters());
  WideBlock b;
  std::size_t i = 0;
  const std::uint64_t time = clock_.value() << 12;
  for (; i + kWords <= n_words; i += kWords) {
    if (!begin(words + 2 * i, b)) break;
    std::size_t n, n_vectors;
    additions.make_room();
    if (!place(b, additions, n, n_vectors)) break;  // what is dropped has no time
    if (n != 0) {
      const auto [lo, hi] = times_of(b.emits, b.low, b.low_time);
      if (!to.takes(time | lo, time | hi, n)) break;
      to.took(time | lo, time | hi, n);
    }
    additions.n_vectors += n_vectors;
    additions.n_events += static_cast<unsigned>(_mm_popcnt_u64(b.single));
    leave(b);
  }
  return i;
}

bool Evt3Decoder::counts_wide(const SliceCounter& to) const {
  return wide_ && to.counters().takes_vectors();
}

std::size_t Evt3Decoder::count_wide(const std::uint8_t* words, std::size_t n_words,
                                    SliceCounter& to) {
  if (!counts_wide(to) || x_limit_ == 0) return 0;
  if (wide512_) return count_wide512(words, n_words, to);
  return to.counters().scaled() ? count_blocks<true>(words, n_words, to)
                                : count_blocks<false>(words, n_words, to);
}

}  // namespace saccade

#endif
