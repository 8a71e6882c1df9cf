// Prophesee DAT: records of a 32-bit time and a 32-bit word of x, y and the polarity.
#pragma once
#include "decoder.hpp"

namespace saccade {

class SliceCounter;

class DatDecoder {
 public:
  // version: 1 or 2, which place x, y and the polarity differently.
  DatDecoder(std::uint32_t width, std::uint32_t height, std::uint32_t version);

  // Decodes any number of bytes; those of an unfinished record are kept for the next call.
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  static constexpr std::size_t kWord = 8;
  // Records counted without columns: see counting.hpp.
  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  bool counts_wide(const SliceCounter& to) const;
  std::size_t count_wide(const std::uint8_t* records, std::size_t n, SliceCounter& to);

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }
  Counts skipped() const { return {{"time_backwards", time_backwards_}}; }
  std::optional<Damage> damage() const { return std::nullopt; }  // any record can be read
  std::size_t pending_bytes() const { return n_pending_; }

 private:
  static constexpr std::uint32_t kRise = 1u << 30;
  static constexpr unsigned kLowBits = 4;  // of the time, below those that the clock takes

  std::size_t count_avx512(const std::uint8_t* records, std::size_t n, SliceCounter& to);
  std::size_t good_avx512(const std::uint8_t* records, std::size_t n, EventColumns& out);
  void run(const std::uint8_t* records, std::size_t n, EventColumns& out);
  void run_avx512(const std::uint8_t* records, std::size_t n, EventColumns& out);
  void run_anywhere(const std::uint8_t* records, std::size_t n, EventColumns& out);
  void run_avx2(const std::uint8_t* records, std::size_t n, EventColumns& out);
  template <unsigned XBits, unsigned YBits>
  void run_inlined(const std::uint8_t* records, std::size_t n, EventColumns& out);
  template <unsigned XBits, unsigned YBits>
  void run_slowly(const std::uint8_t* records, std::size_t n, EventColumns& out);
  template <unsigned XBits, unsigned YBits>
  std::size_t run_good(const std::uint8_t* records, std::size_t n_blocks, EventColumns& out);

  // Where records were good, the time of the last one.
  void rose_to(std::uint32_t newest) {
    if (!clock_.started()) return;
    clock_.advance(newest >> kLowBits);
    time_ = (time_ >> 32 << 32) | newest;
  }

  std::uint32_t width_, height_, version_;
  bool avx2_, avx512_;
  // Of the time's upper bits, so that one damaged time does not count as a wrap (columns.hpp).
  WrappingClock<28> clock_;
  std::uint64_t time_ = 0;  // of the event before
  std::uint64_t out_of_bounds_ = 0, time_backwards_ = 0;
  std::uint8_t pending_[8] = {};
  std::size_t n_pending_ = 0;
};

}  // namespace saccade
