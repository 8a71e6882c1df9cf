#include "evt3.hpp"

#include <cstring>

namespace saccade {
namespace {

std::uint32_t load(const std::uint8_t* words, std::size_t i) {
  std::uint16_t word;  // a carried byte leaves the rest unaligned
  std::memcpy(&word, words + i * 2, 2);
  return word;
}

std::uint32_t popcount(std::uint32_t v) {  // of 16 bits; plain arithmetic, so that loops vectorise
  v = v - ((v >> 1) & 0x5555);
  v = (v & 0x3333) + ((v >> 2) & 0x3333);
  v = (v + (v >> 4)) & 0x0f0f;
  return (v + (v >> 8)) & 0x1f;
}

// Exactly the events that the words encode, before any is dropped.
std::size_t count_events(const std::uint8_t* words, std::size_t n_words) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < n_words; ++i) {
    const std::uint32_t word = load(words, i), type = word >> 12;
    const std::uint32_t mask = (type == 0x4 ? 0xfffu : 0u) | (type == 0x5 ? 0xffu : 0u);
    n += (type == 0x2 ? 1u : 0u) + popcount(word & mask);
  }
  return n;
}

}  // namespace

EventColumns Evt3Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  std::uint8_t first[2] = {pending_, 0};
  std::size_t n_first = 0;
  if (has_pending_ && n_bytes > 0) {
    first[1] = *bytes++;
    --n_bytes;
    n_first = 1;
    has_pending_ = false;
  }
  const std::size_t n_words = n_bytes / 2;
  EventColumns out(count_events(first, n_first) + count_events(bytes, n_words));
  run(first, n_first, out);
  run(bytes, n_words, out);
  if (n_bytes % 2 != 0) {
    pending_ = bytes[n_bytes - 1];
    has_pending_ = true;
  }
  return out;
}

void Evt3Decoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  std::uint64_t* t = out.t.get() + out.size;
  std::uint16_t* x = out.x.get() + out.size;
  std::uint16_t* y = out.y.get() + out.size;
  bool* on = out.on.get() + out.size;
  const auto emit = [&](std::uint32_t column, const State& s, bool polarity) {
    *t++ = s.time;
    *x++ = static_cast<std::uint16_t>(column);
    *y++ = static_cast<std::uint16_t>(s.y);
    *on++ = polarity;
  };
  State s = state_;  // a local copy stays in registers: the columns might alias a member
  for (std::size_t i = 0; i < n_words; ++i) {
    const std::uint32_t word = load(words, i);
    switch (word >> 12) {
      case 0x0:  // ADDR_Y
        s.y = word & 0x7ff;
        s.x_limit = limit(s);
        break;
      case 0x2:  // ADDR_X
        if ((word & 0x7ff) < s.x_limit) {
          emit(word & 0x7ff, s, (word >> 11) & 1);
        } else {
          drop(s, true, 1);
        }
        break;
      case 0x3:  // VECT_BASE_X
        s.base = word & 0x7ff;
        s.on = (word >> 11) & 1;
        break;
      case 0x4:    // VECT_12
      case 0x5: {  // VECT_8
        const std::uint32_t bits = word & 0x1000 ? 8 : 12;
        std::uint32_t mask = word & ((1u << bits) - 1);
        if (s.base + bits > s.x_limit) mask = clip_vector(mask, s);
        for (; mask != 0; mask &= mask - 1) emit(s.base + __builtin_ctz(mask), s, s.on);
        if (s.base < kNone - bits) s.base += bits;
        break;
      }
      case 0x6:  // TIME_LOW: it may fall, and never carries
        s.time = (s.time & ~std::uint64_t{0xfff}) | (word & 0xfff);
        break;
      default:
        other_word(word, s);
    }
  }
  state_ = s;
  out.size = static_cast<std::size_t>(t - out.t.get());
}

void Evt3Decoder::other_word(std::uint32_t word, State& s) {
  switch (word >> 12) {
    case 0x8:  // TIME_HIGH
      counters_.time_backwards += !clock_.advance(word & 0xfff);
      s.time = (clock_.value() << 12) | (s.time & 0xfff);
      s.x_limit = limit(s);
      break;
    case 0xA:
      ++counters_.triggers;
      break;
    case 0xE:
      ++counters_.others;
      break;
    case 0x7:
    case 0xF:
      ++counters_.continued;
      break;
    default:
      ++counters_.unknown_word;
  }
}

// The bits of a vector that lie in the frame; the others are counted as dropped.
std::uint32_t Evt3Decoder::clip_vector(std::uint32_t mask, const State& s) {
  const std::uint32_t inside = s.base < s.x_limit ? mask & ((1u << (s.x_limit - s.base)) - 1) : 0;
  drop(s, s.base != kNone, popcount(mask & ~inside));
  return inside;
}

void Evt3Decoder::drop(const State& s, bool has_base, std::uint32_t n) {
  if (!clock_.started()) {
    counters_.before_time += n;
  } else if (s.y == kNone) {
    counters_.missing_y += n;
  } else if (!has_base) {
    counters_.missing_base += n;
  } else {
    counters_.out_of_bounds += n;
  }
}

}  // namespace saccade
