// Prophesee EVT3: 16-bit little-endian words whose meaning depends on those before.
#pragma once
#include "columns.hpp"

namespace saccade {

class Evt3Decoder {
 public:
  struct Counters {
    std::uint64_t before_time = 0, missing_y = 0, missing_base = 0;             // dropped events
    std::uint64_t out_of_bounds = 0, unknown_word = 0;                          // dropped
    std::uint64_t triggers = 0, others = 0, continued = 0, time_backwards = 0;  // not events
  };

  Evt3Decoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  // Decodes any number of bytes; that of an unfinished word is kept for the next call.
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  const Counters& counters() const { return counters_; }
  std::size_t pending_bytes() const { return has_pending_ ? 1 : 0; }

 private:
  static constexpr std::uint32_t kNone = 0xffff;  // no ADDR_Y or VECT_BASE_X yet: past any bound

  struct State {
    std::uint64_t time = 0;  // us
    std::uint32_t y = kNone;
    std::uint32_t base = kNone;  // x of the next vector's first bit
    std::uint32_t x_limit = 0;   // the width where events may be emitted, else 0
    bool on = false;             // polarity of the vectors
  };

  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void other_word(std::uint32_t word, State& s);
  std::uint32_t limit(const State& s) const {
    return clock_.started() && s.y < height_ ? width_ : 0;
  }
  std::uint32_t clip_vector(std::uint32_t mask, const State& s);
  void drop(const State& s, bool has_base, std::uint32_t n);

  std::uint32_t width_, height_;
  WrappingClock<12> clock_;
  State state_;
  Counters counters_;
  std::uint8_t pending_ = 0;
  bool has_pending_ = false;
};

}  // namespace saccade
