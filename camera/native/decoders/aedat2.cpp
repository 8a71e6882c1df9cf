#include "aedat2.hpp"

namespace saccade {
namespace {

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

}  // namespace

EventColumns Aedat2Decoder::decode(const std::uint8_t* bytes, std::size_t n_bytes) {
  EventColumns out(carry_.words(n_bytes));
  carry_.feed(bytes, n_bytes, [&](const std::uint8_t* records, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) record(records + 8 * i, out);
  });
  return out;
}

// Written in any case and kept by a sum: whether a pixel is inside costs no branch.
void Aedat2Decoder::record(const std::uint8_t* bytes, EventColumns& out) {
  const std::uint32_t address = big_endian(bytes);
  if (!is_event(address)) return;
  time_backwards_ += !clock_.advance(big_endian(bytes + 4));
  const bool davis = layout_ == Layout::davis;
  const std::uint32_t x = davis ? (address >> 12) & 0x3ff : (address >> 1) & 0x7f;
  const std::uint32_t y = davis ? (address >> 22) & 0x1ff : (address >> 8) & 0x7f;
  const bool inside = x < width_ && y < height_;
  out.t[out.size] = clock_.value();
  out.x[out.size] = static_cast<std::uint16_t>(x);
  out.y[out.size] = static_cast<std::uint16_t>(y);
  // DVS128 sets its bit for a pixel that got darker, DAVIS for one that got brighter.
  out.on[out.size] = davis ? (address & 0x800) != 0 : (address & 1) == 0;
  out.size += inside;
  out_of_bounds_ += !inside;
}

// DAVIS: bit 31 marks a sample, of the IMU where bits 10 and 11 are set, else of the image sensor;
// bit 10 alone is a mark of the special inputs, as bit 15 is with the DVS128.
bool Aedat2Decoder::is_event(std::uint32_t address) {
  const bool davis = layout_ == Layout::davis;
  const bool sample = davis && (address >> 31) != 0;
  const bool special = !sample && (address & (davis ? 0x400u : 0x8000u)) != 0;
  const bool imu = sample && (address & 0xc00) == 0xc00;
  special_ += special;
  imu_ += imu;
  aps_ += sample && !imu;
  return !sample && !special;
}

}  // namespace saccade
