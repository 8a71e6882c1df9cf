// Events counted slice by slice: where a slice ends, counting stops until it has been taken.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "counters.hpp"
#include "decoders/columns.hpp"

namespace saccade {

struct CountedSlice {
  std::uint64_t t_begin, t_end;  // us: the window
  std::uint64_t t_last;          // of its newest event; t_end where there is none
  std::uint64_t first, last;     // indices of its events in the stream
  std::uint64_t restarts;        // of the grid so far
};

// The rules are those of TimeSlicer and CountSlicer (camera/slicing.py) for slices that follow each
// other without gap or overlap; the tests hold them against each other.
class SliceCounter {
 public:
  static constexpr std::uint64_t kReset = 1'000'000;  // us; a fall by more starts a new grid
  static constexpr unsigned kMostEmpty = 1000;        // slices in a row; past more the grid leaps

  // Slices of `window` us or, where that is 0, of `count` events.
  SliceCounter(Counters& counters, std::uint64_t window, std::uint64_t count)
      : counters_(counters), window_(window), count_(count) {}

  // A slice is over, and nothing is counted before it has been taken.
  bool due() const { return why_ != Due::kNothing; }
  // The slice that is due: its events are what the counters hold, which are to be cleared before
  // resume() counts on with what was left. Needs due().
  CountedSlice take();
  void resume();
  // No event follows: what is counted is due, if there is any. Needs !due().
  void finish();
  // The clock has come to `t` without an event: the windows that are over are due, empty ones
  // included, one after the other as they are taken. Needs !due().
  void advance(std::uint64_t t);

  // Counts the events up to the end of a slice; returns how many. Needs !due().
  std::size_t add(const std::uint64_t* t, const std::uint16_t* x, const std::uint16_t* y,
                  const bool* on, std::size_t n);
  // The same, and keeps the others for resume().
  void add(EventColumns&& events);

  // For decoders that count as they decode: whether n events, of times from `lo` to `hi`, all
  // belong to this slice; and that they have been counted.
  bool takes(std::uint64_t lo, std::uint64_t hi, std::uint64_t n) const {
    if (!begun_ || n >= room()) return false;
    return window_ == 0 || (hi < begin_ + window_ && lo + kReset >= std::max(newest_, hi));
  }
  void took(std::uint64_t lo, std::uint64_t hi, std::uint64_t n) {
    newest_ = std::max(newest_, hi);
    lo_ = std::min(lo_, lo);
    hi_ = std::max(hi_, hi);
    end_ += n;
  }
  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }

  std::uint64_t events() const { return end_; }  // so far

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
  enum class Due { kNothing, kWindow, kRestart, kCount, kEnd };

  std::uint64_t room() const { return window_ == 0 ? count_ - (end_ - first_) : kNever; }
  bool stops_at(std::uint64_t t);
  bool window_is_over();
  void restart();

  Counters& counters_;
  std::uint64_t window_, count_;
  Due why_ = Due::kNothing;
  bool begun_ = false;
  std::uint64_t begin_ = 0, newest_ = 0;
  std::uint64_t first_ = 0, end_ = 0;   // indices: of the slice's first event, of the next one
  std::uint64_t lo_ = kNever, hi_ = 0;  // times of the slice's events
  unsigned empty_ = 0;                  // slices in a row
  std::uint64_t restarts_ = 0;
  EventColumns left_{0};
  std::size_t left_from_ = 0;
};

}  // namespace saccade
