// Event Stream (.es): a byte of elapsed time before each event, more where that is not enough.
#pragma once
#include <cstdlib>

#include "decoder.hpp"

namespace saccade {

class SliceCounter;

class EsDecoder {
 public:
  enum class Kind { dvs, atis, colour };

  EsDecoder(std::uint32_t width, std::uint32_t height, Kind kind);

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  // Counted by a few columns at a time: see counting.hpp.
  static constexpr std::size_t kWord = 5;  // bytes of most events; there is no need for whole ones
  std::uint32_t width() const { return width_; }
  std::uint32_t height() const { return height_; }
  bool counts_wide(const SliceCounter&) const { return false; }
  std::size_t count_wide(const std::uint8_t*, std::size_t, SliceCounter&) { return 0; }

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }
  Counts skipped() const { return {{"exposures", exposures_}}; }
  std::size_t pending_bytes() const { return n_pending_; }
  std::optional<Damage> damage() const { return std::nullopt; }

 private:
  std::size_t run_dvs(const std::uint8_t* bytes, std::size_t n_bytes, EventColumns& out);
  bool overflow(std::uint8_t byte);
  void event(const std::uint8_t* bytes, EventColumns& out);
  bool brighter(std::uint32_t x, std::uint32_t y, const std::uint8_t* rgb);

  std::uint32_t width_, height_;
  Kind kind_;
  std::size_t size_;     // bytes of an event
  std::uint64_t t_ = 0;  // us
  std::uint64_t out_of_bounds_ = 0, exposures_ = 0;
  std::unique_ptr<std::uint8_t, void (*)(void*)> luma_;  // of each pixel's last colour
  std::uint8_t pending_[8] = {};
  std::size_t n_pending_ = 0;
};

}  // namespace saccade
