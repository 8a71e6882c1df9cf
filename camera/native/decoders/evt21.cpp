#include "evt21.hpp"

#include <algorithm>
#include <cstring>

#include "expand.hpp"

namespace saccade {
namespace {

constexpr std::size_t kWord = Evt21Decoder::kWord;

std::uint32_t load(const std::uint8_t* bytes) {
  std::uint32_t value;  // the carried bytes leave the rest unaligned
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

SACCADE_INLINE std::size_t count_inlined(const std::uint8_t* words, std::size_t n_words,
                                         std::size_t head_at) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < n_words; ++i) {
    const std::uint32_t head = load(words + i * kWord + head_at);
    const std::uint32_t mask = load(words + i * kWord + (4 - head_at));
    n += count_bits(head < kEventsBelow ? mask : 0);
  }
  return n;
}

std::size_t count_anywhere(const std::uint8_t* words, std::size_t n_words, std::size_t head_at) {
  return count_inlined(words, n_words, head_at);
}

SACCADE_AVX2 std::size_t count_avx2(const std::uint8_t* words, std::size_t n_words,
                                    std::size_t head_at) {
  return count_inlined(words, n_words, head_at);
}

}  // namespace

Evt21Decoder::Evt21Decoder(std::uint32_t width, std::uint32_t height, bool legacy)
    : width_(std::min(width, 2048u)),  // x has 11 bits, also at the end of a vector
      height_(height),
      head_at_(legacy ? 0 : 4),
      wide_(has_avx2() || has_neon()),
      avx512_(has_avx512()) {}

EventColumns Evt21Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  triggers_.clear();
  if (n_pending_ > 0) {
    const std::size_t taken = std::min(kWord - n_pending_, n_bytes);
    std::copy_n(bytes, taken, pending_ + n_pending_);
    n_pending_ += taken;
    bytes += taken;
    n_bytes -= taken;
  }
  const std::size_t n_first = n_pending_ == kWord ? 1 : 0, n_words = n_bytes / kWord;
  EventColumns out(count(pending_, n_first) + count(bytes, n_words));
  if (n_first > 0) {
    run(pending_, 1, out);
    n_pending_ = 0;
  }
  run(bytes, n_words, out);
  const std::size_t rest = n_bytes % kWord;
  std::copy_n(bytes + n_words * kWord, rest, pending_ + n_pending_);
  n_pending_ += rest;
  return out;
}

std::size_t Evt21Decoder::count(const std::uint8_t* words, std::size_t n_words) const {
#ifdef SACCADE_X86
  if (avx512_) return count_avx512(words, n_words);
#endif
  return (wide_ ? count_avx2 : count_anywhere)(words, n_words, head_at_);
}

void Evt21Decoder::run(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
#ifdef SACCADE_X86
  if (avx512_) return run_avx512(words, n_words, out);
#endif
  wide_ ? run_avx2(words, n_words, out) : run_anywhere(words, n_words, out);
}

SACCADE_INLINE void Evt21Decoder::run_inlined(const std::uint8_t* words, std::size_t n_words,
                                              EventColumns& out) {
  std::uint64_t* const t = out.t.get();
  std::uint16_t* const x = out.x.get();
  std::uint16_t* const y = out.y.get();
  bool* const on = out.on.get();
  const std::size_t head_at = head_at_, mask_at = 4 - head_at;
  std::size_t k = out.size;
  // Before the first TIME_HIGH the limit is zero, so that one comparison guards both rules.
  std::uint32_t x_limit = clock_.started() ? width_ : 0;
  const std::uint32_t y_limit = height_;
  std::uint64_t time = clock_.value() << 6;
  for (std::size_t i = 0; i < n_words; ++i, words += kWord) {
    const std::uint32_t head = load(words + head_at);
    if (head >= kEventsBelow) {
      other_head(head);
      time = clock_.value() << 6;
      x_limit = clock_.started() ? width_ : 0;
      continue;
    }
    const std::uint32_t base = (head >> 11) & 0x7ff, row = head & 0x7ff;
    std::uint32_t mask = load(words + mask_at);
    if (base + 32 > x_limit || row >= y_limit) mask = bounded(mask, base, row);
    const std::size_t n = expand(x + k, mask, base);
    fill_vector(t + k, y + k, on + k, n, time | ((head >> 22) & 0x3f),
                static_cast<std::uint16_t>(row), (head >> 28) != 0);
    k += n;
  }
  out.size = k;
}

void Evt21Decoder::run_anywhere(const std::uint8_t* words, std::size_t n_words, EventColumns& out) {
  run_inlined(words, n_words, out);
}

SACCADE_AVX2 void Evt21Decoder::run_avx2(const std::uint8_t* words, std::size_t n_words,
                                         EventColumns& out) {
  run_inlined(words, n_words, out);
}

// The mask without what is outside of the sensor or before the first time, which is counted.
std::uint32_t Evt21Decoder::bounded(std::uint32_t mask, std::uint32_t base, std::uint32_t row) {
  if (!clock_.started()) {
    before_time_ += count_bits(mask);
    return 0;
  }
  const std::uint32_t inside = base < width_ && row < height_ ? width_ - base : 0;
  const std::uint32_t kept = inside < 32 ? mask & ((1u << inside) - 1) : mask;
  out_of_bounds_ += count_bits(mask) - count_bits(kept);
  return kept;
}

#if defined(SACCADE_X86) || defined(SACCADE_NEON)
bool Evt21Decoder::counts_wide(const SliceCounter& to) const {
  return wide_ && to.counters().takes_vectors();
}

template <bool kScaled>
SACCADE_AVX2 std::size_t Evt21Decoder::count_vectors(const std::uint8_t* words, std::size_t n_words,
                                                     SliceCounter& to) {
  Counters::Adder adder(to.counters());
  const std::size_t head_at = head_at_, mask_at = 4 - head_at;
  const std::uint32_t width = width_, height = height_;
  std::uint64_t time = clock_.value() << 6;
  for (std::size_t i = 0; i < n_words; ++i, words += kWord) {
    const std::uint32_t head = load(words + head_at);
    if (head >= kEventsBelow) {
      other_head(head);
      time = clock_.value() << 6;
      continue;
    }
    const std::uint32_t base = (head >> 11) & 0x7ff, row = head & 0x7ff;
    std::uint32_t mask = load(words + mask_at);
    const std::uint64_t t = time | ((head >> 22) & 0x3f);
    if (!to.takes(t, t, 32)) return i;
    if (base + 32 > width || row >= height) mask = bounded(mask, base, row);
    if (mask == 0) continue;  // what is dropped has no time
    adder.vector<kScaled>(mask, base, row, head >> 28);
    to.took(t, t, count_bits(mask));
  }
  return n_words;
}

std::size_t Evt21Decoder::count_wide(const std::uint8_t* words, std::size_t n_words,
                                     SliceCounter& to) {
  if (!counts_wide(to) || !clock_.started()) return 0;
  triggers_.clear();
#ifdef SACCADE_X86
  if (avx512_) return count_wide512(words, n_words, to);
#endif
  return to.counters().scaled() ? count_vectors<true>(words, n_words, to)
                                : count_vectors<false>(words, n_words, to);
}
#else
bool Evt21Decoder::counts_wide(const SliceCounter&) const { return false; }
std::size_t Evt21Decoder::count_wide(const std::uint8_t*, std::size_t, SliceCounter&) { return 0; }
#endif

}  // namespace saccade
