// Decoded events as columns, and the clock shared by the EVT formats.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#include "blocks.hpp"

namespace saccade {

// A column of events inside the memory that its EventColumns owns.
template <typename T>
class Column {
 public:
  explicit Column(std::uint8_t* first) : first_(reinterpret_cast<T*>(first)) {}
  T& operator[](std::size_t i) const { return first_[i]; }
  T* get() const { return first_; }

 private:
  T* first_;
};

// Columns sized by an upper bound and left uninitialised: touching each byte once is what makes the
// decoders fast, so no vector (which would zero them first) and no push_back (a branch per event).
class EventColumns {
 public:
  // Room past the end, so that a wide store need not know how many of its events are wanted.
  static constexpr std::size_t kSlack = 32;

  explicit EventColumns(std::size_t capacity)
      : EventColumns(take_block(bytes(round_up(capacity))), round_up(capacity)) {}

  std::size_t size = 0;
  MemoryBlock block;
  Column<std::uint64_t> t;  // us
  Column<std::uint16_t> x;
  Column<std::uint16_t> y;
  Column<bool> on;

 private:
  EventColumns(MemoryBlock&& owner, std::size_t n)
      : block(std::move(owner)),
        t(block.get()),
        x(block.get() + 8 * n),
        y(block.get() + 10 * n),
        on(block.get() + 12 * n) {}

  // Each column starts on a line of its own.
  static std::size_t round_up(std::size_t capacity) { return (capacity + kSlack + 63) / 64 * 64; }
  static std::size_t bytes(std::size_t n) { return 13 * n; }
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
