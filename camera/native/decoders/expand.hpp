// From a vector's validity mask to columns, without a branch per bit: each byte of the mask looks
// up the positions of its set bits, eight are stored, and the next store starts after the valid
// ones. So every store may reach past the events by up to EventColumns::kSlack of them.
//
// One source serves every machine: GCC's and Clang's vector types of 16 bytes, which SSE2 and NEON
// have, inlined once into a function for any machine and once into one marked SACCADE_AVX2.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "cpu.hpp"

#define SACCADE_INLINE __attribute__((always_inline)) inline

namespace saccade {

using U8x16 = std::uint8_t __attribute__((vector_size(16)));
using U16x8 = std::uint16_t __attribute__((vector_size(16)));
using U32x4 = std::uint32_t __attribute__((vector_size(16)));
using I32x4 = std::int32_t __attribute__((vector_size(16)));
using U64x2 = std::uint64_t __attribute__((vector_size(16)));

// Of the elements of a and then b those with these numbers; GCC 11 lacks Clang's builtin.
#ifdef __clang__
#define SACCADE_SHUFFLE(V, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SACCADE_SHUFFLE(V, a, b, ...) __builtin_shuffle(a, b, V{__VA_ARGS__})
#endif

// At any alignment, unlike an access through a vector's pointer.
template <typename V, typename T>
SACCADE_INLINE V load_vector(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <typename V, typename T>
SACCADE_INLINE void store_vector(T* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

// Eight numbers below 2^15, of which 16 bits suffice.
SACCADE_INLINE U16x8 narrow(U32x4 a, U32x4 b) {
#ifdef __SSE2__  // of which compilers make four instructions more
  return reinterpret_cast<U16x8>(
      _mm_packs_epi32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  const U16x8 c = reinterpret_cast<U16x8>(a), d = reinterpret_cast<U16x8>(b);
  return SACCADE_SHUFFLE(U16x8, c, d, 0, 2, 4, 6, 8, 10, 12, 14);
#endif
}

// Eight numbers below 2^8 as bytes: the lower half.
SACCADE_INLINE U8x16 narrow(U16x8 a) {
#ifdef __SSE2__
  return reinterpret_cast<U8x16>(
      _mm_packus_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(a)));
#else
  const U8x16 b = reinterpret_cast<U8x16>(a);
  return SACCADE_SHUFFLE(U8x16, b, b, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14);
#endif
}

// For each byte the positions of its set bits, lowest first, then zeros.
struct alignas(64) SetBits {
  std::array<std::array<std::uint16_t, 8>, 256> of{};

  constexpr SetBits() {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      std::size_t n = 0;
      for (std::uint16_t bit = 0; bit < 8; ++bit)
        if ((byte >> bit) & 1) of[byte][n++] = bit;
    }
  }
};
inline constexpr SetBits kSetBits;

// How many bits are set in each byte of `mask`, as a byte.
constexpr std::uint32_t bits_by_byte(std::uint32_t mask) {
  mask -= (mask >> 1) & 0x55555555u;
  mask = (mask & 0x33333333u) + ((mask >> 2) & 0x33333333u);
  return (mask + (mask >> 4)) & 0x0f0f0f0fu;
}

constexpr std::uint32_t count_bits(std::uint32_t mask) {
  return (bits_by_byte(mask) * 0x01010101u) >> 24;
}

// x of the bits set in `byte`, whose lowest stands for `base`: eight stored, the valid ones first.
SACCADE_INLINE void expand_byte(std::uint16_t* x, std::uint32_t byte, U16x8 base) {
  store_vector(x, load_vector<U16x8>(kSetBits.of[byte].data()) + base);
}

// x of the bits set in `mask`, whose lowest stands for `base`, at x[0...]; how many there are.
SACCADE_INLINE std::size_t expand(std::uint16_t* x, std::uint32_t mask, std::uint32_t base) {
  const std::uint32_t ends = bits_by_byte(mask) * 0x01010101u;  // a byte each: where it ends
  const U16x8 x0 = U16x8{} + static_cast<std::uint16_t>(base);
  expand_byte(x, mask & 0xff, x0);
  expand_byte(x + (ends & 0xff), (mask >> 8) & 0xff, x0 + 8);
  expand_byte(x + ((ends >> 8) & 0xff), (mask >> 16) & 0xff, x0 + 16);
  expand_byte(x + ((ends >> 16) & 0xff), mask >> 24, x0 + 24);
  return ends >> 24;
}

// Eight (or N) copies of what the events of one vector share.
template <std::size_t N>
SACCADE_INLINE void fill(std::uint64_t* t, std::uint16_t* y, bool* on, U64x2 times, U16x8 rows,
                         U8x16 signs) {
  for (std::size_t i = 0; i < N; i += 2) store_vector(t + i, times);
  for (std::size_t i = 0; i < N; i += 8) store_vector(y + i, rows);
  for (std::size_t i = 0; i < N; i += 8) std::memcpy(on + i, &signs, 8);
}

// What the n events of one vector share; sparse vectors, which are most, take a quarter of it.
SACCADE_INLINE void fill_vector(std::uint64_t* t, std::uint16_t* y, bool* on, std::size_t n,
                                std::uint64_t time, std::uint16_t row, bool polarity) {
  const U64x2 times = U64x2{} + time;
  const U16x8 rows = U16x8{} + row;
  const U8x16 signs = U8x16{} + static_cast<std::uint8_t>(polarity);
  fill<8>(t, y, on, times, rows, signs);
  if (n > 8) fill<24>(t + 8, y + 8, on + 8, times, rows, signs);
}

}  // namespace saccade
