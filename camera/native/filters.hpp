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

// The events that passed, and for each event that came whether it did.
struct Sifted {
  EventColumns events;
  MemoryBlock kept;
};

// All filters in one pass, in this order; a filter sees what those before it let through. State is
// one time a pixel, so any cutting of the stream gives the same events. One thread at a time.
class EventFilter {
 public:
  // Filters that only some settings use; region and sensor are always looked at.
  enum Used : unsigned { kPolarity = 1, kHot = 2, kRefractory = 4, kBackground = 8, kAll = 15 };
  static constexpr std::uint64_t kLearnUs = 1'000'000;
  static constexpr std::uint64_t kMaxPeriodUs = 60'000'000;
  // Times are kept in 32 bits, as offsets up to this from a base that moves with the clock. What
  // lies further than half of it (17 minutes) from the event that moves the base is forgotten.
  static constexpr std::uint64_t kSpanUs = std::uint64_t{1} << 31;

  EventFilter(int width, int height, const FilterSettings& settings);

  // Events whose pixel is true ([height][width]) are removed from now on.
  void mask(const bool* hot);

  Sifted apply(const std::uint64_t* t, const std::uint16_t* x, const std::uint16_t* y,
               const bool* on, std::size_t n);

  // Whether one event passes, for callers without columns: `learn` first, then `keep<used()>`.
  unsigned used() const { return used_; }
  void learn(std::uint64_t t, std::uint16_t x, std::uint16_t y) {
    if (learning_) learn(&t, &x, &y, 1);
  }
  template <unsigned kUsed>
  bool keep(std::uint64_t t, std::uint16_t x, std::uint16_t y, bool on, Removed& removed);

  // The pixels masked now, or by what was seen of the first second so far: [height][width].
  std::vector<std::uint8_t> hot_pixels() const;
  bool learning() const { return learning_; }
  const Removed& removed() const { return removed_; }
  int width() const { return width_; }
  int height() const { return height_; }

 private:
  static constexpr std::uint32_t kHalf = 1u << 31;
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

  std::size_t learn(const std::uint64_t* t, const std::uint16_t* x, const std::uint16_t* y,
                    std::size_t n);
  void update_used();
  template <bool kAround>
  void prefetch(std::uint32_t x, std::uint32_t y) const;
  template <unsigned kUsed>
  void run(const std::uint64_t* t, const std::uint16_t* x, const std::uint16_t* y, const bool* on,
           std::size_t n, Sifted& out, std::size_t done);

  int width_, height_;
  FilterSettings settings_;
  std::uint32_t refractory_, background_;  // us
  unsigned used_ = 0;
  bool learning_, started_ = false;
  std::uint64_t first_us_ = 0;
  std::vector<std::uint32_t> counts_;  // [height][width], while learning
  std::vector<std::uint32_t> hot_;     // a bit a pixel, row by row, where masked
  // [height + 2][width + 2]: when each pixel last had an event that came as far as the background
  // filter, from `base_us_` on; a rim of pixels that never have one spares the test for it.
  std::vector<std::uint32_t> times_;
  std::uint64_t base_us_ = 0;
  std::size_t stride_;
  Removed removed_;
};

// Of the pixels in three rows of four, those around the second of the middle one. All are looked
// at, in a form that compilers make vectors of: which one supports an event is hard to foresee.
inline bool EventFilter::supported(const std::uint32_t* pixel, std::uint32_t t) const {
  constexpr std::array<std::uint32_t, 4> kBeside{1, 0, 1, 0}, kRow{1, 1, 1, 0};
  const std::uint32_t* const row = pixel - 1;
  // Signed, as that is what every processor compares: shifted by half the range.
  const std::uint32_t newest = t + (background_ - 1) + kHalf;
  const auto widest = static_cast<std::int32_t>(2 * (background_ - 1) + kHalf);
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const bool above = static_cast<std::int32_t>(newest - (row - stride_)[i]) <= widest;
    const bool beside = static_cast<std::int32_t>(newest - row[i]) <= widest;
    const bool below = static_cast<std::int32_t>(newest - (row + stride_)[i]) <= widest;
    found |= ((above | below) & kRow[i]) | (beside & kBeside[i]);
  }
  return found;
}

template <unsigned kUsed>
inline bool EventFilter::keep(std::uint64_t t, std::uint16_t x, std::uint16_t y, bool on,
                              Removed& removed) {
  const bool inside = (x - settings_.x < settings_.width) & (y - settings_.y < settings_.height);
  removed.region += !inside;
  bool kept = inside;
  if constexpr (kUsed & kPolarity) {
    const bool wanted = on == (settings_.polarity == Polarity::kOn);
    removed.polarity += kept & !wanted;
    kept &= wanted;
  }
  if constexpr (kUsed & kHot) {
    if (!kept) return false;
    const std::size_t i = static_cast<std::size_t>(y) * width_ + x;
    kept = !(hot_[i / 32] >> i % 32 & 1);
    removed.hot += !kept;
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
