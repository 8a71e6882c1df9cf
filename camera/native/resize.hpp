// Antialiased bilinear resizing of what arrives row by row.
#pragma once
#include <cstddef>
#include <vector>

#include "decoders/cpu.hpp"

namespace saccade {

// One output sample: input samples [first, first + n) and where their weights begin.
struct Taps {
  int first = 0;
  int n = 0;
  std::size_t weights = 0;
};

// Triangle-filter taps of one axis; the filter widens by the scale when it shrinks (antialiasing).
// The weights of a sample are followed by zeros up to a multiple of kLanes.
struct ResizeAxis {
  static constexpr int kLanes = 8;

  ResizeAxis(int in, int out);
  std::vector<Taps> taps;
  std::vector<float> weights;
};

// Rows down first, so that what is wide is added in long vectors, then columns.
class Resizer {
 public:
  Resizer(int rows, int columns, int size);

  // Where the values of the next input row are put: columns floats, in memory with room for more.
  float* row() { return row_.data(); }
  // Takes it as row r; rows come in order, and those left out are zero.
  void add(int r, float* out);
  // Writes what is left: then all of out, size * size floats, is written.
  void finish(float* out);

 private:
  void close_before(int r, float* out);
  float* open(int o) { return &open_[static_cast<std::size_t>(o % ring_) * stride_]; }

  int columns_, size_;
  ResizeAxis vertical_, horizontal_;
  std::vector<int> first_output_, last_output_;  // [rows]: the outputs that a row adds to
  int ring_ = 1;                                 // outputs that are open at a time
  std::size_t stride_;
  std::vector<float> row_, open_;  // [stride], [ring][stride]
  std::vector<char> begun_;        // [ring]: whether a row was added
  int next_ = 0;                   // output that is closed next
};

}  // namespace saccade
