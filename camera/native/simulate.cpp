#include "simulate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <thread>

namespace saccade {
namespace {

constexpr float kMaxLight = 100;  // log intensity: no light is e^100 times another

std::uint64_t word(std::size_t x, std::uint32_t dt, int y, bool on) {
  return static_cast<std::uint64_t>(x) << 48 | static_cast<std::uint64_t>(dt) << 16 |
         static_cast<std::uint64_t>(y) << 1 | static_cast<std::uint64_t>(on);
}
std::uint32_t dt_of(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 16); }

}  // namespace

bool is_bounded(const float* light, std::size_t n) {
  // In whole numbers, which compilers turn into vectors: bits of floats are in their order, and
  // those of infinities and NaNs above all.
  std::uint32_t most, beyond = 0;
  std::memcpy(&most, &kMaxLight, sizeof most);
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, light + i, sizeof bits);
    beyond |= most - (bits & 0x7FFFFFFF);  // its highest bit where it is negative
  }
  return beyond >> 31 == 0;
}

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

EventSimulator::EventSimulator(const SimulatorOptions& options)
    : options_(options), wide_(has_avx2()), random_(options.seed) {
  const auto width = static_cast<std::size_t>(options.width);
  const std::size_t n = width * static_cast<std::size_t>(options.height);
  light_.resize(n);
  memory_.resize(n);
  threshold_on_.assign(n, options.threshold_on);
  threshold_off_.assign(n, options.threshold_off);
  if (options.refractory_us > 0) ready_us_.assign(n, 0);
  for (int y = 0; y < options.height; ++y) {
    Row row{Random(options.seed ^ (0xD1B54A32D192ED03u * (static_cast<std::uint64_t>(y) + 1))), 0,
            0, -1};
    row.noise_at = noise_gap(row.random);
    rows_.push_back(row);
  }
  bands_.resize(static_cast<std::size_t>(std::clamp(options.threads, 1, options.height)));
  for (Band& band : bands_) {
    band.frame.resize(width);
    band.hits.resize(width + kHitsSlack);
  }
  if (options.threshold_sigma <= 0) return;
  // A pixel whose threshold came out near zero would fire without end: bound the mismatch below.
  for (std::size_t i = 0; i < n; ++i) {
    const double on = options.threshold_on + options.threshold_sigma * random_.gaussian();
    const double off = options.threshold_off + options.threshold_sigma * random_.gaussian();
    threshold_on_[i] = std::max(static_cast<float>(on), 0.25f * options.threshold_on);
    threshold_off_[i] = std::max(static_cast<float>(off), 0.25f * options.threshold_off);
  }
}

EventColumns EventSimulator::step(const float* log_frame, std::uint64_t t_us) {
  if (!is_bounded(log_frame, light_.size()))
    throw std::invalid_argument("log_frame: values must lie between -100 and 100");
  return see({t_us}, [&](Band&, std::size_t, int y) {
    return log_frame + static_cast<std::size_t>(y) * width();
  });
}

EventColumns EventSimulator::look(const std::vector<View>& views,
                                  const std::vector<std::uint64_t>& times_us) {
  std::vector<ViewRows> shown;
  for (const View& view : views) shown.emplace_back(view, options_.width);
  return see(times_us, [&](Band& band, std::size_t k, int y) -> const float* {
    shown[k].row(y, band.frame.data());
    return band.frame.data();
  });
}

template <typename FrameRow>
EventColumns EventSimulator::see(const std::vector<std::uint64_t>& times_us,
                                 const FrameRow& frame_row) {
  std::size_t first = 0;
  if (!started_ && !times_us.empty()) {  // random numbers go from one row to the next
    for (int y = 0; y < options_.height; ++y) start(y, frame_row(bands_[0], 0, y));
    now_us_ = times_us[0];
    started_ = true;
    first = 1;
  }
  const auto n = static_cast<std::int64_t>(bands_.size());
  const auto work = [&](std::int64_t k) {
    Band& band = bands_[static_cast<std::size_t>(k)];
    band.fired.clear();
    const auto end = static_cast<int>(options_.height * (k + 1) / n);
    for (auto y = static_cast<int>(options_.height * k / n); y < end; ++y) {
      std::uint64_t before = now_us_;
      for (std::size_t i = first; i < times_us.size(); ++i) {
        const Interval interval{static_cast<std::uint32_t>(before - now_us_),
                                static_cast<double>(times_us[i] - before)};
        see_row(band, y, frame_row(band, i, y), interval);
        before = times_us[i];
      }
    }
  };
  std::vector<std::thread> others;
  for (std::int64_t k = 1; k < n; ++k) others.emplace_back(work, k);
  work(0);
  for (std::thread& other : others) other.join();
  const std::uint64_t now = times_us.empty() ? now_us_ : times_us.back();
  EventColumns out = in_order(now - now_us_);
  now_us_ = now;
  return out;
}

void EventSimulator::start(int y, const float* frame) {
  const std::size_t first = static_cast<std::size_t>(y) * width();
  for (std::size_t x = 0; x < width(); ++x) {
    const std::size_t i = first + x;
    light_[i] = memory_[i] = frame[x];
    if (!options_.settled) continue;
    const auto place = static_cast<float>(random_.uniform());
    memory_[i] = frame[x] - threshold_on_[i] + place * (threshold_on_[i] + threshold_off_[i]);
  }
}

PixelRow EventSimulator::pixels(std::size_t first) const {
  return {&light_[first], &memory_[first], &threshold_on_[first], &threshold_off_[first]};
}

void EventSimulator::see_row(Band& band, int y, const float* frame, const Interval& interval) {
  Row& row = rows_[static_cast<std::size_t>(y)];
  const std::size_t begun = band.fired.size();
  const float before = row.leaked;
  row.leaked += static_cast<float>(options_.leak_hz * interval.us * 1e-6);
  if (!rests(row, static_cast<std::size_t>(y) * width(), frame))
    cross(band, y, frame, before, interval);
  const std::size_t crossed = band.fired.size();
  if (add_noise(band, y, interval) > 0) {
    const auto at = [&](std::size_t k) { return band.fired.begin() + static_cast<long>(k); };
    std::inplace_merge(at(begun), at(crossed), band.fired.end());
  }
  if (!ready_us_.empty() && band.fired.size() > begun) blind(band, begun, y);
}

// Whether nothing in the row can fire: its light stands still, and no memory has leaked so far.
bool EventSimulator::rests(Row& row, std::size_t first, const float* frame) const {
  if (std::memcmp(frame, &light_[first], width() * sizeof(float)) != 0) return false;
  if (row.leaked == 0) return true;
  if (row.slack < 0) {
    row.slack = std::numeric_limits<float>::max();
    for (std::size_t i = first; i < first + width(); ++i)
      row.slack = std::min(row.slack, 1 - (light_[i] - memory_[i]) / threshold_on_[i]);
    row.slack = std::max(row.slack, 0.0f);
  }
  return row.leaked < row.slack;
}

// Seen from its memory, a pixel's light moves by what the frames say and by what the memory leaks,
// both linear in time. Until now the row had leaked `before` ON thresholds.
void EventSimulator::cross(Band& band, int y, const float* frame, float before,
                           const Interval& interval) {
  const std::size_t first = static_cast<std::size_t>(y) * width();
  Row& row = rows_[static_cast<std::size_t>(y)];
  const PixelRow now = pixels(first);
  const float after = row.leaked;
  std::uint16_t* hits = band.hits.data();
  std::size_t n = 0;
#ifdef SACCADE_X86
  if (wide_) n = find_crossings_avx2(frame, now, after, width(), hits);
#endif
  if (!wide_) n = find_crossings(frame, now, after, 0, width(), hits);
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t x = hits[k];
    const float begin = now.light[x] - now.memory[x] + before * now.on[x];
    const float end = frame[x] - now.memory[x] + after * now.on[x];
    const bool on = end > 0;
    // Upwards, whichever way the light went: there and back are the same numbers.
    const float sign = on ? 1.0f : -1.0f, from = sign * begin, to = sign * end;
    const float step = on ? now.on[x] : now.off[x];
    const double slope = to == from ? 0 : interval.us / (to - from);
    float done = 0;  // how far the memory has followed
    while (to - done >= step) {
      done += step;
      const double dt = std::min(std::max((done - from) * slope, 0.0), interval.us);
      band.fired.push_back(word(x, interval.begin_us + static_cast<std::uint32_t>(dt), y, on));
    }
    memory_[first + x] += sign * done;
  }
  std::memcpy(&light_[first], frame, width() * sizeof(float));
  if (after != 0)
    for (std::size_t i = first; i < first + width(); ++i) memory_[i] -= after * threshold_on_[i];
  row.leaked = 0;
  row.slack = -1;
}

std::size_t find_crossings(const float* frame, const PixelRow& row, float leaked, std::size_t begin,
                           std::size_t end, std::uint16_t* hits) {
  std::size_t n = 0;
  for (std::size_t x = begin; x < end; ++x) {
    const float moved = frame[x] - row.memory[x] + leaked * row.on[x];
    if (moved >= row.on[x] || -moved >= row.off[x]) hits[n++] = static_cast<std::uint16_t>(x);
  }
  return n;
}

// The noise of a row is one Poisson process along its pixels' intervals laid end to end: a row
// without noise costs a comparison, and events come in the order of pixels and times.
std::size_t EventSimulator::add_noise(Band& band, int y, const Interval& interval) {
  Row& row = rows_[static_cast<std::size_t>(y)];
  const double length = static_cast<double>(width()) * interval.us;
  std::size_t added = 0;
  for (; row.noise_at < length; row.noise_at += noise_gap(row.random)) {
    const std::size_t x =
        std::min(static_cast<std::size_t>(row.noise_at / interval.us), width() - 1);
    const double dt = row.noise_at - static_cast<double>(x) * interval.us;
    const bool on = row.random.next() & 1;
    if (options_.noise_in_light < 1) {
      const float light = light_[static_cast<std::size_t>(y) * width() + x];
      const float bright = std::clamp(std::exp(light) - options_.dark, 0.0f, 1.0f);
      if (row.random.uniform() < (1 - options_.noise_in_light) * bright) continue;
    }
    const auto since = static_cast<std::uint32_t>(std::clamp(dt, 0.0, interval.us));
    band.fired.push_back(word(x, interval.begin_us + since, y, on));
    ++added;
  }
  row.noise_at -= length;
  return added;
}

double EventSimulator::noise_gap(Random& random) const {
  if (options_.noise_hz <= 0) return std::numeric_limits<double>::infinity();
  return -std::log(1 - random.uniform()) * 1e6 / static_cast<double>(options_.noise_hz);
}

// Leaves out the events of pixels that have not recovered from the one before.
void EventSimulator::blind(Band& band, std::size_t first, int y) {
  std::uint64_t* ready = &ready_us_[static_cast<std::size_t>(y) * width()];
  std::size_t kept = first;
  for (std::size_t k = first; k < band.fired.size(); ++k) {
    const std::uint64_t event = band.fired[k], t = now_us_ + dt_of(event);
    std::uint64_t& pixel = ready[event >> 48];
    if (t < pixel) continue;
    pixel = t + options_.refractory_us;
    band.fired[kept++] = event;
  }
  band.fired.resize(kept);
}

// By microsecond, and by row and column within one: a counting sort, or where there are far fewer
// events than microseconds a sort by comparison.
EventColumns EventSimulator::in_order(std::uint64_t interval_us) {
  std::size_t n = 0;
  for (const Band& band : bands_) n += band.fired.size();
  if (sorted_.size() < n) sorted_.resize(n);
  if (n < interval_us / 16) {
    std::uint64_t* end = sorted_.data();
    for (const Band& band : bands_) end = std::copy(band.fired.begin(), band.fired.end(), end);
    std::stable_sort(sorted_.data(), end, [](auto a, auto b) { return dt_of(a) < dt_of(b); });
  } else {
    starts_.assign(interval_us + 2, 0);
    for (const Band& band : bands_)
      for (const std::uint64_t event : band.fired) ++starts_[dt_of(event) + 1];
    for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
    for (const Band& band : bands_)
      for (const std::uint64_t event : band.fired) sorted_[starts_[dt_of(event)]++] = event;
  }
  EventColumns out(n);
  out.size = n;
  for (std::size_t k = 0; k < n; ++k) {
    const std::uint64_t event = sorted_[k];
    out.t[k] = now_us_ + dt_of(event);
    out.x[k] = static_cast<std::uint16_t>(event >> 48);
    out.y[k] = static_cast<std::uint16_t>((event & 0xFFFF) >> 1);
    out.on[k] = event & 1;
  }
  return out;
}

}  // namespace saccade
