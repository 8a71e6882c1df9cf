#include "evt2.hpp"

#include <algorithm>
#include <cstring>

#include "cpu.hpp"

namespace saccade {
namespace {

constexpr std::size_t kWord = 4;

std::uint32_t load(const std::uint8_t* words, std::size_t i) {
  std::uint32_t word;  // the carried bytes leave the rest unaligned
  std::memcpy(&word, words + i * kWord, kWord);
  return word;
}

std::size_t count_events(const std::uint8_t* words, std::size_t n_words) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < n_words; ++i) n += load(words, i) < 0x20000000u;
  return n;
}

}  // namespace

Evt2Decoder::Evt2Decoder(std::uint32_t width, std::uint32_t height)
    : width_(width), height_(height), wide_(has_avx2()) {}

EventColumns Evt2Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  triggers_.clear();
  if (n_pending_ > 0) {
    const std::size_t taken = std::min(kWord - n_pending_, n_bytes);
    std::copy_n(bytes, taken, pending_ + n_pending_);
    n_pending_ += taken;
    bytes += taken;
    n_bytes -= taken;
  }
  const std::size_t n_first = n_pending_ == kWord ? 1 : 0, n_words = n_bytes / kWord;
  EventColumns out(count_events(pending_, n_first) + count_events(bytes, n_words));
  if (n_first > 0) {
    run(pending_, 1, out);
    n_pending_ = 0;
  }
  run(bytes, n_words, out);
  const std::size_t rest = n_bytes % kWord;
  std::copy_n(bytes + n_words * kWord, rest, pending_ + n_pending_);
  n_pending_ += rest;
  return out;
}

void Evt2Decoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  std::size_t i = 0;
  while (i < n_words) {
#ifdef SACCADE_X86
    if (wide_ && clock_.started()) i += wide(words + i * kWord, n_words - i, out);
#endif
    // What stopped the wide path, and with it all that it would not take (fewer than eight words).
    const std::size_t end = wide_ ? std::min(n_words, i + 8) : n_words;
    for (; i < end; ++i) one_word(load(words, i), out);
  }
}

void Evt2Decoder::one_word(std::uint32_t word, EventColumns& out) {
  if (word >= 0x20000000u) return other_word(word);
  const std::uint32_t column = (word >> 11) & 0x7ff, row = word & 0x7ff;
  if (!clock_.started()) {
    ++counters_.before_time;
  } else if (column >= width_ || row >= height_) {
    ++counters_.out_of_bounds;
  } else {
    out.t[out.size] = clock_.value() << 6 | ((word >> 22) & 0x3f);
    out.x[out.size] = static_cast<std::uint16_t>(column);
    out.y[out.size] = static_cast<std::uint16_t>(row);
    out.on[out.size] = (word >> 28) != 0;
    ++out.size;
  }
}

void Evt2Decoder::other_word(std::uint32_t word) {
  switch (word >> 28) {
    case 0x8:
      counters_.time_backwards += !clock_.advance(word & 0x0fffffff);
      break;
    case 0xA:
      ++counters_.triggers;
      if (clock_.started()) {
        triggers_.add(clock_.value() << 6 | ((word >> 22) & 0x3f), (word >> 8) & 0x1f, word & 1);
      }
      break;
    case 0xE:
      ++counters_.others;
      break;
    case 0xF:
      ++counters_.continued;
      break;
    default:
      ++counters_.unknown_word;
  }
}

}  // namespace saccade
