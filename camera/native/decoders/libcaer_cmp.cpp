#include "libcaer_cmp.hpp"

#include <cstring>

namespace saccade {
namespace {

std::uint32_t load(const std::uint8_t* words, std::size_t i) {
  std::uint16_t word;
  std::memcpy(&word, words + i * 2, 2);
  return word;
}

// At most the events that the words encode: one for each ADDR_Y, eight for each vector.
std::size_t count_events(const std::uint8_t* words, std::size_t n_words) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < n_words; ++i) {
    const std::uint32_t type = load(words, i) >> 12;
    n += (type == 3) + 8 * (type == 5);
  }
  return n;
}

}  // namespace

void LibcaerCmpDecoder::start(std::uint64_t time_base) {
  base_us_ = time_base / 1000;
  high_ = low_ = 0;
}

std::size_t LibcaerCmpDecoder::most_events(const std::uint8_t* bytes, std::size_t n_bytes) const {
  // One more: the loop stores what may be no event behind the last one. Eight: the split word.
  const std::size_t split = std::min(carry_.size(), n_bytes);
  return count_events(bytes + split, (n_bytes - split) / 2) + 8 + 1;
}

void LibcaerCmpDecoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  std::uint64_t* const __restrict t_out = out.t.get();
  std::uint16_t* const __restrict x_out = out.x.get();
  std::uint16_t* const __restrict y_out = out.y.get();
  bool* const __restrict on_out = out.on.get();
  for (std::size_t i = 0; i < n_words; ++i) {
    // Columns and rows follow each other unpredictably, so they are told apart without a branch.
    std::uint32_t x = x_, low = low_, word = 0;
    std::uint64_t last = last_, backwards = 0, dropped = 0;
    const std::uint32_t width = width_, height = height_;
    const std::uint64_t time = base_us_ + (std::uint64_t{high_} << 12);
    std::size_t k = out.size;
    for (; i < n_words; ++i) {
      word = load(words, i);
      const std::uint32_t type = word >> 12, value = word & 0x7ff;
      if (type - 1 >= 3) break;
      low = type == 1 ? word & 0xfff : low;
      const bool is_x = type == 2, is_y = type == 3;
      if (is_x & (x == kNone)) break;  // what was dropped so far had no column
      x = is_x ? value : x;
      const std::uint64_t t = time + low;
      t_out[k] = t;
      x_out[k] = static_cast<std::uint16_t>(x);
      y_out[k] = static_cast<std::uint16_t>(value);
      on_out[k] = (word & 0x800) != 0;
      const bool kept = is_y & (x < width) & (value < height);
      dropped += is_y & !kept;
      backwards += kept & (t < last);
      last = kept ? t : last;
      k += kept;
    }
    out.size = k;
    x_ = x;
    low_ = low;
    last_ = last;
    backwards_ += backwards;
    drop(true, dropped);
    if (i < n_words) slow_word(word, out);
  }
}

void LibcaerCmpDecoder::slow_word(std::uint32_t word, EventColumns& out) {
  switch (word >> 12) {
    case 0:
      high_ = word & 0xfff;
      break;
    case 2:  // ADDR_X, the first one
      x_ = word & 0x7ff;
      break;
    case 4:
      y_base_ = word & 0x7ff;
      polarity_ = (word & 0x800) != 0;
      break;
    case 5:
      vector_word(word & 0xff, out);
      break;
    default:
      ++unknown_word_;
  }
}

void LibcaerCmpDecoder::vector_word(std::uint32_t mask, EventColumns& out) {
  const std::uint64_t t = base_us_ + ((std::uint64_t{high_} << 12) | low_);
  for (; mask != 0; mask &= mask - 1) {
    const std::uint32_t row = y_base_ + static_cast<std::uint32_t>(__builtin_ctz(mask));
    if (x_ >= width_ || row >= height_) {
      drop(y_base_ != kNone, 1);
      continue;
    }
    out.t[out.size] = t;
    out.x[out.size] = static_cast<std::uint16_t>(x_);
    out.y[out.size] = static_cast<std::uint16_t>(row);
    out.on[out.size] = polarity_;
    ++out.size;
    backwards_ += t < last_;
    last_ = t;
  }
  if (y_base_ < kNone - 8) y_base_ += 8;
}

void LibcaerCmpDecoder::drop(bool has_base, std::uint64_t n) {
  if (x_ == kNone) {
    missing_x_ += n;
  } else if (!has_base) {
    missing_base_ += n;
  } else {
    out_of_bounds_ += n;
  }
}

}  // namespace saccade
