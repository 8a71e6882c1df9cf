// Counts per polarity -> one normalised frame of the encoder's size.
#pragma once
#include <cstddef>
#include <cstdint>

#include "counters.hpp"
#include "resize.hpp"

namespace saccade {

enum class FrameKind { kPaper, kSigned, kClamped };

// Counts events (see Counters) and turns the counts into frames, touching no row without events.
class FrameMaker {
 public:
  FrameMaker(int width, int height, int size, FrameKind kind, Counting counting, int clamp);

  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  int size() const { return size_; }

  // Writes size * size floats and clears the counters for the next slice.
  void finish(float* out);
  // Copies the counters to [2][rows][columns]: OFF first.
  void counts(std::uint16_t* out) const;

 private:
  struct Scale {
    float off = 1, on = 1;  // of a count, before the rows are resized
    float empty = 0;        // of a pixel without events, added to what comes out
  };
  Scale scale_before() const;
  float scale_after(std::uint32_t top) const;
  std::uint32_t take_row(int r, const Scale& scale, float* out);

  int size_;
  FrameKind kind_;
  std::uint32_t clamp_;
  Counters counters_;
  Resizer resizer_;
};

}  // namespace saccade
