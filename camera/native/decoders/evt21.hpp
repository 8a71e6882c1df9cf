// Prophesee EVT2.1: 64-bit words, each a head as of EVT2 and a mask of 32 pixels in a row.
#pragma once
#include "evt_heads.hpp"
#include "slice_counter.hpp"

namespace saccade {

class Evt21Decoder : public EvtHeads {
 public:
  // legacy: the head comes before the mask, as the IMX636 sends them, and not after it.
  Evt21Decoder(std::uint32_t width, std::uint32_t height, bool legacy);

  // Decodes any number of bytes; those of an unfinished word are kept for the next call.
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  static constexpr std::size_t kWord = 8;
  // Words counted without columns: see counting.hpp.
  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  bool counts_wide(const SliceCounter& to) const;
  std::size_t count_wide(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::size_t pending_bytes() const { return n_pending_; }

 private:
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void run_anywhere(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void run_avx512(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  std::size_t count_avx512(const std::uint8_t* words, std::size_t n_words) const;
  std::size_t count(const std::uint8_t* words, std::size_t n_words) const;
  void run_avx2(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void run_inlined(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  template <bool kScaled>
  struct Vectors;
  template <bool kScaled>
  std::size_t count_eights512(const std::uint8_t* words, std::size_t n_words, SliceCounter& to,
                              Vectors<kScaled>& vectors) const;
  template <bool kScaled>
  std::size_t count_vectors512(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::size_t count_wide512(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  template <bool kScaled>
  std::size_t count_vectors(const std::uint8_t* words, std::size_t n_words, SliceCounter& to);
  std::uint32_t bounded(std::uint32_t mask, std::uint32_t base, std::uint32_t row);

  std::uint32_t width_, height_;
  std::size_t head_at_;  // byte of a word: 0 or 4
  bool wide_, avx512_;
  std::uint8_t pending_[8] = {};
  std::size_t n_pending_ = 0;
};

}  // namespace saccade
