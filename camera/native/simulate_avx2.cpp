// The simulator's rows, four and eight pixels at a time: bit for bit what the plain loops give.
#include "simulate.hpp"

#ifdef SACCADE_X86
#include <immintrin.h>

#include <algorithm>
#include <cmath>

namespace saccade {
namespace {

// The members of each set of eight, from the least on: no branch that nobody can predict.
struct Members {
  alignas(16) std::uint16_t of[256][8] = {};

  Members() {
    for (unsigned set = 0; set < 256; ++set) {
      unsigned n = 0;
      for (unsigned i = 0; i < 8; ++i)
        if (set >> i & 1) of[set][n++] = static_cast<std::uint16_t>(i);
    }
  }
};
const Members kMembers;

// An image's left and right neighbours of four places, from one row.
struct Sides {
  __m128 left, right;
};

SACCADE_AVX2 inline __m128 load_pair(const float* at) {
  return _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
}

SACCADE_AVX2 inline Sides load_sides(const float* image, const std::int32_t* at) {
  const __m128 first = _mm_movelh_ps(load_pair(image + at[0]), load_pair(image + at[1]));
  const __m128 second = _mm_movelh_ps(load_pair(image + at[2]), load_pair(image + at[3]));
  return {_mm_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0)),
          _mm_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))};
}

SACCADE_AVX2 inline __m128 mix(__m128 from, __m128 to, __m128 share) {
  return _mm_add_ps(from, _mm_mul_ps(share, _mm_sub_ps(to, from)));
}

// Where four places lie on one axis: see `Place`.
struct Places {
  __m128i pixel;
  __m128 share;
};

SACCADE_AVX2 inline Places place(__m256d at, double end, int last) {
  const __m256d inside = _mm256_min_pd(_mm256_max_pd(at, _mm256_setzero_pd()), _mm256_set1_pd(end));
  const __m128i pixel = _mm_min_epi32(_mm256_cvttpd_epi32(inside), _mm_set1_epi32(last));
  return {pixel, _mm256_cvtpd_ps(_mm256_sub_pd(inside, _mm256_cvtepi32_pd(pixel)))};
}

SACCADE_AVX2 inline __m256d outside(__m256d at, double end) {
  return _mm256_or_pd(_mm256_cmp_pd(at, _mm256_set1_pd(-0.5), _CMP_LT_OQ),
                      _mm256_cmp_pd(at, _mm256_set1_pd(end + 0.5), _CMP_GT_OQ));
}

}  // namespace

SACCADE_AVX2 int view_row_avx2(const View& view, int y, int width, float* out) {
  const double right = view.width - 1, bottom = view.height - 1;
  const double* a = view.affine;
  const __m256d row_u = _mm256_set1_pd(a[1] * y + a[2]), row_v = _mm256_set1_pd(a[4] * y + a[5]);
  const __m256d step_u = _mm256_set1_pd(a[0]), step_v = _mm256_set1_pd(a[3]);
  const bool filled = !std::isnan(view.fill);
  const float* below = view.image + (view.height > 1 ? view.width : 0);
  const __m256i lows = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  int x = 0;
  for (; x + 4 <= width; x += 4) {
    const __m256d xs = _mm256_cvtepi32_pd(_mm_setr_epi32(x, x + 1, x + 2, x + 3));
    const __m256d u = _mm256_add_pd(_mm256_mul_pd(step_u, xs), row_u);
    const __m256d v = _mm256_add_pd(_mm256_mul_pd(step_v, xs), row_v);
    const Places across = place(u, right, view.width - 2);
    const Places down = place(v, bottom, std::max(view.height - 2, 0));
    alignas(16) std::int32_t at[4];
    _mm_store_si128(
        reinterpret_cast<__m128i*>(at),
        _mm_add_epi32(_mm_mullo_epi32(down.pixel, _mm_set1_epi32(view.width)), across.pixel));
    const Sides up = load_sides(view.image, at), low = load_sides(below, at);
    __m128 shown = mix(mix(up.left, up.right, across.share), mix(low.left, low.right, across.share),
                       down.share);
    if (filled) {
      const __m256d mask = _mm256_or_pd(outside(u, right), outside(v, bottom));
      const __m256i narrow = _mm256_permutevar8x32_epi32(_mm256_castpd_si256(mask), lows);
      shown = _mm_blendv_ps(shown, _mm_set1_ps(view.fill),
                            _mm_castsi128_ps(_mm256_castsi256_si128(narrow)));
    }
    _mm_storeu_ps(out + x, shown);
  }
  return x;
}

SACCADE_AVX2 int blend_row_avx2(const float* above, const float* below, float down,
                                const std::int32_t* left, const float* share, int width,
                                float* out) {
  const __m128 down_by = _mm_set1_ps(down);
  int x = 0;
  for (; x + 4 <= width; x += 4) {
    const __m128 across = _mm_loadu_ps(share + x);
    const Sides up = load_sides(above, left + x), low = load_sides(below, left + x);
    _mm_storeu_ps(out + x,
                  mix(mix(up.left, up.right, across), mix(low.left, low.right, across), down_by));
  }
  return x;
}

SACCADE_AVX2 std::size_t find_crossings_avx2(const float* frame, const PixelRow& row, float leaked,
                                             std::size_t width, std::uint16_t* hits) {
  std::size_t n = 0, x = 0;
  const __m256 leak = _mm256_set1_ps(leaked), sign = _mm256_set1_ps(-0.0f);
  for (; x + 8 <= width; x += 8) {
    const __m256 on = _mm256_loadu_ps(row.on + x), off = _mm256_loadu_ps(row.off + x);
    const __m256 moved = _mm256_sub_ps(_mm256_loadu_ps(frame + x), _mm256_loadu_ps(row.memory + x));
    const __m256 end = _mm256_add_ps(moved, _mm256_mul_ps(leak, on));
    const __m256 fires = _mm256_or_ps(_mm256_cmp_ps(end, on, _CMP_GE_OQ),
                                      _mm256_cmp_ps(_mm256_xor_ps(end, sign), off, _CMP_GE_OQ));
    const auto set = static_cast<unsigned>(_mm256_movemask_ps(fires));
    const __m128i places = _mm_load_si128(reinterpret_cast<const __m128i*>(kMembers.of[set]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(hits + n),
                     _mm_add_epi16(places, _mm_set1_epi16(static_cast<short>(x))));
    n += static_cast<std::size_t>(__builtin_popcount(set));
  }
  return n + find_crossings(frame, row, leaked, x, width, hits + n);
}

}  // namespace saccade
#endif
