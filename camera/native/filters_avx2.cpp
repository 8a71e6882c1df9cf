// The columns of kept events, gathered eight at a time.
#include "decoders/cpu.hpp"
#include "filters.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

namespace saccade {
namespace {

// For each set of eight events, which byte of 16-bit values goes where.
struct Shuffles {
  alignas(16) std::uint8_t words[256][16] = {};
  // For each set of four, which half of a 64-bit value goes where.
  alignas(32) std::uint32_t longs[16][8] = {};

  Shuffles() {
    for (unsigned set = 0; set < 256; ++set) {
      unsigned n = 0;
      for (unsigned i = 0; i < 8; ++i) {
        if (!(set >> i & 1)) continue;
        words[set][2 * n] = static_cast<std::uint8_t>(2 * i);
        words[set][2 * n + 1] = static_cast<std::uint8_t>(2 * i + 1);
        if (set < 16) {
          longs[set][2 * n] = 2 * i;
          longs[set][2 * n + 1] = 2 * i + 1;
        }
        ++n;
      }
    }
  }
};
const Shuffles kShuffles;

SACCADE_AVX2 inline void gather_times(const std::uint64_t* from, unsigned set, std::uint64_t* to) {
  const __m256i order = _mm256_load_si256(reinterpret_cast<const __m256i*>(kShuffles.longs[set]));
  const __m256i times = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permutevar8x32_epi32(times, order));
}

SACCADE_AVX2 inline void gather_words(const std::uint16_t* from, __m128i order, std::uint16_t* to) {
  const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_shuffle_epi8(values, order));
}

}  // namespace

SACCADE_AVX2 std::size_t compact_wide(const Columns& in, const bool* kept, std::size_t n,
                                      EventColumns& out) {
  std::size_t i = 0, size = out.size;
  for (; i + 8 <= n; i += 8) {
    const __m128i flags = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kept + i));
    const auto set = static_cast<unsigned>(_mm_movemask_epi8(_mm_slli_epi16(flags, 7)));
    const auto first = static_cast<std::size_t>(__builtin_popcount(set & 15));
    gather_times(in.t + i, set & 15, out.t.get() + size);
    gather_times(in.t + i + 4, set >> 4, out.t.get() + size + first);
    const __m128i order = _mm_load_si128(reinterpret_cast<const __m128i*>(kShuffles.words[set]));
    gather_words(in.x + i, order, out.x.get() + size);
    gather_words(in.y + i, order, out.y.get() + size);
    const __m128i on =
        _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(in.on + i)));
    const __m128i ordered = _mm_shuffle_epi8(on, order);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out.on.get() + size),
                     _mm_packus_epi16(ordered, ordered));
    size += static_cast<std::size_t>(__builtin_popcount(set));
  }
  out.size = size;
  return i;
}

}  // namespace saccade

#endif
