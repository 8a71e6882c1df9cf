// EVT2 and EVT3 words, for decoders that run side by side.
//
// Each format has a State (a decoder's, after all words so far), a Span (what a run of words does
// to any state), and: append(span, word); combine(a, b), associative; apply(state, span); and
// decode(state, word, sink), which gives the events. They follow decoders/evt2.cpp and evt3.cpp.
#pragma once
#include "clock.hpp"

namespace saccade::cuda {

// What is counted on the way; those from kBeforeTime to kUnknown are losses.
enum Tally : std::uint32_t {
  kCounted,  // events that entered the counters, in the last add
  kEarly,    // events before the window, in the last add
  kLate,     // events at or after the window's end, in the last add
  kBeforeTime,
  kMissingY,
  kMissingBase,
  kOutOfBounds,
  kUnknown,
  kTriggers,
  kOthers,
  kContinued,
  kBackwards,
  kSaturated,
  kTallies
};

// EVT3's row, lower time and vector, of a state or of a run of words. 8 bytes.
struct Place {
  static constexpr std::uint16_t kHasY = 1, kHasLow = 2, kHasBase = 4, kOn = 8;
  static constexpr std::uint32_t kFar = 4096;  // past any sensor, and as good as any x beyond

  std::uint16_t y = 0, low = 0;
  std::uint16_t base = 0;  // x of the next vector; without kHasBase what vectors added to it
  std::uint16_t flags = 0;

  SACCADE_HD bool has(std::uint16_t flag) const { return (flags & flag) != 0; }

  SACCADE_HD void set_y(std::uint32_t value) {
    y = static_cast<std::uint16_t>(value & 0x7ff);
    flags |= kHasY;
  }
  SACCADE_HD void set_low(std::uint32_t value) {
    low = static_cast<std::uint16_t>(value & 0xfff);
    flags |= kHasLow;
  }
  SACCADE_HD void set_base(std::uint32_t value) {
    base = static_cast<std::uint16_t>(value & 0x7ff);
    flags = static_cast<std::uint16_t>((flags & ~kOn) | kHasBase | ((value & 0x800) ? kOn : 0));
  }
  SACCADE_HD void add_base(std::uint32_t bits) {
    base = static_cast<std::uint16_t>(least(std::uint32_t{base} + bits, kFar));
  }
};

SACCADE_HD Place combine(const Place& a, const Place& b) {
  Place out = b;
  out.flags |= a.flags & (Place::kHasY | Place::kHasLow);
  if (!b.has(Place::kHasY)) out.y = a.y;
  if (!b.has(Place::kHasLow)) out.low = a.low;
  if (!b.has(Place::kHasBase)) {
    out.flags |= a.flags & (Place::kHasBase | Place::kOn);
    out.base = static_cast<std::uint16_t>(least(std::uint32_t{a.base} + b.base, Place::kFar));
  }
  return out;
}

struct State {
  ClockState clock;
  Place place;  // EVT3 only; `base` counts for nothing before kHasBase
};

// Where decode() hands over: the window of time and the sensor's sides, which a sink has.
struct Events {
  std::uint32_t mask;  // one bit for each event, the lowest at x
  std::uint32_t x, y, on;
  std::uint64_t t;  // us
};

struct Evt3 {
  using Word = std::uint16_t;
  static constexpr unsigned kBits = 12;

  // 36 bytes, nine words: threads that go through an array of them meet no bank of shared memory
  // twice.
  struct Span {
    Place place;
    ClockSpan clock;
  };

  static SACCADE_HD void append(Span& span, std::uint32_t word) {
    switch (word >> 12) {
      case 0x0:
        span.place.set_y(word);
        break;
      case 0x3:
        span.place.set_base(word);
        break;
      case 0x4:
        span.place.add_base(12);
        break;
      case 0x5:
        span.place.add_base(8);
        break;
      case 0x6:
        span.place.set_low(word);
        break;
      case 0x8:
        span.clock.append<kBits>(word & 0xfff);
        break;
      default:
        break;
    }
  }

  static SACCADE_HD Span combine(const Span& a, const Span& b) {
    return {cuda::combine(a.place, b.place), cuda::combine<kBits>(a.clock, b.clock)};
  }

  static SACCADE_HD State apply(const State& state, const Span& span) {
    return {cuda::apply<kBits>(state.clock, span.clock), cuda::combine(state.place, span.place)};
  }

  template <typename Sink>
  static SACCADE_HD void decode(State& state, std::uint32_t word, Sink& sink) {
    Place& place = state.place;
    std::uint32_t mask = 0, x = 0, on = 0, has_x = 1;
    switch (word >> 12) {
      case 0x0:
        place.set_y(word);
        break;
      case 0x2:
        mask = 1;
        x = word & 0x7ff;
        on = word & 0x800;
        break;
      case 0x3:
        place.set_base(word);
        break;
      case 0x4:
      case 0x5: {
        const std::uint32_t bits = word & 0x1000 ? 8 : 12;
        mask = word & ((1u << bits) - 1);
        x = place.base;
        on = place.flags & Place::kOn;
        has_x = place.flags & Place::kHasBase;
        if (has_x) place.add_base(bits);
        break;
      }
      case 0x6:
        place.set_low(word);
        break;
      default:
        other(state, word, sink);
    }
    if (mask != 0) emit(state, mask, x, on, has_x, sink);
  }

 private:
  template <typename Sink>
  static SACCADE_HD void other(State& state, std::uint32_t word, Sink& sink) {
    switch (word >> 12) {
      case 0x8:
        if (!state.clock.advance<kBits>(word & 0xfff)) sink.tally(kBackwards, 1);
        break;
      case 0xA:
        sink.tally(kTriggers, 1);
        break;
      case 0xE:
        sink.tally(kOthers, 1);
        break;
      case 0x7:
      case 0xF:
        sink.tally(kContinued, 1);
        break;
      default:
        sink.tally(kUnknown, 1);
    }
  }

  template <typename Sink>
  static SACCADE_HD void emit(const State& state, std::uint32_t mask, std::uint32_t x,
                              std::uint32_t on, std::uint32_t has_x, Sink& sink) {
    const Place& place = state.place;
    if (state.clock.started == 0) return sink.tally(kBeforeTime, bit_count(mask));
    if (!place.has(Place::kHasY)) return sink.tally(kMissingY, bit_count(mask));
    if (has_x == 0) return sink.tally(kMissingBase, bit_count(mask));
    const std::uint64_t high = state.clock.periods() << kBits | state.clock.high;
    sink.events({mask, x, place.y, on, high << 12 | place.low});
  }
};

struct Evt2 {
  using Word = std::uint32_t;
  static constexpr unsigned kBits = 28;

  using Span = ClockSpan;

  static SACCADE_HD void append(Span& span, std::uint32_t word) {
    if (word >> 28 == 0x8) span.append<kBits>(word & 0x0fffffff);
  }

  static SACCADE_HD Span combine(const Span& a, const Span& b) {
    return cuda::combine<kBits>(a, b);
  }

  static SACCADE_HD State apply(const State& state, const Span& span) {
    return {cuda::apply<kBits>(state.clock, span), state.place};
  }

  template <typename Sink>
  static SACCADE_HD void decode(State& state, std::uint32_t word, Sink& sink) {
    switch (word >> 28) {
      case 0x0:
      case 0x1: {
        if (state.clock.started == 0) return sink.tally(kBeforeTime, 1);
        const std::uint64_t high = state.clock.periods() << kBits | state.clock.high;
        return sink.events(
            {1, (word >> 11) & 0x7ff, word & 0x7ff, word >> 28, high << 6 | ((word >> 22) & 0x3f)});
      }
      case 0x8:
        if (!state.clock.advance<kBits>(word & 0x0fffffff)) sink.tally(kBackwards, 1);
        return;
      case 0xA:
        return sink.tally(kTriggers, 1);
      case 0xE:
        return sink.tally(kOthers, 1);
      case 0xF:
        return sink.tally(kContinued, 1);
      default:
        return sink.tally(kUnknown, 1);
    }
  }
};

}  // namespace saccade::cuda
