// N-MNIST and N-Caltech101: big-endian records of five bytes.
#pragma once
#include "carry.hpp"
#include "decoder.hpp"

namespace saccade {

class NmnistDecoder {
 public:
  NmnistDecoder(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}

  EventColumns decode(const std::uint8_t* bytes, std::size_t n_bytes);

  Counts dropped() const { return {{"out_of_bounds", out_of_bounds_}}; }
  Counts skipped() const {
    return {{"time_overflows", overflows_}, {"time_backwards", time_backwards_}};
  }
  std::size_t pending_bytes() const { return carry_.size(); }
  std::optional<Damage> damage() const { return std::nullopt; }

 private:
  void run(const std::uint8_t* records, std::size_t n, EventColumns& out);

  std::uint32_t width_, height_;
  std::uint64_t offset_ = 0, last_ = 0;  // us
  std::uint64_t out_of_bounds_ = 0, overflows_ = 0, time_backwards_ = 0;
  Carry<5> carry_;
};

}  // namespace saccade
