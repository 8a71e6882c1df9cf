// Event columns -> counts per polarity -> one normalised frame of the encoder's size.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace saccade {

enum class FrameKind { kPaper, kSigned, kClamped };
enum class Counting { kSensor, kEncoder };

// One output sample of an antialiased bilinear resize: input samples [first, first + n) and where
// their weights begin.
struct Taps {
  int first = 0;
  int n = 0;
  std::size_t weights = 0;
};

// Triangle-filter taps of one axis; the filter widens by the scale when it shrinks (antialiasing).
struct ResizeAxis {
  ResizeAxis(int in, int out);
  std::vector<Taps> taps;
  std::vector<float> weights;
};

// Counts events on a grid (the sensor's, or the encoder's with coordinates scaled first) and turns
// them into a frame. Counters are 16 bits a polarity; they saturate, and that is counted.
class FrameMaker {
 public:
  FrameMaker(int width, int height, int size, FrameKind kind, Counting counting, int clamp);

  void add(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on, std::size_t n);
  // Writes size * size floats and clears the counters for the next slice.
  void finish(float* out);
  void clear();
  // Copies the counters to [2][rows][columns]: OFF first.
  void counts(std::uint16_t* out) const;

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int size() const { return size_; }
  std::uint64_t saturated() const { return saturated_; }
  std::uint64_t out_of_bounds() const { return out_of_bounds_; }

 private:
  struct Scale {
    float off = 0, on = 0;  // weight of one count (kClamped: `on` alone, after the clamp)
  };
  template <bool kScaled>
  void add_events(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                  std::size_t n);
  Scale scale() const;
  void normalise_row(const std::uint32_t* counts, Scale scale, float* out) const;
  void resize_row(const float* row, float* out) const;

  int width_, height_, size_;
  FrameKind kind_;
  Counting counting_;
  std::uint32_t clamp_;
  int rows_, columns_;
  std::vector<std::uint32_t> counts_;  // [rows][columns]: OFF in the low 16 bits, ON in the high
  std::vector<std::uint8_t> touched_;  // [rows]: did an event land in this row?
  std::vector<std::uint16_t> x_map_, y_map_;  // sensor -> encoder grid
  ResizeAxis horizontal_, vertical_;
  std::vector<int> first_output_;  // [rows]: first output row that a row adds to
  std::vector<float> row_, resized_;
  std::uint64_t saturated_ = 0, out_of_bounds_ = 0;
};

}  // namespace saccade
