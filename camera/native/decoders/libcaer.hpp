// The "libcaer" encoding of event_camera_msgs: libcaer's polarity events, 8 bytes each.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"
#include "packet_queue.hpp"

namespace saccade {

// Little-endian u32 data (bit 0 valid, 1 on, 2..16 y, 17..31 x), then u32 time: 31 bits of us that
// are added to the packet's time base and wrap after 35.8 min.
class LibcaerDecoder {
 public:
  LibcaerDecoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  // A packet of n_bytes follows those announced before; time_base in ns.
  void announce(std::uint64_t time_base, std::uint64_t n_bytes) {
    packets_.announce(time_base, n_bytes / 8);
  }
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const {
    return {{"out_of_bounds", out_of_bounds_},
            {"marked_invalid", invalid_},
            {"negative_time", negative_time_}};
  }
  Counts skipped() const { return {{"time_backwards", backwards_}}; }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  std::size_t pending_bytes() const { return carry_.size(); }

 private:
  void start(std::uint64_t time_base);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);

  std::uint32_t width_, height_;
  Carry<8> carry_;
  PacketQueue packets_;
  std::uint64_t base_us_ = 0, epoch_ = 0;  // epoch: wraps since the packet's start
  std::uint32_t low_ = 0;                  // the last 31 bits read
  std::uint64_t last_ = 0;                 // time of the last event delivered
  std::uint64_t out_of_bounds_ = 0, invalid_ = 0, negative_time_ = 0, backwards_ = 0;
};

}  // namespace saccade
