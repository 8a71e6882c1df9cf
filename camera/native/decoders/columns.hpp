// Decoded events as columns, and the clock shared by the EVT formats.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace saccade {

// Columns sized by an upper bound and left uninitialised: touching each byte once is what makes the
// decoders fast, so no vector (which would zero them first) and no push_back (a branch per event).
struct EventColumns {
  // Room past the end, so that a wide store need not know how many of its events are wanted.
  static constexpr std::size_t kSlack = 32;

  explicit EventColumns(std::size_t capacity)
      : t(new std::uint64_t[capacity + kSlack]),
        x(new std::uint16_t[capacity + kSlack]),
        y(new std::uint16_t[capacity + kSlack]),
        on(new bool[capacity + kSlack]) {}

  std::size_t size = 0;
  std::unique_ptr<std::uint64_t[]> t;  // us
  std::unique_ptr<std::uint16_t[]> x;
  std::unique_ptr<std::uint16_t[]> y;
  std::unique_ptr<bool[]> on;
};

// The upper part of a sensor's clock: `Bits` wide, wrapping. Each value is read as the one nearest
// the previous one (by half the range). Before the first wrap there is nothing to go back to, so a
// value far ahead is taken for a jump; where the next one goes on from before the jump, that value
// was damaged. So a single damaged word cannot shift all later times.
template <unsigned Bits>
class WrappingClock {
 public:
  bool started() const { return started_; }
  std::uint64_t value() const { return (epoch_ << Bits) | high_; }

  // Takes the next reading; false where time went backwards, which is not a wrap.
  bool advance(std::uint32_t high) {
    if (!started_ || high == high_) {  // sensors repeat themselves
      started_ = true;
      high_ = high;
      return true;
    }
    const std::uint32_t ahead = (high - high_) & kMask, before_jump = before_jump_;
    const bool returns = jumped_ && ((high - before_jump) & kMask) < ahead;
    const bool back = ahead > kHalf && (high < high_ || epoch_ > 0);
    jumped_ = ahead > kHalf && !back && !returns;
    before_jump_ = high_;
    if (!returns) {
      epoch_ += !back && high < high_;  // past a wrap
      epoch_ -= back && high > high_;   // back across one
    }
    high_ = high;
    return !back && !returns;
  }

 private:
  static constexpr std::uint32_t kMask = static_cast<std::uint32_t>((std::uint64_t{1} << Bits) - 1);
  static constexpr std::uint32_t kHalf = 1u << (Bits - 1);

  std::uint64_t epoch_ = 0;
  std::uint32_t high_ = 0, before_jump_ = 0;
  bool started_ = false, jumped_ = false;
};

}  // namespace saccade
