// What the processor can do, asked at run time: one binary serves them all.
#pragma once

#include <string>
#include <vector>

// The wide paths need x86-64 and a compiler that takes per-function targets.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define SACCADE_X86 1
#define SACCADE_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#else
#define SACCADE_AVX2
#endif

namespace saccade {

// Whether AVX2 and the bit instructions that came with it are there, and nobody has forbidden them.
bool has_avx2();

// What is there of avx2, avx512, avx512_vnni and neon: the first is for the wide paths here, all of
// them are for engines.
std::vector<std::string> cpu_features();

// false: every decoder made from now on takes its plain path, so that tests compare the two.
void allow_simd(bool allowed);

}  // namespace saccade
