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

void allow_simd(bool value) { allowed = value; }

}  // namespace saccade
