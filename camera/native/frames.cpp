#include "frames.hpp"

#include <algorithm>
#include <cmath>

namespace saccade {

namespace {
constexpr std::uint32_t kMax16 = 0xFFFF;

std::vector<std::uint16_t> scale_map(int in, int out) {
  std::vector<std::uint16_t> map(in);
  for (int i = 0; i < in; ++i) map[i] = static_cast<std::uint16_t>(std::int64_t{i} * out / in);
  return map;
}
}  // namespace

ResizeAxis::ResizeAxis(int in, int out) {
  const double ratio = static_cast<double>(in) / out;
  const double support = std::max(ratio, 1.0);
  for (int o = 0; o < out; ++o) {
    const double centre = (o + 0.5) * ratio;
    const int first = std::max(0, static_cast<int>(std::floor(centre - support)));
    const int last = std::min(in, static_cast<int>(std::ceil(centre + support)));
    std::vector<double> taps;
    double sum = 0;
    for (int i = first; i < last; ++i) {
      taps.push_back(std::max(0.0, 1.0 - std::abs(i + 0.5 - centre) / support));
      sum += taps.back();
    }
    this->taps.push_back({first, last - first, weights.size()});
    for (double w : taps) weights.push_back(static_cast<float>(w / sum));
  }
}

FrameMaker::FrameMaker(int width, int height, int size, FrameKind kind, Counting counting,
                       int clamp)
    : width_(width),
      height_(height),
      size_(size),
      kind_(kind),
      counting_(counting),
      clamp_(static_cast<std::uint32_t>(clamp)),
      rows_(counting == Counting::kSensor ? height : size),
      columns_(counting == Counting::kSensor ? width : size),
      counts_(static_cast<std::size_t>(rows_) * columns_),
      touched_(rows_),
      x_map_(scale_map(width, size)),
      y_map_(scale_map(height, size)),
      horizontal_(columns_, size),
      vertical_(rows_, size),
      first_output_(rows_, size),
      row_(columns_),
      resized_(size) {
  for (int o = size - 1; o >= 0; --o) {
    const Taps& t = vertical_.taps[o];
    for (int i = t.first; i < t.first + t.n; ++i) first_output_[i] = o;
  }
}

template <bool kScaled>
void FrameMaker::add_events(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                            std::size_t n) {
  std::uint64_t saturated = 0, outside = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t column = x[i], row = y[i];
    if (column >= static_cast<std::uint32_t>(width_) ||
        row >= static_cast<std::uint32_t>(height_)) {
      ++outside;
      continue;
    }
    if (kScaled) {
      column = x_map_[column];
      row = y_map_[row];
    }
    std::uint32_t& count = counts_[static_cast<std::size_t>(row) * columns_ + column];
    const unsigned shift = on[i] ? 16 : 0;
    touched_[row] = 1;
    if (((count >> shift) & kMax16) == kMax16) {
      ++saturated;
    } else {
      count += 1u << shift;
    }
  }
  saturated_ += saturated;
  out_of_bounds_ += outside;
}

void FrameMaker::add(const std::uint16_t* x, const std::uint16_t* y, const std::uint8_t* on,
                     std::size_t n) {
  if (counting_ == Counting::kEncoder) {
    add_events<true>(x, y, on, n);
  } else {
    add_events<false>(x, y, on, n);
  }
}

FrameMaker::Scale FrameMaker::scale() const {
  std::uint32_t max_on = 0, max_off = 0, max_sum = 0;
  for (int r = 0; r < rows_; ++r) {
    if (!touched_[r]) continue;
    const std::uint32_t* row = &counts_[static_cast<std::size_t>(r) * columns_];
    for (int c = 0; c < columns_; ++c) {
      const std::uint32_t off = row[c] & kMax16, on = row[c] >> 16;
      max_off = std::max(max_off, off);
      max_on = std::max(max_on, on);
      max_sum = std::max(max_sum, off + on);
    }
  }
  switch (kind_) {
    case FrameKind::kPaper:
      return {1.0f / static_cast<float>(max_sum + 1), 1.0f / static_cast<float>(max_sum + 1)};
    case FrameKind::kSigned:
      return {1.0f / static_cast<float>(max_off + 1), 1.0f / static_cast<float>(max_on + 1)};
    case FrameKind::kClamped:
      break;
  }
  const std::uint32_t top = std::min(max_sum, clamp_);
  return {0, top ? 1.0f / static_cast<float>(top) : 0.0f};
}

void FrameMaker::normalise_row(const std::uint32_t* counts, Scale scale, float* out) const {
  if (kind_ == FrameKind::kClamped) {
    for (int c = 0; c < columns_; ++c) {
      const std::uint32_t sum = (counts[c] & kMax16) + (counts[c] >> 16);
      out[c] = static_cast<float>(static_cast<std::int32_t>(std::min(sum, clamp_))) * scale.on;
    }
    return;
  }
  for (int c = 0; c < columns_; ++c) {
    const auto off = static_cast<std::int32_t>(counts[c] & kMax16);
    const auto on = static_cast<std::int32_t>(counts[c] >> 16);
    out[c] = static_cast<float>(off) * scale.off + static_cast<float>(on) * scale.on;
  }
}

void FrameMaker::resize_row(const float* row, float* out) const {
  for (int o = 0; o < size_; ++o) {
    const Taps& t = horizontal_.taps[o];
    const float* w = &horizontal_.weights[t.weights];
    float sum = 0;
    for (int i = 0; i < t.n; ++i) sum += w[i] * row[t.first + i];
    out[o] = sum;
  }
}

void FrameMaker::finish(float* out) {
  const Scale s = scale();
  // `signed` is -1 where nothing happened; the taps of a pixel sum to one, so -1 commutes with
  // them.
  std::fill(out, out + static_cast<std::size_t>(size_) * size_,
            kind_ == FrameKind::kSigned ? -1.0f : 0.0f);
  for (int r = 0; r < rows_; ++r) {
    if (!touched_[r]) continue;
    std::uint32_t* counts = &counts_[static_cast<std::size_t>(r) * columns_];
    normalise_row(counts, s, row_.data());
    std::fill(counts, counts + columns_, 0u);
    touched_[r] = 0;
    resize_row(row_.data(), resized_.data());
    for (int o = first_output_[r]; o < size_; ++o) {
      const Taps& t = vertical_.taps[o];
      if (r < t.first) break;
      if (r >= t.first + t.n) continue;
      const float w = vertical_.weights[t.weights + static_cast<std::size_t>(r - t.first)];
      float* line = out + static_cast<std::size_t>(o) * size_;
      for (int c = 0; c < size_; ++c) line[c] += w * resized_[c];
    }
  }
}

void FrameMaker::clear() {
  std::fill(counts_.begin(), counts_.end(), 0u);
  std::fill(touched_.begin(), touched_.end(), std::uint8_t{0});
}

void FrameMaker::counts(std::uint16_t* out) const {
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    out[i] = static_cast<std::uint16_t>(counts_[i] & kMax16);
    out[counts_.size() + i] = static_cast<std::uint16_t>(counts_[i] >> 16);
  }
}

}  // namespace saccade
