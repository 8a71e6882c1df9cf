// DAT sixteen records at a time, counted or to columns.
#include <cstring>

#include "dat.hpp"
#include "event_runs_avx512.hpp"
#include "slice_counter.hpp"

#ifdef SACCADE_X86

namespace saccade {
namespace {

// Reads sixteen records after sixteen.
class Sixteens {
 public:
  __m512i t, xy;  // x and y in a half of each
  __mmask16 on;

  SACCADE_AVX512 Sixteens(bool old, std::uint32_t width, std::uint32_t height, std::uint64_t time)
      : from_(_mm512_set1_epi64(old ? 0x3129282011090800 : 0x362e2820160e0800)),
        bits_(old ? EventRuns::both(0x1ff, 0xff) : EventRuns::both(0x3fff, 0x3fff)),
        sign_(_mm512_set1_epi32(old ? 1 << 17 : 1 << 28)),
        last_(EventRuns::both(width - 1, height - 1)),
        before_(_mm512_set1_epi32(static_cast<int>(time))) {}

  // Whether all is well: inside the sensor, and times that never fall.
  SACCADE_AVX512 bool read(const std::uint8_t* records) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512i a = _mm512_loadu_si512(records), b = _mm512_loadu_si512(records + 64);
    const __m512i w = _mm512_permutex2var_epi32(a, odd, b);
    t = _mm512_permutex2var_epi32(a, even, b);
    xy = _mm512_and_si512(_mm512_multishift_epi64_epi8(from_, w), bits_);
    on = _mm512_test_epi32_mask(w, sign_);
    const __m512i outside = _mm512_subs_epu16(xy, last_);
    const __m512i previous = _mm512_alignr_epi32(t, before_, 15);
    before_ = t;
    return (_mm512_test_epi32_mask(outside, outside) | _mm512_cmplt_epu32_mask(t, previous)) == 0;
  }

 private:
  __m512i from_;  // the bit from which each byte of two words' x and y is read
  __m512i bits_, sign_, last_, before_;
};

std::uint32_t time_of(const std::uint8_t* record) {
  std::uint32_t time;
  std::memcpy(&time, record, sizeof time);
  return time;
}

}  // namespace

// As run_good(), and as far as all belongs to the slice.
SACCADE_AVX512 std::size_t DatDecoder::count_avx512(const std::uint8_t* records, std::size_t n,
                                                    SliceCounter& to) {
  EventRuns runs(to.counters());
  const std::uint64_t epoch = time_ >> 32 << 32;
  const auto first = static_cast<std::uint32_t>(time_);
  Sixteens read(version_ == 1, width_, height_, time_);
  std::uint32_t newest = first;
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const bool good = read.read(records + kWord * i);
    const std::uint32_t lo = time_of(records + kWord * i), hi = time_of(records + kWord * (i + 15));
    if (!good || hi - first >= kRise || !to.takes(epoch | lo, epoch | hi, 16)) break;
    to.took(epoch | lo, epoch | hi, 16);
    runs.add(read.xy, read.on);
    newest = hi;
  }
  rose_to(newest);
  return i;
}

// As run_good(): how many records.
SACCADE_AVX512 std::size_t DatDecoder::good_avx512(const std::uint8_t* records, std::size_t n,
                                                   EventColumns& out) {
  if (!clock_.started() || width_ == 0 || height_ == 0) return 0;
  std::uint64_t* t = out.t.get() + out.size;
  std::uint16_t* x = out.x.get() + out.size;
  std::uint16_t* y = out.y.get() + out.size;
  bool* on = out.on.get() + out.size;
  const auto first = static_cast<std::uint32_t>(time_);
  const __m512i epoch = _mm512_set1_epi64(static_cast<long long>(time_ >> 32 << 32));
  Sixteens read(version_ == 1, width_, height_, time_);
  std::uint32_t newest = first;
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const bool good = read.read(records + kWord * i);
    const std::uint32_t hi = time_of(records + kWord * (i + 15));
    if (!good || hi - first >= kRise) break;
    const __m256i lower = _mm512_castsi512_si256(read.t);
    const __m256i upper = _mm512_extracti64x4_epi64(read.t, 1);
    _mm512_storeu_si512(t + i, _mm512_or_si512(epoch, _mm512_cvtepu32_epi64(lower)));
    _mm512_storeu_si512(t + i + 8, _mm512_or_si512(epoch, _mm512_cvtepu32_epi64(upper)));
    const __m256i xs = _mm512_cvtepi32_epi16(read.xy);
    const __m256i ys = _mm512_cvtepi32_epi16(_mm512_srli_epi32(read.xy, 16));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(x + i), xs);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), ys);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(on + i), _mm_maskz_set1_epi8(read.on, 1));
    newest = hi;
  }
  out.size += i;
  rose_to(newest);
  return i;
}

}  // namespace saccade

#endif
