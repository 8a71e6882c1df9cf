// Events added to the counters sixteen at a time, with AVX-512.
#pragma once
#include "counters.hpp"

#ifdef SACCADE_X86

namespace saccade {

// Their counters are listed first, for the end of a short loop would be mispredicted. Where many
// pixels share a counter, so do neighbours in a stream, and each addition would wait for the one
// before: those of one counter in a row are added as one number there. One at a time; needs
// takes_sixteens() of the counters.
class EventRuns {
 public:
  SACCADE_AVX512 explicit EventRuns(Counters& to)
      : adder_(to),
        scaled_(to.scaled()),
        merges_(to.width() > 2 * to.columns()),
        factors_(both(to.x_factor16(), to.y_factor16())),
        weights_(both(1, 2 * to.stride())),
        stride_(_mm512_set1_epi32(static_cast<int>(to.stride()))),
        last_row_(_mm512_set1_epi32(-1)) {}
  SACCADE_AVX512 ~EventRuns() { flush(); }

  // x in the lower and y in the upper half of each of sixteen lanes, for the functions below.
  SACCADE_AVX512 static __m512i both(std::uint32_t x, std::uint32_t y) {
    return _mm512_set1_epi32(static_cast<int>(y << 16 | x));
  }

  // Sixteen events inside the sensor, and which of them are ON.
  SACCADE_AVX512 void add(__m512i xy, __mmask16 on) {
    const __m512i cell = cells(xy), row = _mm512_srli_epi32(cell, 16), place = places(cell, on);
    merges_ ? list_runs(place, 0xffff) : list(place, 16);
    list_rows(row, 0xffff);
    last_row_ = row;
  }
  // The first n of them, fewer than 16.
  SACCADE_AVX512 void add(__m512i xy, __mmask16 on, unsigned n) {
    const auto valid = static_cast<__mmask16>((1u << n) - 1);
    const __m512i cell = cells(xy), row = _mm512_srli_epi32(cell, 16);
    const __m512i place = _mm512_mask_mov_epi32(none(), valid, places(cell, on));
    merges_ ? list_runs(place, valid) : list(place, n);
    list_rows(row, valid);
    last_row_ = none();
  }

  Counters::Adder& adder() { return adder_; }

 private:
  static constexpr unsigned kMany = 1024;

  SACCADE_AVX512 static __m512i none() { return _mm512_set1_epi32(-1); }

  SACCADE_AVX512 __m512i cells(__m512i xy) const {
    return scaled_ ? _mm512_mulhi_epu16(xy, factors_) : xy;
  }
  SACCADE_AVX512 __m512i places(__m512i cell, __mmask16 on) const {
    const __m512i off = _mm512_madd_epi16(cell, weights_);
    return _mm512_mask_add_epi32(off, on, off, stride_);
  }

  SACCADE_AVX512 void list(__m512i place, unsigned n) {
    _mm512_storeu_si512(at_ + size_, place);
    size_ += n;
    if (size_ > kMany) flush();
  }

  SACCADE_AVX512 void list_runs(__m512i place, __mmask16 valid) {
    const __m512i before = _mm512_alignr_epi32(place, none(), 15);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i end = _mm512_set1_epi32(16);
    // Lanes behind the last event are one more run, which is not listed but ends the one before.
    const __mmask16 begins = _mm512_cmpneq_epi32_mask(place, before);
    const __m512i first = _mm512_mask_compress_epi32(end, begins, lanes);
    _mm512_storeu_si512(at_ + size_, _mm512_maskz_compress_epi32(begins, place));
    _mm512_storeu_si512(n_ + size_, _mm512_sub_epi32(_mm512_alignr_epi32(end, first, 1), first));
    size_ += static_cast<unsigned>(_mm_popcnt_u32(_mm512_kand(begins, valid)));
    if (size_ > kMany) flush();
  }

  SACCADE_AVX512 void list_rows(__m512i row, __mmask16 valid) {
    const __m512i before = _mm512_alignr_epi32(row, last_row_, 15);
    const __mmask16 moves = _mm512_mask_cmpneq_epi32_mask(valid, row, before);
    _mm512_storeu_si512(rows_ + n_rows_, _mm512_maskz_compress_epi32(moves, row));
    n_rows_ += static_cast<unsigned>(_mm_popcnt_u32(moves));
    if (n_rows_ > kMany) flush();
  }

  SACCADE_AVX512 void flush() {
    for (unsigned i = 0; i < n_rows_; ++i) adder_.touch(rows_[i]);
    if (merges_) {
      for (unsigned i = 0; i < size_; ++i) adder_.some_at(at_[i], n_[i]);
    } else {
      // From four parts in turn: neighbours in a stream share a counter, and each addition would
      // wait for the one before.
      const unsigned part = size_ / 4;
      for (unsigned i = 0; i < part; ++i) {
        for (unsigned k = 0; k < 4; ++k) adder_.one_at(at_[i + k * part]);
      }
      for (unsigned i = 4 * part; i < size_; ++i) adder_.one_at(at_[i]);
    }
    size_ = n_rows_ = 0;
  }

  Counters::Adder adder_;
  bool scaled_, merges_;
  __m512i factors_, weights_, stride_, last_row_;
  unsigned size_ = 0, n_rows_ = 0;
  std::uint32_t at_[kMany + 32], n_[kMany + 32];  // counters, and how many events if merged
  std::uint32_t rows_[kMany + 32];                // that they lie in
};

}  // namespace saccade

#endif
