// The "libcaer_cmp" encoding of event_camera_msgs: 16-bit words whose meaning depends on those
// before, as in EVT3, but with vectors along y.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"
#include "packet_queue.hpp"

namespace saccade {

// Little-endian u16: type in bits 12..15. 0 TIME_HIGH and 1 TIME_LOW (12 bits of us each, counted
// from the packet's time base), 2 ADDR_X (0..10), 3 ADDR_Y (one event: y 0..10, on 11),
// 4 VECT_BASE_Y (y 0..10, on 11), 5 VECT_8 (an event for each bit of 0..7, then y += 8).
class LibcaerCmpDecoder {
 public:
  LibcaerCmpDecoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  // A packet of n_bytes follows those announced before; time_base in ns. Its times start at 0; the
  // column and the vector's base go on from the packet before.
  void announce(std::uint64_t time_base, std::uint64_t n_bytes) {
    packets_.announce(time_base, n_bytes / 2);
  }
  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const {
    return {{"missing_x", missing_x_},
            {"missing_base", missing_base_},
            {"out_of_bounds", out_of_bounds_},
            {"unknown_word", unknown_word_}};
  }
  Counts skipped() const { return {{"time_backwards", backwards_}}; }
  std::optional<Damage> damage() const { return std::nullopt; }  // any word can be read
  std::size_t pending_bytes() const { return carry_.size(); }

 private:
  void start(std::uint64_t time_base);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void slow_word(std::uint32_t word, EventColumns& out);
  void vector_word(std::uint32_t mask, EventColumns& out);
  void drop(bool has_base, std::uint64_t n);

  static constexpr std::uint32_t kNone = 0xffff;  // no ADDR_X or VECT_BASE_Y yet: past any bound

  std::uint32_t width_, height_;
  Carry<2> carry_;
  PacketQueue packets_;
  std::uint64_t base_us_ = 0, last_ = 0;  // last: time of the last event delivered
  std::uint32_t high_ = 0, low_ = 0, x_ = kNone, y_base_ = kNone;
  bool polarity_ = false;  // of the vectors
  std::uint64_t missing_x_ = 0, missing_base_ = 0, out_of_bounds_ = 0, unknown_word_ = 0;
  std::uint64_t backwards_ = 0;
};

}  // namespace saccade
