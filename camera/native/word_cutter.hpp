// EVT2 and EVT3 words cut into slices of time as they are, for a decoder elsewhere that counts
// them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "cuda/words.hpp"
#include "slice_counter.hpp"

namespace saccade {

// Reads the words as the decoders do, but keeps of their events only how many there are and when:
// what the rules of slices and the accounts need. A word's events have one time, so slices of time
// end between words.
class WordCutter {
 public:
  // Sides in pixels, at most 2048; `window` in us.
  WordCutter(bool evt3, std::uint32_t width, std::uint32_t height, std::uint64_t window);

  std::size_t word_bytes() const { return evt3_ ? 2 : 4; }
  // Reads whole words until a slice is due; returns the bytes of those that belong to it, and the
  // next call begins behind them. Needs !due().
  std::size_t cut(const std::uint8_t* bytes, std::size_t n_bytes);
  bool due() const { return rules_.due(); }
  // The slice that is due. Needs due().
  CountedSlice take();
  void finish() { rules_.finish(); }
  std::uint64_t events() const { return rules_.events(); }  // so far

  // Words that bring a new decoder to where cut() stopped, but for the time: so a slice can be
  // counted by itself. Returns how many bytes there are.
  static constexpr std::size_t kMostLead = 10;
  std::size_t lead(std::array<std::uint8_t, kMostLead>& out) const;

  const std::array<std::uint64_t, cuda::kTallies>& tallies() const { return tallies_; }

 private:
  struct Sink;

  template <typename Format>
  std::size_t cut_words(const std::uint8_t* bytes, std::size_t n_words);
  // Reads the words that need no look at the rules for each, and returns how many.
  std::size_t pass(cuda::Evt3, const std::uint8_t* bytes, std::size_t n_words);
  std::size_t pass(cuda::Evt2, const std::uint8_t* bytes, std::size_t n_words);

  bool evt3_;
  std::uint32_t width_, height_;
  SliceRules rules_;
  cuda::State state_, before_;  // `before_` the word at which cut() stopped
  std::array<std::uint64_t, cuda::kTallies> tallies_{};
  // That word was read, and its events may still be to be counted.
  bool ahead_ = false;
  std::uint64_t ahead_t_ = 0, ahead_n_ = 0;
};

}  // namespace saccade
