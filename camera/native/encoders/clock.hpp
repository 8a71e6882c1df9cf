// The clock of the EVT formats as an encoder writes it: times from an origin, in steps that a
// reader of a wrapping clock cannot take for the other direction.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace saccade {

// TIME_HIGH words that one recording may spend on wraps, and on gaps and falls longer than half a
// wrap: a damaged stamp must not fill the disk. EVT3 needs about four in 16.8 s: 200 days in all.
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
      if (next != high) steps += extra(high, next);
      if (steps > kMaxSteps - steps_) {
        throw std::invalid_argument("its times jump further than the clock can follow");
      }
      high = next;
    }
    return steps;
  }

  bool at(std::uint64_t high) const { return started_ && high == high_; }

  // Calls word(TIME_HIGH's value) for each step to `high`. A wrap is always the step from the last
  // value to 0: other readers take a fall that is less for a clock that went backwards.
  template <typename Word>
  void go_to(std::uint64_t high, Word word) {
    if (!started_) word(high_ & kMask);  // 0: readers take the first value as it is
    started_ = true;
    if (high != high_) steps_ += extra(high_, high);
    while (high != high_) {
      const std::uint64_t begin = high_ & ~kMask, end = high_ | kMask;
      if (high > high_) {
        high_ = high_ == end ? end + 1 : std::min({high, end, high_ + kStep});
      } else {
        high_ = high_ == begin ? begin - 1 : high_ - std::min({high_ - high, high_ - begin, kStep});
      }
      word(high_ & kMask);
    }
  }

 private:
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << Bits) - 1;

  // No fewer than go_to() makes, besides the last.
  static std::uint64_t extra(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t low = std::min(from, to), high = std::max(from, to);
    const std::uint64_t wraps = (high >> Bits) - (low >> Bits);
    return (high - low) / kStep + (wraps > 0 ? 3 * wraps + 1 : 0);
  }

  std::uint64_t high_ = 0, steps_ = 0;
  bool started_ = false;
};

}  // namespace saccade
