// libFuzzer target of AEDAT4's flatbuffers: a header, a table or a packet, damaged at will.
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "decoders/aedat4_batch.hpp"
#include "decoders/aedat4_streams.hpp"

namespace {

template <typename Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const std::invalid_argument&) {
  }
}

// The whole packets at the start, taken as they come.
void read_batch(const std::uint8_t* bytes, std::size_t size, bool lz4) {
  const std::size_t whole = saccade::whole_aedat4_packets(bytes, size, {0, 1}, 0, 1 << 20);
  saccade::Aedat4BatchDecoder decoder(0, lz4, 346, 260);
  const auto batch = decoder.unfold(bytes, whole, 1 << 16, 1 << 20);
  if (batch.taken > whole) std::abort();
  decoder.events();
  saccade::Counters counters(346, 260, 224, saccade::Counting::kEncoder);
  saccade::SliceCounter slices(counters, 1000, 0);
  while (!decoder.count(slices)) {
    slices.take();
    counters.clear();
    slices.resume();
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
  read_batch(bytes, size, false);
  read_batch(bytes, size, true);
  return 0;
}
