#include "cpu.hpp"

#include <atomic>

namespace saccade {
namespace {

std::atomic<bool> allowed{true};

bool found() {
#ifdef SACCADE_X86
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
#else
  return false;
#endif
}

}  // namespace

bool has_avx2() {
  static const bool there = found();
  return there && allowed;
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
#ifdef SACCADE_X86
  if (found()) names.emplace_back("avx2");
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
    names.emplace_back("avx512");
  }
  if (__builtin_cpu_supports("avx512vnni")) names.emplace_back("avx512_vnni");
#endif
#ifdef __aarch64__
  names.emplace_back("neon");  // of every 64-bit ARM
#endif
  return names;
}

void allow_simd(bool value) { allowed = value; }

}  // namespace saccade
