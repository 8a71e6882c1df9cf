// AEDAT 2.0: big-endian pairs of a 32-bit address and a 32-bit time in us.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"

namespace saccade {

class Aedat2Decoder {
 public:
  // How a chip packs an event into its address.
  enum class Layout { dvs128, davis };

  Aedat2Decoder(std::uint32_t width, std::uint32_t height, Layout layout)
      : width_(width), height_(height), layout_(layout) {}

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }
  Counts skipped() const {
    return {
        {"special", special_}, {"aps", aps_}, {"imu", imu_}, {"time_backwards", time_backwards_}};
  }
  std::size_t pending_bytes() const { return carry_.size(); }
  std::optional<Damage> damage() const { return std::nullopt; }

 private:
  template <Layout kLayout>
  void run(const std::uint8_t* records, std::size_t n, EventColumns& out);
  template <Layout kLayout>
  void record(const std::uint8_t* bytes, EventColumns& out);
  template <Layout kLayout>
  bool is_event(std::uint32_t address);

  std::uint32_t width_, height_;
  Layout layout_;
  WrappingClock<32> clock_;
  std::uint64_t out_of_bounds_ = 0, special_ = 0, aps_ = 0, imu_ = 0, time_backwards_ = 0;
  Carry<8> carry_;
};

}  // namespace saccade
