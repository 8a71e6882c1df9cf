// EVT2.1 with AVX-512: a vector's events in four stores, and eight words counted at a time.
#include <cstring>

#include "cpu.hpp"
#include "evt21.hpp"

#ifdef SACCADE_X86
#include "group_avx512.hpp"

namespace saccade {

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

}  // namespace saccade
#endif
