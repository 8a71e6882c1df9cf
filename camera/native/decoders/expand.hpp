// From a vector's validity mask to columns, without a branch per bit: each byte of the mask looks
// up the positions of its set bits, eight are stored, and the next store starts after the valid
// ones. So every store may reach past the events by up to `kSlack` of them.
//
// One source serves every machine: loops of constant length, which compilers turn into vector
// instructions, inlined once into a function for any machine and once into one marked SACCADE_AVX2.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define SACCADE_AVX2 __attribute__((target("avx2,popcnt")))
#else
#define SACCADE_AVX2
#endif
#define SACCADE_INLINE __attribute__((always_inline)) inline

namespace saccade {

// Events that the columns must have room for behind the last.
constexpr std::size_t kSlack = 32;

// Whether a function marked SACCADE_AVX2 may run here.
inline bool has_avx2() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
#else
  return false;
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

// N copies of `value`; N is constant so that these are a few wide stores.
template <std::size_t N, typename T>
SACCADE_INLINE void fill(T* out, T value) {
  for (std::size_t i = 0; i < N; ++i) out[i] = value;
}

// x of the bits set in `byte`, whose lowest stands for `base`: eight stored, the valid ones first.
SACCADE_INLINE void expand_byte(std::uint16_t* x, std::uint32_t byte, std::uint32_t base) {
  const std::uint16_t* const bits = kSetBits.of[byte].data();
  for (std::size_t i = 0; i < 8; ++i) x[i] = static_cast<std::uint16_t>(bits[i] + base);
}

// x of the bits set in `mask`, whose lowest stands for `base`, at x[0...]; how many there are.
SACCADE_INLINE std::size_t expand(std::uint16_t* x, std::uint32_t mask, std::uint32_t base) {
  const std::uint32_t ends = bits_by_byte(mask) * 0x01010101u;  // a byte each: where it ends
  expand_byte(x, mask & 0xff, base);
  expand_byte(x + (ends & 0xff), (mask >> 8) & 0xff, base + 8);
  expand_byte(x + ((ends >> 8) & 0xff), (mask >> 16) & 0xff, base + 16);
  expand_byte(x + ((ends >> 16) & 0xff), mask >> 24, base + 24);
  return ends >> 24;
}

// What the n events of one vector share; sparse vectors, which are most, take a quarter of it.
SACCADE_INLINE void fill_vector(std::uint64_t* t, std::uint16_t* y, bool* on, std::size_t n,
                                std::uint64_t time, std::uint16_t row, bool polarity) {
  fill<8>(t, time);
  fill<8>(y, row);
  fill<8>(on, polarity);
  if (n > 8) {
    fill<24>(t + 8, time);
    fill<24>(y + 8, row);
    fill<24>(on + 8, polarity);
  }
}

}  // namespace saccade
