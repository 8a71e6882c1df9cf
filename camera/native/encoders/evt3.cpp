#include <algorithm>
#include <cstring>

#include "evt.hpp"

namespace saccade {
namespace {

constexpr std::uint32_t kVector = 32, kShorter = 5;  // a vector of 32 takes four words

void put(std::uint8_t* words, std::size_t k, std::uint32_t word) {
  const auto value = static_cast<std::uint16_t>(word);
  std::memcpy(words + 2 * k, &value, 2);
}

// How many events from i on are of one row, time and polarity, rise in x, and end before `limit`.
std::size_t run_length(const EventView& e, std::size_t i, std::uint32_t limit) {
  std::size_t end = i + 1;
  while (end < e.size && e.t[end] == e.t[i] && e.y[end] == e.y[i] && e.on[end] == e.on[i] &&
         e.x[end] > e.x[end - 1] && e.x[end] < limit) {
    ++end;
  }
  return end - i;
}

}  // namespace

EncodedBytes Evt3Encoder::encode(const EventView& e) {
  const std::uint64_t extra = state_.clock.extra_steps(e.t, e.size, origin_);
  before_ = state_;
  State s = state_;
  // Four words an event at most: TIME_HIGH, TIME_LOW, ADDR_Y, ADDR_X; one TIME_HIGH to begin.
  EncodedBytes out{std::unique_ptr<std::uint8_t[]>(new std::uint8_t[2 * (4 * e.size + extra + 2)])};
  std::uint8_t* const words = out.bytes.get();
  std::size_t k = 0;
  for (std::size_t i = 0; i < e.size;) {
    const std::uint64_t t = e.t[i] - origin_;
    const std::uint32_t low = t & 0xfff, row = e.y[i], x = e.x[i];
    const std::uint32_t polarity = std::uint32_t{e.on[i]} << 11;
    if (!s.clock.at(t >> 12)) {
      s.clock.go_to(t >> 12, [&](std::uint64_t high) {
        put(words, k++, 0x8000 | static_cast<std::uint32_t>(high));
      });
      s.low = kNone;  // said again after each TIME_HIGH, as the sensors do
    }
    // Written always, kept where it says something new: no branch to mispredict.
    put(words, k, 0x6000 | low);
    k += low != s.low;
    put(words, k, row);
    k += row != s.row;
    s.low = low;
    s.row = row;
    const std::size_t ahead = i + kShorter - 1;
    if (ahead < e.size && width_ >= kVector && e.t[ahead] == e.t[i] && e.y[ahead] == row) {
      const std::uint32_t base = std::min(x, width_ - kVector);
      const std::size_t n = run_length(e, i, base + kVector);
      if (n >= kShorter) {
        std::uint32_t mask = 0;
        for (std::size_t j = i; j < i + n; ++j) mask |= 1u << (e.x[j] - base);
        put(words, k, 0x3000 | polarity | base);
        put(words, k + 1, 0x4000 | (mask & 0xfff));
        put(words, k + 2, 0x4000 | ((mask >> 12) & 0xfff));
        put(words, k + 3, 0x5000 | (mask >> 24));
        k += 4;
        i += n;
        continue;
      }
    }
    put(words, k++, 0x2000 | polarity | x);
    ++i;
  }
  state_ = s;
  out.size = 2 * k;
  return out;
}

}  // namespace saccade
