// An image seen through an affine map: what a moving, turning, zooming picture shows a sensor.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoders/cpu.hpp"

namespace saccade {

// Pixel (x, y) shows the bilinear sample at (a0 x + a1 y + a2, a3 x + a4 y + a5). Outside the image
// the nearest edge pixel, or `fill` where it is a number.
struct View {
  const float* image;  // [height][width], of fewer than 2^31 pixels
  int width, height;
  double affine[6];
  float fill;
};

// Where pixels lie on one axis of the image: the image's pixel before, and how far behind it.
struct Place {
  std::int32_t pixel;
  float share;
  bool outside;
};
Place place_at(double at, int size);

// The rows of a sensor of `width` pixels. Wide and plain paths give the same bits.
class ViewRows {
 public:
  ViewRows(const View& view, int width);
  void row(int y, float* out) const;

 private:
  void plain(int y, int begin, float* out) const;
  void upright(int y, float* out) const;

  View view_;
  int width_;
  bool wide_;
  // Of a view that is not turned each row has the same columns; those of [first, last) are inside.
  std::vector<std::int32_t> left_;
  std::vector<float> share_;
  int first_ = 0, last_ = 0;
};

#ifdef SACCADE_X86
// The first pixels of a row, as many as fill registers; they give how many. The image has two
// columns at least. `blend_row_avx2` takes places that are known.
int view_row_avx2(const View& view, int y, int width, float* out);
int blend_row_avx2(const float* above, const float* below, float down, const std::int32_t* left,
                   const float* share, int width, float* out);
#endif

}  // namespace saccade
