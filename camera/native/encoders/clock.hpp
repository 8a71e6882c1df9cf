// The clock of the EVT formats as an encoder writes it: times from an origin, in steps that a
// reader of a wrapping clock cannot take for the other direction.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace saccade {

// Words that one recording may spend on gaps and falls longer than half a wrap: a damaged stamp
// must not fill the disk. EVT3 needs one every 8.4 s of such a gap: 406 days in all.
constexpr std::uint64_t kMaxSteps = std::uint64_t{1} << 22;

// `Bits` of TIME_HIGH above `Low` bits of time.
template <unsigned Bits, unsigned Low>
class SteppingClock {
 public:
  // The most that one TIME_HIGH may lie from the one before; half the range is ambiguous.
  static constexpr std::uint64_t kStep = (std::uint64_t{1} << (Bits - 1)) - 1;

  // The words that these times need besides one TIME_HIGH at each change.
  // Throws std::invalid_argument where the format cannot hold them.
  std::uint64_t extra_steps(const std::uint64_t* t, std::size_t n, std::uint64_t origin) const {
    std::uint64_t high = high_, steps = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (t[i] < origin) throw std::invalid_argument("a time lies before the first packet's");
      const std::uint64_t next = (t[i] - origin) >> Low;
      const std::uint64_t gap = next > high ? next - high : high - next;
      if (gap > kStep) steps += gap / kStep;
      if (steps > kMaxSteps - steps_) {
        throw std::invalid_argument("its times jump further than the clock can follow");
      }
      high = next;
    }
    return steps;
  }

  bool at(std::uint64_t high) const { return started_ && high == high_; }

  // Calls word(TIME_HIGH's value) for each step to `high`.
  template <typename Word>
  void go_to(std::uint64_t high, Word word) {
    constexpr std::uint64_t mask = (std::uint64_t{1} << Bits) - 1;
    if (!started_) word(high_ & mask);  // 0: readers take the first value as it is
    started_ = true;
    while (high != high_) {
      const bool ahead = high > high_;
      const std::uint64_t gap = ahead ? high - high_ : high_ - high;
      const std::uint64_t step = gap < kStep ? gap : kStep;
      steps_ += gap > kStep;
      high_ = ahead ? high_ + step : high_ - step;
      word(high_ & mask);
    }
  }

 private:
  std::uint64_t high_ = 0, steps_ = 0;
  bool started_ = false;
};

}  // namespace saccade
