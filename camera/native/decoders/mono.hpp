// The "mono" encoding of event_camera_msgs, an early one for Prophesee cameras: 8 bytes an event.
#pragma once
#include "packet_decoder.hpp"

namespace saccade {

// Little-endian u64: ns since the packet's time base in bits 0..31, x 32..47, y 48..62, on 63.
class MonoDecoder : public PacketDecoder<MonoDecoder, 8> {
 public:
  MonoDecoder(std::uint32_t width, std::uint32_t height) : PacketDecoder(width, height) {}

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }

 private:
  friend PacketDecoder;

  void start(std::uint64_t time_base);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);

  std::uint64_t base_rest_ns_ = 0;  // of the time base, below a us
};

}  // namespace saccade
