#include "cpu.hpp"

#include <algorithm>
#include <atomic>

namespace saccade {
namespace {

std::atomic<Simd> allowed{Simd::kAvx512};

Simd find() {
#ifdef SACCADE_X86
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))) {
    return Simd::kNone;
  }
  const bool more = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
                    __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512cd") &&
                    __builtin_cpu_supports("avx512vpopcntdq");
  return more ? Simd::kAvx512 : Simd::kAvx2;
#elif defined(SACCADE_NEON)
  return Simd::kNeon;
#else
  return Simd::kNone;
#endif
}

Simd usable() {
  static const Simd there = find();
  return std::min(there, allowed.load());
}

}  // namespace

bool has_neon() {
#ifdef SACCADE_NEON
  return usable() == Simd::kNeon;
#else
  return false;
#endif
}
bool has_avx2() { return usable() >= Simd::kAvx2; }
bool has_avx512() { return usable() >= Simd::kAvx512; }
void allow_simd(Simd most) { allowed = most; }

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
#ifdef SACCADE_X86
  const Simd there = find();
  if (there >= Simd::kAvx2) names.emplace_back("avx2");
  if (there >= Simd::kAvx512) names.emplace_back("avx512");
  if (__builtin_cpu_supports("avx512vnni")) names.emplace_back("avx512_vnni");
#endif
#ifdef __aarch64__
  names.emplace_back("neon");  // of every 64-bit ARM
#endif
  return names;
}

}  // namespace saccade
