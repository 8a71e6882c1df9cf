#include "frames.hpp"

#include <algorithm>

#include "decoders/expand.hpp"

namespace saccade {
namespace {

struct Tops {
  std::uint16_t off = 0, on = 0;
};

SACCADE_INLINE std::uint16_t top_inlined(const std::uint16_t* counts, std::size_t n) {
  std::uint16_t top = 0;
  for (std::size_t i = 0; i < n; ++i) top = std::max(top, counts[i]);
  return top;
}

// The sum of both counts, at most `clamp`, as numbers; returns the highest.
SACCADE_INLINE std::uint32_t sums_inlined(const std::uint16_t* off, const std::uint16_t* on,
                                          std::size_t n, std::uint32_t clamp, float* out) {
  const auto most = static_cast<std::int32_t>(clamp);
  std::int32_t top = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t sum = std::min(std::int32_t{off[i]} + std::int32_t{on[i]}, most);
    top = std::max(top, sum);
    out[i] = static_cast<float>(sum);
  }
  return static_cast<std::uint32_t>(top);
}

SACCADE_INLINE void mix_inlined(const std::uint16_t* off, const std::uint16_t* on, std::size_t n,
                                float off_scale, float on_scale, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<float>(std::int32_t{off[i]}) * off_scale +
             static_cast<float>(std::int32_t{on[i]}) * on_scale;
  }
}

SACCADE_INLINE void scale_inlined(float* values, std::size_t n, float scale, float offset) {
  for (std::size_t i = 0; i < n; ++i) values[i] = values[i] * scale + offset;
}

// Each once for any processor and once for AVX2; those of whole numbers for AVX-512 too, for there
// compilers fuse a product and a sum, which rounds differently.
#define SACCADE_BOTH(result, name, parameters, arguments)                         \
  result name##_anywhere parameters { return name##_inlined arguments; }          \
  SACCADE_AVX2 result name##_avx2 parameters { return name##_inlined arguments; } \
  result name parameters { return has_avx2() ? name##_avx2 arguments : name##_anywhere arguments; }
#define SACCADE_THREE(result, name, parameters, arguments)                            \
  result name##_anywhere parameters { return name##_inlined arguments; }              \
  SACCADE_AVX2 result name##_avx2 parameters { return name##_inlined arguments; }     \
  SACCADE_AVX512 result name##_avx512 parameters { return name##_inlined arguments; } \
  result name parameters {                                                            \
    return has_avx512() ? name##_avx512 arguments                                     \
           : has_avx2() ? name##_avx2 arguments                                       \
                        : name##_anywhere arguments;                                  \
  }
SACCADE_THREE(std::uint16_t, top, (const std::uint16_t* counts, std::size_t n), (counts, n))
SACCADE_THREE(std::uint32_t, sums,
              (const std::uint16_t* off, const std::uint16_t* on, std::size_t n,
               std::uint32_t clamp, float* out),
              (off, on, n, clamp, out))
SACCADE_BOTH(void, mix,
             (const std::uint16_t* off, const std::uint16_t* on, std::size_t n, float off_scale,
              float on_scale, float* out),
             (off, on, n, off_scale, on_scale, out))
SACCADE_BOTH(void, scale, (float* values, std::size_t n, float scale, float offset),
             (values, n, scale, offset))
#undef SACCADE_BOTH
#undef SACCADE_THREE

constexpr std::uint32_t kNoClamp = 2 * 0xffff;

}  // namespace

FrameMaker::FrameMaker(int width, int height, int size, FrameKind kind, Counting counting,
                       int clamp)
    : size_(size),
      kind_(kind),
      clamp_(kind == FrameKind::kClamped ? static_cast<std::uint32_t>(clamp) : kNoClamp),
      counters_(width, height, size, counting),
      resizer_(counters_.rows(), counters_.columns(), size) {}

// `signed` weighs the polarities by what only a pass over all rows can tell. The others weigh all
// counts alike, and resizing is linear: what comes out is weighed instead, so that one pass is
// enough. And `signed` is -1 where nothing happened; the taps of a pixel sum to one, so that -1
// commutes with them.
FrameMaker::Scale FrameMaker::scale_before() const {
  Scale scale;
  if (kind_ != FrameKind::kSigned) return scale;
  Tops tops;
  const auto n = static_cast<std::size_t>(counters_.columns());
  for (int r = 0; r < counters_.rows(); ++r) {
    if (!counters_.touched(r)) continue;
    tops.off = std::max(tops.off, top(counters_.row(r, 0), n));
    tops.on = std::max(tops.on, top(counters_.row(r, 1), n));
  }
  scale.off = 1.0f / static_cast<float>(tops.off + 1);
  scale.on = 1.0f / static_cast<float>(tops.on + 1);
  scale.empty = -1;
  return scale;
}

float FrameMaker::scale_after(std::uint32_t top) const {
  switch (kind_) {
    case FrameKind::kPaper:
      return 1.0f / static_cast<float>(top + 1);
    case FrameKind::kClamped:
      return top == 0 ? 1.0f : 1.0f / static_cast<float>(top);
    case FrameKind::kSigned:
      break;
  }
  return 1;
}

std::uint32_t FrameMaker::take_row(int r, const Scale& scale, float* out) {
  const std::uint16_t *off = counters_.row(r, 0), *on = counters_.row(r, 1);
  const auto n = static_cast<std::size_t>(counters_.columns());
  std::uint32_t top = 0;
  if (kind_ == FrameKind::kSigned) {
    mix(off, on, n, scale.off, scale.on, out);
  } else {
    top = sums(off, on, n, clamp_, out);
  }
  counters_.clear_row(r);
  return top;
}

void FrameMaker::finish(float* out) {
  const std::size_t n_out = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
  const int rows = counters_.rows();
  const bool same_size = rows == size_ && counters_.columns() == size_;
  const Scale s = scale_before();
  std::uint32_t top = 0;
  bool any = false;
  for (int r = 0; r < rows; ++r) {
    float* const line = out + static_cast<std::size_t>(r) * size_;
    if (!counters_.touched(r)) {
      if (same_size) std::fill_n(line, size_, 0.0f);
      continue;
    }
    any = true;
    top = std::max(top, take_row(r, s, same_size ? line : resizer_.row()));
    if (!same_size) resizer_.add(r, out);
  }
  if (!any) {
    std::fill_n(out, n_out, s.empty);
    return;
  }
  if (!same_size) resizer_.finish(out);
  scale(out, n_out, scale_after(top), s.empty);
}

void FrameMaker::counts(std::uint16_t* out) const {
  for (int on = 0; on < 2; ++on) {
    for (int r = 0; r < counters_.rows(); ++r) {
      out = std::copy_n(counters_.row(r, on), counters_.columns(), out);
    }
  }
}

}  // namespace saccade
