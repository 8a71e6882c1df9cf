// libFuzzer target of one stream decoder: DECODER, HEADER and what follows width and height in its
// constructor, MORE, are set by CMake.
//
// Any bytes, whole and in chunks: no crash, no read or write outside (the sanitizers say), all
// events inside the sensor, and the same events however the bytes are cut and without wide paths.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include HEADER
#include "decoders/counting.hpp"
#include "decoders/cpu.hpp"
#include "frames.hpp"

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

// Slices and frames, of words or of columns.
struct Counted {
  explicit Counted(saccade::FrameMaker& maker) : frames(maker), slices(maker.counters(), 1000, 0) {}

  void take() {
    while (slices.due()) {
      const saccade::CountedSlice cut = slices.take();
      if (cut.first < cut.last) {  // a leap of the clock gives a thousand that are empty
        pictures.resize(pictures.size() + 16 * 16);
        frames.finish(&pictures[pictures.size() - 16 * 16]);
      }
      slices.resume();
      for (const std::uint64_t v : {cut.t_begin, cut.t_last, cut.first, cut.last, cut.restarts}) {
        windows.push_back(v);
      }
    }
  }

  saccade::FrameMaker& frames;  // without events when the last slice has been taken
  saccade::SliceCounter slices;
  std::vector<std::uint64_t> windows;
  std::vector<float> pictures;
};

// What is counted while it is decoded is what is counted of columns. Of the first bytes: each may
// be a leap of the clock.
template <typename Decoder>
auto check_counting(const std::uint8_t* data, std::size_t size, std::size_t step, int)
    -> decltype(Decoder::kWord, void()) {
  size = std::min<std::size_t>(size, 512);
  using saccade::Counting, saccade::FrameKind;
  static saccade::FrameMaker sensor(kWidth, kHeight, 16, FrameKind::kPaper, Counting::kSensor, 1);
  static saccade::FrameMaker encoder(kWidth, kHeight, 16, FrameKind::kPaper, Counting::kEncoder, 1);
  Decoder one(kWidth, kHeight MORE), other(kWidth, kHeight MORE);
  // One after the other, for they share a maker.
  Counted columns(step % 2 ? sensor : encoder);
  columns.slices.add(one.decode(data, size));
  columns.take();
  columns.slices.finish();
  columns.take();
  Counted fused(step % 2 ? sensor : encoder);
  for (std::size_t at = 0; at < size; at += step) {
    const std::vector<std::uint8_t> chunk(data + at, data + at + std::min(step, size - at));
    for (std::size_t i = 0; i < chunk.size(); fused.take()) {
      i += saccade::count_words(other, chunk.data() + i, chunk.size() - i, fused.slices);
    }
  }
  fused.slices.finish();
  fused.take();
  if (fused.windows != columns.windows) fail("counting changes the slices");
  if (fused.pictures != columns.pictures) fail("counting changes the frames");
  if (one.dropped() != other.dropped()) fail("counting changes what was dropped");
}
template <typename Decoder>
void check_counting(const std::uint8_t*, std::size_t, std::size_t, long) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0];  // the first byte chooses the chunks
  ++data;
  --size;
  DECODER whole(kWidth, kHeight MORE), cut(kWidth, kHeight MORE);
  saccade::allow_simd(saccade::Simd::kNone);
  DECODER plain(kWidth, kHeight MORE);
  saccade::allow_simd(saccade::Simd::kAvx512);
  announce(whole, size, 0);
  announce(cut, size, 0);
  announce(plain, size, 0);
  std::vector<Event> expected, events, plain_events;
  append(whole.decode(data, size), expected);
  append(plain.decode(data, size), plain_events);
  for (std::size_t at = 0; at < size; at += step) {
    // A copy of its own size, so that a read past the chunk is seen.
    const std::vector<std::uint8_t> chunk(data + at, data + at + std::min(step, size - at));
    append(cut.decode(chunk.data(), chunk.size()), events);
  }
  if (!(events == expected)) fail("the chunks change the events");
  if (!(plain_events == expected) || plain.dropped() != whole.dropped()) {
    fail("the wide path changes the events");
  }
  if (whole.dropped() != cut.dropped()) fail("the chunks change what was dropped");
  if (whole.skipped() != cut.skipped()) fail("the chunks change what was skipped");
  if (whole.damage().has_value() != cut.damage().has_value()) fail("the chunks change the damage");
  check_counting<DECODER>(data, size, step, 0);
  return 0;
}
