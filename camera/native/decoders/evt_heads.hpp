// What EVT2 and EVT2.1 share: 32-bit heads with a 34-bit clock, triggers and other words.
#pragma once
#include "decoder.hpp"
#include "triggers.hpp"

namespace saccade {

constexpr std::uint32_t kEventsBelow = 0x20000000u;  // heads of CD_OFF and CD_ON

class EvtHeads {
 public:
  Counts dropped() const {
    return {{"before_time", before_time_},
            {"out_of_bounds", out_of_bounds_},
            {"unknown_word", unknown_word_}};
  }
  Counts skipped() const {
    return {{"triggers", n_triggers_},
            {"others", others_},
            {"continued", continued_},
            {"time_backwards", time_backwards_}};
  }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  // Those of the last decode(); before the first TIME_HIGH they have no time and are only counted.
  const TriggerColumns& triggers() const { return triggers_; }

 protected:
  void other_head(std::uint32_t head);

  WrappingClock<28> clock_;  // the time's upper bits; six more are in each head
  TriggerColumns triggers_;
  std::uint64_t before_time_ = 0, out_of_bounds_ = 0, unknown_word_ = 0;
  std::uint64_t n_triggers_ = 0, others_ = 0, continued_ = 0, time_backwards_ = 0;
};

}  // namespace saccade
