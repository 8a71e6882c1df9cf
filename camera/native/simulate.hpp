// A simulated event sensor: frames of log intensity in, events out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace saccade {

struct SimulatorOptions {
  int width = 0, height = 0;
  float threshold_on = 0.2f, threshold_off = 0.2f;  // contrast, in log intensity
  float threshold_sigma = 0;                        // mismatch between pixels, same unit
  std::uint32_t refractory_us = 0;
  float leak_hz = 0;   // ON events a pixel and second from the leaking memory
  float noise_hz = 0;  // shot noise: events a pixel and second of either polarity
  std::uint64_t seed = 0;
};

struct SimulatedEvents {
  std::vector<std::uint64_t> t;
  std::vector<std::uint16_t> x, y;
  std::vector<std::uint8_t> on;
};

// splitmix64: small, and the same on every platform (the standard's distributions are not).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  double uniform();  // [0, 1)
  double gaussian();
  std::uint64_t poisson(double mean);

 private:
  std::uint64_t state_;
};

// Each pixel remembers the log intensity of its last event and fires whenever the light has moved
// by its threshold; between two frames the light moves linearly, which gives the time.
class EventSimulator {
 public:
  explicit EventSimulator(const SimulatorOptions& options);

  // The first frame sets the pixels' memories, spread over their dead zone as after a long run;
  // each later one appends the events of the interval since, in the order of time. `t_us` must
  // be later than the frame's before, by less than 2^32.
  void step(const float* log_frame, std::uint64_t t_us, SimulatedEvents& out);

 private:
  struct Fired {
    std::uint32_t dt;
    std::uint32_t pixel;
    std::uint8_t on;
  };
  void start(const float* log_frame);
  void cross(const float* log_frame, double interval_us);
  void fire(std::size_t pixel, double dt, bool on);
  bool sees(const Fired& fired);
  void add_noise(double interval_us);
  void sort_into(SimulatedEvents& out, std::uint32_t interval_us);

  SimulatorOptions options_;
  Random random_;
  bool started_ = false;
  std::uint64_t now_us_ = 0;
  std::vector<float> light_, memory_, threshold_on_, threshold_off_;
  std::vector<std::uint64_t> ready_us_;  // a pixel is blind before this time
  std::vector<Fired> fired_, sorted_;
  std::vector<std::uint32_t> starts_;
};

// out[y][x] = bilinear sample of image at (a0 x + a1 y + a2, a3 x + a4 y + a5). Outside the image
// the nearest edge pixel, or `fill` where it is a number.
void warp(const float* image, int image_width, int image_height, const double affine[6], float fill,
          float* out, int width, int height);

}  // namespace saccade
