// EVT3 words counted one group after the other: where there are NEON's vectors but not AVX2, whose
// blocks of words need a bit for each.
#include <cstring>

#include "cpu.hpp"
#include "evt3.hpp"
#include "expand.hpp"
#include "slice_counter.hpp"

#ifndef SACCADE_X86
namespace saccade {

#ifdef SACCADE_NEON
namespace {

std::uint32_t load(const std::uint8_t* words, std::size_t i) {
  std::uint16_t word;
  std::memcpy(&word, words + 2 * i, 2);
  return word;
}

}  // namespace

bool Evt3Decoder::counts_wide(const SliceCounter& to) const {
  return wide_ && to.counters().takes_vectors();
}

// Up to the first word that is not of an event inside the sensor and the slice, of a row inside, or
// of a time whose upper part stays.
template <bool kScaled>
std::size_t Evt3Decoder::count_groups(const std::uint8_t* words, std::size_t n_words,
                                      SliceCounter& to) {
  Counters::Adder adder(to.counters());
  const std::uint32_t same_high = 0x8000 | static_cast<std::uint32_t>(clock_.value() & 0xfff);
  const std::uint64_t time = clock_.value() << 12;
  std::uint32_t row = static_cast<std::uint32_t>(packed_ >> 12) & 0x7ff;
  std::uint64_t t = time | ((packed_ >> 23) & 0xfff);
  std::size_t i = 0;
  while (i < n_words) {
    const std::uint32_t word = load(words, i), type = word >> 12, x = word & 0x7ff;
    const std::uint32_t on = word >> 11 & 1;
    if (type == 0x3 && n_words - i > 3) {
      const std::uint32_t a = load(words, i + 1), b = load(words, i + 2), c = load(words, i + 3);
      const std::uint32_t mask = (a & 0xfff) | (b & 0xfff) << 12 | (c & 0xff) << 24;
      const bool inside = x + 32 <= width_ || (x < width_ && mask >> (width_ - x) == 0);
      if (a >> 12 != 0x4 || b >> 12 != 0x4 || c >> 12 != 0x5 || !inside) break;
      if (mask != 0) {
        const std::uint32_t n = count_bits(mask);
        if (!to.takes(t, t, n)) break;
        adder.vector<kScaled>(mask, x, row, on);
        to.took(t, t, n);
      }
      base_ = x + 32;
      polarity_ = word & 0x800;
      i += 4;
      continue;
    }
    if (type == 0x2 && x < width_ && to.takes(t, t, 1)) {
      adder.one(x, row, on);
      to.took(t, t, 1);
    } else if (type == 0x0 && x < height_) {
      row = x;
    } else if (type == 0x6) {
      t = time | (word & 0xfff);
    } else if (word != same_high) {
      break;
    }
    ++i;
  }
  packed_ = std::uint64_t{row} << 12 | (t & 0xfff) << 23;
  return i;
}

std::size_t Evt3Decoder::count_wide(const std::uint8_t* words, std::size_t n_words,
                                    SliceCounter& to) {
  if (!counts_wide(to) || x_limit_ == 0) return 0;
  return to.counters().scaled() ? count_groups<true>(words, n_words, to)
                                : count_groups<false>(words, n_words, to);
}
#else
bool Evt3Decoder::counts_wide(const SliceCounter&) const { return false; }
std::size_t Evt3Decoder::count_wide(const std::uint8_t*, std::size_t, SliceCounter&) { return 0; }
#endif

}  // namespace saccade
#endif
