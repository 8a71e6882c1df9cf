// libFuzzer target of AEDAT4's flatbuffers: a header or a packet of events, damaged at will.
#include "decoders/aedat4.hpp"

#include <stdexcept>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> bytes(data, data + size);  // of its own size: overruns are seen
  try {
    saccade::read_aedat4_header(bytes.data(), bytes.size());
  } catch (const std::invalid_argument&) {
  }
  try {
    saccade::read_aedat4_events(bytes.data(), bytes.size(), 346, 260);
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
