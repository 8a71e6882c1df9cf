// AEDAT 3.1: packets of one type of event each, a header of 28 bytes before them, little-endian.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"

namespace saccade {

// Of the types of event only polarity is decoded: u32 data (bit 0 valid, 1 on, 2..16 y, 17..31 x),
// then i32 time in us, which the packet's count of overflows continues above its 31 bits. Writers
// set a packet's capacity to its number of events, so that a damaged count does not go unseen.
class Aedat3Decoder {
 public:
  // png_frames: the file's header tells that packets of frames may be compressed.
  Aedat3Decoder(std::uint32_t width, std::uint32_t height, bool png_frames)
      : width_(width), height_(height), png_frames_(png_frames) {}

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const {
    return {{"out_of_bounds", out_of_bounds_},
            {"marked_invalid", invalid_},
            {"negative_time", negative_time_}};
  }
  Counts skipped() const {
    return {{"special", special_},
            {"frames", frames_},
            {"imu", imu_},
            {"others", others_},
            {"time_backwards", backwards_}};
  }
  // Of an unfinished packet, from its header on.
  std::size_t pending_bytes() const { return static_cast<std::size_t>(n_packet_); }
  std::optional<Damage> damage() const { return damage_; }

 private:
  struct Header {
    std::uint16_t type, source;
    std::int32_t size, time_offset, overflow, capacity, number, valid;
  };
  static constexpr std::size_t kHeader = 28;

  std::size_t header(const std::uint8_t* bytes, std::size_t n_bytes);
  std::string problem(const Header& h) const;
  void start(const Header& h);
  void run(const std::uint8_t* words, std::size_t n_words, EventColumns& out);
  void run_any(const std::uint8_t* words, std::size_t n_words, EventColumns& out);

  std::uint32_t width_, height_;
  bool png_frames_;
  std::uint8_t header_[kHeader] = {};
  std::uint64_t offset_ = 0;    // bytes decoded before the packet
  std::uint64_t n_packet_ = 0;  // bytes of the packet decoded so far, 0 between two
  std::uint64_t left_ = 0;      // bytes of its events to come
  bool polarity_ = false;
  Carry<8> carry_;
  std::uint64_t base_ = 0;  // us, of the packet
  std::uint64_t last_ = 0;  // time of the last event delivered
  std::uint64_t out_of_bounds_ = 0, invalid_ = 0, negative_time_ = 0;
  std::uint64_t special_ = 0, frames_ = 0, imu_ = 0, others_ = 0, backwards_ = 0;
  std::optional<Damage> damage_;
};

}  // namespace saccade
