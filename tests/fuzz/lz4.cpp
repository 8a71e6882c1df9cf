// libFuzzer target of LZ4 frames: damaged at will, unfolded under a bound, on both paths.
#include "decoders/lz4.hpp"

#include <cstring>
#include <stdexcept>
#include <vector>

#include "decoders/cpu.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> bytes(data, data + size);  // of its own size: overruns are seen
  saccade::Unfolded wide, plain;
  int results[2] = {-1, -1};  // damaged
  for (int simd = 0; simd < 2; ++simd) {
    saccade::allow_simd(simd ? saccade::Simd::kAvx512 : saccade::Simd::kNone);
    try {
      results[simd] = saccade::unpack_lz4(bytes.data(), bytes.size(), 1 << 20, simd ? wide : plain);
    } catch (const std::invalid_argument&) {
    }
  }
  const bool same = results[0] == results[1] && wide.size == plain.size &&
                    (results[0] != 1 || std::memcmp(wide.data(), plain.data(), wide.size) == 0);
  if (!same) __builtin_trap();
  return 0;
}
