#include "mono.hpp"

#include <cstring>

namespace saccade {

void MonoDecoder::start(std::uint64_t time_base) {
  base_us_ = time_base / 1000;
  base_rest_ns_ = time_base % 1000;
}

void MonoDecoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  const std::uint32_t width = width_, height = height_;
  std::uint64_t* const __restrict t_out = out.t.get();
  std::uint16_t* const __restrict x_out = out.x.get();
  std::uint16_t* const __restrict y_out = out.y.get();
  bool* const __restrict on_out = out.on.get();
  std::uint64_t last = last_, backwards = 0;
  const std::size_t first = out.size;
  std::size_t k = first;
  for (std::size_t i = 0; i < n_words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, words + 8 * i, 8);
    const auto column = static_cast<std::uint16_t>(word >> 32);
    const auto row = static_cast<std::uint16_t>((word >> 48) & 0x7fff);
    const std::uint64_t t = base_us_ + (base_rest_ns_ + (word & 0xffffffff)) / 1000;
    t_out[k] = t;
    x_out[k] = column;
    y_out[k] = row;
    on_out[k] = (word >> 63) != 0;
    const bool inside = (column < width) & (row < height);
    backwards += inside & (t < last);
    last = inside ? t : last;
    k += inside;
  }
  last_ = last;
  backwards_ += backwards;
  out_of_bounds_ += n_words - (k - first);
  out.size = k;
}

}  // namespace saccade
