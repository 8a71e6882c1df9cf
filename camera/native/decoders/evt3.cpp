#include "evt3.hpp"

#include <algorithm>
#include <cstring>

#include "cpu.hpp"
#include "expand.hpp"

namespace saccade {
namespace {

constexpr std::size_t kBlock = 1024;    // words: their events stay in the nearest caches
constexpr std::size_t kWideBlock = 32;  // words after which the wide path is tried again

std::uint32_t load(const std::uint8_t* words, std::size_t i) {
  std::uint16_t word;  // a carried byte leaves the rest unaligned
  std::memcpy(&word, words + i * 2, 2);
  return word;
}

// Plain arithmetic, so that loops vectorise.
SACCADE_INLINE std::uint16_t popcount(std::uint16_t v) {
  v = static_cast<std::uint16_t>(v - ((v >> 1) & 0x5555));
  v = static_cast<std::uint16_t>((v & 0x3333) + ((v >> 2) & 0x3333));
  v = static_cast<std::uint16_t>((v + (v >> 4)) & 0x0f0f);
  return static_cast<std::uint16_t>((v + (v >> 8)) & 0x1f);
}

// What the words have of something. All in 16 bits, and summed block by block (at most 12 *
// kBlock), so that eight or more words go through at once.
template <typename Something>
SACCADE_INLINE std::size_t count_of(const std::uint8_t* words, std::size_t n_words) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < n_words; i += kBlock) {
    const std::size_t end = std::min(n_words, i + kBlock);
    std::uint16_t sum = 0;
    for (std::size_t j = i; j < end; ++j) {
      const auto word = static_cast<std::uint16_t>(load(words, j));
      sum = static_cast<std::uint16_t>(sum +
                                       Something::in(word, static_cast<std::uint16_t>(word >> 12)));
    }
    n += sum;
  }
  return n;
}

// Exactly the events that a word encodes, before any is dropped.
struct Events {
  SACCADE_INLINE static std::uint16_t in(std::uint16_t word, std::uint16_t type) {
    const auto one = static_cast<std::uint16_t>(type == 0x2);
    const auto mask12 = static_cast<std::uint16_t>(-(type == 0x4) & 0xfff);
    const auto mask8 = static_cast<std::uint16_t>(-(type == 0x5) & 0xff);
    const auto mask = static_cast<std::uint16_t>(mask12 | mask8);
    return static_cast<std::uint16_t>(one + popcount(word & mask));
  }
};

// Whether no sensor sends a word of this type.
struct Reserved {
  SACCADE_INLINE static std::uint16_t in(std::uint16_t, std::uint16_t type) {
    const auto odd = static_cast<std::uint16_t>((type & 7) == 1);      // 0x1, 0x9
    const auto pair = static_cast<std::uint16_t>((type & 14) == 0xc);  // 0xc, 0xd
    const auto other = static_cast<std::uint16_t>(type == 0xb);
    return static_cast<std::uint16_t>(odd + pair + other);
  }
};

#ifdef SACCADE_X86
SACCADE_AVX2 std::size_t count_reserved_avx2(const std::uint8_t* words, std::size_t n_words) {
  return count_of<Reserved>(words, n_words);
}
#endif

}  // namespace

std::size_t count_reserved_evt3(const std::uint8_t* words, std::size_t n_words) {
#ifdef SACCADE_X86
  if (has_avx2()) return count_reserved_avx2(words, n_words);
#endif
  return count_of<Reserved>(words, n_words);
}

// Events of up to kBlock words, packed: x in bits 0..10, on in 11, y in 12..22, lower time
// in 23..34. One store per word here, and the columns are filled afterwards by loops that
// vectorise.
struct Evt3Decoder::Block {
  explicit Block(EventColumns& columns) : out(columns) {}

  // One event for each bit of a vector that starts at x = base.
  void add(std::uint32_t mask, std::uint64_t packed, std::uint32_t base) {
    for (; mask != 0; mask &= mask - 1) events[size++] = packed | (base + __builtin_ctz(mask));
  }

  void flush(std::uint64_t time) {
    std::uint64_t* __restrict t = out.t.get() + out.size;
    std::uint16_t* __restrict x = out.x.get() + out.size;
    std::uint16_t* __restrict y = out.y.get() + out.size;
    bool* __restrict on = out.on.get() + out.size;
    for (std::size_t i = 0; i < size; ++i) t[i] = time | (events[i] >> 23);
    for (std::size_t i = 0; i < size; ++i) x[i] = static_cast<std::uint16_t>(events[i] & 0x7ff);
    for (std::size_t i = 0; i < size; ++i) {
      y[i] = static_cast<std::uint16_t>((events[i] >> 12) & 0x7ff);
    }
    for (std::size_t i = 0; i < size; ++i) on[i] = ((events[i] >> 11) & 1) != 0;
    out.size += size;
    size = 0;
  }

  EventColumns& out;
  std::size_t size = 0;
  std::uint64_t events[kBlock * 12 + 1];  // uninitialised; one more for the store of no event
};

// x and y have 11 bits: a vector that runs past 2047 is outside of any sensor.
Evt3Decoder::Evt3Decoder(std::uint32_t width, std::uint32_t height)
    : width_(std::min(width, 2048u)),
      height_(std::min(height, 2048u)),
      wide_(has_avx2()),
      wide512_(has_avx512()) {
  rules_[0x0].compare = rules_[0x2].compare = 0x7ff;
  rules_[0x0].take = 0x7ff;
  rules_[0x0].scale = 1u << 12;
  rules_[0x0].keep = ~(std::uint64_t{0x7ff} << 12);
  rules_[0x2].emits = 1;
  rules_[0x6].compare = 0;  // TIME_LOW: any value; it may fall, and never carries
  rules_[0x6].bound = 1;
  rules_[0x6].take = 0xfff;
  rules_[0x6].scale = 1u << 23;
  rules_[0x6].keep = ~(std::uint64_t{0xfff} << 23);
}

EventColumns Evt3Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  triggers_.clear();
  std::uint8_t first[2] = {pending_, 0};
  std::size_t n_first = 0;
  if (has_pending_ && n_bytes > 0) {
    first[1] = *bytes++;
    --n_bytes;
    n_first = 1;
    has_pending_ = false;
  }
  const std::size_t n_words = n_bytes / 2;
  EventColumns out(count(first, n_first) + count(bytes, n_words));
  run(first, n_first, out);
  run(bytes, n_words, out);
  if (n_bytes % 2 != 0) {
    pending_ = bytes[n_bytes - 1];
    has_pending_ = true;
  }
  return out;
}

std::size_t Evt3Decoder::count(const std::uint8_t* words, std::size_t n_words) const {
#ifdef SACCADE_X86
  const std::size_t whole = n_words / 16 * 16;
  if (wide_) return count_wide(words, whole) + count_of<Events>(words + 2 * whole, n_words - whole);
#endif
  return count_of<Events>(words, n_words);
}

void Evt3Decoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  Block block(out);
  for (std::size_t i = 0; i < n_words;) {
    std::size_t end = std::min(n_words, i + kBlock);
#ifdef SACCADE_X86
    if (wide_ && x_limit_ > 0) {
      i += wide512_ ? wide512(words + 2 * i, n_words - i, out)
                    : wide(words + 2 * i, n_words - i, out);
    }
    if (wide_) end = std::min(n_words, i + kWideBlock);
    // It begins with no vector.
    while (wide512_ && end < n_words && (load(words, end) >> 12 | 1) == 0x5) ++end;
#endif
    run_block(words + 2 * i, end - i, block);
    block.flush(clock_.value() << 12);
    i = end;
  }
}

// Word by word: what the rules know in a loop without a branch, the rest in slow_word().
void Evt3Decoder::run_block(const std::uint8_t* words, std::size_t n_words, Block& block) {
  for (std::size_t i = 0; i < n_words;) {
    std::uint64_t packed = packed_;
    std::size_t k = block.size;
    std::uint64_t* const events = block.events;
    for (; i < n_words; ++i) {
      const std::uint32_t word = load(words, i);
      const Rule& rule = rules_[word >> 12];
      if (((word ^ rule.expect) & rule.compare) >= rule.bound) break;
      events[k] = packed | (word & 0xfff);
      k += rule.emits;
      packed = (packed & rule.keep) | (std::uint64_t{word & rule.take} * rule.scale);
    }
    packed_ = packed;
    block.size = k;
    if (i < n_words) i += slow_word(words + 2 * i, n_words - i, block);
  }
}

// A word that the rules leave to a branch; returns how many words it took.
std::size_t Evt3Decoder::slow_word(const std::uint8_t* words, std::size_t n_words, Block& block) {
  const std::uint32_t word = load(words, 0);
  switch (word >> 12) {
    case 0x0:  // ADDR_Y, the first one or around one past the height
      packed_ = (packed_ & rules_[0].keep) | (std::uint64_t{word & 0x7ffu} << 12);
      has_y_ = true;
      set_rules();
      return 1;
    case 0x2:  // ADDR_X that cannot be emitted
      drop(true, 1);
      return 1;
    case 0x3:  // VECT_BASE_X
      base_ = word & 0x7ff;
      polarity_ = word & 0x800;
      return n_words > 3 && triplet(words + 2, block) ? 4 : 1;
    case 0x4:
    case 0x5:
      vector_word(word, block);
      return 1;
    case 0x8:  // TIME_HIGH that changes
      block.flush(clock_.value() << 12);
      counters_.time_backwards += !clock_.advance(word & 0xfff);
      set_rules();
      return 1;
    default:
      other_word(word);
      return 1;
  }
}

// The sensors' 12+12+8 after a base, as one vector of 32; false where it is not that or not inside.
bool Evt3Decoder::triplet(const std::uint8_t* words, Block& block) {
  const std::uint32_t a = load(words, 0), b = load(words, 1), c = load(words, 2);
  if (a >> 12 != 0x4 || b >> 12 != 0x4 || c >> 12 != 0x5 || base_ + 32 > x_limit_) return false;
  block.add((a & 0xfff) | (b & 0xfff) << 12 | (c & 0xff) << 24, packed_ | polarity_, base_);
  base_ += 32;
  return true;
}

void Evt3Decoder::vector_word(std::uint32_t word, Block& block) {
  const std::uint32_t bits = word & 0x1000 ? 8 : 12;
  std::uint32_t mask = word & ((1u << bits) - 1);
  if (base_ + bits > x_limit_) {  // only the bits in the frame
    const std::uint32_t inside = base_ < x_limit_ ? mask & ((1u << (x_limit_ - base_)) - 1) : 0;
    drop(base_ != kNone, popcount(static_cast<std::uint16_t>(mask & ~inside)));
    mask = inside;
  }
  block.add(mask, packed_ | polarity_, base_);
  if (base_ < kNone - bits) base_ += bits;
}

void Evt3Decoder::other_word(std::uint32_t word) {
  switch (word >> 12) {
    case 0xA:
      ++counters_.triggers;
      if (clock_.started()) {
        triggers_.add(clock_.value() << 12 | ((packed_ >> 23) & 0xfff), (word >> 8) & 0xf,
                      word & 1);
      }
      break;
    case 0xE:
      ++counters_.others;
      break;
    case 0x7:
    case 0xF:
      ++counters_.continued;
      break;
    default:
      ++counters_.unknown_word;
  }
}

// Called where the time's upper bits change, and at the first row and around rows past the height.
void Evt3Decoder::set_rules() {
  const auto row = static_cast<std::uint32_t>(packed_ >> 12) & 0x7ff;
  const bool ready = clock_.started() && has_y_ && row < height_;
  x_limit_ = ready ? width_ : 0;
  rules_[0x0].bound = static_cast<std::uint16_t>(ready ? height_ : 0);
  rules_[0x2].bound = static_cast<std::uint16_t>(x_limit_);
  rules_[0x8].expect = static_cast<std::uint16_t>(0x8000 | (clock_.value() & 0xfff));
  rules_[0x8].bound = clock_.started() ? 1 : 0;  // the same value again changes nothing
}

void Evt3Decoder::drop(bool has_base, std::uint32_t n) {
  if (!clock_.started()) {
    counters_.before_time += n;
  } else if (!has_y_) {
    counters_.missing_y += n;
  } else if (!has_base) {
    counters_.missing_base += n;
  } else {
    counters_.out_of_bounds += n;
  }
}

}  // namespace saccade
