// Prophesee EVT2: 32-bit little-endian words, one event each.
#pragma once
#include "carry.hpp"
#include "evt_heads.hpp"

namespace saccade {

class SliceCounter;

class Evt2Decoder : public EvtHeads {
 public:
  Evt2Decoder(std::uint32_t width, std::uint32_t height);

  // Decodes any number of bytes; those of an unfinished word are kept for the next call.
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  static constexpr std::size_t kWord = 4;
  // Words counted without columns: see counting.hpp.
  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  bool counts_wide(const SliceCounter& to) const;
  std::size_t count_wide(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::size_t pending_bytes() const { return carry_.size(); }

 private:
  // Decodes words up to the first that needs `run`; returns how many. Needs a started clock.
  std::size_t wide(const std::uint8_t* words, std::size_t n_words, EventColumns& out) const;
  std::size_t count_eights(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::size_t count_avx512(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void one_word(std::uint32_t word, EventColumns& out);

  std::uint32_t width_, height_;
  bool wide_, avx512_;  // eight words at a time, or sixteen
  Carry<4> carry_;
};

}  // namespace saccade
