// What lets one source be a kernel under nvcc and plain C++ elsewhere, where tests run it.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define SACCADE_HD __host__ __device__ __forceinline__
#else
#define SACCADE_HD inline
#endif

namespace saccade::cuda {

// Each gives the value before. On the host one thread plays all others in turn.
SACCADE_HD std::uint32_t atomic_add(std::uint32_t* p, std::uint32_t v) {
#ifdef __CUDA_ARCH__
  return atomicAdd(p, v);
#else
  const std::uint32_t old = *p;
  *p += v;
  return old;
#endif
}

SACCADE_HD void atomic_add(std::uint64_t* p, std::uint64_t v) {
#ifdef __CUDA_ARCH__
  atomicAdd(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(v));
#else
  *p += v;
#endif
}

SACCADE_HD void atomic_max(std::uint32_t* p, std::uint32_t v) {
#ifdef __CUDA_ARCH__
  atomicMax(p, v);
#else
  if (v > *p) *p = v;
#endif
}

SACCADE_HD void atomic_max(std::uint64_t* p, std::uint64_t v) {
#ifdef __CUDA_ARCH__
  atomicMax(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(v));
#else
  if (v > *p) *p = v;
#endif
}

// Over the threads of a warp, all of which call it; one of them, `leads`, may use the result.
SACCADE_HD std::uint32_t warp_max(std::uint32_t v) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return __reduce_max_sync(~0u, v);
#elif defined(__CUDA_ARCH__)
  for (int d = 16; d > 0; d /= 2) v = max(v, __shfl_xor_sync(~0u, v, d));
  return v;
#else
  return v;
#endif
}

SACCADE_HD std::uint32_t warp_sum(std::uint32_t v) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  return __reduce_add_sync(~0u, v);
#elif defined(__CUDA_ARCH__)
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
  return v;
#else
  return v;
#endif
}

SACCADE_HD bool leads_warp() {
#ifdef __CUDA_ARCH__
  return threadIdx.x % 32 == 0;
#else
  return true;  // each thread of the host is a warp of one
#endif
}

// What this thread wrote is seen by every thread that sees what it writes after.
SACCADE_HD void fence() {
#ifdef __CUDA_ARCH__
  __threadfence();
#endif
}

// A read of what other blocks wrote in this launch: past the first cache, which may hold old words.
SACCADE_HD std::uint32_t fresh(const std::uint32_t* p) {
#ifdef __CUDA_ARCH__
  return __ldcg(p);
#else
  return *p;
#endif
}

template <typename T>
SACCADE_HD T fresh_copy(const T* p) {
  static_assert(sizeof(T) % 4 == 0, "whole words");
  std::uint32_t words[sizeof(T) / 4];
  const auto* from = reinterpret_cast<const std::uint32_t*>(p);
  for (std::uint32_t i = 0; i < sizeof(T) / 4; ++i) words[i] = fresh(from + i);
  T value;
  memcpy(&value, words, sizeof(T));
  return value;
}

template <typename T>
SACCADE_HD T least(T a, T b) {
  return b < a ? b : a;
}

template <typename T>
SACCADE_HD T most(T a, T b) {
  return a < b ? b : a;
}

SACCADE_HD std::uint32_t bit_count(std::uint32_t v) {
#ifdef __CUDA_ARCH__
  return static_cast<std::uint32_t>(__popc(static_cast<int>(v)));
#else
  return static_cast<std::uint32_t>(__builtin_popcount(v));
#endif
}

// Index of the lowest bit that is set; v is not 0.
SACCADE_HD std::uint32_t lowest_bit(std::uint32_t v) {
#ifdef __CUDA_ARCH__
  return static_cast<std::uint32_t>(__ffs(static_cast<int>(v)) - 1);
#else
  return static_cast<std::uint32_t>(__builtin_ctz(v));
#endif
}

// 2^x.
SACCADE_HD float exp2_of(float x) {
#ifdef __CUDA_ARCH__
  return exp2f(x);
#else
  return std::exp2(x);
#endif
}

// The bits of the nearest fp16 (ties to even) of a value whose magnitude is below 65504.
SACCADE_HD std::uint16_t half_bits(float value) {
#ifdef __CUDA_ARCH__
  return __half_as_ushort(__float2half_rn(value));
#else
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const std::uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff;
  if (exponent < 102) return static_cast<std::uint16_t>(sign);  // below half the least fp16
  const std::uint32_t mantissa = (bits & 0x7fffff) | 0x800000;
  const std::uint32_t drop = exponent < 113 ? 126 - exponent : 13;  // bits that do not fit
  const std::uint32_t kept = mantissa >> drop, rest = mantissa & ((1u << drop) - 1);
  const std::uint32_t middle = 1u << (drop - 1);
  const std::uint32_t up = rest > middle || (rest == middle && (kept & 1) != 0);
  const std::uint32_t high = exponent < 113 ? 0 : (exponent - 113) << 10;  // kept has the bit 10
  return static_cast<std::uint16_t>(sign | (high + kept + up));
#endif
}

// The value of an fp16.
SACCADE_HD float half_value(std::uint16_t bits) {
#ifdef __CUDA_ARCH__
  return __half2float(__ushort_as_half(bits));
#else
  const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31;
  const std::uint32_t mantissa = bits & 0x3ffu;
  std::uint32_t word = sign | (exponent + 112) << 23 | mantissa << 13;
  if (exponent == 0) {  // zero, and what is below the least normal number: mantissa * 2^-24
    const float small = static_cast<float>(mantissa) / 16777216.0f;
    return sign != 0 ? -small : small;
  }
  if (exponent == 31) word = sign | 0x7f800000u | mantissa << 13;
  float value;
  std::memcpy(&value, &word, 4);
  return value;
#endif
}

// Sixteen bytes that are loaded and stored at once.
struct alignas(16) Quad {
  std::uint32_t v[4];
};

}  // namespace saccade::cuda
