// Decoded events as columns, and the clock shared by the EVT formats.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace saccade {

// Columns sized by an upper bound and left uninitialised: touching each byte once is what makes the
// decoders fast, so no vector (which would zero them first) and no push_back (a branch per event).
struct EventColumns {
  explicit EventColumns(std::size_t capacity)
      : t(new std::uint64_t[capacity]),
        x(new std::uint16_t[capacity]),
        y(new std::uint16_t[capacity]),
        on(new bool[capacity]) {}

  std::size_t size = 0;
  std::unique_ptr<std::uint64_t[]> t;  // us
  std::unique_ptr<std::uint16_t[]> x;
  std::unique_ptr<std::uint16_t[]> y;
  std::unique_ptr<bool[]> on;
};

// The upper part of a sensor's clock: `Bits` wide, wrapping. Each value is read as the one nearest
// the previous one (by half the range), so a single damaged word cannot shift all later times.
template <unsigned Bits>
class WrappingClock {
 public:
  bool started() const { return started_; }
  std::uint64_t value() const { return (epoch_ << Bits) | high_; }

  // Takes the next reading; false where time went backwards, which is not a wrap.
  bool advance(std::uint32_t high) {
    constexpr std::uint32_t mask = (1u << Bits) - 1, half = 1u << (Bits - 1);
    bool forwards = true;
    if (!started_) {
      started_ = true;
    } else if (((high - high_) & mask) <= half) {
      epoch_ += high < high_;
    } else if (high < high_) {
      forwards = false;
    } else if (epoch_ > 0) {  // back across a wrap; before the first wrap it is a jump ahead
      --epoch_;
      forwards = false;
    }
    high_ = high;
    return forwards;
  }

 private:
  std::uint64_t epoch_ = 0;
  std::uint32_t high_ = 0;
  bool started_ = false;
};

}  // namespace saccade
