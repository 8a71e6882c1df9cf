// AEDAT4's other streams: one decompressed FRME, IMUS or TRIG payload each, checked before access.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace saccade {

struct Aedat4Frame {
  std::int64_t t = 0, exposure_begin = 0, exposure_end = 0;  // us
  std::uint32_t width = 0, height = 0, channels = 0;
  std::int32_t x = 0, y = 0;     // of the upper left corner on the sensor
  std::size_t first = 0, n = 0;  // of the pixels: the first one's byte in the payload, and bytes
};

struct Aedat4Imu {
  std::vector<std::uint64_t> t;                               // us
  std::vector<float> temperature;                             // degrees Celsius
  std::vector<float> accelerometer, gyroscope, magnetometer;  // x, y, z of each sample
  std::uint64_t negative_time = 0;                            // dropped
};

struct Aedat4Triggers {
  std::vector<std::uint64_t> t;  // us
  std::vector<std::uint8_t> kind;
  std::uint64_t negative_time = 0;  // dropped
};

// All throw std::invalid_argument where the payload is damaged.
Aedat4Frame read_aedat4_frame(const std::uint8_t* bytes, std::size_t n_bytes);
Aedat4Imu read_aedat4_imu(const std::uint8_t* bytes, std::size_t n_bytes);
Aedat4Triggers read_aedat4_triggers(const std::uint8_t* bytes, std::size_t n_bytes);

}  // namespace saccade
