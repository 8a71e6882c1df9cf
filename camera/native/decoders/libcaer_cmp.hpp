// The "libcaer_cmp" encoding of event_camera_msgs: 16-bit words whose meaning depends on those
// before, as in EVT3, but with vectors along y.
#pragma once
#include "packet_decoder.hpp"

namespace saccade {

// Little-endian u16: type in bits 12..15. 0 TIME_HIGH and 1 TIME_LOW (12 bits of us each, counted
// from the packet's time base), 2 ADDR_X (0..10), 3 ADDR_Y (one event: y 0..10, on 11),
// 4 VECT_BASE_Y (y 0..10, on 11), 5 VECT_8 (an event for each bit of 0..7, then y += 8).
class LibcaerCmpDecoder : public PacketDecoder<LibcaerCmpDecoder, 2> {
 public:
  LibcaerCmpDecoder(std::uint32_t width, std::uint32_t height) : PacketDecoder(width, height) {}

  Counts dropped() const {
    return {{"missing_x", missing_x_},
            {"missing_base", missing_base_},
            {"out_of_bounds", out_of_bounds_},
            {"unknown_word", unknown_word_}};
  }

 private:
  friend PacketDecoder;

  std::size_t most_events(const std::uint8_t* bytes, std::size_t n_bytes) const;
  // Times start at 0 in each packet; the column and the vector's base go on from the one before.
  void start(std::uint64_t time_base);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void slow_word(std::uint32_t word, EventColumns& out);
  void vector_word(std::uint32_t mask, EventColumns& out);
  void drop(bool has_base, std::uint64_t n);

  static constexpr std::uint32_t kNone = 0xffff;  // no ADDR_X or VECT_BASE_Y yet: past any bound

  std::uint32_t high_ = 0, low_ = 0, x_ = kNone, y_base_ = kNone;
  bool polarity_ = false;  // of the vectors
  std::uint64_t missing_x_ = 0, missing_base_ = 0, unknown_word_ = 0;
};

}  // namespace saccade
