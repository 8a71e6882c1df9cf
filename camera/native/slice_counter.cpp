#include "slice_counter.hpp"

#include <utility>

namespace saccade {

CountedSlice SliceRules::take() {
  const bool any = end_ > first_, by_time = window_ != 0;
  CountedSlice slice{};
  slice.t_begin = by_time ? begin_ : lo_;
  slice.t_end = by_time ? end() : after(hi_, 1);
  slice.t_last = any ? hi_ : slice.t_end;
  slice.first = first_;
  slice.last = end_;
  slice.restarts = restarts_;
  empty_ = any ? 0 : empty_ + 1;
  begin_ = after(begin_, window_);
  first_ = end_;
  lo_ = kNever;
  hi_ = 0;
  if (why_ == Due::kRestart) restart();
  why_ = Due::kNothing;
  return slice;
}

namespace {

TimeRange time_range(const std::uint64_t* t, std::size_t n) {
#ifdef SACCADE_X86
  if (has_avx512()) return time_range_avx512(t, n);
#endif
  TimeRange range{t[0], t[0]};
  for (std::size_t i = 1; i < n; ++i) {
    range.lo = std::min(range.lo, t[i]);
    range.hi = std::max(range.hi, t[i]);
  }
  return range;
}

}  // namespace

void SliceCounter::resume() {
  if (goes_on()) return;
  const std::size_t from = left_from_, n = left_.size - from;
  if (n == 0) return;
  left_from_ += add(left_.t.get() + from, left_.x.get() + from, left_.y.get() + from,
                    left_.on.get() + from, n);
}

void SliceRules::finish() {
  if (end_ > first_) why_ = Due::kEnd;
}

void SliceCounter::add(EventColumns&& events) {
  const std::size_t n =
      add(events.t.get(), events.x.get(), events.y.get(), events.on.get(), events.size);
  if (n == events.size) return;
  left_ = std::move(events);
  left_from_ = n;
}

void SliceRules::advance(std::uint64_t t) {
  if (!begun_ || window_ == 0 || t <= newest_) return;
  newest_ = t;
  empty_ = 0;  // silence that passes is no leap of the clock
  window_is_over();
}

void SliceRules::begin_anew() {
  if (!begun_ || window_ == 0) return;
  if (end_ > first_) {
    why_ = Due::kRestart;
  } else {
    restart();
  }
}

std::size_t SliceCounter::add(const std::uint64_t* t, const std::uint16_t* x,
                              const std::uint16_t* y, const bool* on, std::size_t n) {
  constexpr std::size_t kPiece = 256;
  const auto* polarity = reinterpret_cast<const std::uint8_t*>(on);
  for (std::size_t i = 0; i < n;) {
    const std::size_t m = std::min(kPiece, n - i);
    const auto [lo, hi] = time_range(t + i, m);
    if (takes(lo, hi, m)) {
      counters_.add(x + i, y + i, polarity + i, m);
      took(lo, hi, m);
      i += m;
      continue;
    }
    // The slice ends or begins here, or time falls.
    std::size_t k = i;
    while (k < i + m && !stops_at(t[k])) {
      took(t[k], t[k], 1);
      ++k;
      if (is_full()) break;
    }
    counters_.add(x + i, y + i, polarity + i, k - i);
    i = k;
    if (due()) return i;
  }
  return n;
}

bool SliceRules::stops_at(std::uint64_t t) {
  if (begun_ && window_ != 0 && newest_ > t && newest_ - t > kReset) {
    if (end_ > first_) {
      why_ = Due::kRestart;
      return true;
    }
    restart();
  }
  if (!begun_) {
    begun_ = true;
    begin_ = newest_ = t;
  }
  newest_ = std::max(newest_, t);
  return window_ != 0 && window_is_over();
}

bool SliceRules::window_is_over() {
  if (newest_ < begin_ || newest_ - begin_ < window_) return false;
  if (end_ == first_ && empty_ >= most_empty_) {
    ++restarts_;
    begin_ += (newest_ - begin_) / window_ * window_;
    empty_ = 0;
    return false;
  }
  why_ = Due::kWindow;
  return true;
}

void SliceRules::restart() {
  ++restarts_;
  begun_ = false;
  empty_ = 0;
}

}  // namespace saccade
