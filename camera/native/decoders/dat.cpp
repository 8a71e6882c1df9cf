#include "dat.hpp"

#include <algorithm>
#include <cstring>

#include "expand.hpp"

namespace saccade {
namespace {

constexpr std::size_t kRecord = 8, kBlock = 32;
constexpr unsigned kLowBits = 4;  // of the time, below those that the clock takes

std::uint32_t load(const std::uint8_t* bytes) {
  std::uint32_t value;  // the header leaves the records unaligned
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <unsigned XBits, unsigned YBits>
struct Layout {
  static std::uint32_t x(std::uint32_t word) { return word & ((1u << XBits) - 1); }
  static std::uint32_t y(std::uint32_t word) { return (word >> XBits) & ((1u << YBits) - 1); }
  static bool on(std::uint32_t word) { return (word >> (XBits + YBits)) & 1; }
};

}  // namespace

DatDecoder::DatDecoder(std::uint32_t width, std::uint32_t height, std::uint32_t version, bool wide)
    : width_(width), height_(height), version_(version), avx2_(wide && has_avx2()) {}

EventColumns DatDecoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  if (n_pending_ > 0) {
    const std::size_t taken = std::min(kRecord - n_pending_, n_bytes);
    std::copy_n(bytes, taken, pending_ + n_pending_);
    n_pending_ += taken;
    bytes += taken;
    n_bytes -= taken;
  }
  const std::size_t n_first = n_pending_ == kRecord ? 1 : 0, n = n_bytes / kRecord;
  EventColumns out(n_first + n);
  if (n_first > 0) {
    run(pending_, 1, out);
    n_pending_ = 0;
  }
  run(bytes, n, out);
  const std::size_t rest = n_bytes % kRecord;
  std::copy_n(bytes + n * kRecord, rest, pending_ + n_pending_);
  n_pending_ += rest;
  return out;
}

void DatDecoder::run(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  if (version_ == 1)
    avx2_ ? run_avx2<9, 8>(records, n, out) : run_anywhere<9, 8>(records, n, out);
  else
    avx2_ ? run_avx2<14, 14>(records, n, out) : run_anywhere<14, 14>(records, n, out);
}

// Blocks in which all is well, which is nearly all of them, have neither branches nor state.
template <unsigned XBits, unsigned YBits>
SACCADE_INLINE void DatDecoder::run_inlined(const std::uint8_t* records, std::size_t n,
                                            EventColumns& out) {
  using Word = Layout<XBits, YBits>;
  const std::uint32_t width = width_, height = height_;
  for (; n >= kBlock; n -= kBlock, records += kBlock * kRecord) {
    std::uint32_t times[kBlock], words[kBlock];
    for (std::size_t i = 0; i < kBlock; ++i) {
      times[i] = load(records + i * kRecord);
      words[i] = load(records + i * kRecord + 4);
    }
    std::uint32_t bad = 0;
    for (std::size_t i = 0; i < kBlock; ++i)
      bad |= (Word::x(words[i]) >= width) | (Word::y(words[i]) >= height);
    for (std::size_t i = 1; i < kBlock; ++i) bad |= times[i] < times[i - 1];
    const bool rises = static_cast<std::uint32_t>(time_) <= times[0];
    if (bad || !rises || !rises_to(times[kBlock - 1])) {
      run_slowly<XBits, YBits>(records, kBlock, out);
      continue;
    }
    const std::uint64_t epoch = time_ >> 32 << 32;
    std::uint64_t* const t = out.t.get() + out.size;
    std::uint16_t* const x = out.x.get() + out.size;
    std::uint16_t* const y = out.y.get() + out.size;
    bool* const on = out.on.get() + out.size;
    for (std::size_t i = 0; i < kBlock; ++i) t[i] = epoch | times[i];
    for (std::size_t i = 0; i < kBlock; ++i) x[i] = static_cast<std::uint16_t>(Word::x(words[i]));
    for (std::size_t i = 0; i < kBlock; ++i) y[i] = static_cast<std::uint16_t>(Word::y(words[i]));
    for (std::size_t i = 0; i < kBlock; ++i) on[i] = Word::on(words[i]);
    out.size += kBlock;
    clock_.advance(times[kBlock - 1] >> kLowBits);
    time_ = epoch | times[kBlock - 1];
  }
  run_slowly<XBits, YBits>(records, n, out);
}

// Whether times that never fall from the last one to this leave the clock in its period, by steps
// that it would take one by one with the same result as all at once.
inline bool DatDecoder::rises_to(std::uint32_t t) const {
  return clock_.started() && t - static_cast<std::uint32_t>(time_) < 1u << 30;
}

template <unsigned XBits, unsigned YBits>
void DatDecoder::run_anywhere(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  run_inlined<XBits, YBits>(records, n, out);
}

template <unsigned XBits, unsigned YBits>
SACCADE_AVX2 void DatDecoder::run_avx2(const std::uint8_t* records, std::size_t n,
                                       EventColumns& out) {
  run_inlined<XBits, YBits>(records, n, out);
}

template <unsigned XBits, unsigned YBits>
void DatDecoder::run_slowly(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  using Word = Layout<XBits, YBits>;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t t = load(records + i * kRecord), word = load(records + i * kRecord + 4);
    if (Word::x(word) >= width_ || Word::y(word) >= height_) {
      ++out_of_bounds_;
      continue;
    }
    clock_.advance(t >> kLowBits);
    const std::uint64_t time = clock_.value() << kLowBits | (t & ((1u << kLowBits) - 1));
    time_backwards_ += time < time_;
    time_ = time;
    const std::size_t k = out.size++;
    out.t[k] = time;
    out.x[k] = static_cast<std::uint16_t>(Word::x(word));
    out.y[k] = static_cast<std::uint16_t>(Word::y(word));
    out.on[k] = Word::on(word);
  }
}

}  // namespace saccade
