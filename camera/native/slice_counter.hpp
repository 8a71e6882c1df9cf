// Events counted slice by slice: where a slice ends, counting stops until it has been taken.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "counters.hpp"
#include "decoders/columns.hpp"

namespace saccade {

struct CountedSlice {
  std::uint64_t t_begin, t_end;  // us: the window
  std::uint64_t t_last;          // of its newest event; t_end where there is none
  std::uint64_t first, last;     // indices of its events in the stream
  std::uint64_t restarts;        // of the grid so far
};

struct TimeRange {
  std::uint64_t lo, hi;
};

TimeRange time_range_avx512(const std::uint64_t* t, std::size_t n);

// Where slices end. The rules are those of TimeSlicer and CountSlicer (camera/slicing.py) for
// slices that follow each other without gap or overlap; the tests hold them against each other.
class SliceRules {
 public:
  static constexpr std::uint64_t kReset = 1'000'000;  // us; a fall by more starts a new grid
  static constexpr unsigned kMostEmpty = 1000;        // slices in a row; past more the grid leaps

  // Slices of `window` us or, where that is 0, of `count` events.
  SliceRules(std::uint64_t window, std::uint64_t count, unsigned most_empty = kMostEmpty)
      : window_(window), count_(count), most_empty_(most_empty) {}

  // A slice is over, and nothing is counted before it has been taken.
  bool due() const { return why_ != Due::kNothing; }
  // The slice that is due. Needs due().
  CountedSlice take();
  // No event follows: what is counted is due, if there is any. Needs !due().
  void finish();
  // The clock has come to `t` without an event: the windows that are over are due, empty ones
  // included, one after the other as they are taken. Needs !due().
  void advance(std::uint64_t t);
  // The clock begins anew, wherever: what is counted is due, if there is any, and the grid begins
  // with the next event. Slices of so many events go on. Needs !due().
  void begin_anew();

  // Whether a slice is due before an event of this time. Needs !due().
  bool stops_at(std::uint64_t t);
  // Whether a slice is due before any other event: after a leap of the clock several are.
  bool goes_on() { return begun_ && window_ != 0 && window_is_over(); }

  // For decoders that count as they decode: whether n events, of times from `lo` to `hi`, all
  // belong to this slice; and that they have been counted.
  bool takes(std::uint64_t lo, std::uint64_t hi, std::uint64_t n) const {
    if (!begun_ || n >= room()) return false;
    return window_ == 0 || (hi < end() && std::max(newest_, hi) - lo <= kReset);
  }
  // How many events with such times it takes, whatever their order.
  std::uint64_t most(std::uint64_t lo, std::uint64_t hi) const {
    return takes(lo, hi, 0) ? room() - 1 : 0;
  }
  void took(std::uint64_t lo, std::uint64_t hi, std::uint64_t n) {
    newest_ = std::max(newest_, hi);
    lo_ = std::min(lo_, lo);
    hi_ = std::max(hi_, hi);
    seen_.lo = seen_.lo == kNever ? lo : seen_.lo;
    seen_.hi = hi;
    end_ += n;
  }

  // The times of the first and the last event since this was asked before; of one or more. Where
  // some were taken at once, the least and the greatest of those.
  TimeRange take_seen() { return std::exchange(seen_, TimeRange{kNever, 0}); }

  std::uint64_t events() const { return end_; }  // so far
  // The window's end, 0 where none has begun, and the newest event's time in this grid, in us.
  std::uint64_t end() const { return begun_ ? after(begin_, window_) : 0; }
  std::uint64_t newest() const { return newest_; }

 protected:
  // After an event was counted: whether it filled the slice, which is due then.
  bool is_full() {
    if (window_ != 0 || room() != 0) return false;
    why_ = Due::kCount;
    return true;
  }

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  enum class Due { kNothing, kWindow, kRestart, kCount, kEnd };

  // `by` us after `t`, or the last time that there is: a damaged stamp may be near it.
  static std::uint64_t after(std::uint64_t t, std::uint64_t by) {
    return t < kNever - by ? t + by : kNever;
  }
  std::uint64_t room() const { return window_ == 0 ? count_ - (end_ - first_) : kNever; }
  bool window_is_over();
  void restart();

  std::uint64_t window_, count_;
  unsigned most_empty_;
  Due why_ = Due::kNothing;
  bool begun_ = false;
  std::uint64_t begin_ = 0, newest_ = 0;
  std::uint64_t first_ = 0, end_ = 0;   // indices: of the slice's first event, of the next one
  std::uint64_t lo_ = kNever, hi_ = 0;  // times of the slice's events
  TimeRange seen_{kNever, 0};           // of the first and the last event since take_seen()
  unsigned empty_ = 0;                  // slices in a row
  std::uint64_t restarts_ = 0;
};

// The events of a slice, in counters.
class SliceCounter : public SliceRules {
 public:
  SliceCounter(Counters& counters, std::uint64_t window, std::uint64_t count,
               unsigned most_empty = kMostEmpty)
      : SliceRules(window, count, most_empty), counters_(counters) {}

  // Counts on with what was left, once a slice was taken and the counters cleared, which held it.
  void resume();

  // Counts the events up to the end of a slice; returns how many. Needs !due().
  std::size_t add(const std::uint64_t* t, const std::uint16_t* x, const std::uint16_t* y,
                  const bool* on, std::size_t n);
  // The same, and keeps the others for resume().
  void add(EventColumns&& events);

  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }

 private:
  Counters& counters_;
  EventColumns left_{0};
  std::size_t left_from_ = 0;
};

}  // namespace saccade
