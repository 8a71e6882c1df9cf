#include "word_cutter.hpp"

#include <cstring>

namespace saccade {
namespace {

template <typename Word>
Word word_at(const std::uint8_t* bytes, std::size_t i) {
  Word word;
  std::memcpy(&word, bytes + i * sizeof(Word), sizeof(Word));  // little endian, as we are
  return word;
}

// How many of 12 bits are set: without the processor's own instruction it would be a call.
struct BitCounts {
  std::uint8_t of[4096] = {};

  constexpr BitCounts() {
    for (unsigned v = 1; v < 4096; ++v) of[v] = static_cast<std::uint8_t>(of[v / 2] + v % 2);
  }
};
constexpr BitCounts kBitCounts;

}  // namespace

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
    i += pass(Format(), bytes + i * sizeof(Word), n_words - i);
    if (i == n_words) break;
    const cuda::State before = state_;
    Sink sink{*this};
    Format::decode(state_, word_at<Word>(bytes, i), sink);
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

// Types of words alternate as they like, so there are few branches.
std::size_t WordCutter::pass(cuda::Evt3, const std::uint8_t* bytes, std::size_t n_words) {
  using cuda::Place;
  Place& place = state_.place;
  if (state_.clock.started == 0 || !place.has(Place::kHasY)) return 0;
  static constexpr std::uint8_t kLengths[16] = {0, 0, 1, 0, 12, 8};  // bits of events by type
  const auto high = [&] {
    return (state_.clock.periods() << cuda::Evt3::kBits | state_.clock.high) << 12;
  };
  const std::uint64_t end = rules_.end();
  std::uint64_t t_high = high(), newest = rules_.newest(), n = 0, outside = 0;
  std::uint32_t low = place.low, y = place.y, base = place.base;
  std::size_t i = 0;
  for (; i < n_words; ++i) {
    const std::uint32_t word = word_at<std::uint16_t>(bytes, i), type = word >> 12;
    if (type > 6 || type == 1) {
      if (type != 8) break;
      if (!state_.clock.advance<cuda::Evt3::kBits>(word & 0xfff)) ++tallies_[cuda::kBackwards];
      t_high = high();
      continue;
    }
    const std::uint32_t bits = kLengths[type], mask = type == 2 ? 1 : word & ((1u << bits) - 1);
    if (bits > 1 && !place.has(Place::kHasBase)) break;
    const std::uint32_t x = type == 2 ? word & 0x7ff : base;
    const std::uint32_t room = y < height_ && x < width_ ? width_ - x : 0;
    const std::uint32_t inside = room < 12 ? mask & ((1u << room) - 1) : mask;
    const std::uint64_t t = t_high | low;
    if (inside != 0 && (t >= end || t + SliceRules::kReset < newest)) break;
    newest = inside != 0 ? cuda::most(newest, t) : newest;
    n += kBitCounts.of[inside];
    if (inside != mask) outside += kBitCounts.of[mask ^ inside];
    if (type == 3) place.set_base(word);
    base = type == 3 ? word & 0x7ff : cuda::least(base + (bits > 1 ? bits : 0), Place::kFar);
    y = type == 0 ? word & 0x7ff : y;
    low = type == 6 ? word & 0xfff : low;
  }
  place.set_y(y);
  place.set_low(low);
  place.base = static_cast<std::uint16_t>(base);
  if (n > 0) rules_.took(newest, newest, n);
  tallies_[cuda::kOutOfBounds] += outside;
  return i;
}

// Within one TIME_HIGH events are at most 63 us apart: the rules are asked once for each.
std::size_t WordCutter::pass(cuda::Evt2, const std::uint8_t* bytes, std::size_t n_words) {
  if (state_.clock.started == 0) return 0;
  std::size_t i = 0;
  while (i < n_words) {
    const std::uint64_t high = state_.clock.periods() << cuda::Evt2::kBits | state_.clock.high;
    const std::uint64_t begin = high << 6;
    if (!rules_.takes(begin, begin | 63, 1)) return i;
    std::uint32_t low = 0, inside = 0, word = 0;
    const std::size_t first = i;
    for (; i < n_words && (word = word_at<std::uint32_t>(bytes, i)) < 0x20000000u; ++i) {
      const bool in = ((word >> 11) & 0x7ff) < width_ && (word & 0x7ff) < height_;
      inside += in;
      low = in ? cuda::most(low, (word >> 22) & 0x3f) : low;
    }
    if (inside > 0) rules_.took(begin | low, begin | low, inside);
    tallies_[cuda::kOutOfBounds] += i - first - inside;
    if (i == n_words || word >> 28 != 0x8) return i;
    if (!state_.clock.advance<cuda::Evt2::kBits>(word & 0x0fffffff)) {
      ++tallies_[cuda::kBackwards];
    }
    ++i;
  }
  return i;
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
