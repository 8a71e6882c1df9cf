// Event Stream (.es): a byte of elapsed time before each event, more where that is not enough.
#pragma once
#include <cstdlib>

#include "decoder.hpp"

namespace saccade {

class EsDecoder {
 public:
  enum class Kind { dvs, atis, colour };

  EsDecoder(std::uint32_t width, std::uint32_t height, Kind kind);

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

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
