// The header that stands before each of AEDAT4's packets.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace saccade {

struct Aedat4Packet {
  static constexpr std::size_t kHeader = 8;  // i32 stream, i32 bytes that follow

  std::int32_t stream;
  std::size_t size;
};

// None where the size is below 0. Reads kHeader bytes.
inline std::optional<Aedat4Packet> read_aedat4_packet(const std::uint8_t* at) {
  std::int32_t stream, size;
  std::memcpy(&stream, at, 4);
  std::memcpy(&size, at + 4, 4);
  if (size < 0) return std::nullopt;
  return Aedat4Packet{stream, static_cast<std::size_t>(size)};
}

// None, too, where it is of none of these streams.
inline std::optional<Aedat4Packet> read_aedat4_packet(const std::uint8_t* at,
                                                      const std::vector<std::int32_t>& streams) {
  const std::optional<Aedat4Packet> found = read_aedat4_packet(at);
  if (!found || std::find(streams.begin(), streams.end(), found->stream) == streams.end())
    return std::nullopt;
  return found;
}

}  // namespace saccade
