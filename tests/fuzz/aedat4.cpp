// libFuzzer target of AEDAT4's flatbuffers: a header, a table or a packet, damaged at will.
#include "decoders/aedat4.hpp"

#include <stdexcept>
#include <vector>

#include "decoders/aedat4_streams.hpp"

namespace {

template <typename Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> copy(data, data + size);  // of its own size: overruns are seen
  const std::uint8_t* const bytes = copy.data();
  attempt([&] { saccade::read_aedat4_header(bytes, size); });
  attempt([&] { saccade::read_aedat4_table(bytes, size); });
  attempt([&] { saccade::read_aedat4_events(bytes, size, 346, 260); });
  attempt([&] { saccade::read_aedat4_frame(bytes, size); });
  attempt([&] { saccade::read_aedat4_imu(bytes, size); });
  attempt([&] { saccade::read_aedat4_triggers(bytes, size); });
  return 0;
}
