// The EVT clock (decoders/columns.hpp: WrappingClock) as an associative operator.
//
// Time words carry the clock's upper bits, `Bits` of them, and each is read as the value nearest
// the one before. What a run of words does to any clock before it has a closed form. Let e be the
// number of wraps so far, and -1 where the clock is in its first period just after a leap of more
// than half a period ahead, which may be damage and which the next word may take back. Then one
// word maps
//     e -> max(e + shift, floor)
// with constants that follow from the word, the one before it, and the one before that; and such
// maps compose to such maps. What a run does is therefore known but for its first two words, which
// meet the words before them only when two runs are joined.
#pragma once
#include "portable.hpp"

namespace saccade::cuda {

// e -> max(e + shift, floor), for e >= -1; as it stands, the identity.
struct Wraps {
  std::int32_t shift = 0, floor = -1;
};

SACCADE_HD Wraps then(Wraps a, Wraps b) {
  return {a.shift + b.shift, most(a.floor + b.shift, b.floor)};
}

// What a changed time word `next` does after `high`, the word before which was `before` (any value
// where there was none: it matters only after a leap from it to `high`).
template <unsigned Bits>
SACCADE_HD Wraps wraps_between(std::uint32_t before, std::uint32_t high, std::uint32_t next) {
  constexpr std::uint32_t kMask = (1u << Bits) - 1, kHalf = 1u << (Bits - 1);
  const bool near = ((next - high) & kMask) <= kHalf;
  if (near && next < high) return {1, next < before ? 1 : 0};  // a wrap; from -1, a return to 0
  if (!near && next > high) return {-1, -1};                   // back across one, or a leap
  return {0, 0};
}

// A clock as a decoder holds it.
struct ClockState {
  std::int64_t epoch = 0;  // e, above
  std::uint32_t high = 0, before = 0;
  std::uint32_t started = 0;

  SACCADE_HD std::uint64_t periods() const {
    return static_cast<std::uint64_t>(most(epoch, std::int64_t{0}));
  }

  // Takes the next reading; false where time went backwards, which is not a wrap.
  template <unsigned Bits>
  SACCADE_HD bool advance(std::uint32_t next) {
    if (started == 0 || next == high) {
      started = 1;
      high = next;
      return true;
    }
    constexpr std::uint32_t kMask = (1u << Bits) - 1, kHalf = 1u << (Bits - 1);
    const std::uint32_t ahead = (next - high) & kMask;
    const bool returns = epoch < 0 && ((next - before) & kMask) < ahead;
    const bool back = ahead > kHalf && (next < high || epoch > 0);
    step<Bits>(next);
    return !back && !returns;
  }

  template <unsigned Bits>
  SACCADE_HD void step(std::uint32_t next) {
    take(wraps_between<Bits>(before, high, next));
    before = high;
    high = next;
  }

  SACCADE_HD void take(Wraps w) {
    epoch = most(epoch + w.shift, static_cast<std::int64_t>(w.floor));
  }
};

// What a run of time words does, repetitions left out. Values not there are 0.
struct ClockSpan {
  std::uint32_t n = 0;                  // words: 0, 1, or 2 for any more
  std::uint32_t first = 0, second = 0;  // the first two
  std::uint32_t before = 0, last = 0;   // the last two
  Wraps wraps;                          // of the third word and all after it

  template <unsigned Bits>
  SACCADE_HD void append(std::uint32_t high) {
    if (n != 0 && high == last) return;
    if (n == 0) {
      first = high;
    } else if (n == 1) {
      second = high;
    } else {
      wraps = then(wraps, wraps_between<Bits>(before, last, high));
    }
    before = last;
    last = high;
    n = n < 2 ? n + 1 : 2;
  }
};

template <unsigned Bits>
SACCADE_HD ClockSpan combine(const ClockSpan& a, const ClockSpan& b) {
  if (b.n == 0) return a;
  if (a.n == 0) return b;
  ClockSpan out = a;
  out.append<Bits>(b.first);
  if (b.n < 2) return out;
  out.append<Bits>(b.second);
  out.wraps = then(out.wraps, b.wraps);
  out.before = b.before;
  out.last = b.last;
  return out;
}

template <unsigned Bits>
SACCADE_HD ClockState apply(ClockState state, const ClockSpan& span) {
  if (span.n == 0) return state;
  state.advance<Bits>(span.first);
  if (span.n < 2) return state;
  state.step<Bits>(span.second);
  state.take(span.wraps);
  state.before = span.before;
  state.high = span.last;
  return state;
}

}  // namespace saccade::cuda
