#include "simulate.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace saccade {
namespace {
constexpr float kMaxLight = 100;  // log intensity: no light is e^100 times another
}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

// The sum of four 16-bit uniforms of one draw: within 0.01 of the normal's distribution function
// and ten times faster than an exact method; thresholds of every pixel are drawn this way.
double Random::gaussian() {
  const std::uint64_t z = next();
  const auto sum =
      static_cast<double>((z & 0xFFFF) + ((z >> 16) & 0xFFFF) + ((z >> 32) & 0xFFFF) + (z >> 48));
  return (sum - 131070.0) / 37837.22;  // 65536 / sqrt(12) * sqrt(4)
}

std::uint64_t Random::poisson(double mean) {
  if (mean > 64)  // the normal approximation is within the noise of the noise here
    return static_cast<std::uint64_t>(
        std::max(0.0, std::round(mean + std::sqrt(mean) * gaussian())));
  const double limit = std::exp(-mean);
  std::uint64_t n = 0;
  for (double product = uniform(); product > limit; product *= uniform()) ++n;
  return n;
}

EventSimulator::EventSimulator(const SimulatorOptions& options)
    : options_(options), random_(options.seed) {
  const std::size_t n = static_cast<std::size_t>(options.width) * options.height;
  light_.resize(n);
  memory_.resize(n);
  threshold_on_.assign(n, options.threshold_on);
  threshold_off_.assign(n, options.threshold_off);
  ready_us_.assign(n, 0);
  if (options.threshold_sigma <= 0) return;
  // A pixel whose threshold came out near zero would fire without end: bound the mismatch below.
  for (std::size_t i = 0; i < n; ++i) {
    const double on = options.threshold_on + options.threshold_sigma * random_.gaussian();
    const double off = options.threshold_off + options.threshold_sigma * random_.gaussian();
    threshold_on_[i] = std::max(static_cast<float>(on), 0.25f * options.threshold_on);
    threshold_off_[i] = std::max(static_cast<float>(off), 0.25f * options.threshold_off);
  }
}

void EventSimulator::start(const float* log_frame) {
  for (std::size_t i = 0; i < light_.size(); ++i) {
    const float spread = threshold_on_[i] + threshold_off_[i];
    const auto place = static_cast<float>(random_.uniform());
    light_[i] = log_frame[i];
    memory_[i] = log_frame[i] - threshold_on_[i] + place * spread;
  }
}

void EventSimulator::step(const float* log_frame, std::uint64_t t_us, SimulatedEvents& out) {
  // Light without bound would fire without end.
  bool bounded = true;
  for (std::size_t i = 0; i < light_.size(); ++i) bounded &= std::abs(log_frame[i]) <= kMaxLight;
  if (!bounded) throw std::invalid_argument("log_frame: values must lie between -100 and 100");
  if (!started_) {
    start(log_frame);
    started_ = true;
  } else {
    const std::uint64_t interval = t_us - now_us_;
    fired_.clear();
    cross(log_frame, static_cast<double>(interval));
    add_noise(static_cast<double>(interval));
    sort_into(out, static_cast<std::uint32_t>(interval));
  }
  now_us_ = t_us;
}

// Seen from its memory, a pixel's light moves by what the frames say and by what the memory leaks,
// both linear in time.
void EventSimulator::cross(const float* log_frame, double interval_us) {
  const auto leak = static_cast<float>(options_.leak_hz * interval_us * 1e-6);
  for (std::size_t i = 0; i < light_.size(); ++i) {
    const float leaked = leak * threshold_on_[i];
    const float begin = light_[i] - memory_[i], end = log_frame[i] - memory_[i] + leaked;
    float done = 0;  // how far the memory has followed
    if (end >= threshold_on_[i] || -end >= threshold_off_[i]) {
      const bool on = end > 0;
      const float step = on ? threshold_on_[i] : -threshold_off_[i];
      const double slope = end == begin ? 0 : interval_us / (end - begin);
      while (on ? end - done >= step : end - done <= step) {
        done += step;
        fire(i, std::clamp((done - begin) * slope, 0.0, interval_us), on);
      }
    }
    light_[i] = log_frame[i];
    memory_[i] += done - leaked;
  }
}

void EventSimulator::fire(std::size_t pixel, double dt, bool on) {
  fired_.push_back({static_cast<std::uint32_t>(dt), static_cast<std::uint32_t>(pixel),
                    static_cast<std::uint8_t>(on)});
}

void EventSimulator::add_noise(double interval_us) {
  const auto pixels = static_cast<double>(light_.size());
  const std::uint64_t n = random_.poisson(options_.noise_hz * pixels * interval_us * 1e-6);
  for (std::uint64_t k = 0; k < n; ++k) {
    const auto pixel = static_cast<std::size_t>(random_.uniform() * pixels);
    fire(pixel, random_.uniform() * interval_us, random_.next() & 1);
  }
}

// Whether the pixel has recovered from its last event; asked in the order of time.
bool EventSimulator::sees(const Fired& fired) {
  const std::uint64_t t = now_us_ + fired.dt;
  if (t < ready_us_[fired.pixel]) return false;
  ready_us_[fired.pixel] = t + options_.refractory_us;
  return true;
}

// A counting sort by microsecond; longer intervals than that is good for are sorted by comparison.
void EventSimulator::sort_into(SimulatedEvents& out, std::uint32_t interval_us) {
  if (interval_us > (1u << 20)) {
    std::stable_sort(fired_.begin(), fired_.end(),
                     [](const Fired& a, const Fired& b) { return a.dt < b.dt; });
  } else {
    starts_.assign(interval_us + 2, 0);
    for (const Fired& f : fired_) ++starts_[f.dt + 1];
    for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
    sorted_.resize(fired_.size());
    for (const Fired& f : fired_) sorted_[starts_[f.dt]++] = f;
    fired_.swap(sorted_);
  }
  for (const Fired& f : fired_) {
    if (!sees(f)) continue;
    out.t.push_back(now_us_ + f.dt);
    out.x.push_back(
        static_cast<std::uint16_t>(f.pixel % static_cast<std::uint32_t>(options_.width)));
    out.y.push_back(
        static_cast<std::uint16_t>(f.pixel / static_cast<std::uint32_t>(options_.width)));
    out.on.push_back(f.on);
  }
}

void warp(const float* image, int image_width, int image_height, const double affine[6], float fill,
          float* out, int width, int height) {
  const double right = image_width - 1, bottom = image_height - 1;
  const bool filled = !std::isnan(fill);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      double u = affine[0] * x + affine[1] * y + affine[2];
      double v = affine[3] * x + affine[4] * y + affine[5];
      if (filled && (u < -0.5 || v < -0.5 || u > right + 0.5 || v > bottom + 0.5)) {
        *out++ = fill;
        continue;
      }
      u = u > 0 ? std::min(u, right) : 0.0;  // in this order NaN becomes 0
      v = v > 0 ? std::min(v, bottom) : 0.0;
      const int left = std::min(static_cast<int>(u), std::max(image_width - 2, 0));
      const int top = std::min(static_cast<int>(v), std::max(image_height - 2, 0));
      const auto fx = static_cast<float>(u - left), fy = static_cast<float>(v - top);
      const float* a = image + static_cast<std::size_t>(top) * image_width + left;
      const float* b = image_height > 1 ? a + image_width : a;
      const int next = image_width > 1 ? 1 : 0;
      const float upper = a[0] + fx * (a[next] - a[0]);
      const float lower = b[0] + fx * (b[next] - b[0]);
      *out++ = upper + fy * (lower - upper);
    }
  }
}

}  // namespace saccade
