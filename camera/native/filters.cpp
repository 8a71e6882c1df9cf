#include "filters.hpp"

#include <algorithm>
#include <cstring>

#include "decoders/cpu.hpp"

namespace saccade {
namespace {

// Beyond the span on both sides by more than any period.
constexpr std::uint32_t kNever = 3u << 30;
constexpr std::size_t kAhead = 32;  // events whose pixels are asked for before their turn

// What makes a pixel hot: so many events in the second, and so many times its second
// busiest neighbour.
constexpr std::uint32_t kHotEvents = 50, kHotTimes = 10;

template <typename T>
void copy(Column<T> to, Column<T> from, std::size_t n) {
  std::memcpy(to.get(), from.get(), n * sizeof(T));
}

// Appends the events that were kept among [begin, end).
void compact(const Columns& in, const bool* kept, std::size_t begin, std::size_t end,
             EventColumns& out) {
  std::size_t size = out.size;
  for (std::size_t i = begin; i < end; ++i) {
    out.t[size] = in.t[i];
    out.x[size] = in.x[i];
    out.y[size] = in.y[i];
    out.on[size] = in.on[i];
    size += kept[i];
  }
  out.size = size;
}

// In memory of its own size, where much more was taken than is used: slices hold on to it.
EventColumns fitted(EventColumns&& events, std::size_t n) {
  if (2 * events.size >= n) return std::move(events);
  EventColumns out(events.size);
  out.size = events.size;
  copy(out.t, events.t, out.size);
  copy(out.x, events.x, out.size);
  copy(out.y, events.y, out.size);
  copy(out.on, events.on, out.size);
  return out;
}

// The second largest of the counts around a pixel; 0 where there are not two.
std::uint32_t second_around(const std::uint32_t* counts, int width, int height, int x, int y) {
  std::uint32_t most = 0, second = 0;
  for (int row = std::max(y - 1, 0); row <= std::min(y + 1, height - 1); ++row) {
    for (int column = std::max(x - 1, 0); column <= std::min(x + 1, width - 1); ++column) {
      if (row == y && column == x) continue;
      const std::uint32_t count = counts[static_cast<std::size_t>(row) * width + column];
      second = std::max(second, std::min(count, most));
      most = std::max(count, most);
    }
  }
  return second;
}

}  // namespace

Removed& Removed::operator+=(const Removed& other) {
  region += other.region;
  polarity += other.polarity;
  hot += other.hot;
  refractory += other.refractory;
  background += other.background;
  return *this;
}

EventFilter::EventFilter(int width, int height, const FilterSettings& settings)
    : width_(width),
      height_(height),
      settings_(settings),
      refractory_(static_cast<std::uint32_t>(settings.refractory_us)),
      background_(static_cast<std::uint32_t>(settings.background_us)),
      wide_(has_avx2()),
      learning_(settings.learn_hot),
      stride_(static_cast<std::size_t>(width) + 2) {
  const std::size_t pixels = static_cast<std::size_t>(width) * height;
  if (learning_) {
    counts_.resize(pixels);
    hot_.resize((pixels + 31) / 32);  // none is, until the second is over
  }
  if (settings.refractory_us || settings.background_us)
    times_.assign(stride_ * (static_cast<std::size_t>(height) + 2) + 1, kNever);
  update_used();
}

void EventFilter::update_used() {
  used_ = (settings_.polarity != Polarity::kBoth ? kPolarity : 0u) | (!hot_.empty() ? kHot : 0u) |
          (learning_ ? kLearn : 0u) | (settings_.refractory_us ? kRefractory : 0u) |
          (settings_.background_us ? kBackground : 0u);
}

void EventFilter::mask(const bool* hot) {
  const std::size_t pixels = static_cast<std::size_t>(width_) * height_;
  hot_.assign((pixels + 31) / 32, 0);
  for (std::size_t i = 0; i < pixels; ++i) hot_[i / 32] |= std::uint32_t{hot[i]} << i % 32;
  update_used();
}

// Makes t the middle of the span.
void EventFilter::move_base(std::uint64_t t) {
  const std::uint64_t base = t - kSpanUs / 2, moved = base_us_ - base;
  for (std::uint32_t& time : times_) {
    const std::uint64_t shifted = time + moved;
    time = time != kNever && shifted <= kSpanUs ? static_cast<std::uint32_t>(shifted) : kNever;
  }
  base_us_ = base;
}

// Counts an event of the first second; the first one after it, or before its clock, ends it.
void EventFilter::learn(std::uint64_t t, std::uint16_t x, std::uint16_t y) {
  if (!learning_) return;  // it ended within this batch
  if (!started_) first_us_ = t;
  started_ = true;
  if (within(t, first_us_, kLearnUs)) {
    if (x < width_ && y < height_) ++counts_[static_cast<std::size_t>(y) * width_ + x];
    return;
  }
  const std::vector<std::uint8_t> hot = hot_pixels();
  learning_ = false;
  counts_ = {};
  mask(reinterpret_cast<const bool*>(hot.data()));
}

std::vector<std::uint8_t> EventFilter::hot_pixels() const {
  std::vector<std::uint8_t> hot(static_cast<std::size_t>(width_) * height_);
  for (std::size_t i = 0; i < hot.size() && !hot_.empty(); ++i) hot[i] = hot_[i / 32] >> i % 32 & 1;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] < kHotEvents) continue;
    const auto width = static_cast<std::size_t>(width_);
    const std::uint64_t second = second_around(
        counts_.data(), width_, height_, static_cast<int>(i % width), static_cast<int>(i / width));
    hot[i] = counts_[i] > kHotTimes * second;
  }
  return hot;
}

// Asks for the memory of a pixel, and of the rows around it.
template <bool kAround>
void EventFilter::prefetch(std::uint32_t x, std::uint32_t y) const {
  if (y >= static_cast<std::uint32_t>(height_) || x >= static_cast<std::uint32_t>(width_)) return;
  const std::uint32_t* const pixel = times_.data() + (y + std::size_t{1}) * stride_ + x + 1;
  __builtin_prefetch(pixel, 1);
  if (!kAround) return;
  __builtin_prefetch(pixel - stride_);
  __builtin_prefetch(pixel + stride_);
}

template <unsigned kUsed>
void EventFilter::run(const Columns& in, std::size_t n, bool* kept) {
  Removed removed;
  for (std::size_t i = 0; i < n; ++i) {
    if constexpr (kUsed & (kRefractory | kBackground)) {
      const std::size_t ahead = std::min(i + kAhead, n - 1);
      prefetch<(kUsed & kBackground) != 0>(in.x[ahead], in.y[ahead]);
    }
    kept[i] = keep<kUsed>(in.t[i], in.x[i], in.y[i], in.on[i], removed);
  }
  count(removed);
}

Sifted EventFilter::apply(const Columns& in, std::size_t n) {
  using Run = void (EventFilter::*)(const Columns&, std::size_t, bool*);
#define SACCADE_RUNS(n) \
  &EventFilter::run<n>, &EventFilter::run<n + 1>, &EventFilter::run<n + 2>, &EventFilter::run<n + 3>
  static constexpr std::array<Run, kAll + 1> kRuns{
      SACCADE_RUNS(0),  SACCADE_RUNS(4),  SACCADE_RUNS(8),  SACCADE_RUNS(12),
      SACCADE_RUNS(16), SACCADE_RUNS(20), SACCADE_RUNS(24), SACCADE_RUNS(28)};
#undef SACCADE_RUNS
  Sifted out{EventColumns(n), take_block(n)};
  bool* const kept = reinterpret_cast<bool*>(out.kept.get());
  (this->*kRuns[used_])(in, n, kept);
  std::size_t i = 0;
#ifdef SACCADE_X86
  if (wide_) i = compact_wide(in, kept, n, out.events);
#endif
  compact(in, kept, i, n, out.events);
  out.events = fitted(std::move(out.events), n);
  return out;
}

}  // namespace saccade
