// Which events a frame is made of: region, polarity, hot pixels, refractory period, background.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoders/columns.hpp"

namespace saccade {

enum class Polarity { kBoth, kOn, kOff };

struct FilterSettings {
  std::uint32_t x = 0, y = 0, width = 0, height = 0;  // the region, inside the sensor
  Polarity polarity = Polarity::kBoth;
  bool learn_hot = false;           // over the first second; else by `EventFilter::mask`, if set
  std::uint64_t refractory_us = 0;  // 0 is off, as below
  std::uint64_t background_us = 0;
};

// Events removed, each by the first filter that refused it.
struct Removed {
  std::uint64_t region = 0, polarity = 0, hot = 0, refractory = 0, background = 0;

  Removed& operator+=(const Removed& other);
};

struct Columns {
  const std::uint64_t* t;  // us
  const std::uint16_t *x, *y;
  const bool* on;
};

// The events that passed, and for each event that came whether it did.
struct Sifted {
  EventColumns events;
  MemoryBlock kept;
};

// Appends the events that were kept of the first of these n, eight at a time; gives how many it
// looked at.
std::size_t compact_wide(const Columns& in, const bool* kept, std::size_t n, EventColumns& out);

// All filters in one pass, in this order; a filter sees what those before it let through. State is
// one time a pixel, so any cutting of the stream gives the same events. One thread at a time.
class EventFilter {
 public:
  // Filters that only some settings use; region and sensor are always looked at.
  enum Used : unsigned {
    kPolarity = 1,
    kHot = 2,
    kRefractory = 4,
    kBackground = 8,
    kLearn = 16,
    kAll = 31
  };
  static constexpr std::uint64_t kLearnUs = 1'000'000;
  static constexpr std::uint64_t kMaxPeriodUs = 60'000'000;
  // Times are kept in 32 bits, as offsets up to this from a base that moves with the clock. What
  // lies further than half of it (17 minutes) from the event that moves the base is forgotten.
  static constexpr std::uint64_t kSpanUs = std::uint64_t{1} << 31;

  EventFilter(int width, int height, const FilterSettings& settings);

  // Events whose pixel is true ([height][width]) are removed from now on.
  void mask(const bool* hot);

  Sifted apply(const Columns& in, std::size_t n);

  // Whether one event passes, for callers without columns: kUsed is `used()`, asked before every
  // batch, and `removed` goes to `count` after it.
  unsigned used() const { return used_; }
  void count(const Removed& removed) { removed_ += removed; }
  template <unsigned kUsed>
  bool keep(std::uint64_t t, std::uint16_t x, std::uint16_t y, bool on, Removed& removed);

  // The pixels masked now, or by what was seen of the first second so far: [height][width].
  std::vector<std::uint8_t> hot_pixels() const;
  bool learning() const { return learning_; }
  const Removed& removed() const { return removed_; }
  int width() const { return width_; }
  int height() const { return height_; }

 private:
  // |a - b| < period, whichever is the later: a clock that falls neither locks a pixel nor opens
  // it, and the difference may wrap.
  template <typename T>
  static bool within(T a, T b, T period) {
    return static_cast<T>(a - b + (period - 1)) <= 2 * (period - 1);
  }
  std::uint32_t* pixel_at(std::uint32_t x, std::uint32_t y) {
    return &times_[(y + std::size_t{1}) * stride_ + x + 1];
  }
  bool supported(const std::uint32_t* pixel, std::uint32_t t) const;
  void move_base(std::uint64_t t);

  void learn(std::uint64_t t, std::uint16_t x, std::uint16_t y);
  void update_used();
  template <bool kAround>
  void prefetch(std::uint32_t x, std::uint32_t y) const;
  template <unsigned kUsed>
  void run(const Columns& in, std::size_t n, bool* kept);

  int width_, height_;
  FilterSettings settings_;
  std::uint32_t refractory_, background_;  // us
  unsigned used_ = 0;
  bool wide_;  // eight kept events are gathered at a time
  bool learning_, started_ = false;
  std::uint64_t first_us_ = 0;
  std::vector<std::uint32_t> counts_;  // [height][width], while learning
  std::vector<std::uint32_t> hot_;     // a bit a pixel, row by row
  // [height + 2][width + 2]: when each pixel last had an event that came as far as the background
  // filter, from `base_us_` on; a rim of pixels that never have one spares the test for it.
  std::vector<std::uint32_t> times_;
  std::uint64_t base_us_ = 0;
  std::size_t stride_;
  Removed removed_;
};

// All eight are looked at without a branch: which of them supports an event is hard to foresee.
inline bool EventFilter::supported(const std::uint32_t* pixel, std::uint32_t t) const {
  const std::uint32_t *above = pixel - stride_, *below = pixel + stride_;
  // `within` of the nearest: the distances shifted so that the smallest is the one to look at.
  const std::uint32_t latest = t + (background_ - 1);
  const auto least = [](std::uint32_t a, std::uint32_t b) { return a < b ? a : b; };
  const std::uint32_t over = least(latest - above[-1], latest - above[1]);
  const std::uint32_t under = least(latest - below[-1], latest - below[1]);
  const std::uint32_t beside = least(latest - pixel[-1], latest - pixel[1]);
  const std::uint32_t straight = least(latest - above[0], latest - below[0]);
  return least(least(over, under), least(beside, straight)) <= 2 * (background_ - 1);
}

template <unsigned kUsed>
inline bool EventFilter::keep(std::uint64_t t, std::uint16_t x, std::uint16_t y, bool on,
                              Removed& removed) {
  if constexpr (kUsed & kLearn) learn(t, x, y);
  const bool inside = (x - settings_.x < settings_.width) & (y - settings_.y < settings_.height);
  removed.region += !inside;
  bool kept = inside;
  if constexpr (kUsed & kPolarity) {
    kept = inside & (on ^ (settings_.polarity == Polarity::kOff));
    removed.polarity += inside ^ kept;
  }
  if constexpr (kUsed & kHot) {
    const bool before = kept;
    const std::size_t i = before ? static_cast<std::size_t>(y) * width_ + x : 0;
    kept = before & ~(hot_[i / 32] >> i % 32);
    removed.hot += before ^ kept;
  }
  if constexpr (kUsed & (kRefractory | kBackground)) {
    if (!kept) return false;
    if (t - base_us_ > kSpanUs) move_base(t);
    const auto now = static_cast<std::uint32_t>(t - base_us_);
    std::uint32_t* const pixel = pixel_at(x, y);
    if constexpr (kUsed & kRefractory) {
      if (within(now, *pixel, refractory_)) {
        ++removed.refractory;
        return false;
      }
    }
    *pixel = now;
    if constexpr (kUsed & kBackground) {
      kept = supported(pixel, now);
      removed.background += !kept;
    }
  }
  return kept;
}

}  // namespace saccade
