// EVT3 with AVX-512, 64 words at a time: the places of each type are bits, and what a base and its
// vectors hold is one mask.
#include <algorithm>
#include <cstring>

#include "cpu.hpp"
#include "evt3.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86
#include "group_avx512.hpp"

namespace saccade {
namespace {

constexpr std::size_t kWords = 64;
struct Lanes {  // 0 to 63
  constexpr Lanes() : of() {
    for (unsigned i = 0; i < 64; ++i) of[i] = static_cast<std::uint8_t>(i);
  }
  alignas(64) std::uint8_t of[64];
};

SACCADE_AVX512 inline std::uint64_t joined(__mmask32 first, __mmask32 second) {
  return first | static_cast<std::uint64_t>(second) << 32;
}

// The last of these places up to `at`; -1 where there is none.
SACCADE_AVX512 inline std::ptrdiff_t last(std::uint64_t of, unsigned at) {
  return 63 - static_cast<std::ptrdiff_t>(_lzcnt_u64(_bzhi_u64(of, at + 1)));
}

SACCADE_AVX512 inline std::uint32_t load16(const std::uint8_t* words, std::size_t i) {
  std::uint16_t word;
  std::memcpy(&word, words + 2 * i, sizeof word);
  return word;
}

}  // namespace

// The places of 64 words' types, as bits.
struct Evt3Decoder::Sorted {
  std::uint64_t row, single, base, vector12, vector8, low;

  // Sorts the words; false where one needs a look of its own, or a base is not followed by what
  // sensors send: vectors of 12, 12 and 8 bits. Those of the last base may lie behind the block.
  SACCADE_AVX512 bool sort(__m512i a, __m512i b, std::uint32_t width, std::uint32_t height,
                           std::uint32_t high) {
    const __m512i type_a = _mm512_srli_epi16(a, 12), type_b = _mm512_srli_epi16(b, 12);
    const __m512i low11 = _mm512_set1_epi16(0x7ff);
    const __m512i x_a = _mm512_and_si512(a, low11), x_b = _mm512_and_si512(b, low11);
    row = equal(type_a, type_b, 0x0);
    single = equal(type_a, type_b, 0x2);
    base = equal(type_a, type_b, 0x3);
    vector12 = equal(type_a, type_b, 0x4);
    vector8 = equal(type_a, type_b, 0x5);
    low = equal(type_a, type_b, 0x6);
    const std::uint64_t good = (row & below(x_a, x_b, height)) | (single & below(x_a, x_b, width)) |
                               base | vector12 | vector8 | low | equal(a, b, 0x8000 | high);
    return (~good | (vector12 ^ (base << 1 | base << 2)) | (vector8 ^ base << 3)) == 0;
  }

  // Leaves out all words but the first n.
  SACCADE_AVX512 void cut(unsigned n) {
    for (std::uint64_t* places : {&row, &single, &base, &low}) *places = _bzhi_u64(*places, n);
  }

 private:
  SACCADE_AVX512 static std::uint64_t equal(__m512i a, __m512i b, std::uint32_t value) {
    const __m512i wanted = _mm512_set1_epi16(static_cast<short>(value));
    return joined(_mm512_cmpeq_epi16_mask(a, wanted), _mm512_cmpeq_epi16_mask(b, wanted));
  }
  SACCADE_AVX512 static std::uint64_t below(__m512i a, __m512i b, std::uint32_t limit) {
    const __m512i most = _mm512_set1_epi16(static_cast<short>(limit));
    return joined(_mm512_cmplt_epu16_mask(a, most), _mm512_cmplt_epu16_mask(b, most));
  }
};

namespace {

SACCADE_AVX512 inline __m512i lanes() {
  alignas(64) static constexpr Lanes kLanes;
  return _mm512_load_si512(kLanes.of);
}

}  // namespace

// What a single event or a base with its vectors says, for many of them: eight are written at once.
struct Evt3Decoder::Groups {
  static constexpr std::size_t kMany = 512, kRoom = kMany + kWords + 8;

  std::size_t size = 0;
  std::uint64_t low[kRoom];   // of the time
  std::uint64_t word[kRoom];  // the base's, or the event's
  std::uint64_t row[kRoom];
  std::uint64_t mask[kRoom];
};

// A block's words, to be picked by their places.
struct Evt3Decoder::Words {
  __m512i a, b;

  // The words at these places, eight numbers of 64 bits.
  SACCADE_AVX512 __m512i at(__m512i places) const {
    return _mm512_maskz_permutex2var_epi16(0x11111111, a, places, b);
  }

  // The last words before `places` that lie at one of `of`; where there is none, `state`.
  SACCADE_AVX512 __m512i last(std::uint64_t of, __m512i places, std::uint64_t state) const {
    const __m512i up = _mm512_sllv_epi64(_mm512_set1_epi64(static_cast<long long>(of)),
                                         _mm512_sub_epi64(_mm512_set1_epi64(63), places));
    const __m512i back = _mm512_lzcnt_epi64(up);
    return _mm512_mask_mov_epi64(at(_mm512_sub_epi64(places, back)),
                                 _mm512_testn_epi64_mask(up, up),
                                 _mm512_set1_epi64(static_cast<long long>(state)));
  }
};

// A block's single events and bases, with the row and the lower time that they have.
SACCADE_AVX512 inline void Evt3Decoder::collect(const Words& w, const Sorted& s, std::uint64_t row,
                                                std::uint64_t low, Groups& to) {
  const std::uint64_t starts = s.single | s.base;
  const auto n = static_cast<std::size_t>(_mm_popcnt_u64(starts));
  alignas(64) std::uint8_t places[kWords];
  _mm512_store_si512(places, _mm512_maskz_compress_epi8(starts, lanes()));
  const __m512i low12 = _mm512_set1_epi64(0xfff), low11 = _mm512_set1_epi64(0x7ff);
  const __m512i low8 = _mm512_set1_epi64(0xff), one = _mm512_set1_epi64(1);
  for (std::size_t j = 0; j < n; j += 8) {
    const __m512i at =
        _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(places + j)));
    const __m512i second = _mm512_add_epi64(at, one), third = _mm512_add_epi64(second, one);
    const __m512i word = w.at(at);
    const __m512i vectors = _mm512_or_si512(
        _mm512_or_si512(_mm512_and_si512(w.at(second), low12),
                        _mm512_slli_epi64(_mm512_and_si512(w.at(third), low12), 12)),
        _mm512_slli_epi64(_mm512_and_si512(w.at(_mm512_add_epi64(third, one)), low8), 24));
    const __mmask8 is_base = _mm512_test_epi64_mask(word, _mm512_set1_epi64(0x1000));
    _mm512_storeu_si512(to.word + to.size + j, word);
    _mm512_storeu_si512(to.mask + to.size + j, _mm512_mask_mov_epi64(one, is_base, vectors));
    _mm512_storeu_si512(to.row + to.size + j, _mm512_and_si512(w.last(s.row, at, row), low11));
    _mm512_storeu_si512(to.low + to.size + j, _mm512_and_si512(w.last(s.low, at, low), low12));
  }
  to.size += n;
}

// Whole blocks, as far as they go and `sink` takes their groups; returns how many words.
template <typename Sink>
SACCADE_AVX512 inline std::size_t Evt3Decoder::blocks512(const std::uint8_t* words,
                                                         std::size_t n_words, Sink& sink) {
  Groups groups;
  const auto high = static_cast<std::uint32_t>(clock_.value() & 0xfff);
  std::uint64_t row = (packed_ >> 12) & 0x7ff, low = (packed_ >> 23) & 0xfff;
  std::size_t i = 0;
  while (i + kWords <= n_words) {
    const std::uint8_t* const block = words + 2 * i;
    const Words w{_mm512_loadu_si512(block), _mm512_loadu_si512(block + 64)};
    Sorted s;
    if (!s.sort(w.a, w.b, width_, height_, high)) break;
    unsigned taken = kWords;
    if (s.base >> 61 != 0) {  // its vectors lie behind
      taken = static_cast<unsigned>(last(s.base, 63));
      s.cut(taken);
    }
    const std::size_t before = groups.size;
    collect(w, s, row, low, groups);
    if (!sink.takes(groups, before)) {
      groups.size = before;
      break;
    }
    if (s.row != 0) row = load16(block, static_cast<std::size_t>(last(s.row, 63))) & 0x7ff;
    if (s.low != 0) low = load16(block, static_cast<std::size_t>(last(s.low, 63))) & 0xfff;
    if (s.base != 0) {
      const std::uint32_t base = load16(block, static_cast<std::size_t>(last(s.base, 63)));
      polarity_ = base & 0x800;
      base_ = (base & 0x7ff) + 32;
    }
    i += taken;
    if (groups.size > Groups::kMany) sink.write(groups);
  }
  sink.write(groups);
  packed_ = row << 12 | low << 23;
  return i;
}

// Groups as columns.
struct Evt3Decoder::ColumnSink {
  Evt3Decoder& decoder;
  GroupWriter writer;
  std::uint64_t time;

  bool takes(const Groups&, std::size_t) const { return true; }

  SACCADE_AVX512 void write(Groups& groups) {
    const std::uint32_t width = decoder.width_;
    GroupWriter to = writer;  // in registers
    for (std::size_t i = 0; i < groups.size; ++i) {
      const auto word = static_cast<std::uint32_t>(groups.word[i]), x = word & 0x7ff;
      auto mask = static_cast<std::uint32_t>(groups.mask[i]);
      if (x + 32 > width) mask = decoder.inside(mask, x);
      to.add(mask, x, static_cast<std::uint32_t>(groups.row[i]), word >> 11 & 1,
             time | groups.low[i]);
    }
    writer = to;
    groups.size = 0;
  }
};

SACCADE_AVX512 std::size_t Evt3Decoder::wide512(const std::uint8_t* words, std::size_t n_words,
                                                EventColumns& out) {
  ColumnSink sink{*this, GroupWriter(out), clock_.value() << 12};
  const std::size_t taken = blocks512(words, n_words, sink);
  out.size = static_cast<std::size_t>(sink.writer.x - out.x.get());
  return taken;
}

// Groups added to the counters, each as one vector or event.
template <bool kScaled>
struct Evt3Decoder::CountSink {
  SliceCounter& to;
  Counters::Adder adder;
  std::uint32_t width;
  std::uint64_t time;

  // Whether all lie inside, for what is dropped has no time, and belong to this slice.
  SACCADE_AVX512 bool takes(const Groups& groups, std::size_t from) {
    const __m512i all = _mm512_set1_epi64(width), low11 = _mm512_set1_epi64(0x7ff);
    __m512i n = _mm512_setzero_si512(), most = n, outside = n, least = _mm512_set1_epi64(0xfff);
    for (std::size_t j = from; j < groups.size; j += 8) {
      const std::size_t left = groups.size - j;
      const auto valid = static_cast<__mmask8>(left < 8 ? (1u << left) - 1 : 0xff);
      const __m512i mask = _mm512_maskz_loadu_epi64(valid, groups.mask + j);
      const __m512i x = _mm512_and_si512(_mm512_loadu_si512(groups.word + j), low11);
      const __m512i room = _mm512_max_epi64(_mm512_sub_epi64(all, x), _mm512_setzero_si512());
      const __m512i low = _mm512_loadu_si512(groups.low + j);
      const __mmask8 any = _mm512_test_epi64_mask(mask, mask);
      outside = _mm512_or_si512(outside, _mm512_srlv_epi64(mask, room));
      n = _mm512_add_epi64(n, _mm512_popcnt_epi64(mask));
      least = _mm512_mask_min_epu64(least, any, least, low);
      most = _mm512_mask_max_epu64(most, any, most, low);
    }
    if (_mm512_test_epi64_mask(outside, outside) != 0) return false;
    const auto events = static_cast<std::uint64_t>(_mm512_reduce_add_epi64(n));
    if (events == 0) return true;
    const std::uint64_t lo = time | _mm512_reduce_min_epu64(least);
    const std::uint64_t hi = time | _mm512_reduce_max_epu64(most);
    if (!to.takes(lo, hi, events)) return false;
    to.took(lo, hi, events);
    return true;
  }

  SACCADE_AVX512 static void put(std::uint32_t* to, __m256i v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
  }

  SACCADE_AVX512 void write(Groups& groups) {
    // Single events by themselves: each is one counter of the 32 that a vector reads and writes.
    alignas(32) std::uint32_t at[8], singles[Groups::kRoom], vectors[Groups::kRoom];
    std::size_t n_singles = 0, n_vectors = 0;
    const __m512i low11 = _mm512_set1_epi64(0x7ff), one = _mm512_set1_epi64(1);
    const __m512i most = _mm512_set1_epi64(width - 1);  // an empty one may lie outside
    for (std::size_t i = 0; i < groups.size; i += 8) {
      const auto n = static_cast<unsigned>(std::min<std::size_t>(8, groups.size - i));
      const __m512i word = _mm512_loadu_si512(groups.word + i);
      const __m512i mask = _mm512_loadu_si512(groups.mask + i);
      const __m512i x = _mm512_min_epu64(_mm512_and_si512(word, low11), most);
      adder.places512(x, _mm512_loadu_si512(groups.row + i),
                      _mm512_and_si512(_mm512_srli_epi64(word, 11), one), n, at);
      const __m256i place = _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
      const auto valid = static_cast<__mmask8>((1u << n) - 1);
      const __mmask8 single = _mm512_mask_cmpeq_epi64_mask(valid, mask, one);
      const auto vector = static_cast<__mmask8>(valid & ~single);
      put(singles + n_singles, _mm256_maskz_compress_epi32(single, place));
      put(vectors + n_vectors, _mm256_maskz_compress_epi32(vector, place));
      _mm512_storeu_si512(groups.word + n_vectors, _mm512_maskz_compress_epi64(vector, x));
      _mm512_storeu_si512(groups.mask + n_vectors, _mm512_maskz_compress_epi64(vector, mask));
      n_singles += static_cast<unsigned>(_mm_popcnt_u32(single));
      n_vectors += static_cast<unsigned>(_mm_popcnt_u32(vector));
    }
    for (std::size_t i = 0; i < n_singles; ++i) adder.one_at(singles[i]);
    adder.template vectors512_at<kScaled>(vectors, groups.word, groups.mask, n_vectors);
    groups.size = 0;
  }
};

template <bool kScaled>
SACCADE_AVX512 std::size_t Evt3Decoder::count_blocks512(const std::uint8_t* words,
                                                        std::size_t n_words, SliceCounter& to) {
  CountSink<kScaled> sink{to, Counters::Adder(to.counters()), width_, clock_.value() << 12};
  return blocks512(words, n_words, sink);
}

std::size_t Evt3Decoder::count_wide512(const std::uint8_t* words, std::size_t n_words,
                                       SliceCounter& to) {
  return to.counters().scaled() ? count_blocks512<true>(words, n_words, to)
                                : count_blocks512<false>(words, n_words, to);
}

// The events of the vectors at x that lie in the frame; the others are counted.
SACCADE_AVX512 std::uint32_t Evt3Decoder::inside(std::uint32_t mask, std::uint32_t x) {
  const std::uint32_t kept = _bzhi_u32(mask, x < width_ ? width_ - x : 0);
  counters_.out_of_bounds += static_cast<std::uint64_t>(_mm_popcnt_u32(mask & ~kept));
  return kept;
}

}  // namespace saccade
#endif
