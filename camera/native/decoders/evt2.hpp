// Prophesee EVT2: 32-bit little-endian words, one event each.
#pragma once
#include "decoder.hpp"
#include "triggers.hpp"

namespace saccade {

class Evt2Decoder {
 public:
  struct Counters {
    std::uint64_t before_time = 0, out_of_bounds = 0, unknown_word = 0;         // dropped
    std::uint64_t triggers = 0, others = 0, continued = 0, time_backwards = 0;  // not events
  };

  Evt2Decoder(std::uint32_t width, std::uint32_t height);

  // Decodes any number of bytes; those of an unfinished word are kept for the next call.
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const {
    const Counters& c = counters_;
    return {{"before_time", c.before_time},
            {"out_of_bounds", c.out_of_bounds},
            {"unknown_word", c.unknown_word}};
  }
  Counts skipped() const {
    const Counters& c = counters_;
    return {{"triggers", c.triggers},
            {"others", c.others},
            {"continued", c.continued},
            {"time_backwards", c.time_backwards}};
  }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  // Those of the last decode(); before the first TIME_HIGH they have no time and are only counted.
  const TriggerColumns& triggers() const { return triggers_; }
  std::size_t pending_bytes() const { return n_pending_; }

 private:
  // Decodes words up to the first that needs `run`; returns how many. Needs a started clock.
  std::size_t wide(const std::uint8_t* words, std::size_t n_words, EventColumns& out) const;
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void one_word(std::uint32_t word, EventColumns& out);
  void other_word(std::uint32_t word);

  std::uint32_t width_, height_;
  bool wide_;  // eight words at a time
  WrappingClock<28> clock_;
  Counters counters_;
  TriggerColumns triggers_;
  std::uint8_t pending_[4] = {};
  std::size_t n_pending_ = 0;
};

}  // namespace saccade
