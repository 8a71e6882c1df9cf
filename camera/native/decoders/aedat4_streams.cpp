#include "aedat4_streams.hpp"

#include "flatbuffer.hpp"

namespace saccade {
namespace {

// Tables may be shared, so that a small payload could unfold to many samples. Cameras write some
// ten in a packet.
constexpr std::size_t kMaxElements = 1 << 18;

// The vector of tables in field 0.
std::pair<const std::uint8_t*, std::size_t> elements(const FlatBuffer& buffer) {
  const auto found = buffer.root().vector(0, 4);
  if (found.second > kMaxElements) damaged("its flatbuffer states too many elements");
  return found;
}

// Values of cv::Mat's types, which are what the format's enumeration has.
std::uint32_t channels_of(std::int8_t format) {
  switch (format) {
    case 0:  // gray
      return 1;
    case 16:  // blue, green, red
      return 3;
    case 24:  // blue, green, red, alpha
      return 4;
    default:
      damaged("its frame has an unknown pixel format");
  }
}

}  // namespace

Aedat4Frame read_aedat4_frame(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "FRME");
  const FlatTable& table = buffer.root();
  Aedat4Frame frame;
  frame.t = table.scalar<std::int64_t>(0, 0);
  frame.exposure_begin = table.scalar<std::int64_t>(3, 0);
  frame.exposure_end = table.scalar<std::int64_t>(4, 0);
  frame.channels = channels_of(table.scalar<std::int8_t>(5, 0));
  const std::int16_t width = table.scalar<std::int16_t>(6, 0);
  const std::int16_t height = table.scalar<std::int16_t>(7, 0);
  frame.x = table.scalar<std::int16_t>(8, 0);
  frame.y = table.scalar<std::int16_t>(9, 0);
  if (width < 0 || height < 0) damaged("its frame has a negative size");
  frame.width = static_cast<std::uint32_t>(width);
  frame.height = static_cast<std::uint32_t>(height);
  const auto [first, n] = table.vector(10, 1);
  if (n != std::size_t{frame.width} * frame.height * frame.channels) {
    damaged("its frame has not as many pixels as its size states");
  }
  frame.first = first == nullptr ? 0 : static_cast<std::size_t>(first - bytes);
  frame.n = n;
  return frame;
}

Aedat4Imu read_aedat4_imu(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "IMUS");
  const auto [first, n] = elements(buffer);
  Aedat4Imu out;
  for (std::size_t j = 0; j < n; ++j) {
    const FlatTable sample = buffer.root().table(first, j);
    const std::int64_t t = sample.scalar<std::int64_t>(0, 0);
    if (t < 0) {
      ++out.negative_time;
      continue;
    }
    out.t.push_back(static_cast<std::uint64_t>(t));
    out.temperature.push_back(sample.scalar<float>(1, 0));
    for (std::size_t axis = 0; axis < 3; ++axis) {
      out.accelerometer.push_back(sample.scalar<float>(2 + axis, 0));
      out.gyroscope.push_back(sample.scalar<float>(5 + axis, 0));
      out.magnetometer.push_back(sample.scalar<float>(8 + axis, 0));
    }
  }
  return out;
}

Aedat4Triggers read_aedat4_triggers(const std::uint8_t* bytes, std::size_t n_bytes) {
  const FlatBuffer buffer(bytes, n_bytes, "TRIG");
  const auto [first, n] = elements(buffer);
  Aedat4Triggers out;
  for (std::size_t j = 0; j < n; ++j) {
    const FlatTable trigger = buffer.root().table(first, j);
    const std::int64_t t = trigger.scalar<std::int64_t>(0, 0);
    if (t < 0) {
      ++out.negative_time;
      continue;
    }
    out.t.push_back(static_cast<std::uint64_t>(t));
    out.kind.push_back(static_cast<std::uint8_t>(trigger.scalar<std::int8_t>(1, 0)));
  }
  return out;
}

}  // namespace saccade
