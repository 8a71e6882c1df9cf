#include "evt2.hpp"

#include <algorithm>
#include <cstring>

#include "cpu.hpp"

namespace saccade {
namespace {

std::uint32_t load(const std::uint8_t* words, std::size_t i) {
  std::uint32_t word;  // the carried bytes leave the rest unaligned
  std::memcpy(&word, words + i * 4, 4);
  return word;
}

}  // namespace

Evt2Decoder::Evt2Decoder(std::uint32_t width, std::uint32_t height)
    : width_(width), height_(height), wide_(has_avx2() || has_neon()), avx512_(has_avx512()) {}

EventColumns Evt2Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  triggers_.clear();
  EventColumns out(carry_.words(n_bytes));
  carry_.feed(bytes, n_bytes,
              [&](const std::uint8_t* words, std::size_t n) { run(words, n, out); });
  return out;
}

void Evt2Decoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  std::size_t i = 0;
  while (i < n_words) {
#if defined(SACCADE_X86) || defined(SACCADE_NEON)
    if (wide_ && clock_.started()) i += wide(words + i * kWord, n_words - i, out);
#endif
    // What stopped the wide path, and with it all that it would not take (fewer than eight words).
    const std::size_t end = wide_ ? std::min(n_words, i + 8) : n_words;
    for (; i < end; ++i) one_word(load(words, i), out);
  }
}

void Evt2Decoder::one_word(std::uint32_t word, EventColumns& out) {
  if (word >= kEventsBelow) return other_head(word);
  const std::uint32_t column = (word >> 11) & 0x7ff, row = word & 0x7ff;
  if (!clock_.started()) {
    ++before_time_;
  } else if (column >= width_ || row >= height_) {
    ++out_of_bounds_;
  } else {
    out.t[out.size] = clock_.value() << 6 | ((word >> 22) & 0x3f);
    out.x[out.size] = static_cast<std::uint16_t>(column);
    out.y[out.size] = static_cast<std::uint16_t>(row);
    out.on[out.size] = (word >> 28) != 0;
    ++out.size;
  }
}

}  // namespace saccade
