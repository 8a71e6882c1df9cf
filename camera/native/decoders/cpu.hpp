// What the processor can do, asked at run time: one binary serves them all.
#pragma once

#include <string>
#include <vector>

// The wide paths need x86-64 and a compiler that takes per-function targets.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define SACCADE_X86 1
#define SACCADE_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define SACCADE_AVX512                                                                          \
  __attribute__((                                                                               \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512bitalg,avx512cd," \
             "avx512vpopcntdq,avx2,"                                                            \
             "bmi,bmi2,lzcnt,popcnt")))
#else
#define SACCADE_AVX2
#define SACCADE_AVX512
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define SACCADE_NEON 1
#endif

namespace saccade {

// Instructions that the wide paths are made of: AVX2 with the bit instructions that came with it;
// AVX-512 with those that compress bytes (Ice Lake, Zen 4 and later); NEON, which every aarch64
// has.
enum class Simd { kNone, kNeon, kAvx2, kAvx512 };

// Whether it is there and nobody has forbidden it.
bool has_neon();
bool has_avx2();
bool has_avx512();

// Every decoder made from now on takes no wider path than this, so that tests compare them.
void allow_simd(Simd most);

// What is there of avx2 and avx512, which the wide paths here take, and of avx512_vnni and neon,
// which engines take.
std::vector<std::string> cpu_features();

}  // namespace saccade
