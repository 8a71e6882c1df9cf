// EVT3 with AVX-512, 64 words at a time: the places of each type are bits, and what a base and its
// vectors hold is one mask.
#include <cstring>

#include "cpu.hpp"
#include "evt3.hpp"

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
  static constexpr std::size_t kRoom = 512;

  std::size_t size = 0;
  std::uint64_t low[kRoom + kWords + 8];   // of the time
  std::uint64_t word[kRoom + kWords + 8];  // the base's, or the event's
  std::uint64_t row[kRoom + kWords + 8];
  std::uint64_t mask[kRoom + kWords + 8];
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

SACCADE_AVX512 inline void Evt3Decoder::write(Groups& groups, std::uint64_t time,
                                              GroupWriter& writer) {
  const std::uint32_t width = width_;
  for (std::size_t i = 0; i < groups.size; ++i) {
    const auto word = static_cast<std::uint32_t>(groups.word[i]), x = word & 0x7ff;
    auto mask = static_cast<std::uint32_t>(groups.mask[i]);
    if (x + 32 > width) mask = inside(mask, x);
    writer.add(mask, x, static_cast<std::uint32_t>(groups.row[i]), word >> 11 & 1,
               time | groups.low[i]);
  }
  groups.size = 0;
}

SACCADE_AVX512 std::size_t Evt3Decoder::wide512(const std::uint8_t* words, std::size_t n_words,
                                                EventColumns& out) {
  GroupWriter writer(out);
  Groups groups;
  const auto high = static_cast<std::uint32_t>(clock_.value() & 0xfff);
  const std::uint64_t time = clock_.value() << 12;
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
    collect(w, s, row, low, groups);
    if (s.row != 0) row = load16(block, static_cast<std::size_t>(last(s.row, 63))) & 0x7ff;
    if (s.low != 0) low = load16(block, static_cast<std::size_t>(last(s.low, 63))) & 0xfff;
    if (s.base != 0) {
      const std::uint32_t base = load16(block, static_cast<std::size_t>(last(s.base, 63)));
      polarity_ = base & 0x800;
      base_ = (base & 0x7ff) + 32;
    }
    i += taken;
    if (groups.size > Groups::kRoom) write(groups, time, writer);
  }
  write(groups, time, writer);
  packed_ = row << 12 | low << 23;
  out.size = static_cast<std::size_t>(writer.x - out.x.get());
  return i;
}

// The events of the vectors at x that lie in the frame; the others are counted.
SACCADE_AVX512 std::uint32_t Evt3Decoder::inside(std::uint32_t mask, std::uint32_t x) {
  const std::uint32_t kept = _bzhi_u32(mask, x < width_ ? width_ - x : 0);
  counters_.out_of_bounds += static_cast<std::uint64_t>(_mm_popcnt_u32(mask & ~kept));
  return kept;
}

}  // namespace saccade
#endif
