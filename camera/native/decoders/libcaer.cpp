#include "libcaer.hpp"

#include <cstring>

namespace saccade {

void LibcaerDecoder::start(std::uint64_t time_base) {
  base_us_ = time_base / 1000;
  epoch_ = 0;
  low_ = 0;
}

void LibcaerDecoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  const std::uint32_t width = width_, height = height_;
  std::uint64_t* const __restrict t_out = out.t.get();
  std::uint16_t* const __restrict x_out = out.x.get();
  std::uint16_t* const __restrict y_out = out.y.get();
  bool* const __restrict on_out = out.on.get();
  constexpr std::uint64_t kHalf = 1u << 30;
  std::uint64_t epoch = epoch_, low = low_, last = last_, backwards = 0;
  std::uint64_t invalid = 0, negative = 0, outside = 0;
  std::size_t k = out.size;
  for (std::size_t i = 0; i < n_words; ++i) {
    std::uint32_t data, time;
    std::memcpy(&data, words + 8 * i, 4);
    std::memcpy(&time, words + 8 * i + 4, 4);
    const std::uint32_t column = data >> 17, row = (data >> 2) & 0x7fff;
    // Each class counts what the ones before it left: no event is counted twice.
    const bool valid = (data & 1) != 0, positive = time < 0x80000000u;
    const bool inside = (column < width) & (row < height);
    invalid += !valid;
    negative += valid & !positive;
    outside += valid & positive & !inside;
    // Only a fall by more than half the range is a wrap, and only such a rise takes one back, so
    // that a packet out of order or a flipped bit does not shift all that follows.
    const std::uint64_t next = positive ? time : low;
    epoch += next + kHalf < low;
    epoch -= (next > low + kHalf) & (epoch > 0);
    low = next;
    const std::uint64_t t = base_us_ + (epoch << 31) + low;
    t_out[k] = t;
    x_out[k] = static_cast<std::uint16_t>(column);
    y_out[k] = static_cast<std::uint16_t>(row);
    on_out[k] = (data & 2) != 0;
    const bool kept = valid & positive & inside;
    backwards += kept & (t < last);
    last = kept ? t : last;
    k += kept;
  }
  epoch_ = epoch;
  low_ = static_cast<std::uint32_t>(low);
  last_ = last;
  backwards_ += backwards;
  invalid_ += invalid;
  negative_time_ += negative;
  out_of_bounds_ += outside;
  out.size = k;
}

}  // namespace saccade
