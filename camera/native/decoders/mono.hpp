// The "mono" encoding of event_camera_msgs, an early one for Prophesee cameras: 8 bytes an event.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"
#include "packet_queue.hpp"

namespace saccade {

// Little-endian u64: ns since the packet's time base in bits 0..31, x 32..47, y 48..62, on 63.
class MonoDecoder {
 public:
  MonoDecoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  // A packet of n_bytes follows those announced before; time_base in ns.
  void announce(std::uint64_t time_base, std::uint64_t n_bytes) {
    packets_.announce(time_base, n_bytes / 8);
  }
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }
  Counts skipped() const { return {{"time_backwards", backwards_}}; }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  std::size_t pending_bytes() const { return carry_.size(); }

 private:
  void start(std::uint64_t time_base);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);

  std::uint32_t width_, height_;
  Carry<8> carry_;
  PacketQueue packets_;
  std::uint64_t base_us_ = 0, base_rest_ns_ = 0;
  std::uint64_t last_ = 0;  // time of the last event delivered
  std::uint64_t out_of_bounds_ = 0, backwards_ = 0;
};

}  // namespace saccade
