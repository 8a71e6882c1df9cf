// A row of ages to what is left of them; written once, compiled for plain and for wide registers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "decoders/cpu.hpp"

namespace saccade {

struct Decay {
  std::uint32_t now;     // of the clock that `last` is told by
  std::int32_t life_us;  // from this age on all is 0
  float per_us;          // linear: 1 / tau; exponential: log2(e) / tau
  bool linear;
};

#if defined(__GNUC__) || defined(__clang__)
#define SACCADE_INLINE __attribute__((always_inline)) inline
#else
#define SACCADE_INLINE inline
#endif

SACCADE_INLINE float float_of(std::int32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

SACCADE_INLINE std::int32_t bits_of(float value) {
  std::int32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

// 2^x for -30 < x <= 0, to 1e-7 of it: the integer part goes into the exponent, and the Taylor
// series of 2^r takes the rest, |r| <= 1/2.
SACCADE_INLINE float exp2_of(float x) {
  const auto whole = static_cast<std::int32_t>(x - 0.5f);
  const float r = x - static_cast<float>(whole);
  float p = 1.52527338e-5f;
  p = p * r + 1.54035304e-4f;
  p = p * r + 1.33335581e-3f;
  p = p * r + 9.61812911e-3f;
  p = p * r + 5.55041087e-2f;
  p = p * r + 2.40226507e-1f;
  p = p * r + 6.93147181e-1f;
  p = p * r + 1.0f;
  return p * float_of((whole + 127) << 23);
}

// Masks instead of branches: compilers turn these loops into vectors, but none with a `?:` of
// floats.
template <bool kLinear>
SACCADE_INLINE void decay_row_body(const std::uint32_t* last, std::size_t n, const Decay& d,
                                   float* out) {
  const std::uint32_t now = d.now;
  const std::int32_t life = d.life_us;
  const float per_us = d.per_us;
  for (std::size_t i = 0; i < n; ++i) {
    const auto age = static_cast<std::int32_t>(now - last[i]);  // negative: 2^31 and more
    const std::int32_t known = ~(age >> 31);
    const std::int32_t alive = known & (((age & known) - life) >> 31);
    const float faded = static_cast<float>(age & alive) * per_us;
    const float left = kLinear ? 1.0f - faded : exp2_of(-faded);
    out[i] = float_of(bits_of(left) & alive);
  }
}

SACCADE_INLINE void decay_row(const std::uint32_t* last, std::size_t n, const Decay& d,
                              float* out) {
  if (d.linear) {
    decay_row_body<true>(last, n, d, out);
  } else {
    decay_row_body<false>(last, n, d, out);
  }
}

#ifdef SACCADE_X86
void decay_row_avx2(const std::uint32_t* last, std::size_t n, const Decay& d, float* out);
#endif

}  // namespace saccade
