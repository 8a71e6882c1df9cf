// Slices counted as they are decoded, as Python sees them.
#pragma once
#include <nanobind/nanobind.h>

#include "frames.hpp"
#include "slice_counter.hpp"

// Keeps the frame maker that it counts for.
class PythonSliceCounter {
 public:
  PythonSliceCounter(nanobind::object maker, std::uint64_t window, std::uint64_t count,
                     unsigned most_empty)
      : maker_(std::move(maker)),
        frames_(nanobind::cast<saccade::FrameMaker&>(maker_)),
        slices_(frames_.counters(), window, count, most_empty) {}

  // What a decoder may count into: throws where a slice is due, or where its events could lie
  // outside.
  template <typename Decoder>
  saccade::SliceCounter& ready_for(const Decoder& decoder) {
    if (slices_.due()) throw nanobind::value_error("a slice is due: take it first");
    if (decoder.width() > static_cast<std::uint32_t>(frames_.counters().width()) ||
        decoder.height() > static_cast<std::uint32_t>(frames_.counters().height())) {
      throw nanobind::value_error("the decoder's geometry is larger than the frames'");
    }
    return slices_;
  }

  saccade::FrameMaker& frames() { return frames_; }
  saccade::SliceCounter& slices() { return slices_; }

 private:
  nanobind::object maker_;
  saccade::FrameMaker& frames_;
  saccade::SliceCounter slices_;
};
