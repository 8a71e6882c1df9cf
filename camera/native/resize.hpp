// Antialiased bilinear resizing of what arrives row by row.
#pragma once
#include <cstddef>
#include <vector>

namespace saccade {

// One output sample: input samples [first, first + n) and where their weights begin.
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

// Rows down first, so that what is wide is added in long vectors; then columns, eight rows at a
// time.
class Resizer {
 public:
  static constexpr int kRows = 8;

  Resizer(int rows, int columns, int size);

  // Where the values of the next input row are put: columns floats.
  float* row() { return row_.data(); }
  // Takes it as row r; rows come in order, and those left out are zero.
  void add(int r, float* out);
  // Writes what is left: then all of out, size * size floats, is written.
  void finish(float* out);

 private:
  void write_before(int o, float* out);
  void write_eight(int first, float* out);
  const float* sum_or_zero(int o);
  float* sum(int o) { return &sums_[static_cast<std::size_t>(o % ring_) * stride_]; }

  int columns_, size_;
  ResizeAxis vertical_, horizontal_;
  std::vector<int> first_output_, last_output_;  // [rows]: the outputs that a row adds to
  int ring_ = kRows;                             // outputs that are kept at a time
  int next_ = 0;                                 // output that is written next, a multiple of kRows
  std::size_t stride_;
  std::vector<float> row_, zeros_;  // [stride]
  std::vector<float> sums_;         // [ring][stride]: rows of outputs, of their input's width
  std::vector<char> begun_;         // [ring]: whether a row was added
  std::vector<float> turned_;       // [stride][kRows]
};

}  // namespace saccade
