#include "word_cutter.hpp"

#include <cstring>

namespace saccade {

// The events of one word that lie on the sensor.
struct WordCutter::Sink {
  WordCutter& to;
  std::uint64_t t = 0, n = 0;

  void tally(cuda::Tally which, std::uint32_t count) { to.tallies_[which] += count; }

  void events(const cuda::Events& found) {
    std::uint32_t inside = 0;
    if (found.y < to.height_ && found.x < to.width_) {
      const std::uint32_t room = to.width_ - found.x;
      inside = room < 32 ? found.mask & ((1u << room) - 1) : found.mask;
    }
    n = cuda::bit_count(inside);
    t = found.t;
    tally(cuda::kOutOfBounds, cuda::bit_count(found.mask & ~inside));
  }
};

WordCutter::WordCutter(bool evt3, std::uint32_t width, std::uint32_t height, std::uint64_t window)
    : evt3_(evt3), width_(width), height_(height), rules_(window, 0) {}

std::size_t WordCutter::cut(const std::uint8_t* bytes, std::size_t n_bytes) {
  const std::size_t n_words = n_bytes / word_bytes();
  return evt3_ ? cut_words<cuda::Evt3>(bytes, n_words) : cut_words<cuda::Evt2>(bytes, n_words);
}

template <typename Format>
std::size_t WordCutter::cut_words(const std::uint8_t* bytes, std::size_t n_words) {
  using Word = typename Format::Word;
  std::size_t i = 0;
  if (ahead_ && n_words > 0) {
    ahead_ = false;
    i = 1;
  }
  for (; i < n_words; ++i) {
    Word word;
    std::memcpy(&word, bytes + i * sizeof(Word), sizeof(Word));  // little endian, as we are
    const cuda::State before = state_;
    Sink sink{*this};
    Format::decode(state_, word, sink);
    if (sink.n == 0) continue;
    if (!rules_.takes(sink.t, sink.t, sink.n) && rules_.stops_at(sink.t)) {
      ahead_ = true;
      ahead_t_ = sink.t;
      ahead_n_ = sink.n;
      before_ = before;
      break;
    }
    rules_.took(sink.t, sink.t, sink.n);
  }
  if (!ahead_) before_ = state_;
  return i * sizeof(Word);
}

CountedSlice WordCutter::take() {
  const CountedSlice slice = rules_.take();
  if (rules_.goes_on() || ahead_n_ == 0 || rules_.stops_at(ahead_t_)) return slice;
  rules_.took(ahead_t_, ahead_t_, ahead_n_);
  ahead_n_ = 0;
  return slice;
}

std::size_t WordCutter::lead(std::array<std::uint8_t, kMostLead>& out) const {
  std::size_t n = 0;
  const auto put = [&](auto word) {
    std::memcpy(out.data() + n, &word, sizeof(word));
    n += sizeof(word);
  };
  if (!evt3_) {
    if (before_.clock.started) put(std::uint32_t{0x8u << 28 | before_.clock.high});
    return n;
  }
  using cuda::Place;
  const Place& place = before_.place;
  const auto put3 = [&](std::uint32_t type, std::uint32_t value) {
    put(static_cast<std::uint16_t>(type << 12 | value));
  };
  if (before_.clock.started) put3(0x8, before_.clock.high);
  if (place.has(Place::kHasY)) put3(0x0, place.y);
  if (place.has(Place::kHasBase)) {
    // A base past what a word can say is past the sensor too, as is any one behind an empty vector.
    const bool far = place.base > 0x7ff;
    put3(0x3, (far ? 0x7ffu : place.base) | (place.has(Place::kOn) ? 0x800u : 0u));
    if (far) put3(0x4, 0);
  }
  return n;
}

}  // namespace saccade
