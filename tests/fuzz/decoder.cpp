// libFuzzer target of one stream decoder: DECODER, HEADER and what follows width and height in its
// constructor, MORE, are set by CMake.
//
// Any bytes, whole and in chunks: no crash, no read or write outside (the sanitizers say), all
// events inside the sensor, and the same events however the bytes are cut.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include HEADER

namespace {

constexpr std::uint32_t kWidth = 346, kHeight = 260;

struct Event {
  std::uint64_t t;
  std::uint16_t x, y;
  bool on;
  bool operator==(const Event& o) const { return t == o.t && x == o.x && y == o.y && on == o.on; }
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void append(const saccade::EventColumns& columns, std::vector<Event>& events) {
  for (std::size_t i = 0; i < columns.size; ++i) {
    if (columns.x[i] >= kWidth || columns.y[i] >= kHeight) fail("an event outside the sensor");
    events.push_back({columns.t[i], columns.x[i], columns.y[i], columns.on[i]});
  }
}

// Packets with a time base of their own (ROS): two of them, the second an hour before the first.
template <typename Decoder>
auto announce(Decoder& decoder, std::size_t size, int) -> decltype(decoder.announce(0, 0)) {
  const std::size_t first = size / 16 * 8;
  decoder.announce(4'000'000'000'000, first);
  decoder.announce(400'000'000'000, size - first);
}
template <typename Decoder>
void announce(Decoder&, std::size_t, long) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0];  // the first byte chooses the chunks
  ++data;
  --size;
  DECODER whole(kWidth, kHeight MORE), cut(kWidth, kHeight MORE);
  announce(whole, size, 0);
  announce(cut, size, 0);
  std::vector<Event> expected, events;
  append(whole.decode(data, size), expected);
  for (std::size_t at = 0; at < size; at += step) {
    // A copy of its own size, so that a read past the chunk is seen.
    const std::vector<std::uint8_t> chunk(data + at, data + at + std::min(step, size - at));
    append(cut.decode(chunk.data(), chunk.size()), events);
  }
  if (!(events == expected)) fail("the chunks change the events");
  if (whole.dropped() != cut.dropped()) fail("the chunks change what was dropped");
  if (whole.skipped() != cut.skipped()) fail("the chunks change what was skipped");
  if (whole.damage().has_value() != cut.damage().has_value()) fail("the chunks change the damage");
  return 0;
}
