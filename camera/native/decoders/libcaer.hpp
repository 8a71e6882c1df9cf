// The "libcaer" encoding of event_camera_msgs: libcaer's polarity events, 8 bytes each.
#pragma once
#include "packet_decoder.hpp"

namespace saccade {

// Little-endian u32 data (bit 0 valid, 1 on, 2..16 y, 17..31 x), then u32 time: 31 bits of us that
// are added to the packet's time base and wrap after 35.8 min.
class LibcaerDecoder : public PacketDecoder<LibcaerDecoder, 8> {
 public:
  LibcaerDecoder(std::uint32_t width, std::uint32_t height) : PacketDecoder(width, height) {}

  Counts dropped() const {
    return {{"out_of_bounds", out_of_bounds_},
            {"marked_invalid", invalid_},
            {"negative_time", negative_time_}};
  }

 private:
  friend PacketDecoder;

  void start(std::uint64_t time_base);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);

  std::uint64_t epoch_ = 0;  // wraps since the packet's start
  std::uint32_t low_ = 0;    // the last 31 bits read
  std::uint64_t invalid_ = 0, negative_time_ = 0;
};

}  // namespace saccade
