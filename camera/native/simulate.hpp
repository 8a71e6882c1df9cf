// A simulated event sensor: frames of log intensity in, events out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoders/columns.hpp"
#include "view.hpp"

namespace saccade {

struct SimulatorOptions {
  int width = 0, height = 0;
  float threshold_on = 0.2f, threshold_off = 0.2f;  // contrast, in log intensity
  float threshold_sigma = 0;                        // mismatch between pixels, same unit
  std::uint32_t refractory_us = 0;
  float leak_hz = 0;         // ON events a pixel and second from the leaking memory
  float noise_hz = 0;        // shot noise in the dark: events a pixel and second of either polarity
  float noise_in_light = 1;  // share of it that is left in full light
  float dark = 0;            // what was added to intensities before the logarithm
  std::uint64_t seed = 0;
  bool settled = true;  // memories begin spread over their dead zone, or else at the light
  int threads = 1;
};

// splitmix64: small, and the same on every platform (the standard's distributions are not).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  double uniform();  // [0, 1)
  double gaussian();

 private:
  std::uint64_t state_;
};

// A row of pixels, seen from its memories: what is compared when the light has moved.
struct PixelRow {
  const float *light, *memory, *on, *off;  // on, off: thresholds
};

// Room past the end of the indices, which wide stores use.
constexpr std::size_t kHitsSlack = 8;

// Writes the indices of the pixels of [begin, end) whose light, after a leak of `leaked` ON
// thresholds, lies a threshold or more from its memory; gives how many there are.
std::size_t find_crossings(const float* frame, const PixelRow& row, float leaked, std::size_t begin,
                           std::size_t end, std::uint16_t* hits);
#ifdef SACCADE_X86
std::size_t find_crossings_avx2(const float* frame, const PixelRow& row, float leaked,
                                std::size_t width, std::uint16_t* hits);
#endif

// Each pixel remembers the log intensity of its last event and fires whenever the light has moved
// by its threshold; between two frames the light moves linearly, which gives the time. Rows have
// random numbers of their own, so that threads change nothing.
class EventSimulator {
 public:
  explicit EventSimulator(const SimulatorOptions& options);

  // The first frame sets the pixels' memories; each later one gives the events of the interval
  // since, in the order of time, then of rows and columns. `t_us` must be later than the frame's
  // before, by less than 2^32. Throws std::invalid_argument where light is beyond +-100.
  EventColumns step(const float* log_frame, std::uint64_t t_us);

  // As `step` of what each view of an image shows, whose light is known to be bounded: the events
  // of all of them, sorted together. Rows take their steps one after the other while they are in
  // the cache. All times together are shorter than 2^32.
  EventColumns look(const std::vector<View>& views, const std::vector<std::uint64_t>& times_us);

 private:
  struct Row {
    Random random;
    double noise_at;  // of the next noise event, in pixels times us after the row's begin
    float leaked;     // ON thresholds that the memories have leaked and do not show yet
    float slack;      // how many a still row may leak before a pixel fires; negative: unknown
  };
  // The time between two frames, after `now_us_`.
  struct Interval {
    std::uint32_t begin_us;
    double us;
  };
  // What one thread works with. An event in one word: x, dt, y and polarity, of 16, 32, 15 and 1
  // bits, so that events of a row in their order are words in their order.
  struct Band {
    std::vector<std::uint64_t> fired;
    std::vector<float> frame;
    std::vector<std::uint16_t> hits;
  };

  template <typename FrameRow>
  EventColumns see(const std::vector<std::uint64_t>& times_us, const FrameRow& frame_row);
  void start(int y, const float* frame);
  void see_row(Band& band, int y, const float* frame, const Interval& interval);
  bool rests(Row& row, std::size_t first, const float* frame) const;
  void cross(Band& band, int y, const float* frame, float before, const Interval& interval);
  std::size_t add_noise(Band& band, int y, const Interval& interval);
  double noise_gap(Random& random) const;
  void blind(Band& band, std::size_t first, int y);
  PixelRow pixels(std::size_t first) const;
  std::size_t width() const { return static_cast<std::size_t>(options_.width); }
  EventColumns in_order(std::uint64_t interval_us);

  SimulatorOptions options_;
  bool wide_;
  Random random_;
  bool started_ = false;
  std::uint64_t now_us_ = 0;
  std::vector<float> light_, memory_, threshold_on_, threshold_off_;
  std::vector<std::uint64_t> ready_us_;  // a pixel is blind before this time; none: never
  std::vector<Row> rows_;
  std::vector<Band> bands_;
  std::vector<std::uint64_t> sorted_;
  std::vector<std::uint32_t> starts_;
};

// Whether all light is bounded: without bound it would fire without end.
bool is_bounded(const float* light, std::size_t n);

}  // namespace saccade
