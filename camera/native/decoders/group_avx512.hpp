// The events of one vector with AVX-512: one instruction gives the places of a mask's set bits.
#pragma once
#include "columns.hpp"
#include "cpu.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

namespace saccade {

// Where the next event goes in each column.
struct GroupWriter {
  std::uint64_t* t;
  std::uint16_t *x, *y;
  bool* on;

  SACCADE_AVX512 explicit GroupWriter(const EventColumns& out)
      : t(out.t.get() + out.size),
        x(out.x.get() + out.size),
        y(out.y.get() + out.size),
        on(out.on.get() + out.size) {}

  // An event for each bit of `mask`, whose lowest is at x = base. Most vectors hold few, and cost
  // four stores; what these write too much is overwritten by the next ones.
  SACCADE_AVX512 void add(std::uint32_t mask, std::uint32_t base, std::uint32_t row, unsigned sign,
                          std::uint64_t time) {
    const __m256i lanes =
        _mm256_set_epi8(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
                        12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m256i places = _mm256_maskz_compress_epi8(mask, lanes);
    const auto n = static_cast<unsigned>(_mm_popcnt_u32(mask));
    const __m512i times = _mm512_set1_epi64(static_cast<long long>(time));
    const auto first = static_cast<short>(base), line = static_cast<short>(row);
    _mm512_storeu_si512(t, times);
    if (n <= 8) {
      const __m128i few = _mm_cvtepu8_epi16(_mm256_castsi256_si128(places));
      store(x, _mm_add_epi16(few, _mm_set1_epi16(first)));
      store(y, _mm_set1_epi16(line));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(on), _mm_set1_epi8(static_cast<char>(sign)));
    } else {
      for (unsigned i = 8; i < n; i += 8) _mm512_storeu_si512(t + i, times);
      const __m512i all = _mm512_cvtepu8_epi16(places);
      _mm512_storeu_si512(x, _mm512_add_epi16(all, _mm512_set1_epi16(first)));
      _mm512_storeu_si512(y, _mm512_set1_epi16(line));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(on),
                          _mm256_set1_epi8(static_cast<char>(sign)));
    }
    t += n;
    x += n;
    y += n;
    on += n;
  }

 private:
  SACCADE_AVX512 static void store(std::uint16_t* to, __m128i v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
  }
};

}  // namespace saccade
#endif
