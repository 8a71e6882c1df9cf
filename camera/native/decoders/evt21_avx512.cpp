// EVT2.1 with AVX-512: a vector's events in four stores, and eight words counted at a time.
#include <algorithm>
#include <cstring>

#include "cpu.hpp"
#include "evt21.hpp"

#ifdef SACCADE_X86
#include "group_avx512.hpp"

namespace saccade {
namespace {

SACCADE_AVX512 inline std::uint32_t load32(const std::uint8_t* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

// Bits of the masks of the words that hold events.
SACCADE_AVX512 std::size_t Evt21Decoder::count_avx512(const std::uint8_t* words,
                                                      std::size_t n_words) const {
  const int turn = head_at_ == 0 ? 32 : 0;  // legacy: the halves are the other way round
  const __m512i below = _mm512_set1_epi64(static_cast<long long>(kEventsBelow) << 32);
  const __m512i low = _mm512_set1_epi64(0xffffffff);
  __m512i sum = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i < n_words; i += 8) {
    const auto lanes = static_cast<__mmask8>(n_words - i < 8 ? (1u << (n_words - i)) - 1 : 0xff);
    const __m512i read = _mm512_maskz_loadu_epi64(lanes, words + i * kWord);
    const __m512i w = _mm512_rolv_epi64(read, _mm512_set1_epi64(turn));
    const __mmask8 events = _mm512_cmplt_epu64_mask(w, below);
    const __m512i bits = _mm512_popcnt_epi8(_mm512_maskz_and_epi64(events, w, low));
    sum = _mm512_add_epi64(sum, _mm512_sad_epu8(bits, _mm512_setzero_si512()));
  }
  return static_cast<std::size_t>(_mm512_reduce_add_epi64(sum));
}

SACCADE_AVX512 void Evt21Decoder::run_avx512(const std::uint8_t* words, std::size_t n_words,
                                             EventColumns& out) {
  GroupWriter writer(out);
  const int turn = head_at_ == 0 ? 32 : 0;
  // Before the first TIME_HIGH the limit is zero, so that one comparison guards both rules.
  std::uint32_t x_limit = clock_.started() ? width_ : 0;
  const std::uint32_t y_limit = height_;
  std::uint64_t time = clock_.value() << 6;
  for (std::size_t i = 0; i < n_words; ++i, words += kWord) {
    std::uint64_t word;
    std::memcpy(&word, words, sizeof word);
    word = word << turn | word >> (64 - turn) % 64;
    const auto head = static_cast<std::uint32_t>(word >> 32);
    if (head >= kEventsBelow) {
      other_head(head);
      time = clock_.value() << 6;
      x_limit = clock_.started() ? width_ : 0;
      continue;
    }
    const std::uint32_t base = (head >> 11) & 0x7ff, row = head & 0x7ff;
    auto mask = static_cast<std::uint32_t>(word);
    if (base + 32 > x_limit || row >= y_limit) mask = bounded(mask, base, row);
    writer.add(mask, base, row, head >> 28, time | ((head >> 22) & 0x3f));
  }
  out.size = static_cast<std::size_t>(writer.x - out.x.get());
}

// Vectors to be added to the counters.
template <bool kScaled>
struct Evt21Decoder::Vectors {
  static constexpr std::size_t kMany = 512;

  explicit Vectors(Counters& to) : adder(to) {}
  SACCADE_AVX512 ~Vectors() { flush(); }

  SACCADE_AVX512 void flush() {
    adder.vectors512_at<kScaled>(at, x, mask, size);
    size = 0;
  }

  Counters::Adder adder;
  std::size_t size = 0;
  std::uint64_t x[kMany + 16], mask[kMany + 16];
  std::uint32_t at[kMany + 16];
};

// Vectors inside the sensor, up to eight words at a time and as far as all surely belong to the
// slice; returns how many words. Times are looked at once: the words between two TIME_HIGH.
template <bool kScaled>
SACCADE_AVX512 std::size_t Evt21Decoder::count_eights512(const std::uint8_t* words,
                                                         std::size_t n_words, SliceCounter& to,
                                                         Vectors<kScaled>& vectors) const {
  const __m512i turn = _mm512_set1_epi64(head_at_ == 0 ? 32 : 0);
  const __m512i below = _mm512_set1_epi64(static_cast<long long>(kEventsBelow) << 32);
  const __m512i low11 = _mm512_set1_epi64(0x7ff), low32 = _mm512_set1_epi64(0xffffffff);
  const __m512i width = _mm512_set1_epi64(width_), height = _mm512_set1_epi64(height_);
  const std::uint64_t time = clock_.value() << 6;
  const std::uint64_t most_words = to.most(time, time | 0x3f) / 32;
  __m512i least = _mm512_set1_epi64(0x3f), most = _mm512_setzero_si512(), n = most;
  std::size_t i = 0, taken = 8;
  while (i + 8 <= std::min<std::uint64_t>(n_words, most_words)) {
    const __m512i w = _mm512_rolv_epi64(_mm512_loadu_si512(words + i * kWord), turn);
    const __m512i x = _mm512_and_si512(_mm512_srli_epi64(w, 43), low11);
    const __m512i y = _mm512_and_si512(_mm512_srli_epi64(w, 32), low11);
    const __m512i low = _mm512_and_si512(_mm512_srli_epi64(w, 54), _mm512_set1_epi64(0x3f));
    const __m512i room = _mm512_sub_epi64(width, x);  // below 0, as unsigned, is past any shift
    const __m512i all = _mm512_and_si512(w, low32);
    const unsigned good = _mm512_cmplt_epu64_mask(w, below) & _mm512_cmplt_epu64_mask(x, width) &
                          _mm512_cmplt_epu64_mask(y, height) &
                          _mm512_testn_epi64_mask(_mm512_srlv_epi64(all, room), low32);
    // A branch, so that the next words need not wait for what these are.
    __m512i mask = all;
    if (good != 0xff) {  // up to the first other word
      taken = static_cast<unsigned>(__builtin_ctz(~good));
      mask = _mm512_maskz_mov_epi64(static_cast<__mmask8>((1u << taken) - 1), all);
    }
    const __mmask8 any = _mm512_test_epi64_mask(mask, mask);
    least = _mm512_mask_min_epu64(least, any, least, low);
    most = _mm512_mask_max_epu64(most, any, most, low);
    n = _mm512_add_epi64(n, _mm512_popcnt_epi64(mask));
    _mm512_storeu_si512(vectors.x + vectors.size, x);
    _mm512_storeu_si512(vectors.mask + vectors.size, mask);
    vectors.adder.places512(x, y, _mm512_srli_epi64(w, 60), static_cast<unsigned>(taken),
                            vectors.at + vectors.size);
    if (good != 0xff) break;
    vectors.size += 8;
    i += 8;
    if (vectors.size >= vectors.kMany) vectors.flush();
  }
  if (taken < 8) {
    vectors.size += taken;
    i += taken;
    if (vectors.size >= vectors.kMany) vectors.flush();
  }
  const auto events = static_cast<std::uint64_t>(_mm512_reduce_add_epi64(n));
  if (events > 0) {
    to.took(time | _mm512_reduce_min_epu64(least), time | _mm512_reduce_max_epu64(most), events);
  }
  return i;
}

template <bool kScaled>
SACCADE_AVX512 std::size_t Evt21Decoder::count_vectors512(const std::uint8_t* words,
                                                          std::size_t n_words, SliceCounter& to) {
  Vectors<kScaled> vectors(to.counters());
  for (std::size_t i = 0; i < n_words; ++i) {
    i += count_eights512<kScaled>(words + i * kWord, n_words - i, to, vectors);
    if (i == n_words) break;
    // What stopped it.
    const std::uint8_t* const word = words + i * kWord;
    const std::uint32_t head = load32(word + head_at_);
    if (head >= kEventsBelow) {
      other_head(head);
      continue;
    }
    const std::uint32_t base = (head >> 11) & 0x7ff, row = head & 0x7ff;
    const std::uint64_t t = clock_.value() << 6 | ((head >> 22) & 0x3f);
    if (!to.takes(t, t, 32)) return i;
    std::uint32_t mask = load32(word + (4 - head_at_));
    if (base + 32 > width_ || row >= height_) mask = bounded(mask, base, row);
    if (mask == 0) continue;  // what is dropped has no time
    vectors.adder.template vector512_at<kScaled>(vectors.adder.place(base, row, head >> 28), base,
                                                 mask);
    to.took(t, t, static_cast<unsigned>(_mm_popcnt_u32(mask)));
  }
  return n_words;
}

std::size_t Evt21Decoder::count_wide512(const std::uint8_t* words, std::size_t n_words,
                                        SliceCounter& to) {
  return to.counters().scaled() ? count_vectors512<true>(words, n_words, to)
                                : count_vectors512<false>(words, n_words, to);
}

}  // namespace saccade
#endif
