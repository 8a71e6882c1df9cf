#include "aedat4_batch.hpp"

#include <cstring>
#include <stdexcept>

#include "aedat4_records.hpp"

namespace saccade {
namespace {

struct PacketHeader {
  std::int32_t stream, size;
};

PacketHeader read_header(const std::uint8_t* at) {
  PacketHeader header;
  std::memcpy(&header, at, sizeof(header));
  return header;
}

bool contains(const std::vector<std::int32_t>& streams, std::int32_t stream) {
  for (const std::int32_t known : streams) {
    if (known == stream) return true;
  }
  return false;
}

}  // namespace

std::size_t whole_aedat4_packets(const std::uint8_t* bytes, std::size_t n_bytes,
                                 const std::vector<std::int32_t>& streams, std::int32_t wanted,
                                 std::size_t limit) {
  std::size_t at = 0;
  while (n_bytes - at >= kAedat4PacketHeader) {
    const PacketHeader header = read_header(bytes + at);
    if (!contains(streams, header.stream) || header.size < 0) break;
    const auto size = static_cast<std::size_t>(header.size);
    if (header.stream == wanted && size > limit) break;
    if (n_bytes - at - kAedat4PacketHeader < size) break;
    at += kAedat4PacketHeader + size;
  }
  return at;
}

// Unfolded first and decoded afterwards: only then is it known how many events there are.
Aedat4Batch Aedat4BatchDecoder::decode(const std::uint8_t* bytes, std::size_t n_bytes,
                                       std::size_t limit, std::size_t first_limit) {
  records_.clear();
  content_.size = unfolded_ = events_ = 0;
  std::uint64_t others = 0;
  std::size_t at = 0;
  std::string damage;
  while (at < n_bytes) {
    const PacketHeader header =
        n_bytes - at < kAedat4PacketHeader ? PacketHeader{stream_, -1} : read_header(bytes + at);
    const auto size = static_cast<std::size_t>(header.size);
    const std::size_t payload = at + kAedat4PacketHeader;
    if (header.size < 0 || size > n_bytes - payload) throw std::invalid_argument("a packet is cut");
    if (header.stream != stream_) {
      ++others;
    } else {
      try {
        const std::size_t most = records_.empty() ? first_limit : limit;
        if (!take(bytes + payload, size, payload, most)) break;
      } catch (const std::invalid_argument& error) {
        damage = error.what();
        break;
      }
    }
    at = payload + size;
  }
  Aedat4Batch out{{EventColumns(events_)}, others, at, std::move(damage)};
  const std::uint8_t* from = lz4_ ? content_.data() : bytes;
  for (const Records& part : records_) {
    read_aedat4_records(from + part.first, part.n, width_, height_, out.found);
  }
  return out;
}

// False where the packet goes beyond the limit.
bool Aedat4BatchDecoder::take(const std::uint8_t* packet, std::size_t size, std::size_t at,
                              std::size_t limit) {
  const std::size_t start = content_.size;
  std::size_t n_bytes = size;
  if (lz4_) {
    if (start > limit || !unpack_lz4_after(packet, size, limit - start, content_)) return false;
    packet = content_.data() + start;
    n_bytes = content_.size - start;
    at = start;
  } else if (unfolded_ + size > limit) {
    return false;
  }
  const auto [first, n] = aedat4_records(packet, n_bytes);
  unfolded_ += n_bytes;
  events_ += n;
  records_.push_back({n == 0 ? 0 : at + static_cast<std::size_t>(first - packet), n});
  return true;
}

}  // namespace saccade
