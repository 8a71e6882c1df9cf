#include "dat.hpp"

#include <algorithm>
#include <cstring>

#include "expand.hpp"
#include "slice_counter.hpp"

namespace saccade {
namespace {

constexpr std::size_t kRecord = DatDecoder::kWord, kBlock = 8;
constexpr std::uint32_t kSide = 1u << 14;  // of the largest that a record can tell

std::uint32_t load(const std::uint8_t* bytes) {
  std::uint32_t value;  // the header leaves the records unaligned
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <unsigned XBits, unsigned YBits>
struct Layout {  // of one word, or of four
  template <typename W>
  SACCADE_INLINE static W x(W word) {
    return word & ((1u << XBits) - 1);
  }
  template <typename W>
  SACCADE_INLINE static W y(W word) {
    return (word >> XBits) & ((1u << YBits) - 1);
  }
  template <typename W>
  SACCADE_INLINE static W on(W word) {
    return (word >> (XBits + YBits)) & 1u;
  }
};

// Signed: SSE2 compares nothing else, and these are below 2^15.
SACCADE_INLINE auto reaches(U32x4 a, U32x4 limit) {
  return reinterpret_cast<I32x4>(a) >= reinterpret_cast<I32x4>(limit);
}

template <unsigned XBits, unsigned YBits>
struct Block {  // eight records
  using Word = Layout<XBits, YBits>;
  U32x4 t0, t1, w0, w1;

  SACCADE_INLINE explicit Block(const std::uint8_t* records) {
    const U32x4 a = load_vector<U32x4>(records), b = load_vector<U32x4>(records + 16);
    const U32x4 c = load_vector<U32x4>(records + 32), d = load_vector<U32x4>(records + 48);
    t0 = SACCADE_SHUFFLE(U32x4, a, b, 0, 2, 4, 6);
    t1 = SACCADE_SHUFFLE(U32x4, c, d, 0, 2, 4, 6);
    w0 = SACCADE_SHUFFLE(U32x4, a, b, 1, 3, 5, 7);
    w1 = SACCADE_SHUFFLE(U32x4, c, d, 1, 3, 5, 7);
  }

  // Whether an event is outside of the sensor or earlier than the one before, at first last[3].
  SACCADE_INLINE bool is_bad(U32x4 last, U32x4 width, U32x4 height) const {
    const U32x4 before0 = SACCADE_SHUFFLE(U32x4, last, t0, 3, 4, 5, 6);
    const U32x4 before1 = SACCADE_SHUFFLE(U32x4, t0, t1, 3, 4, 5, 6);
    const auto outside = reaches(Word::x(w0), width) | reaches(Word::x(w1), width) |
                         reaches(Word::y(w0), height) | reaches(Word::y(w1), height);
    const U64x2 bad = reinterpret_cast<U64x2>(outside | (t0 < before0) | (t1 < before1));
    return (bad[0] | bad[1]) != 0;
  }

  SACCADE_INLINE void store(U32x4 epoch, std::uint64_t* t, std::uint16_t* x, std::uint16_t* y,
                            bool* on) const {
    store_vector(t, SACCADE_SHUFFLE(U32x4, t0, epoch, 0, 4, 1, 5));
    store_vector(t + 2, SACCADE_SHUFFLE(U32x4, t0, epoch, 2, 4, 3, 5));
    store_vector(t + 4, SACCADE_SHUFFLE(U32x4, t1, epoch, 0, 4, 1, 5));
    store_vector(t + 6, SACCADE_SHUFFLE(U32x4, t1, epoch, 2, 4, 3, 5));
    store_vector(x, narrow(Word::x(w0), Word::x(w1)));
    store_vector(y, narrow(Word::y(w0), Word::y(w1)));
    const U8x16 packed = narrow(narrow(Word::on(w0), Word::on(w1)));
    std::memcpy(on, &packed, kBlock);
  }
};

}  // namespace

DatDecoder::DatDecoder(std::uint32_t width, std::uint32_t height, std::uint32_t version)
    : width_(std::min(width, kSide)),
      height_(std::min(height, kSide)),
      version_(version),
      avx2_(has_avx2()),
      avx512_(has_avx512()) {}

bool DatDecoder::counts_wide(const SliceCounter& to) const {
  return avx512_ && width_ > 0 && height_ > 0 && to.counters().takes_sixteens();
}

#ifdef SACCADE_X86
std::size_t DatDecoder::count_wide(const std::uint8_t* records, std::size_t n, SliceCounter& to) {
  return counts_wide(to) && clock_.started() ? count_avx512(records, n, to) : 0;
}
#else
std::size_t DatDecoder::count_wide(const std::uint8_t*, std::size_t, SliceCounter&) { return 0; }
#endif

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

// The blocks up to the first in which not all is well: inside the sensor, and times that never
// fall and rise so little that the clock takes them one by one with the same result as all at once.
// Nearly all are, and they need neither branches nor state. Returns how many.
template <unsigned XBits, unsigned YBits>
SACCADE_INLINE std::size_t DatDecoder::run_good(const std::uint8_t* records, std::size_t n_blocks,
                                                EventColumns& out) {
  if (!clock_.started()) return 0;
  std::uint64_t* t = out.t.get() + out.size;
  std::uint16_t* x = out.x.get() + out.size;
  std::uint16_t* y = out.y.get() + out.size;
  bool* on = out.on.get() + out.size;
  const U32x4 width = U32x4{} + width_, height = U32x4{} + height_;
  const U32x4 epoch = U32x4{} + static_cast<std::uint32_t>(time_ >> 32);
  const std::uint32_t first = static_cast<std::uint32_t>(time_);
  U32x4 last = U32x4{} + first;
  std::size_t i = 0;
  for (; i < n_blocks; ++i, records += kBlock * kRecord) {
    const Block<XBits, YBits> block(records);
    if (block.is_bad(last, width, height) || block.t1[3] - first >= kRise) break;
    block.store(epoch, t + i * kBlock, x + i * kBlock, y + i * kBlock, on + i * kBlock);
    last = block.t1;
  }
  out.size += i * kBlock;
  rose_to(last[3]);
  return i;
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

template <unsigned XBits, unsigned YBits>
SACCADE_INLINE void DatDecoder::run_inlined(const std::uint8_t* records, std::size_t n,
                                            EventColumns& out) {
  while (n > 0) {
    const std::size_t good = run_good<XBits, YBits>(records, n / kBlock, out) * kBlock;
    const std::size_t bad = std::min(n - good, kBlock);
    run_slowly<XBits, YBits>(records + good * kRecord, bad, out);
    records += (good + bad) * kRecord;
    n -= good + bad;
  }
}

void DatDecoder::run(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  if (avx512_) return run_avx512(records, n, out);
  avx2_ ? run_avx2(records, n, out) : run_anywhere(records, n, out);
}

void DatDecoder::run_avx512(const std::uint8_t* records, std::size_t n, EventColumns& out) {
#ifdef SACCADE_X86
  while (n > 0) {
    const std::size_t good = good_avx512(records, n, out), bad = std::min(n - good, kBlock);
    const std::uint8_t* rest = records + good * kRecord;
    version_ == 1 ? run_slowly<9, 8>(rest, bad, out) : run_slowly<14, 14>(rest, bad, out);
    records = rest + bad * kRecord;
    n -= good + bad;
  }
#else
  run_anywhere(records, n, out);
#endif
}

void DatDecoder::run_anywhere(const std::uint8_t* records, std::size_t n, EventColumns& out) {
  version_ == 1 ? run_inlined<9, 8>(records, n, out) : run_inlined<14, 14>(records, n, out);
}

SACCADE_AVX2 void DatDecoder::run_avx2(const std::uint8_t* records, std::size_t n,
                                       EventColumns& out) {
  version_ == 1 ? run_inlined<9, 8>(records, n, out) : run_inlined<14, 14>(records, n, out);
}

}  // namespace saccade
