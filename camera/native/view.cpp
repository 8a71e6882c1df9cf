#include "view.hpp"

#include <algorithm>
#include <cmath>

namespace saccade {

Place place_at(double at, int size) {
  const double end = size - 1;
  const bool outside = at < -0.5 || at > end + 0.5;
  at = at > 0 ? std::min(at, end) : 0.0;  // in this order NaN becomes 0
  const int pixel = std::min(static_cast<int>(at), std::max(size - 2, 0));
  return {pixel, static_cast<float>(at - pixel), outside};
}

ViewRows::ViewRows(const View& view, int width)
    : view_(view), width_(width), wide_(has_avx2() && view.width > 1) {
  if (!wide_ || view.affine[1] != 0 || view.affine[3] != 0) return;
  const auto n = static_cast<std::size_t>(width);
  left_.resize(n);
  share_.resize(n);
  int inside = 0;
  for (int x = 0; x < width; ++x) {
    const Place across = place_at(view.affine[0] * x + view.affine[2], view.width);
    left_[static_cast<std::size_t>(x)] = across.pixel;
    share_[static_cast<std::size_t>(x)] = across.share;
    if (across.outside) continue;
    if (inside++ == 0) first_ = x;
    last_ = x + 1;
  }
}

void ViewRows::row(int y, float* out) const {
#ifdef SACCADE_X86
  if (!left_.empty()) return upright(y, out);
  if (wide_) return plain(y, view_row_avx2(view_, y, width_, out), out);
#endif
  plain(y, 0, out);
}

#ifdef SACCADE_X86
void ViewRows::upright(int y, float* out) const {
  const Place down = place_at(view_.affine[4] * y + view_.affine[5], view_.height);
  const float* above = view_.image + static_cast<std::size_t>(down.pixel) * view_.width;
  const float* below = view_.height > 1 ? above + view_.width : above;
  plain(y, blend_row_avx2(above, below, down.share, left_.data(), share_.data(), width_, out), out);
  if (std::isnan(view_.fill)) return;
  std::fill(out, out + (down.outside ? width_ : first_), view_.fill);
  std::fill(out + last_, out + width_, view_.fill);
}
#endif

void ViewRows::plain(int y, int begin, float* out) const {
  const double* a = view_.affine;
  const double row_u = a[1] * y + a[2], row_v = a[4] * y + a[5];
  const bool filled = !std::isnan(view_.fill);
  const int next = view_.width > 1 ? 1 : 0;
  for (int x = begin; x < width_; ++x) {
    const Place across = place_at(a[0] * x + row_u, view_.width);
    const Place down = place_at(a[3] * x + row_v, view_.height);
    if (filled && (across.outside || down.outside)) {
      out[x] = view_.fill;
      continue;
    }
    const float* above =
        view_.image + static_cast<std::size_t>(down.pixel) * view_.width + across.pixel;
    const float* below = view_.height > 1 ? above + view_.width : above;
    const float upper = above[0] + across.share * (above[next] - above[0]);
    const float lower = below[0] + across.share * (below[next] - below[0]);
    out[x] = upper + down.share * (lower - upper);
  }
}

}  // namespace saccade
