// libFuzzer target of ECF: one chunk of a Metavision HDF5 file, damaged at will.
#include "decoders/ecf.hpp"

#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> copy(data, data + size);  // of its own size: overruns are seen
  const auto found = saccade::decode_ecf(copy.data(), size, 346, 260, saccade::kEcfMaxEvents);
  for (std::size_t i = 0; i < found.events.size; ++i) {
    if (found.events.x[i] >= 346 || found.events.y[i] >= 260) std::abort();
  }
  return 0;
}
