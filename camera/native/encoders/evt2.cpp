#include <cstring>

#include "evt.hpp"

namespace saccade {
namespace {

void put(std::uint8_t* words, std::size_t k, std::uint32_t word) {
  std::memcpy(words + 4 * k, &word, 4);
}

}  // namespace

EncodedBytes Evt2Encoder::encode(const EventView& e) {
  const std::uint64_t extra = clock_.extra_steps(e.t, e.size, origin_);
  before_ = clock_;
  // Two words an event at most: TIME_HIGH and the event; one TIME_HIGH to begin.
  EncodedBytes out{std::unique_ptr<std::uint8_t[]>(new std::uint8_t[4 * (2 * e.size + extra + 2)])};
  std::uint8_t* const words = out.bytes.get();
  std::size_t k = 0;
  for (std::size_t i = 0; i < e.size; ++i) {
    const std::uint64_t t = e.t[i] - origin_;
    if (!clock_.at(t >> 6)) {
      clock_.go_to(t >> 6, [&](std::uint64_t high) {
        put(words, k++, 0x80000000u | static_cast<std::uint32_t>(high));
      });
    }
    const auto low = static_cast<std::uint32_t>(t & 0x3f);
    const std::uint32_t x = e.x[i], y = e.y[i];
    put(words, k++, std::uint32_t{e.on[i]} << 28 | low << 22 | x << 11 | y);
  }
  out.size = 4 * k;
  return out;
}

}  // namespace saccade
